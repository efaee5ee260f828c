//! `RL.CHECKALL key capacity rate cost [...]`: takes from every bucket, or from none.

use super::spec::{Arguments, Command, CommandKind, CommandSpec, NumbersSent, script};
use crate::{
    BucketRequest, JointDecision,
    redis::{
        error::CommandError,
        resp::reply::{Reply, decision, fives, invalid},
    },
};

pub(super) const SPEC: CommandSpec = CommandSpec {
    kind: CommandKind::CheckAll,
    name: "RL.CHECKALL",
    script: script!("bucket.lua", "checkall.lua"),
    equal_numbers: NumbersSent::PerBucket,
};

/// Takes from every bucket, or from none.
pub(in crate::redis) struct CheckAll<'a>(pub(in crate::redis) &'a [BucketRequest<'a>]);

impl Command for CheckAll<'_> {
    type Output = JointDecision;

    fn spec(&self) -> &'static CommandSpec {
        &SPEC
    }

    fn arguments(&self) -> Arguments<'_> {
        Arguments::Buckets(self.0)
    }

    /// Reads whether all checks were allowed, the first one denied (-1: none), then five integers
    /// for each.
    fn decode(&self, reply: Reply) -> Result<Self::Output, CommandError> {
        let integers = reply.integers()?;
        let [allowed, index, rest @ ..] = integers.as_slice() else {
            return Err(invalid());
        };
        let fives = fives(rest, self.0.len())?.iter();
        let decisions = fives.map(|five| decision(five)).collect::<Result<Vec<_>, _>>()?;
        let denied = match (allowed, index) {
            (1, -1) => None,
            (0, index) => Some(usize::try_from(*index).map_err(|_| invalid())?),
            _ => return Err(invalid()),
        };
        if denied != decisions.iter().position(|decision| !decision.is_allowed()) {
            return Err(invalid());
        }
        Ok(JointDecision { denied, decisions })
    }
}

#[cfg(test)]
mod tests {
    use rl_bucket::{Cost, Limit};

    use super::{BucketRequest, CheckAll, Command, JointDecision};
    use crate::redis::resp::reply::tests::{ALLOWED, NEVER, table};

    #[test]
    fn replies_are_read_strictly() {
        let limit = Limit::parse("9", "1").unwrap();
        let requests = [BucketRequest { key: b"k", limit, amount: Cost::ONE }; 2];
        let joint = |denied, decisions| Some(JointDecision { denied, decisions });
        table(
            |reply| CheckAll(&requests).decode(reply),
            [
                ("1|-1|1|9|8|0|7|1|9|8|0|7", joint(None, vec![ALLOWED, ALLOWED])),
                ("0|1|1|9|8|0|7|0|9|8|-1|7", joint(Some(1), vec![ALLOWED, NEVER])),
                ("0|0|0|9|8|-1|7|0|9|8|-1|7", joint(Some(0), vec![NEVER, NEVER])),
                ("0|1|0|9|8|-1|7|0|9|8|-1|7", None),
                ("0|-1|1|9|8|0|7|0|9|8|-1|7", None),
                ("0|2|1|9|8|0|7|1|9|8|0|7", None),
                ("1|-1|1|9|8|0|7|0|9|8|-1|7", None),
                ("1|1|1|9|8|0|7|0|9|8|-1|7", None),
                ("2|-1|1|9|8|0|7|1|9|8|0|7", None),
                ("1|-1|1|9|8|0|7", None),
                ("1|-1", None),
                ("", None),
            ],
        );
    }
}
