//! `RL.CHECK key capacity rate cost`: takes the cost if the bucket holds it.

use super::{
    single::Single,
    spec::{CommandKind, CommandSpec, EqualNumbers, script},
};
use crate::BucketRequest;

pub(super) const SPEC: CommandSpec = CommandSpec {
    kind: CommandKind::Check,
    name: "RL.CHECK",
    script: script!("checks.lua", "check.lua"),
    equal_numbers: EqualNumbers::Once,
};

/// Takes the cost if the bucket holds it.
pub(in crate::redis) fn check<'a>(request: &'a BucketRequest<'a>) -> Single<'a> {
    Single { spec: &SPEC, request }
}
