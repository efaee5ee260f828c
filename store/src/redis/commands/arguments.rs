//! The arguments of commands on buckets: keys, limits and amounts.

use rl_bucket::{Cost, Limit};

use super::{CommandKind, EqualNumbers};
use crate::{
    BucketRequest,
    redis::{
        engine::{Engine, ScriptForm},
        resp::encode::CommandBuf,
    },
};

/// Encodes a command on these buckets, for any command but `RL.RESET`.
pub(super) fn encode(
    command: CommandKind,
    requests: &[BucketRequest<'_>],
    engine: &Engine,
    form: ScriptForm,
) -> CommandBuf {
    match engine {
        Engine::Module => {
            let mut buf = CommandBuf::command(1 + 4 * requests.len());
            buf.arg(command.name());
            let mut numbers = RepeatedNumbers::default();
            for request in requests {
                buf.arg(request.key);
                numbers.encode(&mut buf, request, |buf, limit| {
                    buf.number(limit.capacity());
                    buf.number(limit.rate());
                });
            }
            buf
        }
        Engine::Lua(scripts) => {
            let once =
                command.spec().equal_numbers == EqualNumbers::Once && have_equal_numbers(requests);
            let with_numbers = if once { &requests[..1] } else { requests };
            let mut buf = CommandBuf::command(3 + requests.len() + 3 * with_numbers.len());
            scripts.encode(&mut buf, command, form, requests.len());
            requests.iter().for_each(|request| buf.arg(request.key));
            let mut numbers = RepeatedNumbers::default();
            for request in with_numbers {
                numbers.encode(&mut buf, request, |buf, limit| {
                    buf.number(limit.capacity());
                    // The shortest text that reads back as the same double: Lua computes with it.
                    buf.number(limit.rate().per_second());
                });
            }
            buf
        }
    }
}

/// Whether all requests have the same limit and amount.
fn have_equal_numbers(requests: &[BucketRequest<'_>]) -> bool {
    requests
        .windows(2)
        .all(|pair| pair[0].limit == pair[1].limit && pair[0].amount == pair[1].amount)
}

/// The encoded numbers of the last request, copied while the next request has the same.
#[derive(Default)]
struct RepeatedNumbers {
    last: Option<(Limit, Cost)>,
    from: usize,
    to: usize,
}

// === impl RepeatedNumbers ===

impl RepeatedNumbers {
    fn encode(
        &mut self,
        buf: &mut CommandBuf,
        request: &BucketRequest<'_>,
        encode_limit: impl FnOnce(&mut CommandBuf, &Limit),
    ) {
        let numbers = Some((request.limit, request.amount));
        if self.last == numbers {
            buf.repeat(self.from, self.to);
            return;
        }
        self.from = buf.len();
        encode_limit(buf, &request.limit);
        buf.number(request.amount);
        (self.last, self.to) = (numbers, buf.len());
    }
}
