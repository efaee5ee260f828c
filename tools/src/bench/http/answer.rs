//! What a front answers, as far as it is counted.

use serde::Deserialize;
use ureq::http::StatusCode;

use super::super::tally::{Answer, Trouble};

/// Of one check.
#[derive(Deserialize)]
struct Decision {
    allowed: bool,
    #[serde(default)]
    degraded: bool,
}

/// Of a batch.
#[derive(Deserialize)]
struct Batch {
    results: Vec<Item>,
}

/// A decision, or a problem in its place.
#[derive(Deserialize)]
struct Item {
    allowed: Option<bool>,
    #[serde(default)]
    degraded: bool,
    status: Option<u16>,
}

const NONSENSE: &str = "an answer that makes no sense";

/// What `/check` answers.
pub(super) fn one(body: &[u8]) -> Result<Answer, Trouble> {
    let Decision { allowed, degraded } = serde_json::from_slice(body).map_err(|_| NONSENSE)?;
    let mut answer = Answer::default();
    count(&mut answer, allowed, degraded);
    Ok(answer)
}

/// What `/check/batch` answers to so many checks.
pub(super) fn many(body: &[u8], checks: usize) -> Result<Answer, Trouble> {
    let Batch { results } = serde_json::from_slice(body).map_err(|_| NONSENSE)?;
    if results.len() != checks {
        return Err(NONSENSE.into());
    }
    let mut answer = Answer::default();
    for item in results {
        match item.allowed {
            Some(allowed) => count(&mut answer, allowed, item.degraded),
            None => {
                let status = item.status.and_then(|status| StatusCode::from_u16(status).ok());
                let trouble = status.map(|status| status.to_string().into());
                answer.refused.push(trouble.unwrap_or(NONSENSE.into()));
            }
        }
    }
    Ok(answer)
}

fn count(answer: &mut Answer, allowed: bool, degraded: bool) {
    answer.allowed += u64::from(allowed);
    answer.denied += u64::from(!allowed);
    answer.degraded += u64::from(degraded);
}

#[cfg(test)]
mod tests {
    use super::{Answer, NONSENSE, many, one};

    const ALLOWED: &str =
        r#"{"allowed":true,"limit":9,"remaining":8,"retry_after_ms":0,"reset_after_ms":7}"#;
    const DENIED: &str = r#"{"allowed":false,"limit":9,"remaining":0,"retry_after_ms":null,"reset_after_ms":7,"degraded":true}"#;
    const PROBLEM: &str = r#"{"title":"Not Found","status":404,"detail":"no policy"}"#;

    #[test]
    fn answers() {
        let denied = Answer { denied: 1, degraded: 1, ..Answer::default() };
        assert_eq!(one(ALLOWED.as_bytes()), Ok(Answer { allowed: 1, ..Answer::default() }));
        assert_eq!(one(DENIED.as_bytes()), Ok(denied));
        let batch = format!(r#"{{"results":[{ALLOWED},{DENIED},{PROBLEM},{ALLOWED}]}}"#);
        let refused = vec!["404 Not Found".into()];
        let expected = Answer { allowed: 2, denied: 1, degraded: 1, refused };
        assert_eq!(many(batch.as_bytes(), 4), Ok(expected));
        assert_eq!(many(batch.as_bytes(), 3), Err(NONSENSE.into()));
    }

    #[test]
    fn no_answers() {
        for body in ["", "{}", "<html>", PROBLEM, r#"{"allowed":1}"#] {
            assert_eq!(one(body.as_bytes()), Err(NONSENSE.into()), "{body}");
            assert_eq!(many(body.as_bytes(), 1), Err(NONSENSE.into()), "{body}");
        }
    }
}
