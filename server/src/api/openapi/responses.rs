//! What the paths may answer. Refusals are listed as the [`Problem`]s that they are: status, headers and
//! text come from those.

use std::collections::BTreeMap;

use actix_web::ResponseError;
use rl_bucket::Invalid;
use serde_json::{Value, json};
use utoipa::{
    IntoResponses,
    openapi::{
        Content, ContentBuilder, Header, Ref, RefOr, Response,
        schema::{ObjectBuilder, Type},
    },
};

use crate::api::{Problem, admin, batch, proxy, request};

type Responses = BTreeMap<String, RefOr<Response>>;

/// A decision, and what it says in headers.
pub(in crate::api) struct Decided;

/// Refusals of one question.
pub(in crate::api) struct AskedOne;

/// Refusals of a batch.
pub(in crate::api) struct Batched;

/// Refusals of a change, which is not made while the store is away.
pub(in crate::api) struct Changed;

/// What a proxy is told.
pub(in crate::api) struct AskedByProxy;

/// Refusals of a list for operators.
pub(in crate::api) struct Listed;

const BODY: [Problem; 4] =
    [Problem::Malformed, Problem::SlowBody, Problem::Encoding, Problem::MediaType];

const ACCESS: [Problem; 4] =
    [Problem::Unauthorized, Problem::Role, Problem::Prefix, Problem::InlineOff];

const FIELDS: [Problem; 6] = [
    request::KEY,
    request::HALF,
    request::BOTH,
    Problem::Invalid(Invalid::Cost.text()),
    Problem::Invalid(Invalid::Capacity.text()),
    Problem::Invalid(Invalid::Rate.text()),
];

const STORE: [Problem; 2] = [Problem::NotDone, Problem::Unknown];

impl IntoResponses for Decided {
    fn responses() -> Responses {
        let description =
            "A decision: `allowed` says which. So do the headers, each limit by its name.";
        let never = json!({
            "allowed": false, "limit": 100, "remaining": 100, "retry_after_ms": null, "reset_after_ms": 0,
        });
        let examples = [allowed(), denied(), ("Never", never)];
        one("200", decision(description, examples))
    }
}

impl IntoResponses for AskedOne {
    fn responses() -> Responses {
        refusals(
            BODY.into_iter()
                .chain(ACCESS)
                .chain(FIELDS)
                .chain([Problem::TooLarge, Problem::UnknownPolicy]),
        )
    }
}

impl IntoResponses for Batched {
    fn responses() -> Responses {
        refusals(BODY.into_iter().chain([
            Problem::Unauthorized,
            Problem::BatchTooLarge,
            batch::NOT_A_BATCH,
        ]))
    }
}

impl IntoResponses for Changed {
    fn responses() -> Responses {
        let mut responses = AskedOne::responses();
        responses.extend(refusals(STORE));
        responses
    }
}

impl IntoResponses for AskedByProxy {
    fn responses() -> Responses {
        let mut responses = refusals(ACCESS.into_iter().chain(FIELDS).chain([
            proxy::ONE_KEY,
            proxy::DENY_STATUS,
            Problem::UnknownPolicy,
        ]));
        let mut forbidden = decision(
            "Denied, if `deny_status=403` was given; or a problem, by its content type",
            [denied()],
        );
        if let Some(RefOr::T(problems)) = responses.remove("403") {
            forbidden.content.extend(problems.content);
        }
        responses.extend([
            ("200".to_owned(), decision("Allowed", [allowed()]).into()),
            ("403".to_owned(), forbidden.into()),
            ("429".to_owned(), decision("Denied", [denied()]).into()),
        ]);
        responses
    }
}

impl IntoResponses for Listed {
    fn responses() -> Responses {
        refusals([Problem::Unauthorized, Problem::Role, Problem::Prefix, admin::TOP])
    }
}

fn allowed() -> (&'static str, Value) {
    let decision = json!({
        "allowed": true, "limit": 100, "remaining": 99, "retry_after_ms": 0, "reset_after_ms": 600,
    });
    ("Allowed", decision)
}

fn denied() -> (&'static str, Value) {
    let decision = json!({
        "allowed": false, "limit": 100, "remaining": 0, "retry_after_ms": 590, "reset_after_ms": 59990,
    });
    ("Denied", decision)
}

fn one(status: &str, response: Response) -> Responses {
    BTreeMap::from([(status.to_owned(), response.into())])
}

fn decision<const N: usize>(description: &str, examples: [(&str, Value); N]) -> Response {
    let mut response = Response::new(description);
    response.content.insert("application/json".to_owned(), content("Decision", examples).into());
    for (name, description, example) in [
        (
            "RateLimit-Policy",
            "Each limit by its name: the quota `q`, in tokens, and the window `w`, the seconds in which an empty bucket \
             fills (draft-ietf-httpapi-ratelimit-headers-11)",
            r#""default";q=100;w=60"#,
        ),
        (
            "RateLimit",
            "Each limit by its name: `r` tokens remain; in `t` seconds there are enough, or, if there are now, the bucket \
             is full",
            r#""default";r=99;t=1"#,
        ),
    ] {
        response.headers.insert(name.to_owned(), text(description, example).into());
    }
    response.headers.insert(
        "Retry-After".to_owned(),
        seconds("If denied and not for ever: after how many seconds, rounded up").into(),
    );
    response
}

/// Responses by status, each text an example.
fn refusals(problems: impl IntoIterator<Item = Problem>) -> Responses {
    let mut by_status: BTreeMap<String, (Response, Vec<Value>)> = BTreeMap::new();
    for problem in problems {
        let Ok(details) = serde_json::to_value(problem.details()) else { continue };
        let title = details["title"].as_str().unwrap_or_default();
        let (response, examples) = by_status
            .entry(problem.status_code().as_str().to_owned())
            .or_insert_with(|| (Response::new(title), Vec::new()));
        for name in problem.error_response().headers().keys() {
            let header = match name.as_str() {
                "www-authenticate" => ("WWW-Authenticate", text("The scheme to use", "Bearer")),
                "retry-after" => ("Retry-After", seconds("After how many seconds to ask again")),
                _ => continue,
            };
            response.headers.insert(header.0.to_owned(), header.1.into());
        }
        examples.push(details);
    }
    by_status
        .into_iter()
        .map(|(status, (mut response, examples))| {
            let examples = examples.into_iter().enumerate();
            let named = examples.map(|(at, details)| (format!("Problem {}", at + 1), details));
            response
                .content
                .insert("application/problem+json".to_owned(), content("Problem", named).into());
            (status, response.into())
        })
        .collect()
}

fn content(
    schema: &str,
    examples: impl IntoIterator<Item = (impl Into<String>, Value)>,
) -> Content {
    let examples = examples.into_iter().map(|(name, value)| {
        (name.into(), utoipa::openapi::example::ExampleBuilder::new().value(Some(value)).build())
    });
    ContentBuilder::new()
        .schema(Some(Ref::from_schema_name(schema)))
        .examples_from_iter(examples)
        .build()
}

fn text(description: &str, example: &str) -> Header {
    let mut header = Header::default();
    header.description = Some(description.to_owned());
    header.example = Some(example.into());
    header
}

fn seconds(description: &str) -> Header {
    let whole = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).build();
    let mut header = Header::new(whole);
    header.description = Some(description.to_owned());
    header
}
