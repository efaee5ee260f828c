//! Access by token, and the endpoints for operators and platforms.

use std::sync::Arc;

use rl_store::StoreHealth;

use super::{POLICIES, Server, status};
use crate::status::Status;

#[actix_web::test]
async fn a_token_permits_what_its_role_and_prefix_cover() {
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
    let server = Server::with(status(), POLICIES, Some(&tokens));
    let (own, other) = (r#"{"key":"a:1"}"#, r#"{"key":"b:1"}"#);
    let inline = r#"{"key":"a:1","capacity":1,"rate":1}"#;
    for (token, method, path, body, status) in [
        ("", "POST", "/check", own, 401),
        ("Bearer", "POST", "/check", own, 401),
        ("Bearer ", "POST", "/check", own, 401),
        ("Bearer   ", "GET", "/admin/denied", "", 401),
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
        let response = server.send(method, path, &[("authorization", token)], body).await;
        assert_eq!(response.status, status, "{token} {method} {path} {body}: {response:?}");
        assert_eq!(response.headers.contains("www-authenticate"), status == 401);
    }
    // Of several headers none counts.
    for (first, second) in [("ops", "ops"), ("ops", "app"), ("app", "ops"), ("ops", "")] {
        let [first, second] = [first, second].map(|token| format!("Bearer {token}"));
        let headers = [("authorization", &*first), ("authorization", &*second)];
        for (method, path, body) in [("POST", "/check", own), ("GET", "/admin/denied", "")] {
            let response = server.send(method, path, &headers, body).await;
            assert_eq!(response.status, 401, "{first}, {second} {path}: {response:?}");
        }
    }
    let batch = format!(r#"{{"checks":[{own},{other}]}}"#);
    let response =
        server.send("POST", "/check/batch", &[("authorization", "Bearer tenant")], &batch).await;
    assert!(response.body.contains(r#""allowed":true"#), "{response:?}");
    assert!(response.body.contains(r#""status":403"#), "{response:?}");
}

/// With a prefix, a token must not reach the bucket of another by a key that is written otherwise.
#[actix_web::test]
async fn a_prefix_is_that_of_the_normalized_key() {
    use sha2::{Digest, Sha256};
    let policies = "[policies.default]\nkey = 'ip'\ncapacity = 100\nrate = 1\n\
                    [policies.text]\ncapacity = 100\nrate = 1";
    for (prefix, policy, key, status) in [
        ("10.", "default", "10.1.2.3", 200),
        ("10.", "default", "::ffff:10.1.2.3", 200),
        ("10.", "default", "::ffff:192.0.2.1", 403),
        ("10.", "default", "10.user", 422),
        ("::ffff:", "default", "::ffff:192.0.2.1", 403),
        ("2001:db8::", "default", "2001:DB8::1", 200),
        ("2001:db8::", "default", "2001:db8::5:0:0:0:1", 403),
        ("2001:DB8::", "default", "2001:DB8::1", 403),
        ("[2001:db8", "default", "[2001:db8::1]:80", 403),
        ("::ffff:", "text", "::ffff:192.0.2.1", 200),
        ("10.", "text", "::ffff:10.1.2.3", 403),
        ("10.", "unknown", "10.1.2.3", 404),
    ] {
        let hash: String =
            Sha256::digest("t0ken").iter().map(|byte| format!("{byte:02x}")).collect();
        let tokens = format!(
            "[[tokens]]\nname = 'x'\nsha256 = '{hash}'\nrole = 'admin'\nprefix = '{prefix}'"
        );
        let server = Server::with(self::status(), policies, Some(&tokens));
        let check = format!(r#"{{"key":"{key}","policy":"{policy}"}}"#);
        let (batch, bearer) =
            (format!(r#"{{"checks":[{check}]}}"#), [("authorization", "Bearer t0ken")]);
        for path in ["/check", "/peek", "/take", "/refund", "/charge", "/reset"] {
            let response = server.send("POST", path, &bearer, &check).await;
            assert_eq!(response.status, status, "{prefix} {path} {check}: {response:?}");
        }
        let query = format!("/check?key={key}&policy={policy}").replace('[', "%5B");
        assert_eq!(server.send("GET", &query, &bearer, "").await.status, status, "{query}");
        let response = server.send("POST", "/check/batch", &bearer, &batch).await;
        let expected = if status == 200 { "\"allowed\":true" } else { &format!(":{status},") };
        assert!(response.body.contains(expected), "{prefix} {batch}: {response:?}");
    }
}

#[actix_web::test]
async fn credentials_are_no_keys() {
    let server = Server::new(status());
    let headers = [
        ("authorization", "Bearer x"),
        ("cookie", "x=y"),
        ("proxy-authorization", "Basic x"),
        ("x-user", "anna"),
    ];
    for (name, expected) in [
        ("authorization", 422),
        ("Cookie", 422),
        ("Proxy-Authorization", 422),
        ("AUTHORIZATI%4fN", 422),
        ("x-user", 200),
    ] {
        let path = format!("/check?key_header={name}");
        let response = server.send("GET", &path, &headers, "").await;
        assert_eq!(response.status, expected, "{name}: {response:?}");
    }
}

#[actix_web::test]
async fn a_page_of_another_site_changes_nothing() {
    let server = Server::new(status());
    let (check, batch) = (r#"{"key":"k"}"#, r#"{"checks":[{"key":"k"}]}"#);
    for (path, body) in [
        ("/check", check),
        ("/routed/check", check),
        ("/check/batch", batch),
        ("/peek", check),
        ("/take", check),
        ("/refund", check),
        ("/charge", check),
        ("/reset", check),
    ] {
        for header in [("sec-fetch-site", "cross-site"), ("origin", "http://evil.example")] {
            let headers = [header, ("content-type", "text/plain")];
            let response = server.send("POST", path, &headers, body).await;
            assert_eq!(response.status, 403, "{path}: {response:?}");
            assert!(response.body.contains("another site"), "{response:?}");
        }
        let own = [("sec-fetch-site", "same-origin")];
        assert_eq!(server.send("POST", path, &own, body).await.status, 200, "{path}");
    }
    // A proxy hands on the headers of its client.
    let headers = [("sec-fetch-site", "cross-site"), ("origin", "http://app.example")];
    for method in ["GET", "POST"] {
        assert_eq!(server.send(method, "/check?key=k", &headers, "").await.status, 200);
    }
}

#[actix_web::test]
async fn encoded_paths_are_unknown() {
    let server = Server::new(status());
    for path in ["/%61dmin/denied", "/%6detrics", "/admin%2fdenied", "/%63heck", "/d%6Fcs", "/%2F"]
    {
        assert_eq!(server.send("GET", path, &[], "").await.status, 404, "{path}");
    }
    assert_eq!(server.send("POST", "/re%73et", &[], r#"{"key":"k"}"#).await.status, 404);
}

#[actix_web::test]
async fn denied_keys_are_listed_and_counted() {
    let server = Server::new(status());
    for _ in 0..3 {
        server.post("/check", r#"{"key":"k","policy":"shadow"}"#).await;
    }
    let denied = server.send("GET", "/admin/denied?top=1", &[], "").await;
    assert_eq!(denied.body, r#"{"denied":[{"policy":"shadow","key":"k","denied":2,"error":0}]}"#);
    let metrics = server.send("GET", "/metrics", &[], "").await.body;
    for line in [
        r#"rl_decisions_total{outcome="allowed",policy="shadow"} 1"#,
        r#"rl_decisions_total{outcome="would_deny",policy="shadow"} 2"#,
    ] {
        assert!(metrics.lines().any(|it| it == line), "{metrics}");
    }
}

#[actix_web::test]
async fn health_reports_the_status_of_the_front() {
    let draining = status();
    draining.drain();
    let ready =
        |text: &str| format!(r#"{{"status":{text},"generation":1,"policies":"fe25dd5db2b9d04c"}}"#);
    for (status, path, expected, body) in [
        (status(), "/health/live", 200, r#"{"status":"live"}"#.to_owned()),
        (status(), "/health/ready", 200, ready(r#""ready","engine":"memory","store":"up""#)),
        (
            Status::new(Arc::new(StoreHealth::redis(1))),
            "/health/ready",
            503,
            ready(r#""starting","engine":"unknown","store":"down""#),
        ),
        (draining, "/health/ready", 503, ready(r#""draining","engine":"memory","store":"up""#)),
    ] {
        let server = Server::new(status);
        let hash = server.shared.policies.get().hash().to_owned();
        let response = server.send("GET", path, &[], "").await;
        assert_eq!(response.status, expected);
        assert_eq!(response.body, body.replace("fe25dd5db2b9d04c", &hash));
    }
}

#[actix_web::test]
async fn near_names_are_told_to_callers_with_every_key() {
    use sha2::{Digest, Sha256};
    let entry = |token: &str, rest: &str| {
        let hash: String =
            Sha256::digest(token.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        format!("[[tokens]]\nname = 'x'\nsha256 = '{hash}'\n{rest}\n")
    };
    let tokens = entry("tenant", "role = 'admin'\nprefix = 'a:'") + &entry("ops", "role = 'admin'");
    let server = Server::with(status(), POLICIES, Some(&tokens));
    let body = r#"{"key":"a:1","policy":"shadwo"}"#;
    let far = r#"{"key":"a:1","policy":"other"}"#;
    let fixed = r#"{"title":"Not Found","status":404,"detail":"no policy has this name"}"#;
    let near = fixed.replace('}', r#","near":["shadow"]}"#);
    let query = "/check?key=a:1&policy=shadwo";
    for (method, path) in [
        ("POST", "/check"),
        ("POST", "/peek"),
        ("POST", "/take"),
        ("POST", "/refund"),
        ("POST", "/charge"),
        ("POST", "/reset"),
        ("GET", query),
    ] {
        for (token, body, expected) in [
            ("ops", body, &*near),
            ("ops", far, if method == "GET" { &*near } else { fixed }),
            ("tenant", body, fixed),
        ] {
            let token = format!("Bearer {token}");
            let response = server.send(method, path, &[("authorization", &token)], body).await;
            let found = (response.status, &*response.kind, &*response.body);
            assert_eq!(found, (404, "application/problem+json", expected), "{token} {path}");
        }
    }
    // Without tokens callers may do everything. A batch would multiply the work.
    let server = Server::with(status(), POLICIES, None);
    assert_eq!(server.send("POST", "/check", &[], body).await.body, near);
    let batch =
        server.send("POST", "/check/batch", &[], &format!(r#"{{"checks":[{body}]}}"#)).await;
    assert!(batch.body.contains(fixed), "{batch:?}");
}
