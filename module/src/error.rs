//! Why a command is refused. Every text is constant: nothing a caller sent is ever echoed.

use rl_bucket::Invalid;

/// A refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Error {
    /// Too few or too many arguments.
    Arity,
    /// More checks than one call may hold.
    TooMany,
    /// An argument that is no capacity, rate or cost.
    Invalid(Invalid),
    /// The key holds something that is not a bucket.
    WrongType,
    /// A bug in this module, caught.
    Internal,
}

// === impl Error ===

impl Error {
    /// The error's code and text as they go on the wire, without the dash.
    pub(crate) fn parts(self) -> (&'static str, &'static str) {
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

impl From<Invalid> for Error {
    fn from(invalid: Invalid) -> Self {
        Self::Invalid(invalid)
    }
}
