//! The body of a request: small, in time, and as it is.

use std::{future::poll_fn, mem, pin::pin, task::Poll, time::Duration};

use actix_web::{
    HttpRequest,
    dev::Payload,
    http::header::{CONTENT_ENCODING, CONTENT_TYPE},
    web::{Bytes, BytesMut},
};
use futures_util::StreamExt;
use tokio::time::timeout;

use super::Problem;

/// Bytes of one question.
pub(super) const ONE: usize = 4096;
/// Bytes of a batch.
pub(super) const BATCH: usize = 1 << 20;

/// A body that trickles in holds a connection; this long, and no longer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Reads a body of at most `limit` bytes, [`ONE`] or [`BATCH`].
pub(super) async fn read(
    request: &HttpRequest,
    payload: Payload,
    limit: usize,
) -> Result<Bytes, Problem> {
    if !is_plain(request) {
        return Err(Problem::Encoding);
    }
    if !may_be_json(request) {
        return Err(Problem::MediaType);
    }
    in_time(collect(payload, limit)).await?
}

/// Puts the chunks together; one alone, which is what most are, is not copied.
async fn collect(mut payload: Payload, limit: usize) -> Result<Bytes, Problem> {
    let (mut first, mut body) = (Bytes::new(), BytesMut::new());
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| Problem::Malformed)?; // cut short, or bad chunks
        if first.len() + body.len() + chunk.len() > limit {
            return Err(if limit == ONE { Problem::TooLarge } else { Problem::BatchTooLarge });
        }
        if first.is_empty() && body.is_empty() {
            first = chunk;
        } else {
            body.extend_from_slice(&mem::take(&mut first));
            body.extend_from_slice(&chunk);
        }
    }
    Ok(if body.is_empty() { first } else { body.freeze() })
}

/// Waits at most `TIMEOUT`. A timer costs more than a small body: it is set for one that is not there at the
/// second look. At the first none is, since actix-http asks for the answer before it hands out the body.
async fn in_time<T>(reading: impl Future<Output = T>) -> Result<T, Problem> {
    let mut reading = pin!(reading);
    let mut looked = false;
    let read = poll_fn(|context| match reading.as_mut().poll(context) {
        Poll::Ready(read) => Poll::Ready(Some(read)),
        Poll::Pending if looked => Poll::Ready(None),
        Poll::Pending => {
            looked = true;
            context.waker().wake_by_ref();
            Poll::Pending
        }
    });
    match read.await {
        Some(read) => Ok(read),
        None => timeout(TIMEOUT, reading).await.map_err(|_| Problem::SlowBody),
    }
}

/// Nothing is ever decompressed, so nothing can be a bomb.
fn is_plain(request: &HttpRequest) -> bool {
    request
        .headers()
        .get(CONTENT_ENCODING)
        .is_none_or(|coding| coding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// JSON, or what a client says that was not told what it sends: `curl -d` says that it is a form.
fn may_be_json(request: &HttpRequest) -> bool {
    const TAKEN: [&str; 4] = [
        "application/json",
        "application/octet-stream",
        "application/x-www-form-urlencoded",
        "text/plain",
    ];
    let Some(kind) = request.headers().get(CONTENT_TYPE) else { return true };
    if kind == TAKEN[0] {
        return true;
    }
    let kind = kind.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    TAKEN.iter().any(|taken| kind.eq_ignore_ascii_case(taken))
        || (kind.starts_with("application/") && kind.ends_with("+json"))
}
