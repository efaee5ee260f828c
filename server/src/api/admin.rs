//! What operators look at.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CACHE_CONTROL, CONTENT_TYPE},
    web::Data,
};
use serde::Serialize;

use super::{Problem, reply::json};
use crate::{
    access::{Grant, Role},
    metrics::Metrics,
    offenders::{Offender, Offenders},
    status::Status,
};

/// The keys denied most.
#[derive(Serialize)]
pub(super) struct Denied {
    denied: Vec<Offender>,
}

const TOP: Problem =
    Problem::Invalid("top must be a number from 1 to 256, and nothing else may be given");

/// Every counter, for Prometheus. There is no key in it, so it needs no token.
pub(super) async fn metrics(metrics: Data<Metrics>, status: Data<Status>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(metrics.text(&status))
}

/// The keys denied most in this minute and the one before; `?top=` of them, or 20.
pub(super) async fn denied(
    offenders: Data<Offenders>,
    grant: Grant,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    grant.needs(Role::Admin)?;
    if !grant.owns_all() {
        return Err(Problem::Prefix);
    }
    let top = match request.query_string() {
        "" => 20,
        query => match query.strip_prefix("top=").and_then(|top| top.parse().ok()) {
            Some(top @ 1..=256) => top,
            _ => return Err(TOP),
        },
    };
    Ok(json(&mut HttpResponse::Ok(), &Denied { denied: offenders.top(top) }))
}
