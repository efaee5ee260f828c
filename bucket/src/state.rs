//! The state of a bucket between two checks, and its 25 bytes in Redis.

/// A moment: microseconds since the Unix epoch, from 0 to 2^53 (the year 2255), exact as a double.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Micros(u64);

/// The state of one bucket. Only a [`Level`](crate::Level) changes it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bucket {
    pub(crate) tokens: f64,
    /// When it held `tokens`: whole microseconds since the epoch.
    pub(crate) ts: f64,
    /// The expiry last set on its key: milliseconds since the epoch.
    pub(crate) expires: f64,
}

// === impl Micros ===

impl Micros {
    const MAX: u64 = 1 << 53;

    /// A moment; any after 2^53 us becomes 2^53.
    #[inline]
    pub const fn new(since_epoch: u64) -> Self {
        Self(if since_epoch < Self::MAX { since_epoch } else { Self::MAX })
    }

    /// Microseconds since the epoch.
    #[inline]
    pub const fn get(self) -> u64 {
        self.0
    }

    #[inline]
    pub(crate) fn as_f64(self) -> f64 {
        self.0 as f64
    }
}

// === impl Bucket ===

impl Bucket {
    /// Length of the encoded state in bytes.
    pub const LEN: usize = 25;

    const VERSION: u8 = 1;
    /// The bound of any capacity, and of any debt.
    const MAX_TOKENS: f64 = 1e9;
    const MAX_TS: f64 = Micros::MAX as f64;
    /// Below 2^63, so that an expiry is always an `i64`.
    const MAX_EXPIRES: f64 = 9e18;

    /// The state as bytes: a version byte, then tokens, ts and expiry as little-endian doubles
    /// (`<Bddd` for Lua's struct library).
    pub fn encode(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        let (version, doubles) = bytes.split_at_mut(1);
        version.fill(Self::VERSION);
        for (slot, value) in doubles.chunks_exact_mut(8).zip([self.tokens, self.ts, self.expires]) {
            slot.copy_from_slice(&value.to_le_bytes());
        }
        bytes
    }

    /// Reads a state; `None` for any bytes that are not one.
    #[inline]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (&[Self::VERSION], doubles) = bytes.split_first_chunk::<1>()? else {
            return None;
        };
        let (tokens, doubles) = doubles.split_first_chunk::<8>()?;
        let (ts, doubles) = doubles.split_first_chunk::<8>()?;
        let expires: &[u8; 8] = doubles.try_into().ok()?;
        let bucket = Self {
            tokens: f64::from_le_bytes(*tokens),
            ts: f64::from_le_bytes(*ts),
            expires: f64::from_le_bytes(*expires),
        };
        // A NaN is in no range.
        let sound = (-Self::MAX_TOKENS..=Self::MAX_TOKENS).contains(&bucket.tokens)
            && (0.0..=Self::MAX_TS).contains(&bucket.ts)
            && (0.0..=Self::MAX_EXPIRES).contains(&bucket.expires);
        sound.then_some(bucket)
    }

    /// When its key expires: milliseconds since the epoch, not before the bucket is full.
    #[inline]
    pub fn expires_at_ms(&self) -> i64 {
        self.expires as i64
    }
}

#[cfg(test)]
mod tests {
    use super::Bucket;

    const SAMPLE: Bucket = Bucket { tokens: 99.5, ts: 1.7e15, expires: 1.7e12 };

    #[test]
    fn the_layout_is_25_bytes() {
        let bytes = SAMPLE.encode();
        assert_eq!(bytes[0], 1);
        assert_eq!(bytes[1..9], 99.5f64.to_le_bytes());
        assert_eq!(bytes[9..17], 1.7e15f64.to_le_bytes());
        assert_eq!(bytes[17..25], 1.7e12f64.to_le_bytes());
        assert_eq!(Bucket::decode(&bytes), Some(SAMPLE));
        assert_eq!(SAMPLE.expires_at_ms(), 1_700_000_000_000);
    }

    #[test]
    fn not_a_bucket() {
        let good = SAMPLE.encode();
        for len in 0..good.len() {
            assert_eq!(Bucket::decode(&good[..len]), None, "{len} bytes");
        }
        assert_eq!(Bucket::decode(&[good.as_slice(), &[0]].concat()), None, "26 bytes");
        for version in (0..=255).filter(|v| *v != 1) {
            let mut bytes = good;
            bytes[0] = version;
            assert_eq!(Bucket::decode(&bytes), None, "version {version}");
        }
        for (field, value) in [
            (1, f64::NAN),
            (1, f64::INFINITY),
            (1, 1e9 + 1.0),
            (1, -1e9 - 1.0),
            (9, -1.0),
            (9, 9_007_199_254_740_994.0),
            (9, f64::NAN),
            (17, -1.0),
            (17, 1e19),
            (17, f64::NEG_INFINITY),
        ] {
            let mut bytes = good;
            bytes[field..field + 8].copy_from_slice(&value.to_le_bytes());
            assert_eq!(Bucket::decode(&bytes), None, "{value} at {field}");
        }
    }
}
