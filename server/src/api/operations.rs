//! The family of `POST /check`: the same body, `cost` being the amount.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Payload},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Problem, body,
    check::answer,
    openapi::{AskedOne, Changed, Decided},
    reply::json,
    request::CheckBody,
};
use crate::{
    access::{Grant, Role},
    limiter::{CheckRequest, Limiter},
};

/// What a reset answers.
#[derive(Serialize, ToSchema)]
pub(super) struct ResetReply {
    /// How many buckets were not full.
    reset: u64,
}

/// What would a check be answered?
///
/// Takes nothing.
#[utoipa::path(
    post,
    path = "/peek",
    operation_id = "peek",
    tag = "Deciding",
    request_body(content = CheckBody, example = json!({"key": "user:42"})),
    responses(Decided, AskedOne),
)]
pub(super) async fn peek(
    limiter: Data<Limiter>,
    grant: Grant,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let peek = async |question: &CheckRequest<'_>| Ok((None, limiter.peek(question).await?));
    answer(grant, Role::Check, &request, payload.into_inner(), peek).await
}

/// Take what is there
///
/// Takes as many whole tokens as there are, at most `cost`; `granted` says how many. For work that can be cut to
/// fit. It needs a policy with one limit.
#[utoipa::path(
    post,
    path = "/take",
    operation_id = "take",
    tag = "Deciding",
    request_body(content = CheckBody, example = json!({"key": "user:42", "cost": 10})),
    responses(Decided, AskedOne),
)]
pub(super) async fn take(
    limiter: Data<Limiter>,
    grant: Grant,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let take = async |question: &CheckRequest<'_>| {
        limiter.take(question).await.map(|(granted, answer)| (Some(granted), answer))
    };
    answer(grant, Role::Check, &request, payload.into_inner(), take).await
}

/// Give tokens back
///
/// Up to the capacity. It needs the role `admin`, and is not made while the store is away.
#[utoipa::path(
    post,
    path = "/refund",
    operation_id = "refund",
    tag = "Settling",
    request_body(content = CheckBody, example = json!({"key": "user:42", "cost": 3})),
    responses(Decided, Changed),
)]
pub(super) async fn refund(
    limiter: Data<Limiter>,
    grant: Grant,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let refund = async |question: &CheckRequest<'_>| Ok((None, limiter.refund(question).await?));
    answer(grant, Role::Admin, &request, payload.into_inner(), refund).await
}

/// Take tokens whether they are there or not
///
/// Down to a debt of one capacity: reserve with a check, settle with this. It needs the role `admin`, and is not
/// made while the store is away.
#[utoipa::path(
    post,
    path = "/charge",
    operation_id = "charge",
    tag = "Settling",
    request_body(content = CheckBody, example = json!({"key": "user:42", "cost": "2.5"})),
    responses(Decided, Changed),
)]
pub(super) async fn charge(
    limiter: Data<Limiter>,
    grant: Grant,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let charge = async |question: &CheckRequest<'_>| Ok((None, limiter.charge(question).await?));
    answer(grant, Role::Admin, &request, payload.into_inner(), charge).await
}

/// Fill the buckets of a key
///
/// Under a policy, or under a limit of its own. It needs the role `admin`, and is not made while the store is away.
#[utoipa::path(
    post,
    path = "/reset",
    operation_id = "reset",
    tag = "Settling",
    request_body(
        content = ref("#/components/schemas/Bucket"),
        content_type = "application/json",
        example = json!({"key": "user:42"}),
    ),
    responses(
        (status = 200, description = "It is done", body = ResetReply, example = json!({"reset": 1})),
        Changed,
    ),
)]
pub(super) async fn reset(
    limiter: Data<Limiter>,
    grant: Grant,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    grant.needs(Role::Admin)?;
    let body = body::read(&request, payload.into_inner(), body::ONE).await?;
    let body = CheckBody::parse(&body)?;
    let question = body.whole()?;
    grant.allows(&question)?;
    let reset = limiter.reset(&question).await?;
    Ok(json(&mut HttpResponse::Ok(), &ResetReply { reset }))
}
