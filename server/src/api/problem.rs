//! Every error response: RFC 9457 problem details, with fixed texts.

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

/// The reason a request is refused. Nothing the caller sent appears in the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// 400: the body is not JSON.
    Malformed,
    /// 401: no valid token.
    Unauthorized,
    /// 403: the role of the token does not permit the request.
    MissingRole,
    /// 403: the token has a prefix that the key lacks.
    OutsidePrefix,
    /// 403: a browser marks the request as made by a page of another site.
    CrossSite,
    /// 403: inline limits are not allowed.
    InlineOff,
    /// 404: no policy has this name.
    UnknownPolicy,
    /// 404: no HTTP endpoint has this path.
    UnknownPath,
    /// 405: the HTTP endpoint has other methods.
    MethodNotAllowed {
        /// Those methods, as in the `Allow` header.
        allow: &'static str,
    },
    /// 408: the body did not arrive in time.
    BodyTimeout,
    /// 413: the body is too long.
    BodyTooLarge,
    /// 413: the batch is too long.
    BatchTooLarge,
    /// 415: the body is compressed.
    Compressed,
    /// 415: the `Content-Type` is not JSON.
    MediaType,
    /// 422: the body is JSON, or the query is readable, but a field breaks its rule. The text
    /// states the rule.
    Invalid(&'static str),
    /// 422: the policy is by IP address, and the key is not one.
    NotAnAddress,
    /// 503: the store is down, and nothing was changed.
    StoreUnavailable,
    /// 503: the store did not confirm the change, which may have been made.
    OutcomeUnknown,
}

/// Problem details (RFC 9457). There is no `type`, which means `about:blank`: the title is that of
/// the status.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct Details {
    /// The status in words.
    title: &'static str,
    /// The status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// The cause: one of a fixed set of texts.
    detail: &'static str,
    /// Of an unknown policy: names that exist and differ by a typing mistake or two. Absent if there
    /// are none, and for a token with a prefix.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 3)]
    near: Vec<String>,
}

// === impl Problem ===

impl Problem {
    const fn detail(self) -> &'static str {
        match self {
            Self::Malformed => "the body must be JSON, such as {\"key\":\"user:42\"}",
            Self::Unauthorized => "a valid token is required: Authorization: Bearer TOKEN",
            Self::MissingRole => "the role of the token does not permit this",
            Self::OutsidePrefix => "the token is valid only for keys with its prefix",
            Self::CrossSite => "a page of another site must not send this: send it from a server",
            Self::InlineOff => "inline limits are off: name a policy instead of capacity and rate",
            Self::UnknownPolicy => "no policy has this name",
            Self::UnknownPath => "no endpoint has this path",
            Self::MethodNotAllowed { .. } => {
                "this path does not support this method: see the Allow header"
            }
            Self::BodyTimeout => "the body did not arrive within 5 seconds",
            Self::BodyTooLarge => "the body must be at most 4096 bytes",
            Self::BatchTooLarge => "the body must be at most 1048576 bytes",
            Self::Compressed => "the body must not be compressed",
            Self::MediaType => "the Content-Type must be application/json",
            Self::Invalid(rule) => rule,
            Self::NotAnAddress => {
                "key must be one IP address under this policy, such as 192.0.2.1 or 2001:db8::1, \
                 which may have a port: 192.0.2.1:80, [2001:db8::1]:80"
            }
            Self::StoreUnavailable => {
                "the store is unavailable and nothing was changed: try again later"
            }
            Self::OutcomeUnknown => {
                "the store did not confirm the change, which may or may not have been made"
            }
        }
    }

    /// The body of the response.
    pub(super) fn details(self) -> Details {
        let status = self.status_code();
        Details {
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: self.detail(),
            near: Vec::new(),
        }
    }

    /// The response to an unknown policy, with names that exist.
    pub(super) fn with_near(self, near: Vec<String>) -> HttpResponse {
        self.response(&Details { near, ..self.details() })
    }

    fn response(self, details: &Details) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        response.content_type("application/problem+json");
        response.insert_header((CACHE_CONTROL, "no-store"));
        match self {
            Self::MethodNotAllowed { allow } => response.insert_header((ALLOW, allow)),
            Self::Unauthorized => response.insert_header((WWW_AUTHENTICATE, "Bearer")),
            Self::StoreUnavailable | Self::OutcomeUnknown => {
                response.insert_header((RETRY_AFTER, "1"))
            }
            _ => &mut response,
        };
        response.json(details)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::MissingRole | Self::OutsidePrefix | Self::CrossSite | Self::InlineOff => {
                StatusCode::FORBIDDEN
            }
            Self::UnknownPolicy | Self::UnknownPath => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::BodyTooLarge | Self::BatchTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Compressed | Self::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Invalid(_) | Self::NotAnAddress => StatusCode::UNPROCESSABLE_ENTITY,
            Self::StoreUnavailable | Self::OutcomeUnknown => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn error_response(&self) -> HttpResponse {
        self.response(&self.details())
    }
}

impl From<LimiterError> for Problem {
    fn from(error: LimiterError) -> Self {
        match error {
            LimiterError::UnknownPolicy => Self::UnknownPolicy,
            LimiterError::InlineForbidden => Self::InlineOff,
            LimiterError::NotAnAddress => Self::NotAnAddress,
            LimiterError::OutsidePrefix => Self::OutsidePrefix,
            LimiterError::SeveralLimits => Self::Invalid("policy must have exactly one limit here"),
            LimiterError::NotChanged => Self::StoreUnavailable,
            LimiterError::Unconfirmed => Self::OutcomeUnknown,
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
