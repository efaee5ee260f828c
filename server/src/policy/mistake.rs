//! Where a policy file is wrong, and why.

use std::{error, fmt, ops::Range};

/// Where a policy file is wrong, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileError {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// What is wrong there.
    pub reason: String,
}

/// A mistake, and the bytes of the file that make it.
pub(super) struct Mistake {
    pub(super) at: Range<usize>,
    pub(super) reason: String,
}

// === impl Mistake ===

impl Mistake {
    pub(super) fn new(at: Range<usize>, reason: &str) -> Self {
        Self { at, reason: reason.to_owned() }
    }
}

// === impl FileError ===

impl FileError {
    /// The mistake at this byte of `text`.
    pub(super) fn at(text: &str, byte: usize, reason: String) -> Self {
        let before = text.get(..byte).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            reason,
        }
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.reason)
    }
}

impl error::Error for FileError {}
