//! `GET /metrics` and `GET /admin/denied`, for operators.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CACHE_CONTROL, CONTENT_TYPE},
    web::Data,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{auth::Caller, problem::Problem, reply::json, responses::AdminProblems, rules};
use crate::{
    access::Role,
    metrics::Metrics,
    offenders::{Offender, Offenders},
    status::Status,
};

/// The keys denied most.
#[derive(Serialize, ToSchema)]
pub(super) struct Denied {
    /// The keys, the most denied first.
    denied: Vec<DeniedKey>,
}

/// A key, and the number of its denials.
#[derive(Serialize, ToSchema)]
#[schema(as = Offender)]
struct DeniedKey {
    /// The name of the policy.
    policy: String,
    /// The key as the caller sent it, or as a policy with `key = "ip"` normalises it; with
    /// `--key-secret-file`, its pseudonym.
    key: String,
    /// Denials, at most this many.
    denied: u64,
    /// `denied` is too high by at most this many.
    error: u64,
}

/// The default of `top`.
const DEFAULT_TOP: usize = 20;
/// The greatest `top`.
const MAX_TOP: usize = 256;

/// Metrics for Prometheus
///
/// They contain no keys, so no token is needed. With `--admin-listen` they are served on that
/// listener only.
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "metrics",
    tag = "Operating",
    security(()),
    responses((
        status = 200,
        description = "The Prometheus text format, version 0.0.4",
        body = String,
        content_type = "text/plain",
    )),
)]
pub(super) async fn metrics(metrics: Data<Metrics>, status: Data<Status>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(metrics.text(&status))
}

/// The keys denied most
///
/// In this minute and the last, by this front. Needs a token with the role `admin` and no prefix.
/// With `--admin-listen` they are served on that listener only.
#[utoipa::path(
    get,
    path = "/admin/denied",
    operation_id = "denied",
    tag = "Operating",
    params((
        "top" = Option<u16>,
        Query,
        description = "The most keys to list; 20 if absent.",
        minimum = 1,
        maximum = 256,
    )),
    responses(
        (status = 200, description = "The keys, the most denied first", body = Denied),
        AdminProblems,
    ),
)]
pub(super) async fn denied(
    offenders: Data<Offenders>,
    caller: Caller,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    caller.require_role(Role::Admin)?;
    caller.require_every_key()?;
    let top = match request.query_string() {
        "" => DEFAULT_TOP,
        query => match query.strip_prefix("top=").and_then(|top| top.parse().ok()) {
            Some(top @ 1..=MAX_TOP) => top,
            _ => return Err(rules::TOP),
        },
    };
    let denied = offenders.top(top).into_iter().map(DeniedKey::from).collect();
    Ok(json(&mut HttpResponse::Ok(), &Denied { denied }))
}

// === impl DeniedKey ===

impl From<Offender> for DeniedKey {
    fn from(Offender { policy, key, denied, error }: Offender) -> Self {
        Self { policy, key, denied, error }
    }
}
