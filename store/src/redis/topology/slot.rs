//! The hash slot of a key.

/// The number of hash slots in a cluster.
pub(in crate::redis) const SLOTS: usize = 16_384;

/// The hash slot of a key: by the bytes between its first `{` and the next `}` if there are any,
/// else by the whole key (Redis Cluster specification, "Key distribution model").
pub(in crate::redis) fn of(key: &[u8]) -> u16 {
    let tag = key.iter().position(|byte| *byte == b'{').and_then(|open| {
        let rest = &key[open + 1..];
        let close = rest.iter().position(|byte| *byte == b'}')?;
        (close > 0).then(|| &rest[..close])
    });
    crc16(tag.unwrap_or(key)) % SLOTS as u16
}

/// CRC-16/XMODEM.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| (crc << 8) ^ TABLE[usize::from((crc >> 8) as u8 ^ byte)])
}

const TABLE: [u16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = (byte as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::{crc16, of};

    #[test]
    fn slots_are_those_of_the_specification() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
        for (key, expected) in [
            ("a", 15495),
            ("rl:{a}:default", 15495),
            ("rl:{a}:{b}:x", 15495),
            ("foo{}{bar}", of(b"foo{}{bar}")),
            ("foo{{bar}}zap", of(b"{bar")),
            ("", 0),
        ] {
            assert_eq!(of(key.as_bytes()), expected, "{key}");
        }
        assert_ne!(of(b"foo{}{bar}"), of(b"bar"));
    }
}
