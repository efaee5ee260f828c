//! The bearer token for a front. It comes from a file or a variable, never from the command line,
//! which every user of the machine can read.

use std::{
    fmt,
    fs::File,
    io::{BufRead, BufReader, Read},
    path::Path,
};

use crate::error::ToolError;

/// A token that is valid in a header. Its `Debug` form hides it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct BearerToken(String);

/// The most bytes that are read of a file, which may have no line break.
const MAX_BYTES: u64 = 64 * 1024;

// === impl BearerToken ===

impl BearerToken {
    /// Reads the first line of a file or of a pipe.
    pub(super) fn read(file: &Path) -> Result<Self, ToolError> {
        let mut line = Vec::new();
        File::open(file)
            .and_then(|file| BufReader::new(file.take(MAX_BYTES)).read_until(b'\n', &mut line))
            .map_err(|error| {
                ToolError::usage(format!("--token-file {}: {error}", file.display()))
            })?;
        Self::parse(&String::from_utf8_lossy(&line))
    }

    /// Parses a token, without the white space around it.
    pub(super) fn parse(text: &str) -> Result<Self, ToolError> {
        let text = text.trim();
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ToolError::usage(
                "the token must be printable ASCII characters without spaces",
            ));
        }
        Ok(Self(text.to_owned()))
    }

    /// The value of the `Authorization` header.
    pub(super) fn header(&self) -> String {
        format!("Bearer {}", self.0)
    }
}

impl fmt::Debug for BearerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BearerToken(..)")
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::BearerToken;

    #[test]
    fn the_token_is_the_first_line_without_white_space() {
        let file = std::env::temp_dir().join(format!("rl-token-{}", std::process::id()));
        for (content, header) in [
            ("s3cret", Some("Bearer s3cret")),
            ("  s3cret \r\nand a second line", Some("Bearer s3cret")),
            ("", None),
            ("\ns3cret", None),
            ("s3 cret", None),
            ("s3cret\u{1b}[0m", None),
            ("s3crét", None),
        ] {
            fs::write(&file, content).unwrap();
            let token = BearerToken::read(&file);
            let found = token.as_ref().ok().map(BearerToken::header);
            assert_eq!(found.as_deref(), header, "{content:?}");
            let debug = format!("{token:?}");
            assert!(!debug.contains("s3"), "{debug}");
        }
        fs::remove_file(&file).unwrap();
        let error = BearerToken::read(Path::new("/no/such/file")).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().starts_with("--token-file /no/such/file: No such"), "{error}");
    }
}
