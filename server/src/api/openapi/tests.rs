use std::collections::BTreeSet;

use serde_json::Value;

use super::{DOCUMENT, DOCUMENT_3_0, PAGE, PAGE_POLICY, SCRIPT, STYLE, hash_source};
use crate::api::{
    observe::ENDPOINTS,
    tests::{Server, status},
};

fn document() -> Value {
    serde_json::from_slice(&DOCUMENT).unwrap()
}

/// Every path, with its methods as `Allow` lists them.
fn paths() -> Vec<(String, String)> {
    let methods = |operations: &Value| {
        let methods: Vec<_> =
            operations.as_object().unwrap().keys().map(|it| it.to_uppercase()).collect();
        methods.join(", ")
    };
    let document = document();
    document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(path, it)| (path.clone(), methods(it)))
        .collect()
}

fn walk(value: &Value, visit: &mut impl FnMut(&str, &Value)) {
    match value {
        Value::Object(members) => members.iter().for_each(|(name, value)| {
            visit(name, value);
            walk(value, visit);
        }),
        Value::Array(items) => items.iter().for_each(|item| walk(item, visit)),
        _ => {}
    }
}

#[test]
fn every_route_is_described_and_no_other() {
    // Every string there that begins with a slash is the path of a route.
    let routed: BTreeSet<_> = include_str!("../mod.rs")
        .split('"')
        .skip(1)
        .step_by(2)
        .filter(|text| text.starts_with('/') && *text != "/") // which only leads to /docs
        .collect();
    let paths = paths();
    let described: BTreeSet<_> = paths.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(routed, described);
    assert_eq!(described.len(), 14);
}

#[test]
fn every_route_has_metrics_of_its_own() {
    let (other, metered) = ENDPOINTS.split_last().unwrap();
    assert_eq!(*other, "other");
    let metered: BTreeSet<_> = metered.iter().copied().collect();
    let paths = paths();
    let described: BTreeSet<_> = paths.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(metered, described);
    assert_eq!(metered.len(), ENDPOINTS.len() - 1);
}

#[actix_web::test]
async fn every_method_is_described_and_no_other() {
    let server = Server::new(status());
    for (path, methods) in paths() {
        let refused = server.send("BREW", &path, &[], "").await;
        assert_eq!(refused.status, 405, "{path}");
        assert!(refused.headers.contains(&format!("allow: {methods}\n")), "{path}: {refused:?}");
        for method in methods.split(", ") {
            let status = server.send(method, &path, &[], "").await.status;
            assert!(![404, 405].contains(&status), "{method} {path}: {status}");
        }
    }
}

#[test]
fn the_document_is_openapi_3_1() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    walk(&document, &mut |name, value| {
        if name == "$ref" {
            let pointer = value.as_str().unwrap().strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{pointer}");
        }
    });
    let tags: Vec<_> =
        document["tags"].as_array().unwrap().iter().map(|tag| &tag["name"]).collect();
    let mut ids = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let it = format!("{method} {path}");
            assert!(ids.insert(operation["operationId"].as_str().unwrap()), "{it}");
            assert!(tags.contains(&&operation["tags"][0]), "{it}");
            assert!(operation["summary"].is_string(), "{it}");
            for (status, response) in operation["responses"].as_object().unwrap() {
                assert!(response["description"].is_string(), "{it} {status}");
                assert_eq!(response.get("content").is_some(), method != "head", "{it} {status}");
            }
        }
    }
}

/// The values that are no object or array, each with the path to it.
fn leaves(value: &Value, path: &str, found: &mut BTreeSet<(String, String)>) {
    match value {
        Value::Object(members) => members
            .iter()
            .for_each(|(name, member)| leaves(member, &format!("{path}/{name}"), found)),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(index, item)| leaves(item, &format!("{path}/{index}"), found)),
        leaf => {
            found.insert((path.to_owned(), leaf.to_string()));
        }
    }
}

