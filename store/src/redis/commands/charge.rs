//! `RL.CHARGE key capacity rate n`: takes tokens, down to a debt of one capacity.

use super::{
    single::Single,
    spec::{CommandKind, CommandSpec, NumbersSent, script},
};
use crate::BucketRequest;

pub(super) const SPEC: CommandSpec = CommandSpec {
    kind: CommandKind::Charge,
    name: "RL.CHARGE",
    script: script!("bucket.lua", "one.lua", "charge.lua"),
    equal_numbers: NumbersSent::PerBucket,
};

/// Takes tokens, down to a debt of one capacity.
pub(in crate::redis) fn charge<'a>(request: &'a BucketRequest<'a>) -> Single<'a> {
    Single { spec: &SPEC, request }
}
