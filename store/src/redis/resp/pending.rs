//! Commands that wait for their replies.

use std::collections::VecDeque;

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::{
    decode::{Decoded, MAX_REPLY, ReplyDecoder},
    reply::Reply,
};
use crate::redis::error::CommandError;

/// Pending replies, oldest first: replies arrive in the order in which commands were sent.
#[derive(Debug, Default)]
pub(super) struct PendingReplies {
    queue: VecDeque<PendingReply>,
    delivered: u64,
}

/// A command that waits for its reply.
#[derive(Debug)]
struct PendingReply {
    caller: oneshot::Sender<Result<Reply, CommandError>>,
    /// Most bytes of the reply.
    limit: usize,
    /// A turn that ends with the reply.
    turn: Option<OwnedSemaphorePermit>,
}

// === impl PendingReplies ===

impl PendingReplies {
    /// Adds a command that is about to be sent, whose reply has at most `limit` bytes.
    pub(super) fn push(&mut self, limit: usize) -> oneshot::Receiver<Result<Reply, CommandError>> {
        let (caller, receiver) = oneshot::channel();
        self.queue.push_back(PendingReply { caller, limit, turn: None });
        receiver
    }

    /// Holds a turn until the reply to the last command has come, whether or not anybody waits.
    pub(super) fn hold(&mut self, turn: OwnedSemaphorePermit) {
        if let Some(last) = self.queue.back_mut() {
            last.turn = Some(turn);
        }
    }

    /// Replies still to come, those that nobody waits for any more included.
    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    /// Replies that have come.
    pub(super) fn delivered(&self) -> u64 {
        self.delivered
    }

    /// Hands out every reply that is whole. Fails on an invalid reply, and on one that answers no
    /// command.
    pub(super) fn deliver(&mut self, decoder: &mut ReplyDecoder) -> Result<(), CommandError> {
        loop {
            let limit = self.queue.front().map_or(MAX_REPLY, |command| command.limit);
            let reply = match decoder.next(limit)? {
                Decoded::Reply(reply) => Ok(reply),
                Decoded::Error(error) => Err(error),
                Decoded::Incomplete => return Ok(()),
            };
            // A caller that gave up waiting has left its place, so the order holds.
            match self.queue.pop_front() {
                Some(command) => {
                    self.delivered += 1;
                    let _ = command.caller.send(reply);
                }
                None => return Err(CommandError::Broken("unexpected reply".to_owned())),
            }
        }
    }

    /// Fails every command that waits.
    pub(super) fn fail(&mut self, error: &CommandError) {
        for command in self.queue.drain(..) {
            let _ = command.caller.send(Err(error.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use tokio::sync::Semaphore;

    use super::{MAX_REPLY, PendingReplies, Reply, ReplyDecoder};
    use crate::redis::error::CommandError;

    proptest! {
        /// Replies cut anywhere, callers that gave up, and at some place a stream gone wrong: each
        /// caller before that place has its own reply, and nobody has another's.
        #[test]
        fn nobody_gets_the_reply_of_another(
            callers in 1..20_usize,
            abandoned in prop::collection::vec(any::<bool>(), 20),
            pieces in prop::collection::vec(1..9_usize, 1..200),
            wrong in prop::option::of((0..20_usize, prop::collection::vec(any::<u8>(), 1..9))),
        ) {
            let mut pending = PendingReplies::default();
            let mut receivers: Vec<_> = (0..callers).map(|_| Some(pending.push(MAX_REPLY))).collect();
            for (receiver, gone) in receivers.iter_mut().zip(&abandoned) {
                if *gone {
                    *receiver = None;
                }
            }
            let mut stream = Vec::new();
            let mut good = callers;
            for caller in 0..callers {
                if let Some((at, bytes)) = &wrong && *at == caller {
                    stream.extend_from_slice(bytes);
                    good = caller;
                }
                stream.extend_from_slice(format!("*1\r\n:{caller}\r\n").as_bytes());
            }
            let mut decoder = ReplyDecoder::default();
            let mut rest = stream.as_slice();
            let mut delivered = Ok(());
            for piece in pieces.into_iter().cycle() {
                let (now, later) = rest.split_at(piece.min(rest.len()));
                decoder.buffer().extend_from_slice(now);
                delivered = pending.deliver(&mut decoder);
                if delivered.is_err() || later.is_empty() {
                    break;
                }
                rest = later;
            }
            let closed = CommandError::Broken("closed".to_owned());
            pending.fail(delivered.as_ref().err().unwrap_or(&closed));
            prop_assert_eq!(pending.len(), 0);
            for (caller, receiver) in receivers.into_iter().enumerate().take(good) {
                if let Some(mut receiver) = receiver {
                    let expected = Ok(Reply::Integers(vec![i64::try_from(caller).unwrap()]));
                    prop_assert_eq!(receiver.try_recv().unwrap(), expected);
                }
            }
        }
    }

    #[test]
    fn a_turn_ends_with_the_reply_also_if_nobody_waits() {
        let turns = Arc::new(Semaphore::new(1));
        let mut pending = PendingReplies::default();
        let mut decoder = ReplyDecoder::default();
        let send = |pending: &mut PendingReplies| {
            drop(pending.push(MAX_REPLY));
            pending.hold(turns.clone().try_acquire_owned().expect("a turn"));
            assert_eq!(turns.available_permits(), 0);
        };
        send(&mut pending);
        decoder.buffer().extend_from_slice(b"*1\r\n:1\r\n");
        assert_eq!(pending.deliver(&mut decoder), Ok(()));
        send(&mut pending);
        pending.fail(&CommandError::Broken("closed".to_owned()));
        assert_eq!(turns.available_permits(), 1);
    }
}