/// The form in OpenAPI 3.0 of a leaf of the document, unless it has none.
fn in_3_0((path, value): &(String, String)) -> Option<(String, String)> {
    let (parent, last) = path.rsplit_once('/').unwrap();
    let (path, value) = match (path.as_str(), last) {
        ("/openapi", _) => ("/openapi".to_owned(), r#""3.0.3""#),
        ("/info/license/identifier", _) => {
            ("/info/license/url".to_owned(), r#""https://spdx.org/licenses/""#)
        }
        (_, "0") if parent.ends_with("/type") => (parent.to_owned(), value.as_str()),
        (_, "1") if parent.ends_with("/type") => (parent.replace("/type", "/nullable"), "true"),
        (_, "0") if parent.ends_with("/examples") => {
            (parent.replace("/examples", "/example"), value.as_str())
        }
        _ if parent.ends_with("/examples") => return None,
        (_, "type") if value == r#""null""# => return None,
        (_, "description") if parent.contains("/BatchResult/oneOf/") => return None,
        _ => (path.clone(), value.as_str()),
    };
    Some((path, value.to_owned()))
}

#[test]
fn the_document_in_3_0_says_the_same() {
    let (mut newer, mut older) = (BTreeSet::new(), BTreeSet::new());
    leaves(&document(), "", &mut newer);
    leaves(&serde_json::from_slice(&DOCUMENT_3_0).unwrap(), "", &mut older);
    let expected: BTreeSet<_> = newer.iter().filter_map(in_3_0).collect();
    assert_eq!(older.difference(&expected).collect::<Vec<_>>(), Vec::<&_>::new());
    assert_eq!(expected.difference(&older).collect::<Vec<_>>(), Vec::<&_>::new());
    assert!(older.iter().any(|(path, _)| path.ends_with("/retry_after_ms/nullable")));
}

#[test]
fn parameters_and_fields_have_the_same_patterns() {
    let document = document();
    let properties = &document["components"]["schemas"]["Check"]["properties"];
    let parameters = document["paths"]["/check"]["get"]["parameters"].as_array().unwrap();
    for name in ["cost", "capacity", "rate"] {
        let parameter = parameters.iter().find(|it| it["name"] == name).unwrap();
        let pattern = &parameter["schema"]["pattern"];
        assert!(
            pattern.is_string() && properties[name]["oneOf"][1]["pattern"] == *pattern,
            "{name}"
        );
    }
}

#[actix_web::test]
async fn every_example_is_accepted() {
    let server = Server::new(status());
    let document = document();
    for (path, operations) in document["paths"].as_object().unwrap() {
        let Some(media) = operations["post"].pointer("/requestBody/content/application~1json")
        else {
            continue;
        };
        let named = media["examples"].as_object().into_iter().flatten().map(|(_, it)| &it["value"]);
        let examples: Vec<_> = media.get("example").into_iter().chain(named).collect();
        assert!(!examples.is_empty(), "{path}");
        for example in examples {
            server.post(path, &example.to_string()).await;
        }
    }
}

#[actix_web::test]
async fn the_page_loads_nothing_else() {
    let page = Server::new(status()).send("GET", "/docs", &[], "").await;
    assert_eq!((page.status, page.kind.as_str()), (200, "text/html; charset=utf-8"));
    assert!(
        page.headers.contains("content-security-policy: default-src 'none'; script-src 'sha256-")
    );
    for tag in ["<script>", "</script>", "<style>", "</style>"] {
        assert_eq!(PAGE.matches(tag).count(), 1, "{tag}");
    }
    // The hashes are those of the whole content of both tags.
    assert!(PAGE.contains(&format!("<style>{STYLE}</style>")));
    assert!(PAGE.contains(&format!("<script>{SCRIPT}</script>")));
    for forbidden in ["//", "src=", "@import", "url(", "style=", "onclick", "innerHTML", "eval("] {
        assert!(!PAGE.contains(forbidden), "{forbidden}");
    }
    assert!(!PAGE_POLICY.contains("unsafe"));
}

#[test]
fn hash_sources_match_known_values() {
    // printf abc | openssl dgst -sha256 -binary | base64
    for (text, hash) in [
        ("", "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="),
        ("abc", "sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="),
    ] {
        assert_eq!(hash_source(text), hash);
    }
}
