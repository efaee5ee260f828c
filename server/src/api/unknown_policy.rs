//! The response to a request for a policy that does not exist.

use actix_web::{HttpRequest, HttpResponse, web::Data};

use super::{auth::Caller, problem::Problem};
use crate::limiter::{CheckRequest, Limiter, LimiterError};

/// The response for an error of the limiter. An unknown policy's has the names that the caller may
/// have meant, if the caller may use every key: a token with a prefix is a tenant's, which is not
/// told the names of other tenants' policies.
pub(super) fn response(
    error: LimiterError,
    request: &HttpRequest,
    caller: &Caller,
    check: &CheckRequest<'_>,
) -> Result<HttpResponse, Problem> {
    let limiter = request.app_data::<Data<Limiter>>();
    match limiter.filter(|_| error == LimiterError::UnknownPolicy && caller.has_every_key()) {
        Some(limiter) => Ok(Problem::UnknownPolicy.with_near(limiter.near_policies(check))),
        None => Err(error.into()),
    }
}
