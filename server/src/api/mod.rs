//! HTTP: what each path takes and gives. Nothing below this floor knows of requests or JSON.

mod admin;
mod auth;
mod batch;
#[doc(hidden)]
pub mod bench;
mod body;
mod check;
mod fast_path;
mod headers;
mod health;
mod hold_body;
mod observe;
mod openapi;
mod operations;
mod problem;
mod proxy;
mod reply;
mod request;
mod text;

use actix_web::{
    HttpResponse, Resource, Route,
    http::Method,
    web::{self, ServiceConfig},
};

pub use auth::Access;
pub use observe::{Observer, observe};
pub use problem::Problem;

/// The routes that callers use. A path is taken as it stands: `/check/` is not `/check`.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(
            web::resource("/check")
                .route(web::get().to(proxy::check))
                .route(web::head().to(proxy::check))
                .route(web::route().guard(proxy::has_query()).to(proxy::check))
                .route(web::post().to(check::check))
                .default_service(web::to(|| refuse(Problem::Method { allow: "GET, HEAD, POST" }))),
        )
        .service(post("/check/batch", web::post().to(batch::check)))
        .service(post("/peek", web::post().to(operations::peek)))
        .service(post("/take", web::post().to(operations::take)))
        .service(post("/refund", web::post().to(operations::refund)))
        .service(post("/charge", web::post().to(operations::charge)))
        .service(post("/reset", web::post().to(operations::reset)));
    config.service(get("/openapi.json", openapi::document)).service(get("/docs", openapi::page));
    health_routes(config);
    config.default_service(web::to(|| refuse(Problem::UnknownPath)));
}

/// The routes for operators: on a listener of their own, or beside the others.
pub fn admin_routes(config: &mut ServiceConfig) {
    config.service(get("/metrics", admin::metrics)).service(get("/admin/denied", admin::denied));
}

/// Both kinds of listeners tell how the server is.
pub fn health_routes(config: &mut ServiceConfig) {
    config.service(get("/health/live", health::live)).service(get("/health/ready", health::ready));
}

fn post(path: &'static str, route: Route) -> Resource {
    web::resource(path)
        .route(route)
        .default_service(web::to(|| refuse(Problem::Method { allow: "POST" })))
}

fn get<F, Args>(path: &'static str, handler: F) -> Resource
where
    F: actix_web::Handler<Args, Output: actix_web::Responder + 'static>,
    Args: actix_web::FromRequest + 'static,
{
    web::resource(path)
        .route(web::get().to(handler.clone()))
        .route(web::method(Method::HEAD).to(handler))
        .default_service(web::to(|| refuse(Problem::Method { allow: "GET, HEAD" })))
}

/// The answer where nothing lives.
pub async fn nothing() -> Result<HttpResponse, Problem> {
    refuse(Problem::UnknownPath).await
}

async fn refuse(problem: Problem) -> Result<HttpResponse, Problem> {
    Err(problem)
}

#[cfg(test)]
mod tests;
