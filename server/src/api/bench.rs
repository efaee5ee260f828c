//! Access to the parts of a check for `benches/`. Not a public API.

use actix_web::{HttpResponse, http::StatusCode};

use super::{batch, problem::Problem, reply, request::CheckBody};
use crate::limiter::{CheckRequest, CheckResult};

/// The check request in the body of a check.
pub fn check_request(body: &[u8]) -> Result<CheckRequest<'_>, Problem> {
    CheckBody::parse(body)?.check_request()
}

/// The number of valid checks in a batch.
pub fn batch(body: &[u8]) -> Result<usize, Problem> {
    let checks = batch::parse(body)?;
    Ok(checks.iter().filter(|check| check.check_request().is_ok()).count())
}

/// The response to a check.
pub fn response(result: &CheckResult) -> HttpResponse {
    reply::respond(StatusCode::OK, result, None)
}
