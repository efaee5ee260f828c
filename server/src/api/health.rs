//! `GET /health/live` and `GET /health/ready`. No path ends in z: Cloud Run keeps those to itself.

use std::time::Instant;

use actix_web::{
    HttpResponse,
    http::{StatusCode, header::CACHE_CONTROL},
    web::Data,
};
use serde::Serialize;

use crate::{
    policy::Policies,
    reload::Live,
    status::{Readiness, Status},
};

#[derive(Serialize)]
struct Alive {
    status: &'static str,
}

#[derive(Serialize)]
struct Ready<'a> {
    status: &'static str,
    engine: &'static str,
    store: &'static str,
    /// How many contents of the policy file have been in force.
    generation: u64,
    /// Of the content in force: equal on all fronts that have the same.
    policies: &'a str,
}

/// The process answers; that is all.
pub(super) async fn live() -> HttpResponse {
    reply(StatusCode::OK, &Alive { status: "live" })
}

/// Whether to send requests here: 200 or 503.
pub(super) async fn ready(status: Data<Status>, policies: Data<Live<Policies>>) -> HttpResponse {
    let (code, word) = match status.readiness(Instant::now()) {
        Readiness::Starting => (StatusCode::SERVICE_UNAVAILABLE, "starting"),
        Readiness::Ready => (StatusCode::OK, "ready"),
        Readiness::Draining => (StatusCode::SERVICE_UNAVAILABLE, "draining"),
    };
    let store = if status.store_is_up() { "up" } else { "down" };
    let generation = policies.generation();
    reply(
        code,
        &Ready {
            status: word,
            engine: status.serving().name(),
            store,
            generation,
            policies: policies.get().hash(),
        },
    )
}

fn reply(code: StatusCode, body: &impl Serialize) -> HttpResponse {
    HttpResponse::build(code).insert_header((CACHE_CONTROL, "no-store")).json(body)
}
