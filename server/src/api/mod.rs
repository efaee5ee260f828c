//! HTTP: what each path takes and gives. Nothing below this floor knows of requests or JSON.

mod check;
mod health;
mod problem;
mod request;

use actix_web::{
    HttpResponse,
    web::{self, ServiceConfig},
};

pub use problem::Problem;

/// Every route of the server. A path is taken as it stands: `/check/` is not `/check`.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(
            web::resource("/check")
                .route(web::post().to(check::check))
                .default_service(web::to(|| refuse(Problem::Method { allow: "POST" }))),
        )
        .service(
            web::resource("/health/live")
                .route(web::get().to(health::live))
                .route(web::head().to(health::live))
                .default_service(web::to(|| refuse(Problem::Method { allow: "GET, HEAD" }))),
        )
        .service(
            web::resource("/health/ready")
                .route(web::get().to(health::ready))
                .route(web::head().to(health::ready))
                .default_service(web::to(|| refuse(Problem::Method { allow: "GET, HEAD" }))),
        )
        .default_service(web::to(|| refuse(Problem::UnknownPath)));
}

async fn refuse(problem: Problem) -> Result<HttpResponse, Problem> {
    Err(problem)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use actix_web::{
        App,
        http::{Method, header},
        test::{TestRequest, call_service, init_service, read_body},
        web::Data,
    };
    use rl_bucket::Limit;

    use super::routes;
    use crate::{
        limiter::Limiter,
        status::Status,
        store::{Store, memory::MemoryStore},
    };

    /// What a fresh server answers: its status, content type and body.
    async fn answer(
        status: Status,
        method: &str,
        path: &str,
        body: String,
    ) -> (u16, String, String) {
        let memory = Arc::new(MemoryStore::new());
        let limit = Limit::parse("100", "100/m").unwrap();
        let limiter = Limiter::new(Store::Memory(memory.clone()), memory, limit);
        let app =
            App::new().app_data(Data::new(limiter)).app_data(Data::new(status)).configure(routes);
        let app = init_service(app).await;
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let request = TestRequest::with_uri(path).method(method).set_payload(body).to_request();
        let response = call_service(&app, request).await;
        let status = response.status().as_u16();
        let headers = response.headers();
        assert_eq!(headers.get(header::CACHE_CONTROL).unwrap(), "no-store");
        assert_eq!(headers.contains_key(header::ALLOW), status == 405);
        let kind = headers.get(header::CONTENT_TYPE).unwrap().to_str().unwrap().to_owned();
        (status, kind, String::from_utf8(read_body(response).await.to_vec()).unwrap())
    }

    #[actix_web::test]
    async fn check() {
        let body = r#"{"key":"user:42","cost":2}"#.to_owned();
        let (status, kind, body) = answer(Status::memory(), "POST", "/check", body).await;
        assert_eq!((status, kind.as_str()), (200, "application/json"));
        assert_eq!(
            body,
            r#"{"allowed":true,"limit":100,"remaining":98,"retry_after_ms":0,"reset_after_ms":1200}"#
        );
    }

    #[actix_web::test]
    async fn every_error_is_a_problem_that_repeats_nothing() {
        let padded = |len: usize| format!(r#"{{"key":"secret"}}{}"#, " ".repeat(len - 16));
        for (method, path, body, expected, detail) in [
            ("POST", "/check", String::new(), 400, "the body must be JSON"),
            ("POST", "/check", "secret".into(), 400, "the body must be JSON"),
            ("POST", "/check", r#"{"secret":1}"#.into(), 422, "unknown field"),
            ("POST", "/check", r#"{"key":"k","cost":"secret"}"#.into(), 422, "cost must be"),
            ("POST", "/check", r#"{"key":"k","policy":"secret"}"#.into(), 404, "no policy has"),
            ("POST", "/check", padded(4097), 413, "the body must be at most 4096 bytes"),
            ("GET", "/check", String::new(), 405, "this path does not take this method"),
            ("POST", "/health/live", String::new(), 405, "this path does not take this method"),
            ("DELETE", "/health/ready", String::new(), 405, "this path does not take this method"),
            ("POST", "/check/", padded(16), 404, "nothing lives at this path"),
            ("POST", "//check", padded(16), 404, "nothing lives at this path"),
            ("GET", "/secret%2e%2e", String::new(), 404, "nothing lives at this path"),
        ] {
            let (status, kind, body) = answer(Status::memory(), method, path, body).await;
            assert_eq!((status, kind.as_str()), (expected, "application/problem+json"), "{body}");
            assert!(body.contains(&format!(r#""status":{expected},"detail":"{detail}"#)), "{body}");
            assert!(!body.contains("secret"), "{body}");
        }
        assert_eq!(answer(Status::memory(), "POST", "/check", padded(4096)).await.0, 200);
    }

    #[actix_web::test]
    async fn health() {
        let draining = Status::memory();
        draining.drain();
        for (status, path, expected, body) in [
            (Status::memory(), "/health/live", 200, r#"{"status":"live"}"#),
            (
                Status::memory(),
                "/health/ready",
                200,
                r#"{"status":"ready","engine":"memory","store":"up","generation":1}"#,
            ),
            (
                Status::redis(1),
                "/health/ready",
                503,
                r#"{"status":"starting","engine":"unknown","store":"down","generation":1}"#,
            ),
            (
                draining,
                "/health/ready",
                503,
                r#"{"status":"draining","engine":"memory","store":"up","generation":1}"#,
            ),
        ] {
            let answer = answer(status, "GET", path, String::new()).await;
            assert_eq!(answer, (expected, "application/json".to_owned(), body.to_owned()));
        }
    }
}
