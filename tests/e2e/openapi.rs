//! The description that the front serves of itself.

use rl_tests::Front;

fn text(front: &Front, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    String::from_utf8(front.raw(request.as_bytes())).expect("UTF-8")
}

#[test]
fn the_front_describes_itself() {
    let front = Front::start(&[]);
    let answer = front.get("/openapi.json");
    assert_eq!((answer.status, answer.content_type.as_str()), (200, "application/json"));
    assert!(answer.body["openapi"].as_str().is_some_and(|version| version.starts_with("3.1.")));
    let paths = answer.body["paths"].as_object().expect("paths");
    let described: Vec<_> = paths.keys().map(String::as_str).collect();
    assert_eq!(
        described,
        [
            "/admin/denied",
            "/charge",
            "/check",
            "/check/batch",
            "/docs",
            "/health/live",
            "/health/ready",
            "/metrics",
            "/openapi.json",
            "/peek",
            "/refund",
            "/reset",
            "/take",
        ]
    );
    for method in ["get", "head", "post"] {
        assert!(paths["/check"][method].is_object(), "{method}");
    }
}

#[test]
fn the_page_works_offline() {
    let front = Front::start(&[]);
    let page = text(&front, "/docs");
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n"), "{page:.200}");
    let (head, body) = page.split_once("\r\n\r\n").expect("a body");
    assert!(head.contains("content-type: text/html; charset=utf-8"), "{head}");
    assert!(head.contains("content-security-policy: default-src 'none';"), "{head}");
    assert!(body.contains("openapi.json"), "{body:.200}");
    // No address of another server, with or without a scheme: the page loads from its own.
    assert!(!body.contains("//"), "{body}");
}
