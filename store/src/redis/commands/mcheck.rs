//! `RL.MCHECK key capacity rate cost [...]`: makes independent checks.

use rl_bucket::Decision;

use super::spec::{Arguments, Command, CommandKind, CommandSpec, NumbersSent, script};
use crate::{
    BucketRequest, NotABucket,
    redis::{
        error::CommandError,
        resp::reply::{Reply, decision, fives},
    },
};

pub(super) const SPEC: CommandSpec = CommandSpec {
    kind: CommandKind::MCheck,
    name: "RL.MCHECK",
    script: script!("checks.lua", "mcheck.lua"),
    equal_numbers: NumbersSent::Once,
};

/// Makes independent checks.
pub(in crate::redis) struct MCheck<'a>(pub(in crate::redis) &'a [BucketRequest<'a>]);

impl Command for MCheck<'_> {
    type Output = Vec<Result<Decision, NotABucket>>;

    fn spec(&self) -> &'static CommandSpec {
        &SPEC
    }

    fn arguments(&self) -> Arguments<'_> {
        Arguments::Buckets(self.0)
    }

    /// Reads five integers for each check: -1 and four zeros where the key holds another value.
    fn decode(&self, reply: Reply) -> Result<Self::Output, CommandError> {
        let integers = reply.integers()?;
        let each = fives(&integers, self.0.len())?.iter().map(|five| match five {
            [-1, 0, 0, 0, 0] => Ok(Err(NotABucket)),
            five => decision(five).map(Ok),
        });
        each.collect()
    }
}

#[cfg(test)]
mod tests {
    use rl_bucket::{Cost, Limit};

    use super::{BucketRequest, Command, MCheck, NotABucket};
    use crate::redis::resp::reply::tests::{ALLOWED, NEVER, table};

    #[test]
    fn replies_are_read_strictly() {
        let limit = Limit::parse("9", "1").unwrap();
        let requests = [BucketRequest { key: b"k", limit, amount: Cost::ONE }; 2];
        table(
            |reply| MCheck(&requests).decode(reply),
            [
                ("1|9|8|0|7|0|9|8|-1|7", Some(vec![Ok(ALLOWED), Ok(NEVER)])),
                ("-1|0|0|0|0|1|9|8|0|7", Some(vec![Err(NotABucket), Ok(ALLOWED)])),
                ("1|9|8|0|7", None),
                ("1|9|8|0|7|0|9|8|-1|7|1|9|8|0|7", None),
                ("1|9|8|0|7|0|9|8|-1", None),
                ("1|9|8|0|7|-1|0|0|0|7", None),
                ("", None),
            ],
        );
    }
}
