//! The body of a request: small, in time, and as it is.

use std::time::Duration;

use actix_web::{
    HttpRequest,
    http::header::{CONTENT_ENCODING, CONTENT_TYPE},
    web::{Bytes, Payload},
};
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
    timeout(TIMEOUT, payload.to_bytes_limited(limit))
        .await
        .map_err(|_| Problem::SlowBody)?
        .map_err(|_| if limit == ONE { Problem::TooLarge } else { Problem::BatchTooLarge })?
        .map_err(|_| Problem::Malformed) // cut short, or bad chunks
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
    let kind = kind.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    TAKEN.iter().any(|taken| kind.eq_ignore_ascii_case(taken))
        || (kind.starts_with("application/") && kind.ends_with("+json"))
}
