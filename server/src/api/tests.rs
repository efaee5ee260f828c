use std::sync::Arc;

use actix_web::{
    App,
    http::{Method, header},
    middleware::from_fn,
    test::{TestRequest, call_service, init_service, read_body},
    web::Data,
};

use super::{Access, Observer, admin_routes, observe, routes};
use crate::{
    access::Tokens,
    limiter::{Limiter, Shared},
    metrics::Metrics,
    policy::Policies,
    reload::Live,
    status::Status,
    store::{Store, memory::MemoryStore},
};

const FILE: &str = r#"
    inline = true
    [policies.default]
    capacity = 100
    rate = "100/m"
    [policies.shadow]
    capacity = 1
    rate = "1/d"
    mode = "shadow"
    [policies.two]
    limits = [
      { name = "burst", capacity = 2, rate = "1/h" },
      { name = "day", capacity = 5, rate = "5/d" },
    ]
"#;

/// A server with the policies of `FILE`.
pub(super) struct Server {
    status: Arc<Status>,
    metrics: Arc<Metrics>,
    shared: Arc<Shared>,
    access: Access,
}

/// A response, its headers as one text, sorted.
#[derive(Debug, PartialEq)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) kind: String,
    pub(super) headers: String,
    body: String,
}

impl Server {
    pub(super) fn new(status: Status) -> Self {
        Self::with(status, FILE, None)
    }

    fn with(status: Status, policies: &str, tokens: Option<&str>) -> Self {
        let metrics = Arc::new(Metrics::new());
        let policies = Policies::read(policies.as_bytes(), &metrics).unwrap();
        let shared = Shared {
            local: Arc::new(MemoryStore::new()),
            policies: Arc::new(Live::new(policies)),
            names: Default::default(),
            denials: Default::default(),
            offenders: Default::default(),
            metrics: metrics.clone(),
        };
        let tokens = tokens.map(|file| Tokens::read(file.as_bytes()).unwrap());
        Self {
            status: Arc::new(status),
            metrics,
            shared: Arc::new(shared),
            access: tokens.map(|tokens| Arc::new(Live::new(tokens))),
        }
    }

    pub(super) async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Response {
        let store = Store::Memory(self.shared.local.clone());
        let observer = Observer::new(self.metrics.clone(), self.status.clone());
        let app = App::new()
            .app_data(Data::new(Limiter::new(store, self.shared.clone())))
            .app_data(Data::from(self.status.clone()))
            .app_data(Data::from(self.metrics.clone()))
            .app_data(Data::from(self.shared.policies.clone()))
            .app_data(Data::from(self.shared.offenders.clone()))
            .app_data(Data::new(self.access.clone()))
            .app_data(Data::new(observer))
            .configure(admin_routes)
            .configure(routes)
            .wrap(from_fn(observe));
        let app = init_service(app).await;
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = TestRequest::with_uri(path).method(method).set_payload(body.to_owned());
        for header in headers {
            request = request.append_header(*header);
        }
        let response = call_service(&app, request.to_request()).await;
        let status = response.status().as_u16();
        let headers = response.headers();
        assert_eq!(headers.get(header::CACHE_CONTROL).unwrap(), "no-store");
        assert_eq!(headers.contains_key(header::ALLOW), status == 405);
        let kind = headers.get(header::CONTENT_TYPE).unwrap().to_str().unwrap().to_owned();
        let mut headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap()))
            .collect();
        headers.sort_unstable();
        let headers = headers.concat();
        let body = String::from_utf8(read_body(response).await.to_vec()).unwrap();
        Response { status, kind, headers, body }
    }

    pub(super) async fn post(&self, path: &str, body: &str) -> String {
        let response = self.ask("POST", path, &[], body).await;
        assert_eq!(
            (response.status, response.kind.as_str()),
            (200, "application/json"),
            "{response:?}"
        );
        response.body
    }
}

