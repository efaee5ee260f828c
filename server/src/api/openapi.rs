//! `GET /openapi.json`, the description of the API, `GET /openapi-3.0.json`, the same in an older
//! version of the format, and `GET /docs`, a page that shows it.
//!
//! The description is generated from the handlers and their types, so it cannot become outdated.
//! Unit tests compare it with the routes, and `scripts/api-test` compares it with a running front.

mod v3_0;

use std::sync::LazyLock;

use actix_web::{
    HttpResponse,
    http::header::{
        CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY,
        X_CONTENT_TYPE_OPTIONS,
    },
    web::Bytes,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use utoipa::{
    Modify, OpenApi,
    openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
};

use super::{admin, batch, check, health, operations, proxy};

/// The description as the attributes of handlers and types give it.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "RL",
        description = include_str!("openapi/about.md"),
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    tags(
        (name = "Deciding", description = "May this key proceed now?"),
        (name = "Proxies", description = "The check for proxies: the status is the decision."),
        (
            name = "Settling",
            description = "For callers that know the cost only afterwards, and for operators.",
        ),
        (
            name = "Health",
            description = "Whether the front runs, and whether it should get traffic. \
                           No token is needed.",
        ),
        (
            name = "Operating",
            description = "For operators. With `--admin-listen`, served on that listener only.",
        ),
        (name = "Describing", description = "This documentation. No token is needed."),
    ),
    paths(
        check::check,
        batch::check,
        operations::peek,
        operations::take,
        proxy::check,
        operations::refund,
        operations::charge,
        operations::reset,
        health::live,
        health::ready,
        admin::metrics,
        admin::denied,
        document,
        document_3_0,
        page,
    ),
    servers((url = "/", description = "The front that serves this document")),
    modifiers(&BearerScheme),
    security((), ("bearer" = [])),
)]
struct Api;

/// Adds the security scheme of bearer tokens.
struct BearerScheme;

static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| Bytes::from(describe().to_string()));

static DOCUMENT_3_0: LazyLock<Bytes> =
    LazyLock::new(|| Bytes::from(v3_0::convert(describe()).to_string()));

const STYLE: &str = include_str!("openapi/docs.css");
const SCRIPT: &str = include_str!("openapi/docs.js");

/// The page, with its style and script inline.
static PAGE: LazyLock<String> = LazyLock::new(|| {
    let page = include_str!("openapi/docs.html").replace("{docs.css}", STYLE);
    page.replace("{docs.js}", SCRIPT)
});

/// The content security policy of the page: its own script and style, requests to its own server.
static PAGE_POLICY: LazyLock<String> = LazyLock::new(|| {
    format!(
        "default-src 'none'; script-src '{}'; style-src '{}'; img-src data:; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        hash_source(SCRIPT),
        hash_source(STYLE),
    )
});

/// The OpenAPI document
///
/// This documentation for tools: OpenAPI 3.1 as JSON.
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "openapi",
    tag = "Describing",
    security(()),
    responses((
        status = 200,
        description = "An OpenAPI document",
        body = Object,
        content_type = "application/json",
    )),
)]
pub(super) async fn document() -> HttpResponse {
    reply(&DOCUMENT)
}

/// The OpenAPI document, in OpenAPI 3.0
///
/// The same as `/openapi.json`, for tools that read OpenAPI 3.0 only.
#[utoipa::path(
    get,
    path = "/openapi-3.0.json",
    operation_id = "openapi_3_0",
    tag = "Describing",
    security(()),
    responses((
        status = 200,
        description = "An OpenAPI document",
        body = Object,
        content_type = "application/json",
    )),
)]
pub(super) async fn document_3_0() -> HttpResponse {
    reply(&DOCUMENT_3_0)
}

/// Leads to the documentation page, also behind a proxy that adds a prefix to all paths.
pub(super) async fn to_page() -> HttpResponse {
    HttpResponse::Found()
        .insert_header((LOCATION, "docs"))
        .insert_header((CONTENT_TYPE, "text/plain; charset=utf-8"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .body("See /docs\n")
}

/// The documentation page
///
/// To read and to try requests. It loads nothing from other servers.
#[utoipa::path(
    get,
    path = "/docs",
    operation_id = "docs",
    tag = "Describing",
    security(()),
    responses((status = 200, description = "A page", body = String, content_type = "text/html")),
)]
pub(super) async fn page() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((CONTENT_SECURITY_POLICY, PAGE_POLICY.as_str()))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((REFERRER_POLICY, "no-referrer"))
        .body(PAGE.as_str())
}

// === impl BearerScheme ===

impl Modify for BearerScheme {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(
            "Required if the front was started with `--tokens`. A token has a role, `check` or \
             `admin`, and may be valid only for keys with a prefix.",
        ));
        let components = api.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(scheme.build()));
    }
}

fn reply(document: &Bytes) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/json"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(document.clone())
}

/// The document, including the parts that attributes cannot express.
fn describe() -> Value {
    // Maps with text keys always serialize.
    let mut document = serde_json::to_value(Api::openapi()).unwrap_or_default();
    let schemas = &mut document["components"]["schemas"];
    let mut bucket = schemas["Check"].clone();
    bucket["description"] =
        "The key and the limits: those of a policy, or an inline limit of `capacity` and `rate`. \
         A field that is null is absent."
            .into();
    remove(&mut bucket["properties"], "cost");
    schemas["Bucket"] = bucket;
    for (_, operations) in document["paths"].as_object_mut().into_iter().flatten() {
        for (_, operation) in operations.as_object_mut().into_iter().flatten() {
            if let Some(body) = operation.get_mut("requestBody") {
                body["required"] = true.into();
            }
            for (_, response) in operation["responses"].as_object_mut().into_iter().flatten() {
                response["headers"]["X-Request-Id"] = json!({
                    "description": "The request's id, if it is 1 to 128 of `A-Z a-z 0-9 - _ .`",
                    "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,128}$"},
                });
            }
        }
        if let Some(get) = operations.get("get") {
            operations["head"] = head(get.clone());
        }
    }
    document
}

/// The `HEAD` of an endpoint's `GET`: the same operation without a response body.
fn head(mut operation: Value) -> Value {
    for (name, suffix) in [("operationId", "_head"), ("summary", " (without the body)")] {
        if let Value::String(text) = &mut operation[name] {
            text.push_str(suffix);
        }
    }
    for (_, response) in operation["responses"].as_object_mut().into_iter().flatten() {
        remove(response, "content");
    }
    operation
}

fn remove(object: &mut Value, member: &str) {
    if let Some(members) = object.as_object_mut() {
        members.remove(member);
    }
}

/// The hash source of an inline script or style: its SHA-256 in base64 (RFC 4648).
fn hash_source(text: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut source = "sha256-".to_owned();
    for chunk in Sha256::digest(text.as_bytes()).chunks(3) {
        let bytes = [0, 1, 2].map(|index| u32::from(chunk.get(index).copied().unwrap_or(0)));
        let bits = bytes[0] << 16 | bytes[1] << 8 | bytes[2];
        for index in 0..4 {
            let digit = char::from(ALPHABET[(bits >> (18 - 6 * index)) as usize & 63]);
            source.push(if index > chunk.len() { '=' } else { digit });
        }
    }
    source
}

#[cfg(test)]
mod tests;
