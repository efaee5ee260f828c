//! A way in for `benches/`, and for nobody else.

use actix_web::{HttpResponse, http::StatusCode};

use super::{Problem, batch, reply, request::CheckBody};
use crate::limiter::{CheckRequest, CheckResult};

/// The question in the body of a check.
pub fn question(body: &[u8]) -> Result<CheckRequest<'_>, Problem> {
    CheckBody::parse(body)?.question()
}

/// How many checks of a batch are good.
pub fn batch(body: &[u8]) -> Result<usize, Problem> {
    let checks = batch::parse(body)?;
    Ok(checks
        .into_iter()
        .filter(|check| check.as_ref().is_ok_and(|it| it.question().is_ok()))
        .count())
}

/// The response to a check.
pub fn response(answer: &CheckResult) -> HttpResponse {
    reply::respond(StatusCode::OK, answer, None)
}
