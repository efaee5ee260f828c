//! Errors of commands. Every text is constant: no error repeats what a caller sent.

use rl_bucket::{Invalid, MAX_CHECKS};

/// The reason why a command failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CommandError {
    /// Too few or too many arguments.
    Arity,
    /// More than [`MAX_CHECKS`] checks.
    TooMany,
    /// An invalid capacity, rate or cost.
    Invalid(Invalid),
    /// The key holds something that is not a bucket.
    WrongType,
    /// A bug in this module.
    Internal,
}

// === impl CommandError ===

impl CommandError {
    /// The error's code and text as they go on the wire, without the dash.
    pub(crate) fn parts(self) -> (&'static str, &'static str) {
        const { assert!(MAX_CHECKS == 1024, "the text of TooMany") };
        match self {
            Self::Arity => ("ERR", "wrong number of arguments"),
            Self::TooMany => ("ERR", "at most 1024 checks in one call"),
            Self::Invalid(invalid) => ("ERR", invalid.text()),
            Self::WrongType => {
                ("WRONGTYPE", "Operation against a key holding the wrong kind of value")
            }
            Self::Internal => ("ERR", "internal error in the rl module"),
        }
    }
}

impl From<Invalid> for CommandError {
    fn from(invalid: Invalid) -> Self {
        Self::Invalid(invalid)
    }
}
