//! `POST /check`.

use actix_web::{
    HttpRequest, HttpResponse, dev,
    http::StatusCode,
    web::{Data, Payload},
};

use super::{
    Problem, body,
    openapi::{AskedOne, Decided},
    reply::respond,
    request::CheckBody,
};
use crate::{
    access::{Grant, Role},
    limiter::{CheckRequest, CheckResult, Limiter, LimiterError},
};

/// May this key go on now?
///
/// Takes `cost` tokens if there are that many. 200 for yes and for no: the status speaks of the question,
/// not of the answer.
///
/// With a query this is the form for proxies, as `GET /check`, whatever the method: the body is not read.
#[utoipa::path(
    post,
    path = "/check",
    operation_id = "check",
    tag = "Deciding",
    request_body(content = CheckBody, examples(
        ("By default" = (value = json!({"key": "user:42"}))),
        ("By name, five tokens" = (value = json!({"key": "user:42", "policy": "default", "cost": 5}))),
        ("With a limit of its own" = (value = json!({"key": "job:7", "capacity": 10, "rate": "100/m"}))),
    )),
    responses(Decided, AskedOne),
)]
pub(super) async fn check(
    limiter: Data<Limiter>,
    grant: Grant,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    decide(&limiter, grant, &request, payload.into_inner()).await
}

/// The same, however the request came here.
pub(super) async fn decide(
    limiter: &Limiter,
    grant: Grant,
    request: &HttpRequest,
    payload: dev::Payload,
) -> Result<HttpResponse, Problem> {
    let check = async |question: &CheckRequest<'_>| Ok((None, limiter.check(question).await?));
    answer(grant, Role::Check, request, payload, check).await
}

/// What the family has in common: reads the question, asks it if the sender may, and responds.
pub(super) async fn answer(
    grant: Grant,
    role: Role,
    request: &HttpRequest,
    payload: dev::Payload,
    ask: impl AsyncFnOnce(&CheckRequest<'_>) -> Result<(Option<u64>, CheckResult), LimiterError>,
) -> Result<HttpResponse, Problem> {
    grant.needs(role)?;
    let body = body::read(request, payload, body::ONE).await?;
    let body = CheckBody::parse(&body)?;
    let question = body.question()?;
    grant.allows(&question)?;
    let (granted, answer) = ask(&question).await?;
    Ok(respond(StatusCode::OK, &answer, granted))
}
