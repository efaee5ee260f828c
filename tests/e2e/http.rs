//! The contract of `POST /check`.

use rl_tests::Front;
use serde_json::{Value, json};

#[track_caller]
fn assert_refused(front: &Front, method: &str, path: &str, body: &str, status: u16, detail: &str) {
    let answer = match method {
        "GET" => front.get(path),
        _ => front.post(path, body),
    };
    assert_eq!(answer.status, status, "{method} {path} {body}: {}", answer.body);
    assert_eq!(answer.content_type, "application/problem+json", "{method} {path} {body}");
    assert_eq!(answer.body["status"], status, "{}", answer.body);
    assert!(answer.body["title"].is_string(), "{}", answer.body);
    let text = answer.body["detail"].as_str().unwrap_or_default();
    assert!(text.contains(detail), "{method} {path} {body}: {text}");
}

#[test]
fn a_check_answers_five_fields() {
    let front = Front::start(&[]);
    let first = front.check(r#"{"key":"user:42"}"#);
    let expected = json!({
        "allowed": true, "limit": 100, "remaining": 99, "retry_after_ms": 0, "reset_after_ms": 600,
    });
    assert_eq!(first, expected);

    let inline = r#"{"key":"user:42","capacity":2,"rate":"1/h","cost":2}"#;
    let allowed = front.check(inline);
    assert_eq!(allowed["remaining"], 0);
    let denied = front.check(inline);
    assert_eq!(denied["allowed"], false);
    let retry_after = denied["retry_after_ms"].as_u64().expect("a wait");
    assert!((7_190_000..=7_200_000).contains(&retry_after), "{denied}");
    assert_eq!(denied.as_object().map(serde_json::Map::len), Some(5), "{denied}");

    let never = front.check(r#"{"key":"user:42","capacity":2,"rate":"1/h","cost":3}"#);
    assert_eq!((&never["allowed"], &never["retry_after_ms"]), (&json!(false), &Value::Null));
    assert!(never.as_object().expect("an object").contains_key("retry_after_ms"));
}

#[test]
fn the_default_policy_comes_from_flags() {
    let front = Front::start(&["--capacity", "3", "--rate", "1/d"]);
    for (body, allowed, remaining) in [
        (r#"{"key":"a"}"#, true, 2),
        (r#"{"key":"a","policy":"default"}"#, true, 1),
        (r#"{"key":"a","cost":"0.5"}"#, true, 0),
        (r#"{"key":"a","cost":0.5}"#, true, 0),
        (r#"{"key":"a","cost":0}"#, true, 0),
        (r#"{"key":"a"}"#, false, 0),
        (r#"{"key":"b"}"#, true, 2),
        (r#"{"key":"a","capacity":"5","rate":5}"#, true, 4),
        ("{\"key\":\"\\u0061\"}", false, 0),
    ] {
        let answer = front.check(body);
        assert_eq!(
            (&answer["allowed"], &answer["remaining"]),
            (&json!(allowed), &json!(remaining)),
            "{body}"
        );
    }
}

#[test]
fn an_invalid_check_is_refused_with_its_reason() {
    let front = Front::start(&[]);
    let long_key = format!(r#"{{"key":"{}"}}"#, "k".repeat(1025));
    let long_body = format!(r#"{{"key":"k"{}}}"#, " ".repeat(4096));
    for (body, status, detail) in [
        ("", 400, "must be JSON"),
        ("{", 400, "must be JSON"),
        (r#"{"key":"k"} trailing"#, 400, "must be JSON"),
        (&"[".repeat(4000), 400, "must be JSON"),
        ("[]", 422, "JSON object"),
        ("{}", 422, "key must be"),
        (r#"{"key":""}"#, 422, "key must be"),
        (r#"{"key":5}"#, 422, "key must be"),
        (r#"{"key":null}"#, 422, "key must be"),
        (r#"{"key":"\ud800"}"#, 422, "key must be"),
        (&long_key, 422, "key must be"),
        (r#"{"key":"k","burst":1}"#, 422, "unknown field"),
        (r#"{"key":"k","key":"k"}"#, 422, "repeated"),
        (r#"{"key":"k","cost":-1}"#, 422, "cost must be"),
        (r#"{"key":"k","cost":"1e"}"#, 422, "cost must be 1 to 10 digits"),
        (r#"{"key":"k","cost":"+1"}"#, 422, "cost must be 1 to 10 digits"),
        (r#"{"key":"k","cost":"1_000"}"#, 422, "cost must be 1 to 10 digits"),
        (r#"{"key":"k","cost":1e10}"#, 422, "cost must be at least 0 and at most 1000000000"),
        (r#"{"key":"k","cost":"null"}"#, 422, "cost must be"),
        (r#"{"key":"k","capacity":1,"rate":null}"#, 422, "together"),
        (r#"{"key":"k","cost":18446744073709551616}"#, 422, "cost must be"),
        (r#"{"key":"k","capacity":1}"#, 422, "together"),
        (r#"{"key":"k","rate":1}"#, 422, "together"),
        (r#"{"key":"k","capacity":0,"rate":1}"#, 422, "capacity must be above 0"),
        (r#"{"key":"k","capacity":1,"rate":"1/w"}"#, 422, "rate must be 1 to 10 digits"),
        (r#"{"key":"k","capacity":1,"rate":1e-10}"#, 422, "rate must be at least 0.000000001"),
        (r#"{"key":"k","policy":"default","capacity":1,"rate":1}"#, 422, "policy"),
        (r#"{"key":"k","policy":7}"#, 422, "policy must be"),
        (r#"{"key":"k","policy":"other"}"#, 404, "policy"),
        (&long_body, 413, "4096"),
    ] {
        assert_refused(&front, "POST", "/check", body, status, detail);
    }
    assert_refused(&front, "GET", "/check", "", 422, "one of key and key_header");
    assert_refused(&front, "POST", "/health/live", "", 405, "method");
    assert_refused(&front, "GET", "/index.html", "", 404, "path");
    assert_refused(&front, "POST", "/check/", r#"{"key":"k"}"#, 404, "path");
    assert_refused(&front, "POST", "//check", r#"{"key":"k"}"#, 404, "path");

    // None of these took a token, and the front still answers.
    assert_eq!(front.check(r#"{"key":"k"}"#)["remaining"], 99);
}

#[test]
fn null_on_an_optional_field_is_absent() {
    let front = Front::start(&["--capacity", "9", "--rate", "1/d"]);
    let nulls = r#""policy":null,"cost":null,"capacity":null,"rate":null"#;
    for (path, remaining) in [("/check", 8), ("/peek", 8), ("/take", 7), ("/charge", 6)] {
        let answer = front.post(path, &format!(r#"{{"key":"k",{nulls}}}"#));
        assert_eq!((answer.status, &answer.body["remaining"]), (200, &json!(remaining)), "{path}");
    }
    let inline = r#"{"key":"i","policy":null,"cost":2,"capacity":5,"rate":"1/d"}"#;
    assert_eq!(front.check(inline)["remaining"], 3);
    let batch = front.post("/check/batch", &format!(r#"{{"checks":[{{"key":"b",{nulls}}}]}}"#));
    assert_eq!(batch.body["results"][0]["remaining"], 8, "{}", batch.body);
    let reset = front.post("/reset", r#"{"key":"k","policy":null,"cost":null}"#);
    assert_eq!(reset.body, json!({"reset": 1}));
}

#[test]
fn a_page_of_another_site_spends_nothing() {
    let front = Front::start(&[]);
    let own = format!("http://{}", front.address());
    let cross: [&[(&str, &str)]; 4] = [
        // A no-cors request of Chromium, to localhost and to an address without TLS.
        &[("Sec-Fetch-Site", "cross-site"), ("Origin", "http://evil.example")],
        &[("Origin", "http://evil.example")],
        &[("Sec-Fetch-Site", "same-site"), ("Origin", "http://localhost:3000")],
        &[("Origin", "null")],
    ];
    let (check, batch) = (r#"{"key":"k"}"#, r#"{"checks":[{"key":"k"}]}"#);
    for path in ["/check", "/check/batch", "/peek", "/take", "/refund", "/charge", "/reset"] {
        let body = if path == "/check/batch" { batch } else { check };
        for marks in cross {
            let headers = [marks, &[("Content-Type", "text/plain")][..]].concat();
            let answer = front.request("POST", path, &headers, body);
            assert_eq!(answer.status, 403, "{path} {marks:?}: {}", answer.body);
            assert_eq!(answer.content_type, "application/problem+json");
        }
    }
    assert_eq!(front.post("/peek", check).body["remaining"], 100);
    // The page that the front itself serves, and the form for proxies, which hand on what their
    // client sent.
    for (path, headers) in [
        ("/check", &[("Sec-Fetch-Site", "same-origin"), ("Origin", own.as_str())][..]),
        ("/check", &[("Origin", &own)]),
        ("/check?key=k", cross[0]),
    ] {
        let answer = front.request("POST", path, headers, check);
        assert_eq!(answer.status, 200, "{path} {headers:?}: {}", answer.body);
    }
    assert_eq!(front.post("/peek", check).body["remaining"], 97);
}

#[test]
fn the_root_leads_to_the_page() {
    let front = Front::start(&[]);
    let answer = front.raw(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let answer = String::from_utf8(answer).expect("UTF-8").to_lowercase();
    assert!(answer.starts_with("http/1.1 302 "), "{answer}");
    assert!(answer.contains("\r\nlocation: docs\r\n"), "{answer}");
}

#[test]
fn no_input_of_a_caller_is_echoed_or_logged() {
    let front = Front::start(&[]);
    for body in [r#"{"key":5,"n33dle":1}"#, r#"{"key":"n33dle","policy":"n33dle"}"#, "n33dle"] {
        let answer = front.post("/check", body);
        assert!(answer.status >= 400);
        assert!(!answer.body.to_string().contains("n33dle"), "{}", answer.body);
    }
    let answer = front.get("/n33dle?n33dle");
    assert!(!answer.body.to_string().contains("n33dle"), "{}", answer.body);
    assert!(!front.log().contains("n33dle"), "{}", front.log());
}

#[test]
fn odd_requests_do_no_harm() {
    let front = Front::start(&[]);
    for request in [
        &b"\r\n\r\n"[..],
        b"GARBAGE\r\n\r\n",
        b"POST /check HTTP/1.1\r\nConnection: close\r\nContent-Length: x\r\n\r\n",
        b"POST /check HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\
          Content-Length: 5\r\nContent-Length: 6\r\n\r\n{}{}{}",
        b"POST /check HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\
          Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /check HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\
          Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
    ] {
        let answer = front.raw(request);
        let text = String::from_utf8_lossy(&answer);
        assert!(!text.contains(" 500 "), "{text}");
        assert!(!text.contains(" 200 OK"), "{text}");
    }
    assert_eq!(front.check(r#"{"key":"k"}"#)["remaining"], 99);
}

#[test]
fn only_plain_json_is_read() {
    let front = Front::start(&[]);
    let gzip = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    let head = format!(
        "POST /check HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\
         Content-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
        gzip.len()
    );
    let answer = front.raw(&[head.as_bytes(), &gzip].concat());
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 415"), "{answer}");
    assert!(answer.contains("must not be compressed"), "{answer}");
    for (kind, status) in [
        ("application/json", 200),
        ("application/json; charset=utf-8", 200),
        ("application/x-www-form-urlencoded", 200),
        ("text/xml", 415),
        ("multipart/form-data; boundary=x", 415),
    ] {
        let answer = front.request("POST", "/check", &[("Content-Type", kind)], r#"{"key":"k"}"#);
        assert_eq!(answer.status, status, "{kind}");
    }
}

#[test]
fn slow_senders_are_disconnected() {
    let front = Front::start(&[]);
    for (part, text) in [
        ("a head", "POST /check HTTP/1.1\r\nHost: a\r\n"),
        ("a body", "POST /check HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n{\"key\""),
        (
            "chunks",
            "POST /check HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{\"\r\n",
        ),
    ] {
        let answer = front.raw(text.as_bytes());
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with("HTTP/1.1 408"), "{part}: {answer}");
    }
}
