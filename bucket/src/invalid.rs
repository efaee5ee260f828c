//! The errors of text that is no number of a limit.

use std::{error, fmt};

/// The argument that is invalid. Displays as a fixed text that names the argument and its rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// Not a [`Capacity`](crate::Capacity).
    Capacity,
    /// Not a [`Rate`](crate::Rate).
    Rate,
    /// Not a [`Cost`](crate::Cost).
    Cost,
}

// === impl Invalid ===

impl Invalid {
    /// The fixed text of this error.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Capacity => {
                "capacity must be a plain decimal number above 0 and at most 1000000000"
            }
            Self::Rate => {
                "rate must be a plain decimal number, alone or over a period such as 100/m or \
                 5/10s, of 0.000001 to 1000000000 tokens a second"
            }
            Self::Cost => "cost must be a plain decimal number of 0 to 1000000000",
        }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl error::Error for Invalid {}
