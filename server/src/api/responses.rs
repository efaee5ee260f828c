//! Descriptions of responses, shared by the handlers. Error responses are given as [`Problem`]s,
//! from which their status, headers and text are taken.

use std::collections::BTreeMap;

use actix_web::ResponseError;
use rl_bucket::{Invalid, Rule};
use serde_json::{Value, json};
use utoipa::{
    IntoResponses,
    openapi::{
        Content, ContentBuilder, Header, Ref, RefOr, Response,
        schema::{ObjectBuilder, Type},
    },
};

use super::{problem::Problem, rules};

type Responses = BTreeMap<String, RefOr<Response>>;

/// A decision, with its headers.
pub(super) struct DecisionResponse;

/// Problems of a check, peek or take.
pub(super) struct CheckProblems;

/// Problems of a whole batch.
pub(super) struct BatchProblems;

/// Problems of a change, which also needs the store.
pub(super) struct ChangeProblems;

/// All responses to a proxy.
pub(super) struct ProxyResponses;

/// Problems of a list for operators.
pub(super) struct AdminProblems;

const BODY: [Problem; 5] = [
    Problem::CrossSite,
    Problem::Malformed,
    Problem::BodyTimeout,
    Problem::Compressed,
    Problem::MediaType,
];

const ACCESS: [Problem; 4] =
    [Problem::Unauthorized, Problem::MissingRole, Problem::OutsidePrefix, Problem::InlineOff];

const FIELDS: [Problem; 10] = [
    rules::KEY,
    Problem::NotAnAddress,
    rules::INCOMPLETE_LIMIT,
    rules::POLICY_AND_LIMIT,
    Problem::Invalid(Invalid::Cost(Rule::Grammar).text()),
    Problem::Invalid(Invalid::Cost(Rule::Bounds).text()),
    Problem::Invalid(Invalid::Capacity(Rule::Grammar).text()),
    Problem::Invalid(Invalid::Capacity(Rule::Bounds).text()),
    Problem::Invalid(Invalid::Rate(Rule::Grammar).text()),
    Problem::Invalid(Invalid::Rate(Rule::Bounds).text()),
];

const STORE: [Problem; 2] = [Problem::StoreUnavailable, Problem::OutcomeUnknown];

impl IntoResponses for DecisionResponse {
    fn responses() -> Responses {
        let description =
            "A decision, allow or deny: see `allowed`. The headers describe each limit by name.";
        let never = json!({
            "allowed": false,
            "limit": 100,
            "remaining": 100,
            "retry_after_ms": null,
            "reset_after_ms": 0,
        });
        let examples = [allowed(), denied(), ("Never", never)];
        BTreeMap::from([("200".to_owned(), decision(description, examples).into())])
    }
}

impl IntoResponses for CheckProblems {
    fn responses() -> Responses {
        problems(
            BODY.into_iter()
                .chain(ACCESS)
                .chain(FIELDS)
                .chain([Problem::BodyTooLarge, Problem::UnknownPolicy]),
        )
    }
}

impl IntoResponses for BatchProblems {
    fn responses() -> Responses {
        problems(BODY.into_iter().chain([
            Problem::Unauthorized,
            Problem::BatchTooLarge,
            rules::NOT_A_BATCH,
        ]))
    }
}

impl IntoResponses for ChangeProblems {
    fn responses() -> Responses {
        let mut responses = CheckProblems::responses();
        responses.extend(problems(STORE));
        responses
    }
}

impl IntoResponses for ProxyResponses {
    fn responses() -> Responses {
        let mut responses = problems(ACCESS.into_iter().chain(FIELDS).chain([
            rules::ONE_KEY,
            rules::KEY_HEADER,
            rules::CREDENTIALS,
            rules::DENY_STATUS,
            Problem::UnknownPolicy,
        ]));
        let mut forbidden = decision(
            "Denied, with `deny_status=403`; or a problem, as the content type tells",
            [denied()],
        );
        if let Some(RefOr::T(problem)) = responses.remove("403") {
            forbidden.content.extend(problem.content);
        }
        responses.extend([
            ("200".to_owned(), decision("Allowed", [allowed()]).into()),
            ("403".to_owned(), forbidden.into()),
            ("429".to_owned(), decision("Denied", [denied()]).into()),
        ]);
        responses
    }
}

impl IntoResponses for AdminProblems {
    fn responses() -> Responses {
        problems([Problem::Unauthorized, Problem::MissingRole, Problem::OutsidePrefix, rules::TOP])
    }
}

fn allowed() -> (&'static str, Value) {
    let decision = json!({
        "allowed": true,
        "limit": 100,
        "remaining": 99,
        "retry_after_ms": 0,
        "reset_after_ms": 600,
    });
    ("Allowed", decision)
}

fn denied() -> (&'static str, Value) {
    let decision = json!({
        "allowed": false,
        "limit": 100,
        "remaining": 0,
        "retry_after_ms": 590,
        "reset_after_ms": 59990,
    });
    ("Denied", decision)
}

fn decision<const N: usize>(description: &str, examples: [(&str, Value); N]) -> Response {
    let mut response = Response::new(description);
    response.content.insert("application/json".to_owned(), content("Decision", examples).into());
    for (name, description, example) in [
        (
            "RateLimit-Policy",
            "Each limit by name: its quota `q` in tokens, and its window `w`, the seconds in which \
             an empty bucket fills (draft-ietf-httpapi-ratelimit-headers-11)",
            r#""default";q=100;w=60"#,
        ),
        (
            "RateLimit",
            "Each limit by name: the remaining tokens `r`, and the seconds `t` until the bucket is \
             full or, if the limit denies, until it allows",
            r#""default";r=99;t=1"#,
        ),
    ] {
        response.headers.insert(name.to_owned(), text_header(description, example).into());
    }
    response.headers.insert(
        "Retry-After".to_owned(),
        seconds_header("If denied, and a wait helps: the wait in seconds, rounded up").into(),
    );
    response
}

/// Error responses by status, with each text as an example.
fn problems(problems: impl IntoIterator<Item = Problem>) -> Responses {
    let mut by_status: BTreeMap<String, (Response, Vec<Value>)> = BTreeMap::new();
    for problem in problems {
        let Ok(details) = serde_json::to_value(problem.details()) else { continue };
        let title = details["title"].as_str().unwrap_or_default();
        let (response, examples) = by_status
            .entry(problem.status_code().as_str().to_owned())
            .or_insert_with(|| (Response::new(title), Vec::new()));
        for name in problem.error_response().headers().keys() {
            let header = match name.as_str() {
                "www-authenticate" => {
                    ("WWW-Authenticate", text_header("The scheme to use", "Bearer"))
                }
                "retry-after" => ("Retry-After", seconds_header("Seconds to wait before a retry")),
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
            let named =
                examples.map(|(index, details)| (format!("Problem {}", index + 1), details));
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

fn text_header(description: &str, example: &str) -> Header {
    let mut header = Header::default();
    header.description = Some(description.to_owned());
    header.example = Some(example.into());
    header
}

fn seconds_header(description: &str) -> Header {
    let whole = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).build();
    let mut header = Header::new(whole);
    header.description = Some(description.to_owned());
    header
}
