//! `GET` and `HEAD /check`: the form for proxies, which read only the status.
//!
//! Some proxies forward the client's own method and path. So a request with a query has this form
//! whatever its method, and `uri=` ends the query: what follows is the client's, and is ignored.

use std::{borrow::Cow, str};

use actix_web::{
    HttpRequest, HttpResponse,
    dev::RequestHead,
    guard::{Guard, fn_guard},
    http::{
        StatusCode,
        header::{AUTHORIZATION, COOKIE, HeaderName, PROXY_AUTHORIZATION},
    },
    web::Data,
};
use rl_bucket::Cost;
use utoipa::IntoParams;

use super::{
    auth::Caller,
    problem::Problem,
    reply,
    request::{is_key, limit_source},
    responses::ProxyResponses,
    rules, unknown_policy,
};
use crate::limiter::{CheckRequest, Limiter};

/// The parameters of a query, each at most once.
#[derive(Debug, Default, PartialEq, IntoParams)]
#[into_params(parameter_in = Query)]
struct Query<'a> {
    /// The owner of the bucket: 1 to 1024 bytes of UTF-8. Exactly one of this and `key_header` must
    /// be given. A space is `%20`: a `+` stays a `+`, so with a client that writes `+` for a space
    /// this key and that of a `POST` are two. Such clients use `key_header`. Under a policy with
    /// `key = "ip"` an IP address, whose IPv6 network is the owner.
    #[param(
        value_type = String,
        required = false,
        min_length = 1,
        max_length = 1024,
        example = "user:42",
    )]
    key: Option<Cow<'a, str>>,
    /// The name of a request header that holds the key and occurs once. `Authorization`, `Cookie`
    /// and `Proxy-Authorization` need a front with `--key-secret-file`.
    #[param(value_type = String, required = false, pattern = "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")]
    key_header: Option<Cow<'a, str>>,
    /// The policy's name; `default` if absent.
    #[param(value_type = String, required = false)]
    policy: Option<Cow<'a, str>>,
    /// The number of tokens, from 0 to 1000000000; 1 if absent.
    #[param(
        value_type = String,
        pattern = r"^[0-9]{1,10}(\.[0-9]+)?([eE][+-]?[0-9]+)?$",
        required = false,
    )]
    cost: Option<Cow<'a, str>>,
    /// Of an inline limit, together with `rate`: the most tokens the bucket holds, above 0 and at
    /// most 1000000000.
    #[param(
        value_type = String,
        pattern = r"^[0-9]{1,10}(\.[0-9]+)?([eE][+-]?[0-9]+)?$",
        required = false,
    )]
    capacity: Option<Cow<'a, str>>,
    /// Of an inline limit, together with `capacity`: the tokens the bucket gains, such as `10`,
    /// `10/s`, `100/m` or `1/30d`; 0.000000001 to 1000000000 a second.
    #[param(
        value_type = String,
        pattern = r"^[0-9]{1,10}(\.[0-9]+)?([eE][+-]?[0-9]+)?(/[0-9]{0,10}[smhd])?$",
        required = false,
    )]
    rate: Option<Cow<'a, str>>,
    /// The status of a denial: `403` for nginx `auth_request`; `429` if absent.
    #[param(value_type = String, required = false, pattern = "^(403|429)$")]
    deny_status: Option<Cow<'a, str>>,
}

/// Guards a route for requests with a query.
pub(super) fn query_guard() -> impl Guard {
    fn_guard(|request| is_query(request.head()))
}

/// Whether a request has a query.
pub(super) fn is_query(request: &RequestHead) -> bool {
    request.uri.query().is_some_and(|query| !query.is_empty())
}

/// Check a key, for proxies
///
/// The status is 200 to allow and 429, or `deny_status`, to deny. A request of any method with a
/// query is handled this way, since some proxies forward the client's own method. Values are
/// percent-encoded; a `+` is a literal `+`, and a space is `%20`.
#[utoipa::path(
    get,
    path = "/check",
    operation_id = "check_by_query",
    tag = "Proxies",
    params(
        Query,
        (
            "uri" = Option<String>,
            Query,
            description = "Ends the query: everything after it is ignored, so that a proxy may \
                           append the client's own path and query.",
        ),
    ),
    responses(ProxyResponses),
)]
pub(super) async fn check(
    limiter: Data<Limiter>,
    caller: Caller,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    respond(&limiter, &caller, &request).await
}

