//! The body of a request: limited in size and time, and not compressed.

use std::{future::poll_fn, mem, pin::pin, task::Poll, time::Duration};

use actix_web::{
    HttpRequest,
    dev::Payload,
    http::header::{CONTENT_ENCODING, CONTENT_TYPE},
    web::{Bytes, BytesMut},
};
use futures_util::StreamExt;
use tokio::time::timeout;

use super::problem::Problem;

/// The content of a body, which bounds its size.
#[derive(Clone, Copy, Debug)]
pub(super) enum BodyKind {
    /// One check: at most 4096 bytes.
    Check,
    /// A batch: at most 1 MiB.
    Batch,
}

/// The longest a body may take, since it holds a connection while it arrives.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Reads a body. Leaves `Payload::None` if it was read to its end.
pub(super) async fn read(
    request: &HttpRequest,
    payload: &mut Payload,
    kind: BodyKind,
) -> Result<Bytes, Problem> {
    if is_compressed(request) {
        return Err(Problem::Compressed);
    }
    if !may_be_json(request) {
        return Err(Problem::MediaType);
    }
    let body = within_timeout(collect(payload, kind)).await??;
    *payload = Payload::None;
    Ok(body)
}

/// Joins the chunks. A single chunk, the usual case, is not copied.
async fn collect(payload: &mut Payload, kind: BodyKind) -> Result<Bytes, Problem> {
    let (mut first, mut body) = (Bytes::new(), BytesMut::new());
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| Problem::Malformed)?; // truncated, or invalid chunks
        if first.len() + body.len() + chunk.len() > kind.max_len() {
            return Err(kind.too_large());
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

/// Waits at most `TIMEOUT`.
///
/// Arming a timer costs more than reading a small body, so it is armed only if the body is still
/// pending on the second poll. (It always is on the first: actix-http calls the handler before it
/// hands out the body.)
async fn within_timeout<T>(reading: impl Future<Output = T>) -> Result<T, Problem> {
    let mut reading = pin!(reading);
    let mut is_second_poll = false;
    let read = poll_fn(|context| match reading.as_mut().poll(context) {
        Poll::Ready(read) => Poll::Ready(Some(read)),
        Poll::Pending if is_second_poll => Poll::Ready(None),
        Poll::Pending => {
            is_second_poll = true;
            context.waker().wake_by_ref();
            Poll::Pending
        }
    });
    match read.await {
        Some(read) => Ok(read),
        None => timeout(TIMEOUT, reading).await.map_err(|_| Problem::BodyTimeout),
    }
}

/// Whether a body is compressed. It is never decompressed, so it cannot be a bomb.
fn is_compressed(request: &HttpRequest) -> bool {
    request
        .headers()
        .get(CONTENT_ENCODING)
        .is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// Whether the type is JSON, or one that clients send by default: `curl -d` declares a form.
fn may_be_json(request: &HttpRequest) -> bool {
    const ACCEPTED: [&str; 4] = [
        "application/json",
        "application/octet-stream",
        "application/x-www-form-urlencoded",
        "text/plain",
    ];
    let Some(media_type) = request.headers().get(CONTENT_TYPE) else { return true };
    if media_type == ACCEPTED[0] {
        return true;
    }
    let media_type = media_type.to_str().unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    ACCEPTED.iter().any(|accepted| media_type.eq_ignore_ascii_case(accepted))
        || (media_type.starts_with("application/") && media_type.ends_with("+json"))
}

// === impl BodyKind ===

impl BodyKind {
    fn max_len(self) -> usize {
        match self {
            Self::Check => 4096,
            Self::Batch => 1 << 20,
        }
    }

    fn too_large(self) -> Problem {
        match self {
            Self::Check => Problem::BodyTooLarge,
            Self::Batch => Problem::BatchTooLarge,
        }
    }
}
