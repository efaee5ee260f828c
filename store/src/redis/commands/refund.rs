//! `RL.REFUND key capacity rate n`: gives tokens back, up to the capacity.

use super::{
    single::Single,
    spec::{CommandKind, CommandSpec, NumbersSent, script},
};
use crate::BucketRequest;

pub(super) const SPEC: CommandSpec = CommandSpec {
    kind: CommandKind::Refund,
    name: "RL.REFUND",
    script: script!("bucket.lua", "one.lua", "refund.lua"),
    equal_numbers: NumbersSent::PerBucket,
};

/// Gives tokens back, up to the capacity.
pub(in crate::redis) fn refund<'a>(request: &'a BucketRequest<'a>) -> Single<'a> {
    Single { spec: &SPEC, request }
}
