//! The one door from an error to a response: RFC 9457 problem details, with fixed texts.

use std::{error, fmt};

use actix_web::{
    HttpResponse, ResponseError,
    http::{
        StatusCode,
        header::{ALLOW, CACHE_CONTROL},
    },
};
use serde::Serialize;

use crate::limiter::UnknownPolicy;

/// Why a request gets no decision. Nothing the caller sent appears in the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// 400: the body is not JSON.
    Malformed,
    /// 404: no policy has this name.
    UnknownPolicy,
    /// 404: nothing lives at this path.
    UnknownPath,
    /// 405: the path takes other methods.
    Method {
        /// Those that it takes, as in the `Allow` header.
        allow: &'static str,
    },
    /// 408: the body did not arrive in time.
    SlowBody,
    /// 413: the body is too long.
    TooLarge,
    /// 422: the body is JSON, but not a check; the text names the field and its rule.
    Invalid(&'static str),
}

/// RFC 9457. Without a `type` it is `about:blank`, so the title is that of the status.
#[derive(Serialize)]
struct Details {
    title: &'static str,
    status: u16,
    detail: &'static str,
}

// === impl Problem ===

impl Problem {
    const fn detail(self) -> &'static str {
        match self {
            Self::Malformed => "the body must be JSON, such as {\"key\":\"user:42\"}",
            Self::UnknownPolicy => "no policy has this name",
            Self::UnknownPath => "nothing lives at this path",
            Self::Method { .. } => "this path does not take this method: see the Allow header",
            Self::SlowBody => "the body did not arrive within 5 seconds",
            Self::TooLarge => "the body must be at most 4096 bytes",
            Self::Invalid(rule) => rule,
        }
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::UnknownPolicy | Self::UnknownPath => StatusCode::NOT_FOUND,
            Self::Method { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::SlowBody => StatusCode::REQUEST_TIMEOUT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let status = self.status_code();
        let mut response = HttpResponse::build(status);
        response.content_type("application/problem+json");
        response.insert_header((CACHE_CONTROL, "no-store"));
        if let Self::Method { allow } = self {
            response.insert_header((ALLOW, *allow));
        }
        response.json(Details {
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: self.detail(),
        })
    }
}

impl From<UnknownPolicy> for Problem {
    fn from(_: UnknownPolicy) -> Self {
        Self::UnknownPolicy
    }
}

impl From<rl_bucket::Invalid> for Problem {
    fn from(invalid: rl_bucket::Invalid) -> Self {
        Self::Invalid(invalid.text())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.detail())
    }
}

impl error::Error for Problem {}
