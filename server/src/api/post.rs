//! `POST` requests: from the caller and the body to an operation and its response.

use std::future::{Ready, ready};

use actix_web::{
    FromRequest, HttpRequest, HttpResponse, dev::Payload, http::StatusCode, web::Bytes,
};

use super::{
    auth::Caller,
    body::{self, BodyKind},
    cross_site,
    problem::Problem,
    reply,
    request::CheckBody,
    unknown_policy,
};
use crate::{
    access::Role,
    limiter::{CheckRequest, CheckResult, LimiterError},
};

/// A `POST` request whose caller is known and whose body is still to be read.
pub(super) struct PostRequest {
    caller: Caller,
    request: HttpRequest,
    payload: Payload,
}

/// The result of an operation.
pub(super) struct OperationResult {
    result: CheckResult,
    /// The number of tokens taken, if the operation is a take.
    granted: Option<u64>,
}

/// Performs an operation on the check request in a body, if the caller may, and responds.
pub(super) async fn respond<R: Into<OperationResult>>(
    mut caller: Caller,
    role: Role,
    request: &HttpRequest,
    payload: &mut Payload,
    operation: impl AsyncFnOnce(&CheckRequest<'_>) -> Result<R, LimiterError>,
) -> Result<HttpResponse, Problem> {
    cross_site::refuse(request)?;
    caller.require_role(role)?;
    let body = body::read(request, payload, BodyKind::Check).await?;
    caller.renew(request, role)?;
    let body = CheckBody::parse(&body)?;
    let mut check = body.check_request()?;
    caller.authorize(&mut check)?;
    match operation(&check).await {
        Ok(done) => {
            let OperationResult { result, granted } = done.into();
            Ok(reply::respond(StatusCode::OK, &result, granted))
        }
        Err(error) => unknown_policy::response(error, request, &caller, &check),
    }
}

// === impl PostRequest ===

impl PostRequest {
    /// Performs an operation that needs `role` on the check request in the body, and responds.
    pub(super) async fn respond<R: Into<OperationResult>>(
        mut self,
        role: Role,
        operation: impl AsyncFnOnce(&CheckRequest<'_>) -> Result<R, LimiterError>,
    ) -> Result<HttpResponse, Problem> {
        respond(self.caller, role, &self.request, &mut self.payload, operation).await
    }

    /// The request without its body.
    pub(super) fn request(&self) -> &HttpRequest {
        &self.request
    }

    /// Reads the body for an operation that needs `role`.
    pub(super) async fn read(
        mut self,
        role: Role,
        kind: BodyKind,
    ) -> Result<(Caller, Bytes), Problem> {
        cross_site::refuse(&self.request)?;
        self.caller.require_role(role)?;
        let body = body::read(&self.request, &mut self.payload, kind).await?;
        self.caller.renew(&self.request, role)?;
        Ok((self.caller, body))
    }
}

impl FromRequest for PostRequest {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let of = |caller| Self { caller, request: request.clone(), payload: payload.take() };
        ready(Caller::of(request).map(of))
    }
}

// === impl OperationResult ===

impl From<CheckResult> for OperationResult {
    fn from(result: CheckResult) -> Self {
        Self { result, granted: None }
    }
}

impl From<(u64, CheckResult)> for OperationResult {
    fn from((granted, result): (u64, CheckResult)) -> Self {
        Self { result, granted: Some(granted) }
    }
}
