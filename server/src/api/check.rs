//! `POST /check`.

use actix_web::{
    HttpRequest, HttpResponse,
    http::StatusCode,
    web::{Data, Payload},
};

use super::{Problem, body, reply::respond, request::CheckBody};
use crate::{access::Grant, limiter::Limiter};

/// Whether a key may go on now. 200 for yes and for no: the status speaks of the question, not of
/// the answer.
pub(super) async fn check(
    limiter: Data<Limiter>,
    grant: Grant,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let body = body::read(&request, payload, body::ONE).await?;
    let body = CheckBody::parse(&body)?;
    let text = body.text()?;
    let question = body.question(&text)?;
    grant.allows(&question)?;
    Ok(respond(StatusCode::OK, &limiter.check(&question).await?, None))
}
