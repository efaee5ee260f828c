//! The fast path of a check.
//!
//! Routing a check costs more than deciding it: guards, a resource, extractors and three boxed
//! futures. So both forms of `/check` are handled before the router. The routes still define the
//! API: every other request takes them, and a check that does so gets the same response.

use actix_web::{
    Error, HttpRequest, HttpResponse, ResponseError,
    body::BoxBody,
    dev::{Payload, ServiceRequest, ServiceResponse},
    http::Method,
    middleware::Next,
    web::Data,
};

use super::{auth::Caller, post, problem::Problem, proxy, unread_body};
use crate::{access::Role, limiter::Limiter};

/// Where a request to `/check` has its fields.
#[derive(Clone, Copy, Debug, PartialEq)]
enum CheckForm {
    Body,
    Query,
}

/// Handles a check, and passes any other request on to the router.
pub(super) async fn call(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse, Error> {
    // The listener for operators has no limiter, and no `/check`.
    let limiter = request.app_data::<Data<Limiter>>();
    let Some((form, limiter)) = CheckForm::of(&request).zip(limiter) else {
        return unread_body::call(request, next).await;
    };
    let limiter = limiter.clone();
    let (request, mut payload) = request.into_parts();
    let result = match form {
        CheckForm::Body => check(&limiter, &request, &mut payload).await,
        CheckForm::Query => check_by_query(&limiter, &request).await,
    };
    let response = result.unwrap_or_else(|problem| problem.error_response());
    let response = ServiceResponse::new(request, response);
    Ok(match payload {
        Payload::None => response,
        payload => unread_body::finish(payload, response).await,
    })
}

async fn check(
    limiter: &Limiter,
    request: &HttpRequest,
    payload: &mut Payload,
) -> Result<HttpResponse, Problem> {
    let caller = Caller::of(request)?;
    post::respond(caller, Role::Check, request, payload, async |check| limiter.check(check).await)
        .await
}

async fn check_by_query(limiter: &Limiter, request: &HttpRequest) -> Result<HttpResponse, Problem> {
    proxy::respond(limiter, &Caller::of(request)?, request).await
}

// === impl CheckForm ===

impl CheckForm {
    fn of(request: &ServiceRequest) -> Option<Self> {
        if request.path() != "/check" {
            return None;
        }
        match *request.method() {
            Method::GET | Method::HEAD => Some(Self::Query),
            Method::POST if !proxy::is_query(request.head()) => Some(Self::Body),
            _ => None,
        }
    }
}
