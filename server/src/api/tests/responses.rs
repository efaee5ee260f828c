//! Responses to callers.

use super::{POLICIES, Response, Server, status};

#[actix_web::test]
async fn a_check_takes_its_cost() {
    let server = Server::new(status());
    assert_eq!(
        server.post("/check", r#"{"key":"user:42","cost":2}"#).await,
        r#"{"allowed":true,"limit":100,"remaining":98,"retry_after_ms":0,"reset_after_ms":1200}"#
    );
}

#[actix_web::test]
async fn the_fast_path_and_the_router_give_the_same_responses() {
    let [fast, routed] = [(); 2].map(|()| Server::new(status()));
    let json = |key: &str, more: &str| format!(r#"{{"key":"{key}"{more}}}"#);
    let id = [("x-request-id", "a-1"), ("content-type", "text/plain")];
    // Each request has its own bucket: a refill in between would show.
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
        let fast = fast.send(method, &at("/check"), headers, &body).await;
        let routed = routed.send(method, &at("/routed/check"), headers, &body).await;
        assert_eq!(fast, routed, "{method} {query} {body}");
    }
}

#[actix_web::test]
async fn operations_move_their_amounts() {
    let server = Server::new(status());
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
        let reply = server.post(path, &body).await;
        assert!(reply.starts_with(expected), "{path} {cost}: {reply}");
    }
    let body = format!(r#"{{"key":"k",{limit}}}"#);
    assert_eq!(server.post("/reset", &body).await, r#"{"reset":1}"#);
    assert_eq!(server.post("/reset", &body).await, r#"{"reset":0}"#);
    assert!(server.post("/peek", &body).await.contains(r#""remaining":3"#));
}

#[actix_web::test]
async fn a_check_takes_from_all_limits_or_from_none() {
    let server = Server::new(status());
    let body = r#"{"key":"k","policy":"two","cost":2}"#;
    assert_eq!(
        server.post("/check", body).await,
        concat!(
            r#"{"allowed":true,"limit":2,"remaining":0,"retry_after_ms":0,"#,
            r#""reset_after_ms":7200000,"limits":["#,
            r#"{"name":"burst","allowed":true,"limit":2,"remaining":0,"retry_after_ms":0,"#,
            r#""reset_after_ms":7200000},"#,
            r#"{"name":"day","allowed":true,"limit":5,"remaining":3,"retry_after_ms":0,"#,
            r#""reset_after_ms":34560000}]}"#,
        )
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
    let take = server.send("POST", "/take", &[], body).await;
    assert!(take.status == 422 && take.body.contains("one limit"), "{take:?}");
}

#[actix_web::test]
async fn a_shadow_policy_allows_and_reports_would_deny() {
    let server = Server::new(status());
    let body = r#"{"key":"k","policy":"shadow"}"#;
    assert!(server.post("/check", body).await.contains(r#""would_deny":false}"#));
    let second = server.send("POST", "/check", &[], body).await;
    assert!(
        second.body.starts_with(r#"{"allowed":true,"limit":1,"remaining":0,"retry_after_ms":0,"#)
    );
    assert!(second.body.ends_with(r#""would_deny":true}"#));
    assert!(!second.headers.contains("retry-after"));
    assert_eq!(server.send("GET", "/check?key=k&policy=shadow", &[], "").await.status, 200);
}

#[actix_web::test]
async fn a_batch_decides_each_check_by_itself() {
    let server = Server::new(status());
    let reply = server
        .post(
            "/check/batch",
            concat!(
                r#"{"checks":[{"key":"a","cost":100},{"key":"a"},7,{"key":"b","policy":"no"},"#,
                r#"{"key":"c","policy":"two"},{"key":"b","cost":-1},{"key":"b"}]}"#,
            ),
        )
        .await;
    let reply: serde_json::Value = serde_json::from_str(&reply).unwrap();
    let results = reply["results"].as_array().unwrap();
    let outcomes: Vec<_> = results.iter().map(|it| (&it["allowed"], &it["status"])).collect();
    let (yes, no, none) = (&true.into(), &false.into(), &serde_json::Value::Null);
    let (invalid, unknown) = (&422.into(), &404.into());
    assert_eq!(
        outcomes,
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
async fn proxies_get_the_decision_as_a_status() {
    let server = Server::new(status());
    let path = "/check?key_header=x-user&capacity=1&rate=1/h&deny_status=403&uri=/a?key=b";
    let headers = [("x-user", "anna")];
    let first = server.send("GET", path, &headers, "").await;
    assert_eq!(first.status, 200);
    assert!(first.headers.contains("ratelimit: \"inline\";r=0;t=3600\n"), "{first:?}");
    for (method, path, status) in [
        ("HEAD", path, 403),
        ("DELETE", path, 403),
        ("POST", path, 403),
        ("GET", "/check?key=anna&capacity=1&rate=1/h", 429),
        ("GET", "/check?key=bert&capacity=1&rate=1/h", 200),
    ] {
        let response = server.send(method, path, &headers, "").await;
        assert_eq!(response.status, status, "{method} {path}");
        assert_eq!(response.headers.contains("retry-after"), status != 200);
    }
}

#[actix_web::test]
async fn every_error_is_a_problem_that_echoes_no_input() {
    let server = Server::with(status(), &POLICIES.replace("inline = true", ""), None);
    let padded = |len: usize| format!(r#"{{"key":"secret"}}{}"#, " ".repeat(len - 16));
    for (method, path, body, expected, detail) in [
        ("POST", "/check", String::new(), 400, "the body must be JSON"),
        ("POST", "/check", "secret".into(), 400, "the body must be JSON"),
        ("POST", "/check", r#"{"secret":1}"#.into(), 422, "unknown field"),
        ("POST", "/check", r#"{"key":"k","cost":"secret"}"#.into(), 422, "cost must be"),
        ("POST", "/check", r#"{"key":"k","policy":"secret"}"#.into(), 404, "no policy has"),
        ("POST", "/check", r#"{"key":"k","policy":"inline"}"#.into(), 404, "no policy has"),
        (
            "POST",
            "/check",
            r#"{"key":"k","capacity":1,"rate":1}"#.into(),
            403,
            "inline limits are off",
        ),
        ("POST", "/check", padded(4097), 413, "the body must be at most 4096 bytes"),
        ("POST", "/reset", r#"{"key":"k","cost":1}"#.into(), 422, "cost must not be given"),
        ("POST", "/check/batch", "[]".into(), 422, "a batch must be"),
        ("POST", "/check/batch", padded((1 << 20) + 1), 413, "the body must be at most 1048576"),
        ("GET", "/check", String::new(), 422, "exactly one of key and key_header"),
        ("PUT", "/check", String::new(), 405, "this path does not support this method"),
        ("GET", "/peek", String::new(), 405, "this path does not support this method"),
        ("POST", "/metrics", String::new(), 405, "this path does not support this method"),
        ("GET", "/admin/denied?top=secret", String::new(), 422, "top must be"),
        ("POST", "/health/live", String::new(), 405, "this path does not support this method"),
        ("DELETE", "/health/ready", String::new(), 405, "this path does not support this method"),
        ("POST", "/check/", padded(16), 404, "no endpoint has this path"),
        ("POST", "//check", padded(16), 404, "no endpoint has this path"),
        ("GET", "/secret%2e%2e", String::new(), 404, "no endpoint has this path"),
    ] {
        let Response { status, kind, body, .. } = server.send(method, path, &[], &body).await;
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
async fn bodies_of_other_types_or_encodings_are_refused() {
    let server = Server::new(status());
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
        let response = server.send("POST", "/check", &[(name, value)], r#"{"key":"k"}"#).await;
        assert_eq!(response.status, status, "{name}: {value}");
    }
}
