//! The HTTP API: routes, and the handlers of all endpoints.

mod admin;
mod auth;
mod batch;
#[doc(hidden)]
pub mod bench;
mod body;
mod check;
mod cross_site;
mod fast_path;
mod headers;
mod health;
mod observe;
mod openapi;
mod operations;
mod post;
mod problem;
mod proxy;
mod reply;
mod request;
mod responses;
mod rules;
mod schemas;
mod sliced_body;
mod text;
mod unknown_policy;
mod unread_body;

use actix_web::{
    FromRequest, Handler, HttpResponse, Resource, Responder,
    guard::fn_guard,
    http::Method,
    web::{self, ServiceConfig},
};

pub use auth::Access;
pub use observe::{Observer, observe};
pub use problem::Problem;

/// The routes for callers. A path has to match exactly: `/check/` is not `/check`.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(
            resource("/check")
                .route(web::get().to(proxy::check))
                .route(web::head().to(proxy::check))
                .route(web::route().guard(proxy::query_guard()).to(proxy::check))
                .route(web::post().to(check::check))
                .default_service(web::to(|| method_not_allowed("GET, HEAD, POST"))),
        )
        .service(post_resource("/check/batch", batch::check))
        .service(post_resource("/peek", operations::peek))
        .service(post_resource("/take", operations::take))
        .service(post_resource("/refund", operations::refund))
        .service(post_resource("/charge", operations::charge))
        .service(post_resource("/reset", operations::reset));
    config
        .service(get_resource("/", openapi::to_page))
        .service(get_resource("/openapi.json", openapi::document))
        .service(get_resource("/openapi-3.0.json", openapi::document_3_0))
        .service(get_resource("/docs", openapi::page));
    health_routes(config);
    config.default_service(web::to(not_found));
}

/// The routes for operators, on their own listener or on that of the callers.
pub fn admin_routes(config: &mut ServiceConfig) {
    config
        .service(get_resource("/metrics", admin::metrics))
        .service(get_resource("/admin/denied", admin::denied));
}

/// The health routes, which every listener has.
pub fn health_routes(config: &mut ServiceConfig) {
    config
        .service(get_resource("/health/live", health::live))
        .service(get_resource("/health/ready", health::ready));
}

/// A resource at exactly `path`. actix decodes a path before it looks for a route, and a proxy that
/// closes a path to the outside may not: so no encoded form of a path is served.
fn resource(path: &'static str) -> Resource {
    web::resource(path).guard(fn_guard(|request| !request.head().uri.path().contains('%')))
}

fn post_resource<F, Args>(path: &'static str, handler: F) -> Resource
where
    F: Handler<Args, Output: Responder + 'static>,
    Args: FromRequest + 'static,
{
    resource(path)
        .route(web::post().to(handler))
        .default_service(web::to(|| method_not_allowed("POST")))
}

fn get_resource<F, Args>(path: &'static str, handler: F) -> Resource
where
    F: Handler<Args, Output: Responder + 'static>,
    Args: FromRequest + 'static,
{
    resource(path)
        .route(web::get().to(handler.clone()))
        .route(web::method(Method::HEAD).to(handler))
        .default_service(web::to(|| method_not_allowed("GET, HEAD")))
}

/// Refuses a request to an unknown path.
pub async fn not_found() -> Result<HttpResponse, Problem> {
    Err(Problem::UnknownPath)
}

async fn method_not_allowed(allow: &'static str) -> Result<HttpResponse, Problem> {
    Err(Problem::MethodNotAllowed { allow })
}

#[cfg(test)]
mod tests;
