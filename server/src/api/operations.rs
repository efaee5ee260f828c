//! The other operations of `POST`. Their body is that of a check, with `cost` as the amount.

use actix_web::{HttpResponse, web::Data};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    body::BodyKind,
    post::PostRequest,
    problem::Problem,
    reply::json,
    request::CheckBody,
    responses::{ChangeProblems, CheckProblems, DecisionResponse},
    unknown_policy,
};
use crate::{access::Role, limiter::Limiter};

/// The result of a reset.
#[derive(Serialize, ToSchema)]
pub(super) struct ResetReply {
    /// The number of buckets that were not full.
    reset: u64,
}

/// Peek at a key
///
/// The decision that a check would get now. Takes no tokens.
#[utoipa::path(
    post,
    path = "/peek",
    operation_id = "peek",
    tag = "Deciding",
    request_body(content = CheckBody, example = json!({"key": "user:42"})),
    responses(DecisionResponse, CheckProblems),
)]
pub(super) async fn peek(
    limiter: Data<Limiter>,
    request: PostRequest,
) -> Result<HttpResponse, Problem> {
    request.respond(Role::Check, async |check| limiter.peek(check).await).await
}

/// Take the tokens that are there
///
/// Takes as many whole tokens as there are, at most `cost`; `granted` is their number. For work
/// that can be done in part. The policy must have one limit.
#[utoipa::path(
    post,
    path = "/take",
    operation_id = "take",
    tag = "Deciding",
    request_body(content = CheckBody, example = json!({"key": "user:42", "cost": 10})),
    responses(DecisionResponse, CheckProblems),
)]
pub(super) async fn take(
    limiter: Data<Limiter>,
    request: PostRequest,
) -> Result<HttpResponse, Problem> {
    request.respond(Role::Check, async |check| limiter.take(check).await).await
}

/// Give tokens back
///
/// Adds `cost` tokens, up to the capacity. Needs the role `admin`. Fails while the store is
/// unavailable.
#[utoipa::path(
    post,
    path = "/refund",
    operation_id = "refund",
    tag = "Settling",
    request_body(content = CheckBody, example = json!({"key": "user:42", "cost": 3})),
    responses(DecisionResponse, ChangeProblems),
)]
pub(super) async fn refund(
    limiter: Data<Limiter>,
    request: PostRequest,
) -> Result<HttpResponse, Problem> {
    request.respond(Role::Admin, async |check| limiter.refund(check).await).await
}

/// Take tokens unconditionally
///
/// Takes `cost` tokens, down to a debt of one capacity: reserve with a check, settle with a charge.
/// Needs the role `admin`. Fails while the store is unavailable.
#[utoipa::path(
    post,
    path = "/charge",
    operation_id = "charge",
    tag = "Settling",
    request_body(content = CheckBody, example = json!({"key": "user:42", "cost": "2.5"})),
    responses(DecisionResponse, ChangeProblems),
)]
pub(super) async fn charge(
    limiter: Data<Limiter>,
    request: PostRequest,
) -> Result<HttpResponse, Problem> {
    request.respond(Role::Admin, async |check| limiter.charge(check).await).await
}

/// Fill the buckets of a key
///
/// Those of a policy, or of an inline limit. Needs the role `admin`. Fails while the store is
/// unavailable.
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
        (
            status = 200,
            description = "The buckets are full",
            body = ResetReply,
            example = json!({"reset": 1}),
        ),
        ChangeProblems,
    ),
)]
pub(super) async fn reset(
    limiter: Data<Limiter>,
    request: PostRequest,
) -> Result<HttpResponse, Problem> {
    let http = request.request().clone();
    let (caller, body) = request.read(Role::Admin, BodyKind::Check).await?;
    let body = CheckBody::parse(&body)?;
    let mut check = body.reset_request()?;
    caller.authorize(&mut check)?;
    match limiter.reset(&check).await {
        Ok(reset) => Ok(json(&mut HttpResponse::Ok(), &ResetReply { reset })),
        Err(error) => unknown_policy::response(error, &http, &caller, &check),
    }
}
