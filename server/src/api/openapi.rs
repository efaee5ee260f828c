//! `GET /openapi.json`, which describes all of this, and `GET /docs`, which shows it.
//!
//! The description is put together from the handlers and the types that they give and take, so it cannot
//! fall behind them. Its tests hold it against the routes; `scripts/api-test` against a running server.

mod numbers;
mod responses;

use std::sync::LazyLock;

use actix_web::{
    HttpResponse,
    http::header::{
        CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY,
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

pub(super) use self::{
    numbers::{amount, capacity, rate},
    responses::{AskedByProxy, AskedOne, Batched, Changed, Decided, Listed},
};
use super::{admin, batch, check, health, operations, proxy};

/// What the attributes of handlers and types add up to.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "RL",
        description = include_str!("openapi/about.md"),
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    tags(
        (name = "Deciding", description = "May this key go on now?"),
        (name = "Proxies", description = "The same question, asked by a proxy: the status is the answer."),
        (name = "Settling", description = "For callers who know more afterwards, and for operators."),
        (name = "Health", description = "Whether the server lives, and whether to send it requests. No token is needed."),
        (
            name = "Operating",
            description = "What operators look at. With `--admin-listen` it is on that listener, and only there.",
        ),
        (name = "Describing", description = "What you are reading. No token is needed."),
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
        page,
    ),
    modifiers(&Bearer),
    security((), ("bearer" = [])),
)]
struct Api;

/// Tokens, where the server has `--tokens`.
struct Bearer;

static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| Bytes::from(describe().to_string()));

const PAGE: &str = include_str!("docs.html");

/// Nothing but what the page holds, and the server that it came from.
static PAGE_POLICY: LazyLock<String> = LazyLock::new(|| {
    format!(
        "default-src 'none'; script-src '{}'; style-src '{}'; img-src data:; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        integrity(between(PAGE, "<script>", "</script>")),
        integrity(between(PAGE, "<style>", "</style>")),
    )
});

/// This description, for tools
///
/// OpenAPI 3.1, as JSON.
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
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/json"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(DOCUMENT.clone())
}

/// This description, to read and to try out
///
/// One page that loads nothing from anywhere else.
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
        .body(PAGE)
}

// === impl Bearer ===

impl Modify for Bearer {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(
            "Needed if the server has `--tokens`. A token has a role, `check` or `admin`, and may be bound to \
             keys that begin with a prefix.",
        ));
        let components = api.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(scheme.build()));
    }
}

/// The document, with what the attributes cannot say.
fn describe() -> Value {
    // Texts, numbers and maps of them: it is always JSON.
    let mut document = serde_json::to_value(Api::openapi()).unwrap_or_default();
    let schemas = &mut document["components"]["schemas"];
    schemas["Check"]["dependentRequired"] = json!({"capacity": ["rate"], "rate": ["capacity"]});
    schemas["Check"]["not"] = json!({"required": ["policy", "capacity"]});
    let mut bucket = schemas["Check"].clone();
    bucket["description"] = "Whose buckets, under which limits.".into();
    remove(&mut bucket["properties"], "cost");
    schemas["Bucket"] = bucket;
    for (_, operations) in document["paths"].as_object_mut().into_iter().flatten() {
        for (_, operation) in operations.as_object_mut().into_iter().flatten() {
            if let Some(body) = operation.get_mut("requestBody") {
                body["required"] = true.into();
            }
            for (_, response) in operation["responses"].as_object_mut().into_iter().flatten() {
                response["headers"]["X-Request-Id"] = json!({
                    "description": "That of the request, if it is 1 to 128 of `A-Z a-z 0-9 - _ .`",
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

/// Whatever takes GET takes HEAD, and answers it without a body.
fn head(mut operation: Value) -> Value {
    for (name, affix) in [("operationId", "_head"), ("summary", " (without the body)")] {
        if let Value::String(text) = &mut operation[name] {
            text.push_str(affix);
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

fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let after = text.split_once(start).map_or("", |(_, after)| after);
    after.split_once(end).map_or("", |(inner, _)| inner)
}

/// What a policy names an inline script or style by: its SHA-256 in base64 (RFC 4648).
fn integrity(text: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut name = "sha256-".to_owned();
    for chunk in Sha256::digest(text.as_bytes()).chunks(3) {
        let bytes = [0, 1, 2].map(|at| u32::from(chunk.get(at).copied().unwrap_or(0)));
        let bits = bytes[0] << 16 | bytes[1] << 8 | bytes[2];
        for at in 0..4 {
            let digit = char::from(ALPHABET[(bits >> (18 - 6 * at)) as usize & 63]);
            name.push(if at > chunk.len() { '=' } else { digit });
        }
    }
    name
}

#[cfg(test)]
mod tests;
