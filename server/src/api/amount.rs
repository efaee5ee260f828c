//! The family of `POST /check`: the same body, `cost` being the amount.

use actix_web::{
    HttpRequest, HttpResponse,
    http::StatusCode,
    web::{Data, Payload},
};
use serde::Serialize;

use super::{
    Problem, body,
    reply::{json, respond},
    request::CheckBody,
};
use crate::{
    access::{Grant, Role},
    limiter::{Answer, Limiter, Question, Refusal},
};

/// How many buckets there were.
#[derive(Serialize)]
pub(super) struct ResetReply {
    reset: u64,
}

/// What a check would be answered, taking nothing.
pub(super) async fn peek(
    limiter: Data<Limiter>,
    grant: Grant,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let peek = async |question: &Question<'_>| Ok((None, limiter.peek(question).await?));
    answer(grant, Role::Check, &request, payload, peek).await
}

/// Takes as many whole tokens as there are, at most the amount.
pub(super) async fn take(
    limiter: Data<Limiter>,
    grant: Grant,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let take = async |question: &Question<'_>| {
        limiter.take(question).await.map(|(granted, answer)| (Some(granted), answer))
    };
    answer(grant, Role::Check, &request, payload, take).await
}

/// Gives tokens back, up to the capacity.
pub(super) async fn refund(
    limiter: Data<Limiter>,
    grant: Grant,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let refund = async |question: &Question<'_>| Ok((None, limiter.refund(question).await?));
    answer(grant, Role::Admin, &request, payload, refund).await
}

/// Takes tokens whether they are there or not: reserve with a check, settle with this.
pub(super) async fn charge(
    limiter: Data<Limiter>,
    grant: Grant,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let charge = async |question: &Question<'_>| Ok((None, limiter.charge(question).await?));
    answer(grant, Role::Admin, &request, payload, charge).await
}

/// Fills the buckets of a key under a policy.
pub(super) async fn reset(
    limiter: Data<Limiter>,
    grant: Grant,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    grant.needs(Role::Admin)?;
    let body = body::read(&request, payload, body::ONE).await?;
    let body = CheckBody::parse(&body)?;
    let text = body.text()?;
    let question = body.whole(&text)?;
    grant.allows(&question)?;
    let reset = limiter.reset(&question).await?;
    Ok(json(&mut HttpResponse::Ok(), &ResetReply { reset }))
}

/// Reads the question, asks it if the sender may, and responds.
async fn answer(
    grant: Grant,
    role: Role,
    request: &HttpRequest,
    payload: Payload,
    ask: impl AsyncFnOnce(&Question<'_>) -> Result<(Option<u64>, Answer), Refusal>,
) -> Result<HttpResponse, Problem> {
    grant.needs(role)?;
    let body = body::read(request, payload, body::ONE).await?;
    let body = CheckBody::parse(&body)?;
    let text = body.text()?;
    let question = body.question(&text)?;
    grant.allows(&question)?;
    let (granted, answer) = ask(&question).await?;
    Ok(respond(StatusCode::OK, &answer, granted))
}