#[actix_web::test]
async fn check() {
    let server = Server::new(Status::memory());
    assert_eq!(
        server.post("/check", r#"{"key":"user:42","cost":2}"#).await,
        r#"{"allowed":true,"limit":100,"remaining":98,"retry_after_ms":0,"reset_after_ms":1200}"#
    );
}

#[actix_web::test]
async fn the_short_way_to_a_check_and_the_long_one_are_one() {
    let [short, long] = [(); 2].map(|()| Server::new(Status::memory()));
    let json = |key: &str, more: &str| format!(r#"{{"key":"{key}"{more}}}"#);
    let id = [("x-request-id", "a-1"), ("content-type", "text/plain")];
    // Each has a bucket of its own: what time adds to one would show.
    for (method, query, headers, body) in [
        ("POST", "", &id[..], json("a", r#","cost":100"#)),
        ("POST", "?", &[], json("b", "")),
        ("POST", "", &[], json("c", r#","policy":"two""#)),
        ("POST", "", &[], json("d", r#","capacity":1,"rate":"1/d","cost":2"#)),
        ("POST", "", &[], json("", "")),
        ("POST", "", &[], String::new()),
        ("POST", "", &[("content-type", "text/xml")], json("e", "")),
        ("POST", "?key=f", &id, String::new()),
        ("GET", "?key=g&cost=2.5", &id, String::new()),
        ("GET", "?key=h&cost=101", &[], String::new()),
        ("HEAD", "?key=i", &[], String::new()),
        ("GET", "", &[], json("j", "")),
        ("PUT", "?key=l", &[], String::new()),
        ("PUT", "", &[], json("m", "")),
    ] {
        let at = |path: &str| format!("{path}{query}");
        let short = short.ask(method, &at("/check"), headers, &body).await;
        let long = long.ask(method, &at("/%63heck"), headers, &body).await;
        assert_eq!(short, long, "{method} {query} {body}");
    }
}

#[actix_web::test]
async fn the_family() {
    let server = Server::new(Status::memory());
    let limit = r#""capacity":3,"rate":"1/d""#;
    for (path, cost, expected) in [
        ("/check", "1", r#"{"allowed":true,"limit":3,"remaining":2,"#),
        ("/peek", "3", r#"{"allowed":false,"limit":3,"remaining":2,"#),
        ("/take", "5", r#"{"granted":2,"allowed":true,"limit":3,"remaining":0,"#),
        ("/take", "5", r#"{"granted":0,"allowed":false,"limit":3,"remaining":0,"#),
        ("/refund", "1", r#"{"allowed":true,"limit":3,"remaining":1,"#),
        ("/charge", "3", r#"{"allowed":true,"limit":3,"remaining":-"#),
    ] {
        let body = format!(r#"{{"key":"k",{limit},"cost":{cost}}}"#);
        let said = server.post(path, &body).await;
        assert!(said.starts_with(expected), "{path} {cost}: {said}");
    }
    let body = format!(r#"{{"key":"k",{limit}}}"#);
    assert_eq!(server.post("/reset", &body).await, r#"{"reset":1}"#);
    assert_eq!(server.post("/reset", &body).await, r#"{"reset":0}"#);
    assert!(server.post("/peek", &body).await.contains(r#""remaining":3"#));
}

#[actix_web::test]
async fn several_limits_stand_or_fall_together() {
    let server = Server::new(Status::memory());
    let body = r#"{"key":"k","policy":"two","cost":2}"#;
    assert_eq!(
        server.post("/check", body).await,
        r#"{"allowed":true,"limit":2,"remaining":0,"retry_after_ms":0,"reset_after_ms":7200000,"limits":[{"name":"burst","allowed":true,"limit":2,"remaining":0,"retry_after_ms":0,"reset_after_ms":7200000},{"name":"day","allowed":true,"limit":5,"remaining":3,"retry_after_ms":0,"reset_after_ms":34560000}]}"#
    );
    let denied = server.post("/check", body).await;
    assert!(denied.starts_with(r#"{"allowed":false,"limit":2,"remaining":0,"#), "{denied}");
    assert!(
        denied.contains(r#"{"name":"day","allowed":true,"limit":5,"remaining":3,"#),
        "{denied}"
    );
    assert!(
        server
            .post("/refund", body)
            .await
            .contains(r#""name":"day","allowed":true,"limit":5,"remaining":5"#)
    );
    assert_eq!(server.post("/reset", r#"{"key":"k","policy":"two"}"#).await, r#"{"reset":2}"#);
    let take = server.ask("POST", "/take", &[], body).await;
    assert!(take.status == 422 && take.body.contains("one limit"), "{take:?}");
}

#[actix_web::test]
async fn a_shadow_lets_through_and_tells() {
    let server = Server::new(Status::memory());
    let body = r#"{"key":"k","policy":"shadow"}"#;
    assert!(server.post("/check", body).await.contains(r#""would_deny":false}"#));
    let watched = server.ask("POST", "/check", &[], body).await;
    assert!(
        watched.body.starts_with(r#"{"allowed":true,"limit":1,"remaining":0,"retry_after_ms":0,"#)
    );
    assert!(watched.body.ends_with(r#""would_deny":true}"#));
    assert!(!watched.headers.contains("retry-after"));
    assert_eq!(server.ask("GET", "/check?key=k&policy=shadow", &[], "").await.status, 200);
}

#[actix_web::test]
async fn batch() {
    let server = Server::new(Status::memory());
    let said = server
        .post(
            "/check/batch",
            r#"{"checks":[{"key":"a","cost":100},{"key":"a"},7,{"key":"b","policy":"no"},{"key":"c","policy":"two"},{"key":"b","cost":-1},{"key":"b"}]}"#,
        )
        .await;
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    let results = said["results"].as_array().unwrap();
    let brief: Vec<_> = results.iter().map(|it| (&it["allowed"], &it["status"])).collect();
    let (yes, no, none) = (&true.into(), &false.into(), &serde_json::Value::Null);
    let (invalid, unknown) = (&422.into(), &404.into());
    assert_eq!(
        brief,
        [
            (yes, none),
            (no, none),
            (none, invalid),
            (none, unknown),
            (yes, none),
            (none, invalid),
            (yes, none)
        ]
    );
    assert_eq!(results[4]["limits"][1]["name"], "day");
    assert!(results[2]["detail"].is_string() && results[2]["title"].is_string());
    assert_eq!(server.post("/check/batch", r#"{"checks":[]}"#).await, r#"{"results":[]}"#);
}

#[actix_web::test]
async fn the_form_for_proxies() {
    let server = Server::new(Status::memory());
    let path = "/check?key_header=x-user&capacity=1&rate=1/h&deny_status=403&uri=/a?key=b";
    let headers = [("x-user", "anna")];
    let first = server.ask("GET", path, &headers, "").await;
    assert_eq!(first.status, 200);
    assert!(first.headers.contains("ratelimit: \"inline\";r=0;t=3600\n"), "{first:?}");
    for (method, path, status) in [
        ("HEAD", path, 403),
        ("DELETE", path, 403),
        ("POST", path, 403),
        ("GET", "/check?key=anna&capacity=1&rate=1/h", 429),
        ("GET", "/check?key=bert&capacity=1&rate=1/h", 200),
    ] {
        let response = server.ask(method, path, &headers, "").await;
        assert_eq!(response.status, status, "{method} {path}");
        assert_eq!(response.headers.contains("retry-after"), status != 200);
    }
}

#[actix_web::test]
async fn every_error_is_a_problem_that_repeats_nothing() {
    let server = Server::with(Status::memory(), &FILE.replace("inline = true", ""), None);
    let padded = |len: usize| format!(r#"{{"key":"secret"}}{}"#, " ".repeat(len - 16));
    for (method, path, body, expected, detail) in [
        ("POST", "/check", String::new(), 400, "the body must be JSON"),
        ("POST", "/check", "secret".into(), 400, "the body must be JSON"),
        ("POST", "/check", r#"{"secret":1}"#.into(), 422, "unknown field"),
        ("POST", "/check", r#"{"key":"k","cost":"secret"}"#.into(), 422, "cost must be"),
        ("POST", "/check", r#"{"key":"k","policy":"secret"}"#.into(), 404, "no policy has"),
        ("POST", "/check", r#"{"key":"k","policy":"inline"}"#.into(), 404, "no policy has"),
        ("POST", "/check", r#"{"key":"k","capacity":1,"rate":1}"#.into(), 403, "capacity and rate"),
        ("POST", "/check", padded(4097), 413, "the body must be at most 4096 bytes"),
        ("POST", "/reset", r#"{"key":"k","cost":1}"#.into(), 422, "cost must not be given"),
        ("POST", "/check/batch", "[]".into(), 422, "a batch must be"),
        ("POST", "/check/batch", padded((1 << 20) + 1), 413, "the body must be at most 1048576"),
        ("GET", "/check", String::new(), 422, "key or key_header must be given"),
        ("PUT", "/check", String::new(), 405, "this path does not take this method"),
        ("GET", "/peek", String::new(), 405, "this path does not take this method"),
        ("POST", "/metrics", String::new(), 405, "this path does not take this method"),
        ("GET", "/admin/denied?top=secret", String::new(), 422, "top must be"),
        ("POST", "/health/live", String::new(), 405, "this path does not take this method"),
        ("DELETE", "/health/ready", String::new(), 405, "this path does not take this method"),
        ("POST", "/check/", padded(16), 404, "nothing lives at this path"),
        ("POST", "//check", padded(16), 404, "nothing lives at this path"),
        ("GET", "/secret%2e%2e", String::new(), 404, "nothing lives at this path"),
    ] {
        let Response { status, kind, body, .. } = server.ask(method, path, &[], &body).await;
        assert_eq!(
            (status, kind.as_str()),
            (expected, "application/problem+json"),
            "{path} {body}"
        );
        assert!(body.contains(&format!(r#""status":{expected},"detail":"{detail}"#)), "{body}");
        assert!(!body.contains("secret"), "{body}");
    }
    server.post("/check", &padded(4096)).await;
}

#[actix_web::test]
async fn only_plain_json_is_read() {
    let server = Server::new(Status::memory());
    for (name, value, status) in [
        ("content-type", "application/json", 200),
        ("content-type", "Application/JSON; charset=utf-8", 200),
        ("content-type", "application/vnd.x+json", 200),
        ("content-type", "application/x-www-form-urlencoded", 200),
        ("content-type", "text/plain", 200),
        ("content-type", "text/xml", 415),
        ("content-type", "multipart/form-data; boundary=x", 415),
        ("content-encoding", "identity", 200),
        ("content-encoding", "gzip", 415),
    ] {
        let response = server.ask("POST", "/check", &[(name, value)], r#"{"key":"k"}"#).await;
        assert_eq!(response.status, status, "{name}: {value}");
    }
}

#[actix_web::test]
async fn tokens_say_who_may_what() {
    use sha2::{Digest, Sha256};
    let entry = |token: &str, rest: &str| {
        let hash: String =
            Sha256::digest(token.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        format!("[[tokens]]\nname = 'x'\nsha256 = '{hash}'\n{rest}\n")
    };
    let tokens = entry("tenant", "role = 'check'\nprefix = 'a:'")
        + &entry("app", "role = 'check'")
        + &entry("half", "role = 'admin'\nprefix = 'a:'")
        + &entry("ops", "role = 'admin'");
    let server = Server::with(Status::memory(), FILE, Some(&tokens));
    let (own, other) = (r#"{"key":"a:1"}"#, r#"{"key":"b:1"}"#);
    let inline = r#"{"key":"a:1","capacity":1,"rate":1}"#;
    for (token, method, path, body, status) in [
        ("", "POST", "/check", own, 401),
        ("Bearer", "POST", "/check", own, 401),
        ("Bearer other", "POST", "/check", own, 401),
        ("Basic app", "POST", "/check", own, 401),
        ("Bearer app", "POST", "/check", other, 200),
        ("bearer app", "POST", "/peek", other, 200),
        ("Bearer app", "POST", "/take", other, 200),
        ("Bearer app", "POST", "/refund", other, 403),
        ("Bearer app", "POST", "/charge", other, 403),
        ("Bearer app", "POST", "/reset", other, 403),
        ("Bearer app", "POST", "/check", inline, 403),
        ("Bearer app", "GET", "/admin/denied", "", 403),
        ("Bearer app", "GET", "/check?key=b", "", 200),
        ("", "GET", "/check?key=b", "", 401),
        ("Bearer tenant", "POST", "/check", own, 200),
        ("Bearer tenant", "POST", "/check", other, 403),
        ("Bearer tenant", "GET", "/check?key=b:1", "", 403),
        ("Bearer half", "POST", "/refund", own, 200),
        ("Bearer half", "POST", "/reset", other, 403),
        ("Bearer half", "GET", "/admin/denied", "", 403),
        ("Bearer ops", "POST", "/check", inline, 200),
        ("Bearer ops", "POST", "/reset", other, 200),
        ("Bearer ops", "GET", "/admin/denied", "", 200),
        ("", "GET", "/health/live", "", 200),
        ("", "GET", "/metrics", "", 200),
    ] {
        let response = server.ask(method, path, &[("authorization", token)], body).await;
        assert_eq!(response.status, status, "{token} {method} {path} {body}: {response:?}");
        assert_eq!(response.headers.contains("www-authenticate"), status == 401);
    }
    let batch = format!(r#"{{"checks":[{own},{other}]}}"#);
    let response =
        server.ask("POST", "/check/batch", &[("authorization", "Bearer tenant")], &batch).await;
    assert!(response.body.contains(r#""allowed":true"#), "{response:?}");
    assert!(response.body.contains(r#""status":403"#), "{response:?}");
}

#[actix_web::test]
async fn operators_see_who_is_denied() {
    let server = Server::new(Status::memory());
    for _ in 0..3 {
        server.post("/check", r#"{"key":"k","policy":"shadow"}"#).await;
    }
    let denied = server.ask("GET", "/admin/denied?top=1", &[], "").await;
    assert_eq!(denied.body, r#"{"denied":[{"policy":"shadow","key":"k","denied":2,"error":0}]}"#);
    let metrics = server.ask("GET", "/metrics", &[], "").await.body;
    for line in [
        r#"rl_decisions_total{outcome="allowed",policy="shadow"} 1"#,
        r#"rl_decisions_total{outcome="would_deny",policy="shadow"} 2"#,
    ] {
        assert!(metrics.lines().any(|other| other == line), "{metrics}");
    }
}

#[actix_web::test]
async fn health() {
    let draining = Status::memory();
    draining.drain();
    let ready =
        |text: &str| format!(r#"{{"status":{text},"generation":1,"policies":"fe25dd5db2b9d04c"}}"#);
    for (status, path, expected, body) in [
        (Status::memory(), "/health/live", 200, r#"{"status":"live"}"#.to_owned()),
        (
            Status::memory(),
            "/health/ready",
            200,
            ready(r#""ready","engine":"memory","store":"up""#),
        ),
        (
            Status::redis(1),
            "/health/ready",
            503,
            ready(r#""starting","engine":"unknown","store":"down""#),
        ),
        (draining, "/health/ready", 503, ready(r#""draining","engine":"memory","store":"up""#)),
    ] {
        let server = Server::new(status);
        let hash = server.shared.policies.get().hash().to_owned();
        let answer = server.ask("GET", path, &[], "").await;
        assert_eq!(answer.status, expected);
        assert_eq!(answer.body, body.replace("fe25dd5db2b9d04c", &hash));
    }
}
