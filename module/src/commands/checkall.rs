//! `RL.CHECKALL key capacity rate cost [...]`: takes from every bucket, or from none.

use rl_bucket::{JointCheck, JointWrite};

use super::syntax;
use crate::args::CheckArgs;
use crate::error::CommandError;
use crate::redis::{Access, Arg, Call, Command, Description, Key, Keys};
use crate::stats;

pub(crate) struct CheckAll;

/// The name of a bucket, with its bytes, which are compared with those of every name after it.
#[derive(Clone, Copy)]
struct Name<'a> {
    arg: Arg<'a>,
    bytes: &'a [u8],
}

impl Command for CheckAll {
    const DESCRIPTION: Description = Description {
        name: c"rl.checkall",
        summary: c"Takes tokens from every bucket, or from none if one of them denies.",
        complexity: c"O(N) where N is the number of checks",
        access: Access::Write,
        keys: Keys::EveryFourth,
        arity: -5,
        arguments: syntax::CHECKS,
    };

    fn run(call: &Call<'_>) -> Result<(), CommandError> {
        let checks = CheckArgs::several(call)?;
        let mut joint = JointCheck::with_capacity(call.now(), checks.len());
        for CheckArgs { key, limit, cost } in checks {
            joint.try_push(Name::of(key), &limit, cost, || Key::read(call, key))?;
        }
        // All of it before the reply: an error on the way would end up inside the array.
        for JointWrite { key, stored, bucket } in joint.writes() {
            Key::open_to_write(call, key.arg)?.store(stored, bucket)?;
        }

        let (decisions, denied) = (joint.decisions(), joint.denied());
        call.reply_array(decisions.len().saturating_mul(5).saturating_add(2));
        call.reply_integer(i64::from(denied.is_none()));
        call.reply_integer(denied.map_or(-1, |index| i64::try_from(index).unwrap_or(i64::MAX)));
        for decision in decisions {
            stats::count(&decision);
            decision.to_wire().into_iter().for_each(|n| call.reply_integer(n));
        }
        Ok(())
    }
}

// === impl Name ===

impl<'a> Name<'a> {
    fn of(arg: Arg<'a>) -> Self {
        Self { arg, bytes: arg.bytes() }
    }
}

impl PartialEq for Name<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}
