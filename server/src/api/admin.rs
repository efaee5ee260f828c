//! What operators look at.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CACHE_CONTROL, CONTENT_TYPE},
    web::Data,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Problem, openapi::Listed, reply::json};
use crate::{
    access::{Grant, Role},
    metrics::Metrics,
    offenders::{Offender, Offenders},
    status::Status,
};

/// The keys denied most.
#[derive(Serialize, ToSchema)]
pub(super) struct Denied {
    /// The worst first.
    denied: Vec<Offender>,
}

pub(super) const TOP: Problem =
    Problem::Invalid("top must be a number from 1 to 256, and nothing else may be given");

/// Every counter, for Prometheus
///
/// There is no key in it, so it needs no token.
///
/// With `--admin-listen` it is on that listener, and only there.
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
/// In this minute and the one before, by this server alone. It needs a token of the role `admin` that is bound
/// to no prefix. With `--admin-listen` it is on that listener, and only there.
#[utoipa::path(
    get,
    path = "/admin/denied",
    operation_id = "denied",
    tag = "Operating",
    params(("top" = Option<u16>, Query, description = "At most how many; 20 if absent.", minimum = 1, maximum = 256)),
    responses((status = 200, description = "The keys, the worst first", body = Denied), Listed),
)]
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
