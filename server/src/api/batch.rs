//! `POST /check/batch`: many independent checks in one round trip.

use std::fmt;

use actix_web::{HttpResponse, http::StatusCode, web::Data};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, IgnoredAny, SeqAccess, Visitor},
};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{
    body::BodyKind,
    post::PostRequest,
    problem::{Details, Problem},
    reply::{CheckReply, written_json},
    request::{CheckBody, text},
    responses::BatchProblems,
    rules,
};
use crate::{
    access::Role,
    limiter::Limiter,
    metrics::Metrics,
    slice::{CHUNK, Slice},
};

/// Independent checks.
#[derive(Deserialize, ToSchema)]
#[schema(as = Batch)]
#[serde(deny_unknown_fields)]
struct BatchBody<'a> {
    /// The checks, each decided by itself.
    #[serde(borrow, deserialize_with = "at_most_1000")]
    #[schema(max_items = 1000)]
    checks: Vec<CheckBody<'a>>,
}

/// A batch in which some checks are not objects.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawBatch<'a> {
    #[serde(borrow)]
    checks: Vec<&'a RawValue>,
}

/// One result for each check, in the same order.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the results are written one by one")]
pub(super) struct BatchReply<'a> {
    /// The results, in the order of the checks.
    results: Vec<BatchResult<'a>>,
}

/// The decision on a check, or the problem that prevents one.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum BatchResult<'a> {
    /// The decision, as from `/check`.
    CheckResult(CheckReply<'a>),
    /// The problem, as from `/check`.
    Problem(Details),
}

const MAX_CHECKS: usize = 1000;

/// Check many keys
///
/// Decides each check by itself, in one round trip. An invalid check does not affect the others:
/// its result is a problem in place of a decision.
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
            description = "One result for each check, in the same order: a decision, or a problem, \
                           which has no `allowed`",
            body = BatchReply,
            example = json!({"results": [
                {
                    "allowed": true,
                    "limit": 100,
                    "remaining": 99,
                    "retry_after_ms": 0,
                    "reset_after_ms": 600,
                },
                {"title": "Not Found", "status": 404, "detail": "no policy has this name"},
            ]}),
        ),
        BatchProblems,
    ),
)]
pub(super) async fn check(
    limiter: Data<Limiter>,
    metrics: Data<Metrics>,
    request: PostRequest,
) -> Result<HttpResponse, Problem> {
    let (caller, body) = request.read(Role::Check, BodyKind::Batch).await?;
    let bodies = parse(&body)?;
    metrics.batch_size.observe(bodies.len() as f64);

    let mut checks = Vec::with_capacity(bodies.len());
    let requests: Vec<Result<(), Problem>> = bodies
        .iter()
        .map(|body| {
            let mut check = body.check_request()?;
            caller.authorize(&mut check)?;
            checks.push(check);
            Ok(())
        })
        .collect();
    let mut results = limiter.check_each(&checks).await.into_iter();

    let mut slice = Slice::default();
    let mut text = Vec::with_capacity(128 * requests.len() + 16);
    text.extend_from_slice(b"{\"results\":[");
    for requests in requests.chunks(CHUNK) {
        let mut buckets = 0;
        for request in requests {
            if !text.ends_with(b"[") {
                text.extend_from_slice(b",");
            }
            // The limiter returns one result for each check.
            let mut result = || Ok(results.next().ok_or(Problem::Malformed)??);
            match request.and_then(|()| result()) {
                Ok(result) => {
                    buckets += result.decisions.len();
                    let reply = CheckReply::new(&result, None);
                    BatchResult::CheckResult(reply).write(&mut text);
                }
                Err(problem) => BatchResult::Problem(problem.details()).write(&mut text),
            }
        }
        slice.spend(buckets).await;
    }
    text.extend_from_slice(b"]}");
    Ok(written_json(StatusCode::OK, text.into()))
}

// === impl BatchResult ===

impl BatchResult<'_> {
    /// Appends the result as JSON.
    fn write(&self, text: &mut Vec<u8>) {
        match self {
            Self::CheckResult(reply) => reply.write(text),
            // Fixed texts and a number always serialize.
            Self::Problem(details) => {
                text.extend_from_slice(&serde_json::to_vec(details).unwrap_or_default());
            }
        }
    }
}

// === parsing ===

/// Parses a batch into its checks, some of which may have a problem; [`Problem::Invalid`] if the
/// body is JSON but not a batch.
pub(super) fn parse(body: &[u8]) -> Result<Vec<CheckBody<'_>>, Problem> {
    let text = text(body)?;
    if let Ok(BatchBody { checks }) = serde_json::from_str(text) {
        return Ok(checks);
    }
    match serde_json::from_str(text) {
        Ok(RawBatch { checks }) if checks.len() <= MAX_CHECKS => {
            let parse = |check| CheckBody::parse_text(RawValue::get(check));
            let checks = checks.into_iter().map(|it| parse(it).unwrap_or_else(CheckBody::invalid));
            Ok(checks.collect())
        }
        Ok(_) => Err(rules::NOT_A_BATCH),
        // serde stops at an unknown field, so the rest may not be JSON.
        Err(error) if error.is_data() => match serde_json::from_str::<IgnoredAny>(text) {
            Ok(_) => Err(rules::NOT_A_BATCH),
            Err(_) => Err(Problem::Malformed),
        },
        Err(_) => Err(Problem::Malformed),
    }
}

/// Deserializes at most `MAX_CHECKS`, since a check takes much more memory than its text may have.
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
    use super::{Problem, parse, rules::NOT_A_BATCH};

    #[test]
    fn a_batch_has_at_most_1000_checks_and_nothing_else() {
        let batch = |len: usize| format!(r#"{{"checks":[{}]}}"#, vec!["1"; len].join(","));
        for (body, expected) in [
            (batch(0), Ok(0)),
            (batch(1), Ok(1)),
            (batch(1000), Ok(1000)),
            (batch(1001), Err(NOT_A_BATCH)),
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