/// Performs the check in the query of `request`, and responds.
pub(super) async fn respond(
    limiter: &Limiter,
    caller: &Caller,
    request: &HttpRequest,
) -> Result<HttpResponse, Problem> {
    let query = Query::parse(request.query_string())?;
    if query.has_credentials_as_key() && !limiter.has_pseudonyms() {
        return Err(rules::CREDENTIALS);
    }
    let key = query.key(request)?;
    let (mut check, deny_status) = (query.check_request(key)?, query.deny_status()?);
    caller.authorize(&mut check)?;
    let result = match limiter.check(&check).await {
        Ok(result) => result,
        Err(error) => return unknown_policy::response(error, request, caller, &check),
    };
    let status = if result.is_allowed() { StatusCode::OK } else { deny_status };
    Ok(reply::respond(status, &result, None))
}

// === impl Query ===

impl<'a> Query<'a> {
    fn parse(text: &'a str) -> Result<Self, Problem> {
        let mut query = Self::default();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let slot = match name {
                "key" => &mut query.key,
                "key_header" => &mut query.key_header,
                "policy" => &mut query.policy,
                "cost" => &mut query.cost,
                "capacity" => &mut query.capacity,
                "rate" => &mut query.rate,
                "deny_status" => &mut query.deny_status,
                "uri" => break,
                _ => return Err(rules::UNKNOWN_PARAMETER),
            };
            if slot.replace(decode(value)?).is_some() {
                return Err(rules::REPEATED_PARAMETER);
            }
        }
        Ok(query)
    }

    fn key<'b>(&'b self, request: &'b HttpRequest) -> Result<Cow<'b, str>, Problem> {
        match (&self.key, &self.key_header) {
            (Some(key), None) if is_key(key) => Ok(Cow::Borrowed(key)),
            (Some(_), None) => Err(rules::KEY),
            (None, Some(name)) => {
                let key = header(request, name).filter(|key| is_key(key));
                key.map(Cow::Borrowed).ok_or(rules::KEY_HEADER)
            }
            _ => Err(rules::ONE_KEY),
        }
    }

    /// Whether the key is in a header of credentials, which would stand in Redis and in lists.
    fn has_credentials_as_key(&self) -> bool {
        self.key_header.as_deref().is_some_and(|name| {
            let names = [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION];
            names.iter().any(|credential| name.eq_ignore_ascii_case(credential.as_str()))
        })
    }

    fn check_request<'b>(&'b self, key: Cow<'b, str>) -> Result<CheckRequest<'b>, Problem> {
        let cost = match &self.cost {
            Some(cost) => Cost::parse(cost.as_bytes())?,
            None => Cost::ONE,
        };
        let policy = self.policy.as_deref().map(Cow::Borrowed);
        let source = limit_source(policy, self.capacity.as_deref(), self.rate.as_deref())?;
        Ok(CheckRequest { key, source, cost, prefix: None })
    }

    fn deny_status(&self) -> Result<StatusCode, Problem> {
        match self.deny_status.as_deref() {
            None | Some("429") => Ok(StatusCode::TOO_MANY_REQUESTS),
            Some("403") => Ok(StatusCode::FORBIDDEN),
            Some(_) => Err(rules::DENY_STATUS),
        }
    }
}

/// The value of a header that occurs once, if it is UTF-8.
///
/// Duplicates are rejected: one of them may come from the client, and which one wins depends on the
/// proxy.
fn header<'a>(request: &'a HttpRequest, name: &str) -> Option<&'a str> {
    let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
    let mut values = request.headers().get_all(name);
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    str::from_utf8(value.as_bytes()).ok()
}

/// Decodes percent-encoding. A `+` is not a space: it may be part of a key, and proxies do not
/// encode spaces that way.
fn decode(text: &str) -> Result<Cow<'_, str>, Problem> {
    if !text.contains('%') {
        return Ok(Cow::Borrowed(text));
    }
    let digit =
        |byte: Option<u8>| char::from(byte?).to_digit(16).and_then(|it| u8::try_from(it).ok());
    let (mut decoded, mut bytes) = (Vec::with_capacity(text.len()), text.bytes());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let high = digit(bytes.next()).ok_or(rules::ENCODING)?;
                high << 4 | digit(bytes.next()).ok_or(rules::ENCODING)?
            }
            byte => byte,
        });
    }
    String::from_utf8(decoded).map(Cow::Owned).map_err(|_| rules::ENCODING)
}

#[cfg(test)]
mod tests {
    use actix_web::{http::StatusCode, test::TestRequest};
    use rl_bucket::{Cost, Invalid, Limit, Rule};

