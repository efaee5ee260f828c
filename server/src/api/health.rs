//! `GET /health/live` and `GET /health/ready`. No path ends in z: Cloud Run keeps those to itself.

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

/// That there is a process.
#[derive(Serialize, ToSchema)]
struct Alive {
    /// `live`.
    #[schema(pattern = "^live$")]
    status: &'static str,
}

/// How the server is.
#[derive(Serialize, ToSchema)]
#[schema(as = Readiness)]
struct Ready<'a> {
    /// `ready`, or why not: `starting` or `draining`.
    #[schema(pattern = "^(starting|ready|draining)$")]
    status: &'static str,
    /// What computes the buckets: `memory`, `module` or `lua`; `unknown` before Redis first answered.
    #[schema(pattern = "^(unknown|memory|module|lua)$")]
    engine: &'static str,
    /// Whether the store answers, `up` or `down`.
    #[schema(pattern = "^(up|down)$")]
    store: &'static str,
    /// How many contents of the policy file have been in force.
    generation: u64,
    /// Of the content in force: equal on all fronts that have the same.
    policies: &'a str,
}

/// Whether the process answers
#[utoipa::path(
    get,
    path = "/health/live",
    operation_id = "live",
    tag = "Health",
    security(()),
    responses((status = 200, description = "It does", body = Alive)),
)]
pub(super) async fn live() -> HttpResponse {
    json(&mut HttpResponse::Ok(), &Alive { status: "live" })
}

/// Whether to send requests here
///
/// Not until the store has first answered, or 10 seconds have passed; and not while the server drains.
#[utoipa::path(
    get,
    path = "/health/ready",
    operation_id = "ready",
    tag = "Health",
    security(()),
    responses(
        (status = 200, description = "Yes; with the store down, as each policy says", body = Ready),
        (status = 503, description = "Not now", body = Ready),
    ),
)]
pub(super) async fn ready(
    status: Data<Status>,
    policies: Data<Reloadable<ActivePolicies>>,
) -> HttpResponse {
    let (code, word) = match status.readiness(Instant::now()) {
        Readiness::Starting => (StatusCode::SERVICE_UNAVAILABLE, "starting"),
        Readiness::Ready => (StatusCode::OK, "ready"),
        Readiness::Draining => (StatusCode::SERVICE_UNAVAILABLE, "draining"),
    };
    let store = if status.store().is_up() { "up" } else { "down" };
    let generation = policies.generation();
    json(
        &mut HttpResponse::build(code),
        &Ready {
            status: word,
            engine: status.store().engine().name(),
            store,
            generation,
            policies: policies.get().hash(),
        },
    )
}
