//! The rights of callers: bearer tokens (RFC 6750) from a file that holds only their hashes.
//!
//! A token is a long random text, so its plain SHA-256 cannot be reversed. Slow password hashes are
//! for texts that can be guessed, and would cost every check.

use std::{collections::HashMap, fmt, str};

use rl_store::hex;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::toml_error::TomlError;

/// The valid tokens.
pub struct Tokens {
    /// By the first bytes of the hash. The timing of this look-up reveals nothing useful: an
    /// attacker cannot choose the hash of a guess.
    by_prefix: HashMap<[u8; 8], Vec<(Hash, Grant)>>,
    len: usize,
    hash: String,
}

/// The rights of a token: a role, and a prefix of keys. Without a token file callers have all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    role: Role,
    prefix: Option<Box<str>>,
}

/// The role of a caller. Each includes the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// May check, peek and take under the configured policies.
    Check,
    /// May also refund, charge and reset, send inline limits, and list the offenders.
    Admin,
}

type Hash = [u8; 32];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileTable {
    tokens: Option<Vec<TokenTable>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenTable {
    /// For people who read the file.
    #[serde(rename = "name")]
    _name: String,
    sha256: String,
    role: Role,
    prefix: Option<Box<str>>,
}

/// SHA-256 of the empty text, which a recipe gives for a mistyped variable.
const EMPTY: Hash = [
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
    0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
];
/// A file that was emptied by mistake would shut every caller out.
const NO_TOKENS: &str = "line 1: the file must have [[tokens]], or tokens = [] to admit nobody";

// === impl Tokens ===

impl Tokens {
    /// Reads a token file: TOML with `[[tokens]]` of `name`, `sha256` (64 hex digits), `role` and
    /// optionally `prefix`. The error names the line or the token, and quotes nothing: the file may
    /// hold a token by mistake.
    pub fn read(content: &[u8]) -> Result<Self, String> {
        let text = str::from_utf8(content).map_err(|_| "the file must be UTF-8")?;
        let tables = toml::from_str::<FileTable>(text)
            .map_err(|error| {
                let TomlError { span, reason } = TomlError::new(&error, |_| false);
                let before = text.get(..span.start).unwrap_or_default();
                let line = before.matches('\n').count() + 1;
                format!("line {line}: {reason}")
            })?
            .tokens
            .ok_or(NO_TOKENS)?;
        let mut tokens = Self {
            by_prefix: HashMap::with_capacity(tables.len()),
            len: tables.len(),
            hash: hex(&Sha256::digest(content)[..8]),
        };
        for (at, table) in tables.into_iter().enumerate() {
            let hash = unhex(&table.sha256)
                .ok_or_else(|| format!("token {}: sha256 must be 64 hex digits", at + 1))?;
            if hash == EMPTY {
                return Err(format!("token {}: its sha256 is that of the empty text", at + 1));
            }
            if table.prefix.as_deref() == Some("") {
                return Err(format!(
                    "token {}: prefix must not be empty: omit it for all keys",
                    at + 1
                ));
            }
            let same_prefix = tokens.by_prefix.entry(first(&hash)).or_default();
            if same_prefix.iter().any(|(other, _)| *other == hash) {
                return Err(format!("token {}: another token has the same sha256", at + 1));
            }
            same_prefix.push((hash, Grant { role: table.role, prefix: table.prefix }));
        }
        Ok(tokens)
    }

    /// The grant of `token`; `None` if it is not valid.
    pub fn grant(&self, token: &[u8]) -> Option<&Grant> {
        let hash: Hash = Sha256::digest(token).into();
        let candidates = self.by_prefix.get(&first(&hash))?;
        candidates.iter().find(|(valid, _)| valid.ct_eq(&hash).into()).map(|(_, grant)| grant)
    }

    /// The number of tokens.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none, so that every request is refused.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// A short hash of the file: 16 hex digits, equal on all fronts with the same file.
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
    /// All rights.
    pub const fn all() -> Self {
        Self { role: Role::Admin, prefix: None }
    }

    /// Whether it includes the rights of `role`.
    pub fn includes(&self, role: Role) -> bool {
        self.role >= role
    }

    /// The prefix of the keys to which it extends; `None` if it extends to every key.
    pub fn prefix(&self) -> Option<&str> {
        self.prefix.as_deref()
    }
}

fn first(hash: &Hash) -> [u8; 8] {
    let [a, b, c, d, e, f, g, h, ..] = *hash;
    [a, b, c, d, e, f, g, h]
}

/// The hash in 64 hex digits of either case.
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
    use rl_store::hex;
    use sha2::{Digest, Sha256};

    use super::{EMPTY, Role, Tokens};

    /// A well-formed hash of no known token.
    const A: &str = "9a2a8e2f6d11e3b7a6c18f4f11a6ff13f5ab4b0bb49b5d3a2b7a2f0e2d3c4b5a";

    fn sha256(token: &str) -> String {
        hex(&Sha256::digest(token.as_bytes()))
    }

    #[test]
    fn hashes_are_as_in_fips_180_4() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(sha256(""), empty, "the hash of nothing");
        assert_eq!(hex(&EMPTY), empty);
    }

    #[test]
    fn a_token_has_the_role_and_keys_of_its_grant() {
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
        assert_eq!(tenant.prefix(), Some("a:"));
        let ops = tokens.grant(b"secret-ops").unwrap();
        assert!(ops.includes(Role::Admin) && ops.prefix().is_none());
        for other in [&b""[..], b"secret", b"secret-a ", b"Secret-a", A.as_bytes()] {
            assert_eq!(tokens.grant(other), None);
        }
        assert!(!format!("{tokens:?}").contains("a:"));
    }

    #[test]
    fn errors_name_the_token_and_the_rule() {
        let entry = |fields: &str| format!("[[tokens]]\nname = 'x'\n{fields}");
        let twice = entry(&format!("sha256 = '{A}'\nrole = 'check'\n")).repeat(2);
        for (text, expected) in [
            ("x = 1".to_owned(), "line 1: unknown field, expected `tokens`"),
            (entry("role = 'check'"), "line 1: missing field `sha256`"),
            (entry(&format!("sha256 = '{A}'")), "line 1: missing field `role`"),
            (
                entry(&format!("sha256 = '{A}'\nrole = 'root'")),
                "line 4: unknown variant, expected `check` or `admin`",
            ),
            (entry("sha256 = 987\nrole = 'check'"), "line 3: invalid type: integer, expected a st"),
            (
                entry(&format!("sha256 = '{}'\nrole = 'check'", sha256(""))),
                "token 1: its sha256 is that of the empty text",
            ),
            (String::new(), "line 1: the file must have [[tokens]]"),
            ("# all gone\n".to_owned(), "line 1: the file must have [[tokens]]"),
            (entry("sha256 = 'ab'\nrole = 'check'"), "token 1: sha256 must be 64 hex digits"),
            (
                entry(&format!("sha256 = '{}'\nrole = 'check'", "zz".repeat(32))),
                "token 1: sha256 must be 64",
            ),
            (
                entry(&format!("sha256 = '{A}'\nrole = 'check'\nprefix = ''")),
                "token 1: prefix must not be empty",
            ),
            (twice, "token 2: another token has the same sha256"),
        ] {
            let error = Tokens::read(text.as_bytes()).unwrap_err();
            assert!(error.starts_with(expected), "{text}\n-> {error}");
        }
    }

    #[test]
    fn nobody_is_admitted_if_the_file_says_so() {
        assert!(Tokens::read(b"tokens = []").unwrap().is_empty());
    }

    #[test]
    fn a_mistyped_file_is_not_quoted() {
        for line in [
            "t0psecret",
            "t0psecret = 1",
            "t0psecret = 't0psecret'",
            "'`, expected t0psecret' = 1",
            "tokens = 't0psecret'",
            "tokens.t0psecret = 1",
            "[t0psecret]",
            "[[tokens]]\nname = 'a'\nrole = 't0psecret'",
            "[[tokens]]\nrole = { t0psecret = 1 }",
            "[[tokens]]\nrole = { t0psecret = 1, t0psecret = 2 }",
            "[[tokens]]\nt0psecret = 1",
            "[[tokens]]\nsha256 = t0psecret",
            "[[tokens]]\nsha256 = ['t0psecret']",
            "[[tokens]]\nsha256 = 't0psecret'\nsha256 = 't0psecret'",
            "[[tokens]]\nname = 'a'\nrole = 'check'\nsha256 = 't0psecret'",
        ] {
            let error = Tokens::read(line.as_bytes()).unwrap_err();
            assert!(!error.contains("t0psecret"), "{line}\n-> {error}");
            assert!(error.starts_with("line ") || error.starts_with("token "), "{error}");
        }
    }
}
