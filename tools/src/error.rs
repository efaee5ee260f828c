//! Errors of the subcommands, and their exit codes.

use std::{error, fmt, io};

use crate::terminal::printable;

/// Why a subcommand has no result. It displays without control characters, tokens and passwords.
#[derive(Debug)]
pub(crate) enum ToolError {
    /// Arguments that are invalid or contradict each other.
    Usage(String),
    /// The target gave no answer: no connection, a timeout, or an error in place of an answer.
    NoAnswer(String),
    /// The result could not be written. The operation itself was executed.
    Output(io::Error),
}

// === impl ToolError ===

impl ToolError {
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self::Usage(text.into())
    }

    pub(crate) fn no_answer(text: impl Into<String>) -> Self {
        Self::NoAnswer(text.into())
    }

    /// The exit code of `check`, `peek`, `reset` and `export`.
    pub(crate) const fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::NoAnswer(_) | Self::Output(_) => 3,
        }
    }
}

impl fmt::Display for ToolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(text) | Self::NoAnswer(text) => f.write_str(&printable(text)),
            Self::Output(error) => {
                write!(f, "cannot write the result of an operation that was executed: {error}")
            }
        }
    }
}

impl error::Error for ToolError {}

impl From<io::Error> for ToolError {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}
