//! Errors of a policy file.

use std::{error, fmt, ops::Range};

/// Where a policy file is wrong, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyFileError {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// The rule that is broken there.
    pub reason: String,
}

/// An error, and the bytes of the file that it is about.
pub(super) struct SpannedError {
    pub(super) span: Range<usize>,
    pub(super) reason: String,
}

// === impl SpannedError ===

impl SpannedError {
    pub(super) fn new(span: Range<usize>, reason: &str) -> Self {
        Self { span, reason: reason.to_owned() }
    }
}

// === impl PolicyFileError ===

impl PolicyFileError {
    /// The error at this byte of `text`.
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

impl fmt::Display for PolicyFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.reason)
    }
}

impl error::Error for PolicyFileError {}
