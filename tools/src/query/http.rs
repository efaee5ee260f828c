//! Asking a front, over HTTP or HTTPS.

use std::{net::IpAddr, time::Duration};

use serde::{Deserialize, Serialize};
use ureq::{
    Agent, Error, Proxy,
    http::{
        Response, StatusCode, Uri,
        header::{AUTHORIZATION, CONTENT_TYPE, LOCATION},
    },
};

use super::{Failure, token::Token};

/// A front, and what to show it.
#[derive(Debug)]
pub(crate) struct Front {
    /// Its address, without a slash at the end.
    base: String,
    token: Option<Token>,
    agent: Agent,
}

/// What is asked. Numbers go as strings, so that nothing on the way can round them.
#[derive(Debug, Default, PartialEq, Serialize)]
pub(crate) struct Body<'a> {
    pub(crate) key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) policy: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cost: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) capacity: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rate: Option<String>,
}

/// RFC 9457, as far as it is printed.
#[derive(Deserialize)]
struct Problem {
    title: String,
    detail: Option<String>,
}

/// From name to answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// An answer is some hundred bytes, and as many for each of several limits.
const MAX_ANSWER: u64 = 1024 * 1024;

// === impl Front ===

impl Front {
    /// The front at `address`, `http://` or `https://`. The error never repeats the text, which may hold a
    /// password.
    pub(super) fn new(address: &str, token: Option<Token>) -> Result<Self, Failure> {
        let base = address.trim().trim_end_matches('/').to_owned();
        let host = host(&base).ok_or_else(|| {
            Failure::usage(
                "--server must be http://HOST[:PORT] or https://HOST[:PORT], with no user, \
                 password or query: a token goes into --token-file or RL_TOKEN",
            )
        })?;
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            // It would follow with another method, and without the token.
            .max_redirects(0)
            .timeout_global(Some(TIMEOUT))
            // No proxy can know the way back to this machine.
            .proxy(if is_local(&host) { None } else { Proxy::try_from_env() })
            .user_agent(concat!("rl-server/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        Ok(Self { base, token, agent })
    }

    /// The JSON that the front answers, if it answers.
    pub(super) fn post(&self, path: &str, body: &Body<'_>) -> Result<String, Failure> {
        let unanswered = |reason: &str| Failure::unanswered(format!("{}: {reason}", self.base));
        let body = serde_json::to_string(body).map_err(|error| unanswered(&error.to_string()))?;
        let mut request = self.agent.post(format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, token.header());
        }
        let request = request.header(CONTENT_TYPE, "application/json");
        let mut response = request.send(body).map_err(|error| unanswered(&reason(error)))?;
        let text = response.body_mut().with_config().limit(MAX_ANSWER).read_to_string();
        if response.status() == StatusCode::OK {
            return text.map_err(|error| unanswered(&reason(error)));
        }
        let problem = problem(&response, &text.unwrap_or_default());
        Err(unanswered(&(problem + self.hint(response.status()))))
    }

    /// What may help with a status.
    pub(crate) fn hint(&self, status: StatusCode) -> &'static str {
        match &self.token {
            None if status == StatusCode::UNAUTHORIZED => " (give one in --token-file or RL_TOKEN)",
            _ => "",
        }
    }

    /// Its address, without a slash at the end.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// The value of the `Authorization` header.
    pub(crate) fn authorization(&self) -> Option<String> {
        self.token.as_ref().map(Token::header)
    }
}

/// The host of an address that may stand in `--server`.
fn host(base: &str) -> Option<String> {
    let uri: Uri = base.parse().ok()?;
    let authority = uri.authority()?;
    let good = matches!(uri.scheme_str(), Some("http" | "https"))
        && !authority.as_str().contains('@')
        && !base.contains(['?', '#']);
    (good && !authority.host().is_empty()).then(|| authority.host().to_owned())
}

