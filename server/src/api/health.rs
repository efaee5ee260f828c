//! `GET /health/live` and `GET /health/ready`. They do not end in z, since Cloud Run reserves such
//! paths.

use std::time::Instant;

use actix_web::{HttpResponse, http::StatusCode, web::Data};
use serde::Serialize;
use utoipa::ToSchema;

use super::reply::json;
use crate::{
    limiter::ActivePolicies,
    reload::Reloadable,
    status::{Readiness, Status},
};

/// The reply of a front that runs.
#[derive(Serialize, ToSchema)]
struct Alive {
    /// Always `live`.
    #[schema(pattern = "^live$")]
    status: &'static str,
}

/// The status of the front.
#[derive(Serialize, ToSchema)]
#[schema(as = Readiness)]
struct ReadinessReply<'a> {
    /// `ready`; if not, `starting` or `draining`.
    #[schema(pattern = "^(starting|ready|draining)$")]
    status: &'static str,
    /// The engine that computes buckets: `memory`, `module` or `lua`; `unknown` until Redis has
    /// answered.
    #[schema(pattern = "^(unknown|memory|module|lua)$")]
    engine: &'static str,
    /// Whether the store decides: `up`, `refusing` (it answers, and refuses what it is asked) or
    /// `down` (it cannot be reached).
    #[schema(pattern = "^(up|refusing|down)$")]
    store: &'static str,
    /// The reason while the store is not `up`: Redis's own words if it is `refusing`, such as `OOM
    /// command not allowed`, and what connecting last failed with if it is `down`.
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<Box<str>>,
    /// The number of versions of the policy file that have been in force.
    generation: u64,
    /// The hash of the policies in force. Fronts with equal policies have equal hashes.
    policies: &'a str,
}

/// Whether the front runs
///
/// It does if it answers: neither the store nor the policies are asked.
#[utoipa::path(
    get,
    path = "/health/live",
    operation_id = "live",
    tag = "Health",
    security(()),
    responses((status = 200, description = "It runs", body = Alive)),
)]
pub(super) async fn live() -> HttpResponse {
    json(&mut HttpResponse::Ok(), &Alive { status: "live" })
}

/// Whether the front should get traffic
///
/// Not before the whole store has been reached or 10 seconds have passed, and not while the front drains.
#[utoipa::path(
    get,
    path = "/health/ready",
    operation_id = "ready",
    tag = "Health",
    security(()),
    responses(
        (
            status = 200,
            description = "Ready. While `store` is not up, each policy's `on_error` decides",
            body = ReadinessReply,
        ),
        (status = 503, description = "Starting or draining", body = ReadinessReply),
    ),
)]
pub(super) async fn ready(
    status: Data<Status>,
    policies: Data<Reloadable<ActivePolicies>>,
) -> HttpResponse {
    let (code, readiness) = match status.readiness(Instant::now()) {
        Readiness::Starting => (StatusCode::SERVICE_UNAVAILABLE, "starting"),
        Readiness::Ready => (StatusCode::OK, "ready"),
        Readiness::Draining => (StatusCode::SERVICE_UNAVAILABLE, "draining"),
    };
    let refusal = status.store().refusal();
    let (store, cause) = match (status.store().is_up(), refusal) {
        (false, _) => ("down", status.store().reason()),
        (true, Some(cause)) => ("refusing", Some(cause)),
        (true, None) => ("up", None),
    };
    let generation = policies.generation();
    json(
        &mut HttpResponse::build(code),
        &ReadinessReply {
            status: readiness,
            engine: status.store().engine().name(),
            store,
            cause,
            generation,
            policies: policies.get().hash(),
        },
    )
}
