//! `RL.PEEK key capacity rate cost`: gives the answer of a check and takes nothing.

use super::{
    single::Single,
    spec::{CommandKind, CommandSpec, NumbersSent, script},
};
use crate::BucketRequest;

pub(super) const SPEC: CommandSpec = CommandSpec {
    kind: CommandKind::Peek,
    name: "RL.PEEK",
    script: script!("bucket.lua", "one.lua", "peek.lua"),
    equal_numbers: NumbersSent::PerBucket,
};

/// Gives the answer of a check and takes nothing.
pub(in crate::redis) fn peek<'a>(request: &'a BucketRequest<'a>) -> Single<'a> {
    Single { spec: &SPEC, request }
}
