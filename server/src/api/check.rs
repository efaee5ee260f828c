//! `POST /check`.

use actix_web::{HttpResponse, web::Data};

use super::{
    post::PostRequest,
    problem::Problem,
    request::CheckBody,
    responses::{CheckProblems, DecisionResponse},
};
use crate::{access::Role, limiter::Limiter};

/// Check a key
///
/// Takes `cost` tokens if the bucket holds that many. The status is 200 to allow and to deny: it
/// describes the request, not the decision.
///
/// With a query, this is the form for proxies, as `GET /check`: the body is ignored.
#[utoipa::path(
    post,
    path = "/check",
    operation_id = "check",
    tag = "Deciding",
    request_body(content = CheckBody, examples(
        ("Default policy" = (value = json!({"key": "user:42"}))),
        ("Named policy, five tokens" = (
            value = json!({"key": "user:42", "policy": "default", "cost": 5})
        )),
        ("Inline limit" = (value = json!({"key": "job:7", "capacity": 10, "rate": "100/m"}))),
    )),
    responses(DecisionResponse, CheckProblems),
)]
pub(super) async fn check(
    limiter: Data<Limiter>,
    request: PostRequest,
) -> Result<HttpResponse, Problem> {
    request.respond(Role::Check, async |check| limiter.check(check).await).await
}
