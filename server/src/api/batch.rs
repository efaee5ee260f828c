//! `POST /check/batch`: many independent checks, one round trip.

use std::fmt;

use actix_web::{
    HttpRequest, HttpResponse,
    http::StatusCode,
    web::{BytesMut, Data, Payload},
};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, IgnoredAny, SeqAccess, Visitor},
};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{
    Problem, body,
    openapi::Batched,
    problem::Details,
    reply::{Reply, written},
    request::{CheckBody, text},
};
use crate::{access::Grant, limiter::Limiter, metrics::Metrics};

/// Many checks.
#[derive(Deserialize, ToSchema)]
#[schema(as = Batch)]
#[serde(deny_unknown_fields)]
struct BatchBody<'a> {
    /// Each is decided by itself.
    #[serde(borrow, deserialize_with = "at_most_1000")]
    #[schema(max_items = 1000)]
    checks: Vec<CheckBody<'a>>,
}

/// As many, of which some may be no objects.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mixed<'a> {
    #[serde(borrow)]
    checks: Vec<&'a RawValue>,
}

/// One result for each check, in their order.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is written result by result")]
pub(super) struct BatchReply<'a> {
    results: Vec<BatchResult<'a>>,
}

/// The answer to a check, or why there is none.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum BatchResult<'a> {
    /// As `/check` answers.
    CheckResult(Reply<'a>),
    /// As `/check` refuses.
    Problem(Details),
}

const MAX_CHECKS: usize = 1000;

pub(super) const NOT_A_BATCH: Problem = Problem::Invalid(
    "a batch must be a JSON object with nothing but checks, an array of at most 1000 checks",
);

/// Many checks in one call
///
/// Decides each by itself, in one round trip: a bad one spoils no other, its result is a problem in place
/// of a decision.
#[utoipa::path(
    post,
    path = "/check/batch",
    operation_id = "check_batch",
    tag = "Deciding",
    request_body(content = BatchBody, example = json!({"checks": [
        {"key": "user:42"},
        {"key": "job:7", "capacity": 10, "rate": "100/m", "cost": "2.5"},
    ]})),
    responses(
        (
            status = 200,
            description = "One result for each check, in their order: a decision, or a problem, which has no `allowed`",
            body = BatchReply,
            example = json!({"results": [
                {"allowed": true, "limit": 100, "remaining": 99, "retry_after_ms": 0, "reset_after_ms": 600},
                {"title": "Not Found", "status": 404, "detail": "no policy has this name"},
            ]}),
        ),
        Batched,
    ),
)]
pub(super) async fn check(
    limiter: Data<Limiter>,
    metrics: Data<Metrics>,
    grant: Grant,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let body = body::read(&request, payload.into_inner(), body::BATCH).await?;
    let checks = parse(&body)?;
    metrics.batch.observe(checks.len() as f64);

    let mut questions = Vec::with_capacity(checks.len());
    let asked: Vec<Result<(), Problem>> = checks
        .into_iter()
        .map(|check| {
            let question = check?.question()?;
            grant.allows(&question)?;
            questions.push(question);
            Ok(())
        })
        .collect();
    let mut answers = limiter.check_each(&questions).await.into_iter();

    let mut text = BytesMut::with_capacity(128 * asked.len() + 16);
    text.extend_from_slice(b"{\"results\":[");
    for (at, asked) in asked.into_iter().enumerate() {
        if at > 0 {
            text.extend_from_slice(b",");
        }
        // There is an answer to each question.
        match asked.and_then(|()| Ok(answers.next().ok_or(Problem::Malformed)??)) {
            Ok(answer) => BatchResult::CheckResult(Reply::new(&answer, None)).write(&mut text),
            Err(problem) => BatchResult::Problem(problem.details()).write(&mut text),
        }
    }
    text.extend_from_slice(b"]}");
    Ok(written(StatusCode::OK, text.freeze()))
}

impl BatchResult<'_> {
    /// Appends it as JSON.
    fn write(&self, text: &mut BytesMut) {
        match self {
            Self::CheckResult(reply) => reply.write(text),
            // A few fixed texts: that is JSON.
            Self::Problem(details) => {
                text.extend_from_slice(&serde_json::to_vec(details).unwrap_or_default());
            }
        }
    }
}

/// The checks, or what is wrong with one; [`Problem::Invalid`] if it is no batch.
pub(super) fn parse(body: &[u8]) -> Result<Vec<Result<CheckBody<'_>, Problem>>, Problem> {
    let text = text(body)?;
    if let Ok(BatchBody { checks }) = serde_json::from_str(text) {
        return Ok(checks.into_iter().map(CheckBody::sound).collect());
    }
    match serde_json::from_str(text) {
        Ok(Mixed { checks }) if checks.len() <= MAX_CHECKS => {
            Ok(checks.into_iter().map(|check| CheckBody::read(check.get())).collect())
        }
        Ok(_) => Err(NOT_A_BATCH),
        // What has other fields is refused before it is read to the end: JSON or not?
        Err(error) if error.is_data() => match serde_json::from_str::<IgnoredAny>(text) {
            Ok(_) => Err(NOT_A_BATCH),
            Err(_) => Err(Problem::Malformed),
        },
        Err(_) => Err(Problem::Malformed),
    }
}

/// A check is a good deal larger than its text can be: no more are read than there may be.
fn at_most_1000<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<CheckBody<'de>>, D::Error> {
    struct Checks;

    impl<'de> Visitor<'de> for Checks {
        type Value = Vec<CheckBody<'de>>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an array of at most 1000 checks")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            let mut checks = Vec::new();
            while let Some(check) = seq.next_element()? {
                if checks.len() == MAX_CHECKS {
                    return Err(de::Error::invalid_length(MAX_CHECKS + 1, &self));
                }
                checks.push(check);
            }
            Ok(checks)
        }
    }

    deserializer.deserialize_seq(Checks)
}

#[cfg(test)]
mod tests {
    use super::{NOT_A_BATCH, Problem, parse};

    #[test]
    fn batches() {
        let of = |len: usize| format!(r#"{{"checks":[{}]}}"#, vec!["1"; len].join(","));
        for (body, expected) in [
            (of(0), Ok(0)),
            (of(1), Ok(1)),
            (of(1000), Ok(1000)),
            (of(1001), Err(NOT_A_BATCH)),
            (r#"{"checks":[{"a":[1]}, null]}"#.to_owned(), Ok(2)),
            ("{}".to_owned(), Err(NOT_A_BATCH)),
            ("[]".to_owned(), Err(NOT_A_BATCH)),
            (r#"{"checks":{}}"#.to_owned(), Err(NOT_A_BATCH)),
            (r#"{"checks":[],"x":1}"#.to_owned(), Err(NOT_A_BATCH)),
            (r#"{"checks":[],"checks":[]}"#.to_owned(), Err(NOT_A_BATCH)),
            (r#"{"checks":[],"x":1"#.to_owned(), Err(Problem::Malformed)),
            (r#"{"checks":[{]}"#.to_owned(), Err(Problem::Malformed)),
            (String::new(), Err(Problem::Malformed)),
        ] {
            assert_eq!(parse(body.as_bytes()).map(|checks| checks.len()), expected, "{body:.40}");
        }
    }
}
