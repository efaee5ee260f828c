//! Limits and amounts as arguments, which are mostly the same for one bucket after the other.

use rl_bucket::{Cost, Limit};

use crate::{BucketRequest, redis::resp::encode::CommandBuf};

/// The encoded numbers of the last request, copied while the next request has the same.
#[derive(Default)]
pub(super) struct EncodedNumbers {
    last: Option<(Limit, Cost)>,
    from: usize,
    to: usize,
}

// === impl EncodedNumbers ===

impl EncodedNumbers {
    pub(super) fn encode(
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

/// Whether all requests have the same limit and amount.
pub(super) fn are_equal(requests: &[BucketRequest<'_>]) -> bool {
    requests
        .windows(2)
        .all(|pair| pair[0].limit == pair[1].limit && pair[0].amount == pair[1].amount)
}
