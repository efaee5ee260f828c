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
            "/openapi-3.0.json",
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
fn the_description_suits_generators_and_linters() {
    let front = Front::start(&[]);
    let document = front.get("/openapi.json").body;
    assert_eq!(document["servers"][0]["url"], "/");
    // Generators make a field with a default required, do not read exclusive bounds, or leave out
    // the fields that `not` names.
    let text = document.to_string();
    for keyword in ["default", "exclusiveMinimum", "not", "dependentRequired"] {
        assert!(!text.contains(&format!("\"{keyword}\":")), "{keyword}");
    }
    for (path, operations) in document["paths"].as_object().expect("paths") {
        for (method, operation) in operations.as_object().expect("operations") {
            assert!(operation["description"].is_string(), "{method} {path}");
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                assert!(parameter["description"].is_string(), "{method} {path}: {parameter}");
            }
        }
    }
    for (name, schema) in document["components"]["schemas"].as_object().expect("schemas") {
        let described = schema["description"].is_string() || schema["oneOf"].is_array();
        assert!(described, "{name}");
        for (field, schema) in schema["properties"].as_object().into_iter().flatten() {
            assert!(schema["description"].is_string(), "{name}.{field}");
        }
    }
    let parameters = document["paths"]["/check"]["get"]["parameters"].as_array().expect("a list");
    let key = parameters.iter().find(|it| it["name"] == "key").expect("the key");
    let text = key["description"].as_str().expect("a description");
    assert!(text.contains("`%20`") && text.contains("`key_header`"), "{text}");
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
