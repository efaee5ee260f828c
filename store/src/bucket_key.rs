//! Names of buckets in the store, and the pseudonyms that may stand for keys in them.
//!
//! Without a secret a key keeps its name. With one, a pseudonym stands for it: HMAC-SHA-256 of the
//! key, cut to 128 bits. Redis, its files, its replicas and anybody who watches them then see no
//! key; with the secret the pseudonym of a key can be computed, without it a key can only be
//! guessed. RFC 2104 allows half of the output to be kept. Two of 2^50 keys share a pseudonym with
//! a probability of 2^-29, and without the secret such a pair cannot be searched for.

use std::{borrow::Cow, fmt, fs::File, io::Read, path::Path};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::hex;

/// Maps each key to the name that stands for it.
#[derive(Clone, Default)]
pub struct Pseudonyms {
    /// The hash after it has absorbed the secret.
    secret: Option<Hmac<Sha256>>,
}

/// The policy of a check that names none.
pub const DEFAULT_POLICY: &str = "default";

const MIN_SECRET_LEN: usize = 16;
const MAX_SECRET_LEN: usize = 4096;
const SECRET_RULE: &str = "the secret must be of 16 to 4096 bytes: openssl rand -hex 32 makes one";
const PSEUDONYM_LEN: usize = 16;

// === impl Pseudonyms ===

impl Pseudonyms {
    /// Keys keep their own names.
    pub fn plain() -> Self {
        Self::default()
    }

    /// Keys get pseudonyms under the secret in `file`: 16 to 4096 bytes, a final line break not
    /// counted. The error names the file and never repeats its content.
    pub fn read(file: &Path) -> Result<Self, String> {
        let failed = |reason: &dyn fmt::Display| format!("{}: {reason}", file.display());
        let mut secret = Vec::new();
        File::open(file)
            // Room for a line break, and one byte more to notice a secret that is too long.
            .and_then(|file| file.take(MAX_SECRET_LEN as u64 + 3).read_to_end(&mut secret))
            .map_err(|error| failed(&error))?;
        Self::secret(&secret).ok_or_else(|| failed(&SECRET_RULE))
    }

    fn secret(content: &[u8]) -> Option<Self> {
        let secret = content.strip_suffix(b"\n").unwrap_or(content);
        let secret = secret.strip_suffix(b"\r").unwrap_or(secret);
        if !(MIN_SECRET_LEN..=MAX_SECRET_LEN).contains(&secret.len()) {
            return None;
        }
        Some(Self { secret: Some(Hmac::new_from_slice(secret).ok()?) })
    }

    /// Whether keys keep their own names.
    pub fn is_plain(&self) -> bool {
        self.secret.is_none()
    }

    /// The name of `key`: itself, or 32 hex digits.
    pub fn of<'k>(&self, key: &'k str) -> Cow<'k, str> {
        let Some(secret) = &self.secret else { return Cow::Borrowed(key) };
        let code = secret.clone().chain_update(key).finalize().into_bytes();
        Cow::Owned(hex(&code[..PSEUDONYM_LEN]))
    }
}

impl fmt::Debug for Pseudonyms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.secret.is_some() {
            "Pseudonyms::Secret(..)"
        } else {
            "Pseudonyms::Plain"
        })
    }
}

// === bucket keys ===

