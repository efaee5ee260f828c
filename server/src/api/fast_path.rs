//! The short way to a check.
//!
//! A check costs less than to find it among the routes: guards, a resource, extractors and three boxed futures.
//! So the two forms of `/check` are met at the door and handed to their handlers. The routes stay what
//! defines the API: whatever is not met here walks them, and a check that does so is answered the same.

use actix_web::{
    Error, HttpRequest, HttpResponse, ResponseError,
    body::BoxBody,
    dev::{Payload, ServiceRequest, ServiceResponse},
    http::Method,
    middleware::Next,
    web::Data,
};

use super::{Problem, check, proxy};
use crate::{access::Grant, limiter::Limiter};

/// Where a request to `/check` is going.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Form {
    Body,
    Query,
}

/// Answers a request.
pub(super) async fn call(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse, Error> {
    // A listener for operators has no limiter, and no `/check`.
    let Some((form, limiter)) = Form::of(&request).zip(request.app_data::<Data<Limiter>>()) else {
        return next.call(request).await;
    };
    let limiter = limiter.clone();
    let (request, payload) = request.into_parts();
    let answered = match form {
        Form::Body => by_body(&limiter, &request, payload).await,
        Form::Query => by_query(&limiter, &request).await,
    };
    let response = answered.unwrap_or_else(|problem| problem.error_response());
    Ok(ServiceResponse::new(request, response))
}

async fn by_body(
    limiter: &Limiter,
    request: &HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    check::decide(limiter, Grant::of(request)?, request, payload).await
}

async fn by_query(limiter: &Limiter, request: &HttpRequest) -> Result<HttpResponse, Problem> {
    proxy::decide(limiter, &Grant::of(request)?, request).await
}

// === impl Form ===

impl Form {
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
