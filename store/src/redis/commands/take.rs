//! `RL.TAKE key capacity rate n`: takes as many whole tokens as there are, at most `n`.

use std::slice;

use rl_bucket::Decision;

use super::spec::{Arguments, Command, CommandKind, CommandSpec, NumbersSent, script};
use crate::{
    BucketRequest,
    redis::{
        error::CommandError,
        resp::reply::{Reply, decision, invalid, unsigned},
    },
};

pub(super) const SPEC: CommandSpec = CommandSpec {
    kind: CommandKind::Take,
    name: "RL.TAKE",
    script: script!("bucket.lua", "one.lua", "take.lua"),
    equal_numbers: NumbersSent::PerBucket,
};

/// Takes as many whole tokens as there are, at most `n`.
pub(in crate::redis) struct Take<'a>(pub(in crate::redis) &'a BucketRequest<'a>);

impl Command for Take<'_> {
    type Output = (u64, Decision);

    fn spec(&self) -> &'static CommandSpec {
        &SPEC
    }

    fn arguments(&self) -> Arguments<'_> {
        Arguments::Buckets(slice::from_ref(self.0))
    }

    /// Reads the number of tokens granted, then five integers.
    fn decode(&self, reply: Reply) -> Result<Self::Output, CommandError> {
        match reply.integers()?.as_slice() {
            [granted, rest @ ..] => Ok((unsigned(*granted)?, decision(rest)?)),
            [] => Err(invalid()),
        }
    }
}

#[cfg(test)]
mod tests {
    use rl_bucket::{Cost, Limit};

    use super::{BucketRequest, Command, Take};
    use crate::redis::resp::reply::tests::{ALLOWED, NEVER, table};

    #[test]
    fn replies_are_read_strictly() {
        let limit = Limit::parse("9", "1").unwrap();
        let request = BucketRequest { key: b"k", limit, amount: Cost::ONE };
        table(
            |reply| Take(&request).decode(reply),
            [
                ("3|1|9|8|0|7", Some((3, ALLOWED))),
                ("0|0|9|8|-1|7", Some((0, NEVER))),
                ("-1|1|9|8|0|7", None),
                ("1|9|8|0|7", None),
                ("", None),
            ],
        );
    }
}
