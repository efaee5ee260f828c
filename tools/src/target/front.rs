//! A front, over HTTP or HTTPS, or over HTTP at a Unix socket.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use ureq::{
    Agent, Error, Proxy,
    http::{
        StatusCode, Uri,
        header::{AUTHORIZATION, CONTENT_TYPE},
    },
    unversioned::resolver::DefaultResolver,
};

use super::{
    problem::describe_response, request::CheckBody, token::BearerToken,
    unix_transport::UnixConnector,
};
use crate::error::ToolError;

/// An HTTP client of one front.
#[derive(Debug)]
pub(crate) struct FrontClient {
    /// The value of `--server`, without a slash at the end.
    name: String,
    /// The URL, without a slash at the end. At a Unix socket its host means nothing.
    base_url: String,
    socket: Option<PathBuf>,
    token: Option<BearerToken>,
    agent: Agent,
}

/// The error for an answer that cannot be decoded.
pub(crate) const INVALID_REPLY: &str = "invalid reply: is this the address of an rl-server?";

/// The URL of requests over a Unix socket.
const LOCAL_URL: &str = "http://127.0.0.1";
/// The longest wait for an answer, name lookup included.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The longest answer that is read. One limit takes some hundred bytes.
const MAX_ANSWER: u64 = 1024 * 1024;

// === impl FrontClient ===

impl FrontClient {
    /// A client of the front at an `http://` or `https://` URL, or at `unix:/PATH`. The error never
    /// repeats the URL, which may hold a password.
    pub(super) fn new(url: &str, token: Option<BearerToken>) -> Result<Self, ToolError> {
        let name = url.trim().trim_end_matches('/').to_owned();
        let socket = name.strip_prefix("unix:").map(PathBuf::from);
        if socket.as_deref().is_some_and(Path::is_relative) {
            let rule =
                "--server must be unix:/PATH for a Unix socket, such as unix:/run/rl/rl.sock";
            return Err(ToolError::usage(rule));
        }
        let base_url = if socket.is_some() { LOCAL_URL.to_owned() } else { name.clone() };
        let host = host(&base_url).ok_or_else(|| {
            ToolError::usage(
                "--server must be http://HOST[:PORT], https://HOST[:PORT] or unix:/PATH, without \
                 user, password or query; pass a token with --token-file or RL_TOKEN",
            )
        })?;
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            // ureq would follow with another method, and without the token.
            .max_redirects(0)
            .timeout_global(Some(TIMEOUT))
            // A proxy cannot reach this machine's loopback.
            .proxy(if is_local(&host) { None } else { Proxy::try_from_env() })
            .user_agent(concat!("rl-server/", env!("CARGO_PKG_VERSION")))
            .build();
        let agent = match &socket {
            None => agent.new_agent(),
            Some(path) => {
                let connector = UnixConnector(path.clone());
                Agent::with_parts(agent, connector, DefaultResolver::default())
            }
        };
        Ok(Self { name, base_url, socket, token, agent })
    }

    /// Sends a request and returns the JSON of the answer. Any status but 200 is an error.
    pub(crate) fn post(&self, path: &str, body: &CheckBody<'_>) -> Result<String, ToolError> {
        let failed = |reason: &str| ToolError::no_answer(format!("{}: {reason}", self.name));
        let body = serde_json::to_string(body).map_err(|error| failed(&error.to_string()))?;
        let mut request = self.agent.post(format!("{}{path}", self.base_url));
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, token.header());
        }
        let request = request.header(CONTENT_TYPE, "application/json");
        let mut response = request.send(body).map_err(|error| failed(&reason(error)))?;
        let text = response.body_mut().with_config().limit(MAX_ANSWER).read_to_string();
        if response.status() == StatusCode::OK {
            return text.map_err(|error| failed(&reason(error)));
        }
        let description = describe_response(&response, &text.unwrap_or_default());
        Err(failed(&(description + self.hint(response.status()))))
    }

    /// A hint to append to the description of a status.
    pub(crate) fn hint(&self, status: StatusCode) -> &'static str {
        match &self.token {
            None if status == StatusCode::UNAUTHORIZED => {
                " (pass one with --token-file or RL_TOKEN)"
            }
            _ => "",
        }
    }

    /// The value of `--server`, without a slash at the end.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The URL, without a slash at the end.
    pub(crate) fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The path of the Unix socket in place of the URL's host.
    pub(crate) fn socket(&self) -> Option<&Path> {
        self.socket.as_deref()
    }

    /// The value of the `Authorization` header.
    pub(crate) fn authorization(&self) -> Option<String> {
        self.token.as_ref().map(BearerToken::header)
    }
}

/// The host of a URL that is valid for `--server`.
fn host(base_url: &str) -> Option<String> {
    let uri: Uri = base_url.parse().ok()?;
    let authority = uri.authority()?;
    let is_valid = matches!(uri.scheme_str(), Some("http" | "https"))
        && !authority.as_str().contains('@')
        && !base_url.contains(['?', '#']);
    (is_valid && !authority.host().is_empty()).then(|| authority.host().to_owned())
}

fn is_local(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
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
    use super::{FrontClient, is_local};

    #[test]
    fn urls_of_fronts() {
        for (url, name) in [
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
            ("unix:/run/rl.sock", Some("unix:/run/rl.sock")),
            ("unix:///run/rl.sock", Some("unix:///run/rl.sock")),
            ("unix:hunter2.sock", None),
            ("/run/rl.sock", None),
        ] {
            let front = FrontClient::new(url, None);
            assert_eq!(front.as_ref().ok().map(FrontClient::name), name, "{url}");
            if let Err(error) = front {
                assert_eq!(error.exit_code(), 2);
                assert!(!error.to_string().contains("hunter2"), "{error}");
            }
        }
    }

    #[test]
    fn local_hosts_need_no_proxy() {
        for (host, expected) in [
            ("127.0.0.1", true),
            ("127.9.9.9", true),
            ("[::1]", true),
            ("localhost", true),
            ("10.0.0.1", false),
            ("rl.example", false),
            ("localhost.example", false),
        ] {
            assert_eq!(is_local(host), expected, "{host}");
        }
    }
}