/// The bucket key of the key called `name` under `policy` and, if its limits have names, `limit`:
/// `rl:{name}:policy[:limit]`.
///
/// The braces keep all buckets of a key in one hash slot of a cluster. Policy and limit names hold
/// neither brace nor colon, so the last brace ends the key and no two buckets share a name. A name
/// that begins with `}` would leave nothing between the braces, and the slot would depend on the
/// limit; its bucket is `rl::{:name}:policy[:limit]`.
pub fn bucket_key(name: &str, policy: &str, limit: Option<&str>) -> Vec<u8> {
    let open = if name.starts_with('}') { "rl::{:" } else { "rl:{" };
    let len = open.len() + name.len() + "}::".len() + policy.len() + limit.map_or(0, str::len);
    let mut bucket = Vec::with_capacity(len);
    for part in [open, name, "}:", policy] {
        bucket.extend_from_slice(part.as_bytes());
    }
    if let Some(limit) = limit {
        bucket.push(b':');
        bucket.extend_from_slice(limit.as_bytes());
    }
    bucket
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, path::Path};

    use super::{Pseudonyms, bucket_key};

    const JEFE: &[u8] = b"Jefe, what do ya";

    #[test]
    fn without_a_secret_keys_keep_their_names() {
        for key in ["user:42", "}", "é", "00112233445566778899aabbccddeeff"] {
            assert_eq!(Pseudonyms::plain().of(key), key);
        }
    }

    /// Values by `printf %s KEY | openssl dgst -sha256 -hmac SECRET`.
    #[test]
    fn pseudonyms_are_those_that_openssl_computes() {
        let long = "k".repeat(1024);
        let names = Pseudonyms::secret(JEFE).unwrap();
        for (key, name) in [
            ("user:42", "83e36b7602fa0cfb943184e1c82b8e70"),
            ("}", "a620c36fad17b43f554a45da2fdea92b"),
            ("é", "265cd9f4a2b3259712a2e4c9ae1ff2ea"),
            (&*long, "28ffb405c3ee7fd57a08d271a35bc3cc"),
        ] {
            assert_eq!(names.of(key), name, "{key}");
        }
        let other = Pseudonyms::secret(b"Jefe, what do yo").unwrap();
        assert_ne!(other.of("user:42"), names.of("user:42"));
    }

    #[test]
    fn secrets_are_bounded_and_lose_one_line_break() {
        let of =
            |content: &[u8]| Pseudonyms::secret(content).map(|names| names.of("k").into_owned());
        let known = of(JEFE);
        assert!(known.is_some());
        for same in [[JEFE, b"\n"].concat(), [JEFE, b"\r\n"].concat()] {
            assert_eq!(of(&same), known, "a final line break is not part of the secret");
        }
        for other in [[JEFE, b"\n\n"].concat(), [JEFE, b" "].concat(), [b"\n", JEFE].concat()] {
            assert!(of(&other).is_some_and(|name| Some(name) != known));
        }
        for (len, good) in [(0, false), (15, false), (16, true), (4096, true), (4097, false)] {
            assert_eq!(of(&vec![7; len]).is_some(), good, "{len}");
            assert_eq!(of(&[&vec![7; len][..], b"\r\n"].concat()).is_some(), good, "{len}");
        }
        let missing = Pseudonyms::read(Path::new("/no/such/file")).unwrap_err();
        assert!(missing.starts_with("/no/such/file: No such file"), "{missing}");
        let endless = Pseudonyms::read(Path::new("/dev/zero")).unwrap_err();
        assert!(endless.starts_with("/dev/zero: the secret must be of 16 to 4096"), "{endless}");
    }

    #[test]
    fn a_secret_does_not_show_itself() {
        let shown = format!("{:?} {:#?}", Pseudonyms::secret(JEFE), Pseudonyms::plain());
        assert_eq!(shown, "Some(Pseudonyms::Secret(..)) Pseudonyms::Plain");
    }

    #[test]
    fn no_two_buckets_share_a_name() {
        assert_eq!(bucket_key("k", "default", None), b"rl:{k}:default");
        assert_eq!(bucket_key("k", "api", Some("burst")), b"rl:{k}:api:burst");
        assert_eq!(bucket_key("}k", "api", Some("burst")), b"rl::{:}k}:api:burst");
        // Every key of up to five of the bytes that names themselves are made of.
        let mut keys = vec![String::new()];
        for from in 0..5_u32.pow(5) {
            if let Some(key) = keys.get(from as usize).cloned().filter(|key| key.len() < 5) {
                keys.extend(["{", "}", ":", "a", "r"].map(|byte| key.clone() + byte));
            }
        }
        keys.push("r}:a".to_owned());
        keys.extend(["l:{a", "{:}", ":{:}a}:a:a"].map(str::to_owned));
        keys.sort();
        keys.dedup();
        let mut names = HashMap::new();
        for key in keys.iter().filter(|key| !key.is_empty()) {
            let of_one = [("a", None), ("r", None), ("a", Some("a")), ("a", Some("r"))];
            let mut tags = of_one.map(|(policy, limit)| {
                let name = bucket_key(key, policy, limit);
                let tag = tag(&name).to_owned();
                let before = names.insert(name, (key, policy, limit));
                assert_eq!(before, None, "{key} {policy} {limit:?}");
                tag
            });
            tags.sort();
            assert!(tags[0] == tags[3] && !tags[0].is_empty(), "{key}");
        }
    }

    /// The hash tag: the bytes between the first `{` and the next `}`, or the whole key if there
    /// are none.
    fn tag(name: &[u8]) -> &[u8] {
        let open = name.iter().position(|byte| *byte == b'{').unwrap() + 1;
        let len = name[open..].iter().position(|byte| *byte == b'}').unwrap();
        if len == 0 { name } else { &name[open..open + len] }
    }
}