fn is_local(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// What a response other than 200 says.
pub(crate) fn problem<T>(response: &Response<T>, text: &str) -> String {
    let status = response.status();
    let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
    let is_problem = header(CONTENT_TYPE)
        .is_some_and(|kind| kind.split(';').next() == Some("application/problem+json"));
    if is_problem && let Ok(Problem { title, detail }) = serde_json::from_str(text) {
        let detail = detail.map(|detail| format!(": {detail}")).unwrap_or_default();
        return format!("{} {title}{detail}", status.as_u16());
    }
    match header(LOCATION) {
        Some(location) if status.is_redirection() => {
            format!("{status}: it redirects to {location}, which is not followed")
        }
        _ => format!("{status}, and not from an rl-server: is something in between?"),
    }
}

/// Why there is no response.
fn reason(error: Error) -> String {
    match error {
        Error::Io(error) => error.to_string(),
        Error::Timeout(_) => format!("no answer within {} s", TIMEOUT.as_secs()),
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use ureq::http::Response;

    use super::{Body, Front, is_local, problem};

    #[test]
    fn addresses() {
        for (address, base) in [
            ("http://127.0.0.1:8080", Some("http://127.0.0.1:8080")),
            ("https://rl.example/", Some("https://rl.example")),
            ("HTTPS://rl.example/limits//", Some("HTTPS://rl.example/limits")),
            (" http://[::1]:7000\n", Some("http://[::1]:7000")),
            ("", None),
            ("127.0.0.1:8080", None),
            ("localhost", None),
            ("http://", None),
            ("ftp://rl.example", None),
            ("redis://rl.example", None),
            ("http://user:hunter2@rl.example", None),
            ("http://hunter2@rl.example", None),
            ("http://rl.example/?hunter2", None),
            ("http://rl.example/#hunter2", None),
            ("http://rl.example/a b", None),
        ] {
            let front = Front::new(address, None);
            assert_eq!(front.as_ref().ok().map(|front| front.base.as_str()), base, "{address}");
            if let Err(failure) = front {
                assert_eq!(failure.code(), 2);
                assert!(!failure.to_string().contains("hunter2"), "{failure}");
            }
        }
    }

    #[test]
    fn local_hosts_need_no_proxy() {
        for (host, local) in [
            ("127.0.0.1", true),
            ("127.9.9.9", true),
            ("[::1]", true),
            ("localhost", true),
            ("10.0.0.1", false),
            ("rl.example", false),
            ("localhost.example", false),
        ] {
            assert_eq!(is_local(host), local, "{host}");
        }
    }

    #[test]
    fn only_what_was_given_is_sent() {
        let bare = Body { key: "user:\"42\"", ..Body::default() };
        assert_eq!(serde_json::to_string(&bare).unwrap(), r#"{"key":"user:\"42\""}"#);
        let some = |text: &str| Some(text.to_owned());
        let full = Body {
            key: "k",
            policy: Some("api"),
            cost: some("2.5"),
            capacity: some("10"),
            rate: some("100/m"),
        };
        assert_eq!(
            serde_json::to_string(&full).unwrap(),
            r#"{"key":"k","policy":"api","cost":"2.5","capacity":"10","rate":"100/m"}"#
        );
    }

    #[test]
    fn what_is_said_of_other_responses() {
        const PROBLEM: &str = "application/problem+json";
        let known = r#"{"title":"Unprocessable Entity","status":422,"detail":"key must be"}"#;
        for (status, kind, location, body, said) in [
            (422, PROBLEM, "", known, "422 Unprocessable Entity: key must be"),
            (503, "application/problem+json; x=y", "", r#"{"title":"T"}"#, "503 T"),
            (
                502,
                "text/html",
                "",
                "<html>secret",
                "502 Bad Gateway, and not from an rl-server: is something in between?",
            ),
            (
                429,
                PROBLEM,
                "",
                "not JSON",
                "429 Too Many Requests, and not from an rl-server: is something in between?",
            ),
            (
                308,
                "",
                "https://rl.example/check",
                "",
                "308 Permanent Redirect: it redirects to https://rl.example/check, which is not followed",
            ),
        ] {
            let mut response = Response::builder().status(status).header("content-type", kind);
            if !location.is_empty() {
                response = response.header("location", location);
            }
            assert_eq!(problem(&response.body(()).unwrap(), body), said);
        }
    }
}
