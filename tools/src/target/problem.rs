//! Responses of a front that are not answers.

use serde::Deserialize;
use ureq::http::{
    Response,
    header::{CONTENT_TYPE, LOCATION},
};

/// The printed fields of a problem (RFC 9457).
#[derive(Deserialize)]
struct ProblemJson {
    title: String,
    detail: Option<String>,
    /// Of an unknown policy: names that exist.
    #[serde(default)]
    near: Vec<String>,
}

/// Describes a response whose status is not 200, in one line.
pub(crate) fn describe_response<T>(response: &Response<T>, body: &str) -> String {
    let status = response.status();
    let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
    let is_problem = header(CONTENT_TYPE)
        .is_some_and(|kind| kind.split(';').next() == Some("application/problem+json"));
    if is_problem && let Ok(ProblemJson { title, detail, near }) = serde_json::from_str(body) {
        let mut detail = detail.map(|detail| format!(": {detail}")).unwrap_or_default();
        if !near.is_empty() {
            detail += &format!("; near it: {}", near.join(", "));
        }
        return format!("{} {title}{detail}", status.as_u16());
    }
    match header(LOCATION) {
        Some(location) if status.is_redirection() => {
            format!("{status}: redirects are not followed; this one leads to {location}")
        }
        _ => format!("{status}, not from an rl-server: is there a proxy in between?"),
    }
}

#[cfg(test)]
mod tests {
    use ureq::http::Response;

    use super::describe_response;

    #[test]
    fn responses_that_are_not_answers() {
        const PROBLEM: &str = "application/problem+json";
        let problem = r#"{"title":"Unprocessable Entity","status":422,"detail":"key must be"}"#;
        for (status, kind, location, body, text) in [
            (422, PROBLEM, "", problem, "422 Unprocessable Entity: key must be"),
            (
                404,
                PROBLEM,
                "",
                r#"{"title":"Not Found","detail":"no policy","near":["a","b"]}"#,
                "404 Not Found: no policy; near it: a, b",
            ),
            (503, "application/problem+json; x=y", "", r#"{"title":"T"}"#, "503 T"),
            (
                502,
                "text/html",
                "",
                "<html>secret",
                "502 Bad Gateway, not from an rl-server: is there a proxy in between?",
            ),
            (
                429,
                PROBLEM,
                "",
                "not JSON",
                "429 Too Many Requests, not from an rl-server: is there a proxy in between?",
            ),
            (
                308,
                "",
                "https://rl.example/check",
                "",
                "308 Permanent Redirect: redirects are not followed; \
                 this one leads to https://rl.example/check",
            ),
        ] {
            let mut response = Response::builder().status(status).header("content-type", kind);
            if !location.is_empty() {
                response = response.header("location", location);
            }
            assert_eq!(describe_response(&response.body(()).unwrap(), body), text);
        }
    }
}