    use super::{
        Problem, Query,
        rules::{
            DENY_STATUS, ENCODING, INCOMPLETE_LIMIT, KEY, KEY_HEADER, ONE_KEY, POLICY_AND_LIMIT,
            REPEATED_PARAMETER, UNKNOWN_PARAMETER,
        },
    };
    use crate::limiter::LimitSource;

    /// The key, cost, status of a denial, inline limit, and name of the policy.
    fn parse(query: &str) -> Result<(String, Cost, u16, Option<Limit>, String), Problem> {
        let request = TestRequest::default()
            .insert_header(("x-user", "anna"))
            .insert_header(("x-empty", ""))
            .append_header(("x-repeated", "anna"))
            .append_header(("x-repeated", "bert"))
            .insert_header(("x-latin", &b"\xe9"[..]))
            .to_http_request();
        let query = Query::parse(query)?;
        let key = query.key(&request)?;
        let check = query.check_request(key)?;
        let deny: StatusCode = query.deny_status()?;
        let (limit, policy) = match check.source {
            LimitSource::Inline(limit) => (Some(limit), String::new()),
            LimitSource::Policy(name) => (None, name.into_owned()),
        };
        Ok((check.key.into_owned(), check.cost, deny.as_u16(), limit, policy))
    }

    #[test]
    fn queries_become_check_requests() {
        let two = Cost::parse(b"2.5").unwrap();
        let named = |key: &str, cost, deny, policy: &str| {
            Ok((key.to_owned(), cost, deny, None, policy.to_owned()))
        };
        let limit = Limit::parse("10", "100/m").unwrap();
        for (query, expected) in [
            ("key=k", named("k", Cost::ONE, 429, "default")),
            ("&key=k&&", named("k", Cost::ONE, 429, "default")),
            ("cost=2.5&key=a%20b%C3%a9+c=d", named("a bé+c=d", two, 429, "default")),
            ("key_header=X-User&policy=api", named("anna", Cost::ONE, 429, "api")),
            ("key=k&deny_status=403", named("k", Cost::ONE, 403, "default")),
            ("key=k&uri=/a?key=b&policy=c&deny_status=1", named("k", Cost::ONE, 429, "default")),
            ("key=k&cost=25e-1", named("k", two, 429, "default")),
            ("key=k&cost=0.25e+1", named("k", two, 429, "default")),
            (
                "key=k&capacity=1E1&rate=100/m",
                Ok(("k".to_owned(), Cost::ONE, 429, Some(limit), String::new())),
            ),
        ] {
            assert_eq!(parse(query), expected, "{query}");
        }
    }

    #[test]
    fn invalid_queries_are_refused_by_their_rule() {
        let long = format!("key={}", "k".repeat(1025));
        for (query, problem) in [
            ("", ONE_KEY),
            ("policy=api", ONE_KEY),
            ("key=k&key_header=x-user", ONE_KEY),
            ("uri=/&key=k", ONE_KEY),
            ("key", KEY),
            ("key=", KEY),
            (&long, KEY),
            ("key_header=x-other", KEY_HEADER),
            ("key_header=x-empty", KEY_HEADER),
            ("key_header=x-repeated", KEY_HEADER),
            ("key_header=x-latin", KEY_HEADER),
            ("key_header=a%20b", KEY_HEADER),
            ("key=k&key=k", REPEATED_PARAMETER),
            ("key=k&burst=1", UNKNOWN_PARAMETER),
            ("key=k&Key=k", UNKNOWN_PARAMETER),
            ("key=%", ENCODING),
            ("key=%f", ENCODING),
            ("key=%+1", ENCODING),
            ("key=%ff", ENCODING),
            ("key=k&cost=1e10", Invalid::Cost(Rule::Bounds).into()),
            ("key=k&cost=", Invalid::Cost(Rule::Grammar).into()),
            ("key=k&cost=+1", Invalid::Cost(Rule::Grammar).into()),
            ("key=k&capacity=0&rate=1", Invalid::Capacity(Rule::Bounds).into()),
            ("key=k&capacity=1&rate=1/w", Invalid::Rate(Rule::Grammar).into()),
            ("key=k&capacity=1", INCOMPLETE_LIMIT),
            ("key=k&policy=a&rate=1", POLICY_AND_LIMIT),
            ("key=k&deny_status=500", DENY_STATUS),
            ("key=k&deny_status=", DENY_STATUS),
        ] {
            assert_eq!(parse(query), Err(problem), "{query}");
        }
    }
}
