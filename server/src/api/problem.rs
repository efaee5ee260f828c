//! The one door from an error to a response: RFC 9457 problem details, with fixed texts.

use std::{error, fmt};

use actix_web::{
    HttpResponse, ResponseError,
    http::{
        StatusCode,
        header::{ALLOW, CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE},
    },
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::limiter::LimiterError;

/// Why a request gets no decision. Nothing the caller sent appears in the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// 400: the body is not JSON.
    Malformed,
    /// 401: no token that is taken.
    Unauthorized,
    /// 403: the token's role does not include this.
    Role,
    /// 403: the token is bound to other keys.
    Prefix,
    /// 403: limits may not come with a check.
    InlineOff,
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
    /// 413: the batch is too long.
    BatchTooLarge,
    /// 415: the body is compressed.
    Encoding,
    /// 415: the body says that it is something else than JSON.
    MediaType,
    /// 422: the body is JSON, but not a check; the text names the field and its rule.
    Invalid(&'static str),
    /// 503: the store is away, and nothing was changed.
    NotDone,
    /// 503: the store did not say whether it made the change.
    Unknown,
}

/// Problem details (RFC 9457). Without a `type` it is `about:blank`, so the title is that of the status.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct Details {
    /// The status in words.
    title: &'static str,
    /// The status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What is wrong: one of a fixed set of texts.
    detail: &'static str,
}

// === impl Problem ===

impl Problem {
    const fn detail(self) -> &'static str {
        match self {
            Self::Malformed => "the body must be JSON, such as {\"key\":\"user:42\"}",
            Self::Unauthorized => "a valid token must be given: Authorization: Bearer TOKEN",
            Self::Role => "the token does not have the role that this needs",
            Self::Prefix => "the token is bound to a prefix that the key does not begin with",
            Self::InlineOff => "capacity and rate may not be given here: name a policy",
            Self::UnknownPolicy => "no policy has this name",
            Self::UnknownPath => "nothing lives at this path",
            Self::Method { .. } => "this path does not take this method: see the Allow header",
            Self::SlowBody => "the body did not arrive within 5 seconds",
            Self::TooLarge => "the body must be at most 4096 bytes",
            Self::BatchTooLarge => "the body must be at most 1048576 bytes",
            Self::Encoding => "the body must not be compressed",
            Self::MediaType => "the body must be application/json",
            Self::Invalid(rule) => rule,
            Self::NotDone => "the store is away and nothing was changed: ask again later",
            Self::Unknown => "the store did not answer: it may have made the change, or not",
        }
    }

    /// What the body says.
    pub(super) fn details(self) -> Details {
        let status = self.status_code();
        Details {
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: self.detail(),
        }
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Role | Self::Prefix | Self::InlineOff => StatusCode::FORBIDDEN,
            Self::UnknownPolicy | Self::UnknownPath => StatusCode::NOT_FOUND,
            Self::Method { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::SlowBody => StatusCode::REQUEST_TIMEOUT,
            Self::TooLarge | Self::BatchTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Encoding | Self::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::NotDone | Self::Unknown => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let status = self.status_code();
        let mut response = HttpResponse::build(status);
        response.content_type("application/problem+json");
        response.insert_header((CACHE_CONTROL, "no-store"));
        match self {
            Self::Method { allow } => response.insert_header((ALLOW, *allow)),
            Self::Unauthorized => response.insert_header((WWW_AUTHENTICATE, "Bearer")),
            Self::NotDone | Self::Unknown => response.insert_header((RETRY_AFTER, "1")),
            _ => &mut response,
        };
        response.json(self.details())
    }
}

impl From<LimiterError> for Problem {
    fn from(refusal: LimiterError) -> Self {
        match refusal {
            LimiterError::UnknownPolicy => Self::UnknownPolicy,
            LimiterError::InlineOff => Self::InlineOff,
            LimiterError::SeveralLimits => {
                Self::Invalid("policy must have one limit here, not several")
            }
            LimiterError::NotDone => Self::NotDone,
            LimiterError::Unknown => Self::Unknown,
        }
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
