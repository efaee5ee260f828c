//! The entry point of the fuzz target `replies`.

use super::{
    decode::{MAX_REPLY, ReplyDecoder},
    pending::PendingReplies,
    reply::Reply,
};

/// Feeds a stream to the callers of one connection: whole replies for the first few, then `bytes`,
/// all of it cut into pieces. No bytes may panic, and no caller may get the reply of another.
///
/// The first byte of `data` says how many replies are whole (0 to 7), the second how long the
/// pieces are (1 to 16 bytes), the third which callers have given up.
///
/// # Panics
///
/// If a caller whose reply is whole gets none, or another's.
pub fn replies(data: &[u8]) {
    let [whole, piece, abandoned, bytes @ ..] = data else { return };
    let (whole, piece) = (usize::from(whole % 8), usize::from(piece % 16) + 1);
    let mut pending = PendingReplies::default();
    let mut receivers: Vec<_> = (0..whole + 4).map(|_| Some(pending.push(MAX_REPLY))).collect();
    for (caller, receiver) in receivers.iter_mut().enumerate().take(8) {
        if abandoned >> caller & 1 == 1 {
            *receiver = None;
        }
    }
    let mut stream: Vec<u8> =
        (0..whole).flat_map(|caller| format!("*2\r\n:{caller}\r\n:0\r\n").into_bytes()).collect();
    stream.extend_from_slice(bytes);
    let mut decoder = ReplyDecoder::default();
    for piece in stream.chunks(piece) {
        decoder.buffer().extend_from_slice(piece);
        if pending.deliver(&mut decoder).is_err() {
            break;
        }
    }
    for (caller, receiver) in (0..).zip(receivers.into_iter().take(whole)) {
        if let Some(mut receiver) = receiver {
            let reply = receiver.try_recv().ok();
            assert_eq!(reply, Some(Ok(Reply::Integers(vec![caller, 0]))));
        }
    }
}
