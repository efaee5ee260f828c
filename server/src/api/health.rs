//! `GET /health/live` and `GET /health/ready`. No path ends in z: Cloud Run keeps those to itself.

use std::time::Instant;

use actix_web::{
    HttpResponse,
    http::{StatusCode, header::CACHE_CONTROL},
    web::Data,
};
use serde::Serialize;

use crate::status::{Readiness, Status};

#[derive(Serialize)]
struct Live {
    status: &'static str,
}

#[derive(Serialize)]
struct Ready {
    status: &'static str,
    engine: &'static str,
    store: &'static str,
    /// Of the policies in force.
    generation: u64,
}

/// The process answers; that is all.
pub(super) async fn live() -> HttpResponse {
    reply(StatusCode::OK, &Live { status: "live" })
}

/// Whether to send requests here: 200 or 503.
pub(super) async fn ready(status: Data<Status>) -> HttpResponse {
    let (code, word) = match status.readiness(Instant::now()) {
        Readiness::Starting => (StatusCode::SERVICE_UNAVAILABLE, "starting"),
        Readiness::Ready => (StatusCode::OK, "ready"),
        Readiness::Draining => (StatusCode::SERVICE_UNAVAILABLE, "draining"),
    };
    let store = if status.store_is_up() { "up" } else { "down" };
    reply(code, &Ready { status: word, engine: status.serving().name(), store, generation: 1 })
}

fn reply(code: StatusCode, body: &impl Serialize) -> HttpResponse {
    HttpResponse::build(code).insert_header((CACHE_CONTROL, "no-store")).json(body)
}
