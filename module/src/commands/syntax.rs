//! Arguments that several commands have in common, as `COMMAND DOCS` lists them.

use crate::redis::Argument;

/// `key capacity rate [cost]`
pub(super) const CHECK: &[Argument] = &[
    Argument::key(c"key"),
    Argument::number(c"capacity"),
    Argument::text(c"rate"),
    Argument::number(c"cost").optional(),
];

/// `key capacity rate cost [key capacity rate cost ...]`
pub(super) const CHECKS: &[Argument] = &[Argument::repeated(
    c"check",
    &[
        Argument::key(c"key"),
        Argument::number(c"capacity"),
        Argument::text(c"rate"),
        Argument::number(c"cost"),
    ],
)];

/// `key capacity rate n`
pub(super) const AMOUNT: &[Argument] = &[
    Argument::key(c"key"),
    Argument::number(c"capacity"),
    Argument::text(c"rate"),
    Argument::number(c"n"),
];
