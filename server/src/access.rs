//! Who may ask what: bearer tokens (RFC 6750) from a file that holds only their hashes.
//!
//! A token is a long random text, so a plain SHA-256 of it cannot be turned back; slow password hashes
//! are for texts that can be guessed, and would be paid on every check.

use std::{collections::HashMap, fmt, str};

use serde::Deserialize;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Every token that is taken.
pub struct Tokens {
    /// By the first bytes of the hash: what the time of this look-up tells is of no use to anybody.
    by_prefix: HashMap<[u8; 8], Vec<(Hash, Grant)>>,
    len: usize,
    hash: String,
}

/// What the holder of a token may do; everything where no tokens are configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    role: Role,
    prefix: Option<Box<str>>,
}

/// Kinds of callers, each may do what the one before may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Check, peek and take under the configured policies.
    Check,
    /// Also refund, charge and reset, bring limits, and see which keys are denied most.
    Admin,
}

type Hash = [u8; 32];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    tokens: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// For the reader of the file.
    #[serde(rename = "name")]
    _name: String,
    sha256: String,
    role: Role,
    prefix: Option<Box<str>>,
}

// === impl Tokens ===

impl Tokens {
    /// Reads a token file: TOML with `[[tokens]]` of `name`, `sha256` (64 hex digits), `role` and
    /// optionally `prefix`. The error names the token, and repeats no hash.
    pub fn read(file: &[u8]) -> Result<Self, String> {
        let text = str::from_utf8(file).map_err(|_| "the file must be UTF-8")?;
        let entries = toml::from_str::<File>(text)
            .map_err(|error| {
                let before = text.get(..error.span().unwrap_or_default().start).unwrap_or_default();
                let line = before.matches('\n').count() + 1;
                format!("line {line}: {}", error.message().replace('\n', ", "))
            })?
            .tokens;
        let mut tokens = Self {
            by_prefix: HashMap::with_capacity(entries.len()),
            len: entries.len(),
            hash: hex(&Sha256::digest(file)[..8]),
        };
        for (at, entry) in entries.into_iter().enumerate() {
            let hash = unhex(&entry.sha256)
                .ok_or_else(|| format!("token {}: sha256 must be 64 hex digits", at + 1))?;
            if entry.prefix.as_deref() == Some("") {
                return Err(format!("token {}: prefix must not be empty: leave it out", at + 1));
            }
            let slot = tokens.by_prefix.entry(first(&hash)).or_default();
            if slot.iter().any(|(other, _)| *other == hash) {
                return Err(format!("token {}: its sha256 is there twice", at + 1));
            }
            slot.push((hash, Grant { role: entry.role, prefix: entry.prefix }));
        }
        Ok(tokens)
    }

    /// What the holder of `token` may do; `None` if it is not taken.
    pub fn grant(&self, token: &[u8]) -> Option<&Grant> {
        let hash: Hash = Sha256::digest(token).into();
        let candidates = self.by_prefix.get(&first(&hash))?;
        candidates.iter().find(|(known, _)| known.ct_eq(&hash).into()).map(|(_, grant)| grant)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nobody may ask anything.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Tells one content from another: 16 hex digits.
    pub fn hash(&self) -> &str {
        &self.hash
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("len", &self.len).finish_non_exhaustive()
    }
}

// === impl Grant ===

impl Grant {
    /// Everything.
    pub const fn all() -> Self {
        Self { role: Role::Admin, prefix: None }
    }

    /// Whether it includes what `role` may do.
    pub fn includes(&self, role: Role) -> bool {
        self.role >= role
    }

    /// Whether it extends to `key`.
    pub fn covers(&self, key: &str) -> bool {
        self.prefix.as_deref().is_none_or(|prefix| key.starts_with(prefix))
    }

    /// Whether it extends to every key.
    pub fn covers_all_keys(&self) -> bool {
        self.prefix.is_none()
    }
}

fn first(hash: &Hash) -> [u8; 8] {
    let [a, b, c, d, e, f, g, h, ..] = *hash;
    [a, b, c, d, e, f, g, h]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Hash> {
    let digits = text.as_bytes();
    let mut hash = Hash::default();
    if digits.len() != 2 * hash.len() {
        return None;
    }
    let value =
        |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = value(pair[0])? << 4 | value(pair[1])?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::{Role, Tokens};

    /// Well-formed, and of nothing.
    const A: &str = "9a2a8e2f6d11e3b7a6c18f4f11a6ff13f5ab4b0bb49b5d3a2b7a2f0e2d3c4b5a";

    fn sha256(token: &str) -> String {
        use sha2::{Digest, Sha256};
        super::hex(&Sha256::digest(token.as_bytes()))
    }

    #[test]
    fn known_hash() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(sha256(""), empty, "FIPS 180-4");
    }

    #[test]
    fn grants() {
        let file = format!(
            "[[tokens]]\nname = 'a'\nsha256 = '{}'\nrole = 'check'\nprefix = 'a:'\n\
             [[tokens]]\nname = 'ops'\nsha256 = '{}'\nrole = 'admin'\n",
            sha256("secret-a"),
            sha256("secret-ops").to_uppercase(),
        );
        let tokens = Tokens::read(file.as_bytes()).unwrap();
        assert_eq!(tokens.len(), 2);
        let tenant = tokens.grant(b"secret-a").unwrap();
        assert!(tenant.includes(Role::Check) && !tenant.includes(Role::Admin));
        assert!(tenant.covers("a:1") && !tenant.covers("b:1") && !tenant.covers("a"));
        assert!(!tenant.covers_all_keys());
        let ops = tokens.grant(b"secret-ops").unwrap();
        assert!(ops.includes(Role::Admin) && ops.covers("b:1"));
        for other in [&b""[..], b"secret", b"secret-a ", b"Secret-a", A.as_bytes()] {
            assert_eq!(tokens.grant(other), None);
        }
        assert!(!format!("{tokens:?}").contains("a:"));
    }

    #[test]
    fn mistakes() {
        let entry = |fields: &str| format!("[[tokens]]\nname = 'x'\n{fields}");
        let twice = entry(&format!("sha256 = '{A}'\nrole = 'check'\n")).repeat(2);
        for (text, mistake) in [
            ("x = 1".to_owned(), "line 1: unknown field `x`"),
            (entry("role = 'check'"), "line 1: missing field `sha256`"),
            (entry(&format!("sha256 = '{A}'")), "line 1: missing field `role`"),
            (entry(&format!("sha256 = '{A}'\nrole = 'root'")), "line 4: unknown variant `root`"),
            (entry("sha256 = 'ab'\nrole = 'check'"), "token 1: sha256 must be 64 hex digits"),
            (
                entry(&format!("sha256 = '{}'\nrole = 'check'", "zz".repeat(32))),
                "token 1: sha256 must be 64",
            ),
            (
                entry(&format!("sha256 = '{A}'\nrole = 'check'\nprefix = ''")),
                "token 1: prefix must not be empty",
            ),
            (twice, "token 2: its sha256 is there twice"),
        ] {
            let said = Tokens::read(text.as_bytes()).unwrap_err();
            assert!(said.starts_with(mistake), "{text}\n-> {said}");
        }
    }
}
