//! `RL.CHECK key capacity rate cost`: takes the cost if the bucket holds it.

use super::{
    single::Single,
    spec::{CommandKind, CommandSpec, NumbersSent, script},
};
use crate::BucketRequest;

pub(super) const SPEC: CommandSpec = CommandSpec {
    kind: CommandKind::Check,
    name: "RL.CHECK",
    script: script!("checks.lua", "check.lua"),
    equal_numbers: NumbersSent::Once,
};

/// Takes the cost if the bucket holds it.
pub(in crate::redis) fn check<'a>(request: &'a BucketRequest<'a>) -> Single<'a> {
    Single { spec: &SPEC, request }
}
