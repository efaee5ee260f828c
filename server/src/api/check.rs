//! `POST /check`.

use std::{ops::Not, time::Duration};

use actix_web::{
    HttpResponse,
    http::header::CACHE_CONTROL,
    web::{Bytes, Data, Payload},
};
use rl_bucket::Outcome;
use serde::Serialize;
use tokio::time::timeout;

use super::{Problem, request::CheckBody};
use crate::limiter::{Answer, Limiter};

/// The answer, as JSON.
#[derive(Serialize)]
struct Reply {
    allowed: bool,
    limit: u64,
    remaining: i64,
    /// `null` for never.
    retry_after_ms: Option<u64>,
    reset_after_ms: u64,
    #[serde(skip_serializing_if = "<&bool>::not")]
    degraded: bool,
}

const MAX_BODY: usize = 4096;
/// A body that trickles in holds a connection; this long, and no longer.
const BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// Whether a key may go on now. 200 for yes and for no: the status speaks of the question, not of
/// the answer. The content type is not looked at, so that a plain `curl -d` works.
pub(super) async fn check(
    limiter: Data<Limiter>,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let body = read(payload).await?;
    let body = CheckBody::parse(&body)?;
    let text = body.text()?;
    let answer = limiter.check(&body.question(&text)?).await?;
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(Reply::from(answer)))
}

async fn read(payload: Payload) -> Result<Bytes, Problem> {
    let body = timeout(BODY_TIMEOUT, payload.to_bytes_limited(MAX_BODY)).await;
    body.map_err(|_| Problem::SlowBody)?
        .map_err(|_| Problem::TooLarge)?
        .map_err(|_| Problem::Malformed) // cut short, or bad chunks
}

// === impl Reply ===

impl From<Answer> for Reply {
    fn from(Answer { decision, degraded }: Answer) -> Self {
        Self {
            allowed: decision.is_allowed(),
            limit: decision.limit,
            remaining: decision.remaining,
            retry_after_ms: match decision.outcome {
                Outcome::Allowed => Some(0),
                Outcome::NotYet { retry_after_ms } => Some(retry_after_ms),
                Outcome::Never => None,
            },
            reset_after_ms: decision.reset_after_ms,
            degraded,
        }
    }
}

#[cfg(test)]
mod tests {
    use rl_bucket::{Decision, Outcome};

    use super::Reply;
    use crate::limiter::Answer;

    #[test]
    fn json() {
        let answer = |outcome, degraded| {
            let decision = Decision { outcome, limit: 100, remaining: 99, reset_after_ms: 600 };
            serde_json::to_string(&Reply::from(Answer { decision, degraded })).unwrap()
        };
        assert_eq!(
            answer(Outcome::Allowed, false),
            r#"{"allowed":true,"limit":100,"remaining":99,"retry_after_ms":0,"reset_after_ms":600}"#
        );
        assert_eq!(
            answer(Outcome::Never, true),
            r#"{"allowed":false,"limit":100,"remaining":99,"retry_after_ms":null,"reset_after_ms":600,"degraded":true}"#
        );
        assert!(answer(Outcome::NotYet { retry_after_ms: 7 }, false).contains(r#"_after_ms":7,"#));
    }
}
