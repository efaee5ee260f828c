//! The bearer token to show to a front. It comes from a file or a variable, never from the command line,
//! which everybody on the machine can read.

use std::{
    fmt,
    fs::File,
    io::{BufRead, BufReader, Read},
    path::Path,
};

use super::Failure;

/// A token that fits into a header. It never shows itself.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Token(String);

/// No token is longer; a file without a line break might be.
const MAX: u64 = 64 * 1024;

// === impl Token ===

impl Token {
    /// The first line of a file, or of a pipe.
    pub(super) fn read(file: &Path) -> Result<Self, Failure> {
        let mut line = Vec::new();
        File::open(file)
            .and_then(|file| BufReader::new(file.take(MAX)).read_until(b'\n', &mut line))
            .map_err(|error| Failure::usage(format!("--token-file {}: {error}", file.display())))?;
        Self::parse(&String::from_utf8_lossy(&line))
    }

    /// The text but for spaces around it.
    pub(super) fn parse(text: &str) -> Result<Self, Failure> {
        let text = text.trim();
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Failure::usage("the token must be letters, digits and ASCII signs"));
        }
        Ok(Self(text.to_owned()))
    }

    /// The value of the `Authorization` header.
    pub(super) fn header(&self) -> String {
        format!("Bearer {}", self.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::Token;

    #[test]
    fn first_line_trimmed() {
        let file = std::env::temp_dir().join(format!("rl-token-{}", std::process::id()));
        for (content, token) in [
            ("s3cret", Some("Bearer s3cret")),
            ("  s3cret \r\nand a second line", Some("Bearer s3cret")),
            ("", None),
            ("\ns3cret", None),
            ("s3 cret", None),
            ("s3cret\u{1b}[0m", None),
            ("s3crét", None),
        ] {
            fs::write(&file, content).unwrap();
            let read = Token::read(&file);
            assert_eq!(read.as_ref().ok().map(Token::header).as_deref(), token, "{content:?}");
            let shown = format!("{read:?}");
            assert!(!shown.contains("s3"), "{shown}");
        }
        fs::remove_file(&file).unwrap();
        let missing = Token::read(Path::new("/no/such/file")).unwrap_err();
        assert_eq!(missing.code(), 2);
        assert!(
            missing.to_string().starts_with("--token-file /no/such/file: No such"),
            "{missing}"
        );
    }
}
