//! The bodies of a front's responses, as far as they are counted.

use serde::Deserialize;
use ureq::http::StatusCode;

use crate::bench::stats::{CheckCounts, RequestError};

/// The body of `/check`.
#[derive(Deserialize)]
struct CheckJson {
    allowed: bool,
    #[serde(default)]
    degraded: bool,
}

/// The body of `/check/batch`.
#[derive(Deserialize)]
struct BatchJson {
    results: Vec<BatchItem>,
}

/// A decision of a batch, or a problem in its place.
#[derive(Deserialize)]
struct BatchItem {
    allowed: Option<bool>,
    #[serde(default)]
    degraded: bool,
    status: Option<u16>,
}

const INVALID: &str = "an invalid answer";

/// Decodes the body of `/check`.
pub(super) fn check(body: &[u8]) -> Result<CheckCounts, RequestError> {
    let CheckJson { allowed, degraded } = serde_json::from_slice(body).map_err(|_| INVALID)?;
    let mut counts = CheckCounts::default();
    counts.count(allowed);
    counts.degraded += u64::from(degraded);
    Ok(counts)
}

/// Decodes the body of `/check/batch`, which must have an item for each of `checks`.
pub(super) fn batch(body: &[u8], checks: usize) -> Result<CheckCounts, RequestError> {
    let BatchJson { results } = serde_json::from_slice(body).map_err(|_| INVALID)?;
    if results.len() != checks {
        return Err(INVALID.into());
    }
    let mut counts = CheckCounts::default();
    for item in results {
        match item.allowed {
            Some(allowed) => {
                counts.count(allowed);
                counts.degraded += u64::from(item.degraded);
            }
            None => {
                let status = item.status.and_then(|status| StatusCode::from_u16(status).ok());
                let error = status.map(|status| status.to_string().into());
                counts.errors.push(error.unwrap_or(INVALID.into()));
            }
        }
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::{CheckCounts, INVALID, batch, check};

    const ALLOWED: &str =
        r#"{"allowed":true,"limit":9,"remaining":8,"retry_after_ms":0,"reset_after_ms":7}"#;
    const DEGRADED: &str = r#"{"allowed":false,"limit":9,"remaining":0,"retry_after_ms":null,
        "reset_after_ms":7,"degraded":true}"#;
    const PROBLEM: &str = r#"{"title":"Not Found","status":404,"detail":"no policy"}"#;

    #[test]
    fn answers_are_counted() {
        let allowed = CheckCounts { allowed: 1, ..CheckCounts::default() };
        let degraded = CheckCounts { denied: 1, degraded: 1, ..CheckCounts::default() };
        assert_eq!(check(ALLOWED.as_bytes()), Ok(allowed));
        assert_eq!(check(DEGRADED.as_bytes()), Ok(degraded));
        let body = format!(r#"{{"results":[{ALLOWED},{DEGRADED},{PROBLEM},{ALLOWED}]}}"#);
        let errors = vec!["404 Not Found".into()];
        let expected = CheckCounts { allowed: 2, denied: 1, degraded: 1, errors };
        assert_eq!(batch(body.as_bytes(), 4), Ok(expected));
        assert_eq!(batch(body.as_bytes(), 3), Err(INVALID.into()));
    }

    #[test]
    fn invalid_answers_are_errors() {
        for body in ["", "{}", "<html>", PROBLEM, r#"{"allowed":1}"#] {
            assert_eq!(check(body.as_bytes()), Err(INVALID.into()), "{body}");
            assert_eq!(batch(body.as_bytes(), 1), Err(INVALID.into()), "{body}");
        }
    }
}
