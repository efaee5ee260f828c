//! `GET` and `HEAD /check`: the form for proxies, which read nothing but the status.
//!
//! Some proxies send the caller's own method and path along. So a query makes it this form whatever
//! the method, and `uri=` ends it: what follows is the caller's, and says nothing here.

use std::{borrow::Cow, str};

use actix_web::{
    HttpRequest, HttpResponse,
    dev::RequestHead,
    guard::{Guard, fn_guard},
    http::{StatusCode, header::HeaderName},
    web::Data,
};
use rl_bucket::{Capacity, Cost, Limit, Rate};
use utoipa::IntoParams;

use super::{
    Problem,
    openapi::AskedByProxy,
    reply::respond,
    request::{BOTH, HALF, KEY},
};
use crate::{
    access::Grant,
    limiter::{CheckRequest, LimitSource, Limiter},
};
use rl_store::{MAX_KEY, bucket_key::DEFAULT_POLICY};

/// The parameters of a query, each at most once.
#[derive(Debug, Default, PartialEq, IntoParams)]
#[into_params(parameter_in = Query)]
struct Query<'a> {
    /// Whose bucket: 1 to 1024 bytes of UTF-8. Either this or `key_header` must be given.
    #[param(value_type = String, required = false, min_length = 1, max_length = 1024, example = "user:42")]
    key: Option<Cow<'a, str>>,
    /// The header of the request that holds the key.
    #[param(value_type = String, required = false, pattern = "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")]
    key_header: Option<Cow<'a, str>>,
    /// The name of a policy; `default` if absent.
    #[param(value_type = String, required = false)]
    policy: Option<Cow<'a, str>>,
    /// Tokens to take, a plain decimal of 0 to 1000000000; 1 if absent.
    #[param(value_type = String, pattern = r"^(0?[0-9]{1,9}(\.[0-9]{1,9})?|1000000000(\.0{1,9})?)$", required = false)]
    cost: Option<Cow<'a, str>>,
    /// A limit in place of a policy: tokens that the bucket holds, above 0 and at most 1000000000. Along with `rate`.
    #[param(value_type = String, pattern = r"^(0?[0-9]{1,9}(\.[0-9]{1,9})?|1000000000(\.0{1,9})?)$", required = false)]
    capacity: Option<Cow<'a, str>>,
    /// And tokens that it gains, such as `10`, `10/s`, `100/m`, `5/10s`: 0.000001 to 1000000000 a second.
    #[param(value_type = String, pattern = r"^[0-9]{1,10}(\.[0-9]{1,9})?(/[0-9]{0,10}[smhd])?$", required = false)]
    rate: Option<Cow<'a, str>>,
    /// The status of a denial: `403` for nginx `auth_request`; `429` if absent.
    #[param(value_type = String, required = false, pattern = "^(403|429)$")]
    deny_status: Option<Cow<'a, str>>,
}

const UNKNOWN: Problem = Problem::Invalid(
    "unknown parameter: there are key, key_header, policy, cost, capacity, rate, deny_status and uri",
);
const TWICE: Problem = Problem::Invalid("a parameter must not be given twice");
const ENCODING: Problem = Problem::Invalid("parameters must be percent-encoded UTF-8");
pub(super) const ONE_KEY: Problem =
    Problem::Invalid("key or key_header must be given, and not both");
const KEY_HEADER: Problem = Problem::Invalid(
    "key_header must name a header that is there once and holds 1 to 1024 bytes of UTF-8",
);
pub(super) const DENY_STATUS: Problem = Problem::Invalid("deny_status must be 403 or 429");

/// Whether a request has a query.
pub(super) fn has_query() -> impl Guard {
    fn_guard(|request| is_query(request.head()))
}

/// Whether a request has a query.
pub(super) fn is_query(request: &RequestHead) -> bool {
    request.uri.query().is_some_and(|query| !query.is_empty())
}

/// May this request go on?
///
/// 200 for yes, 429 or `deny_status` for no. Any method with a query is answered so, since some proxies send the
/// caller's own. Values are percent-encoded; `+` is itself.
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
            description = "Ends the query: this and all that follows is the caller's own, and is not read.",
        ),
    ),
    responses(AskedByProxy),
)]
pub(super) async fn check(
    limiter: Data<Limiter>,
    grant: Grant,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    decide(&limiter, &grant, &request).await
}

/// The same, however the request came here.
pub(super) async fn decide(
    limiter: &Limiter,
    grant: &Grant,
    request: &HttpRequest,
) -> Result<HttpResponse, Problem> {
    let query = Query::parse(request.query_string())?;
    let key = query.key(request)?;
    let (question, deny_status) = (query.question(key)?, query.deny_status()?);
    grant.allows(&question)?;
    let answer = limiter.check(&question).await?;
    let status = if answer.is_allowed() { StatusCode::OK } else { deny_status };
    Ok(respond(status, &answer, None))
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
                _ => return Err(UNKNOWN),
            };
            if slot.replace(decode(value)?).is_some() {
                return Err(TWICE);
            }
        }
        Ok(query)
    }

    fn key<'b>(&'b self, request: &'b HttpRequest) -> Result<Cow<'b, str>, Problem> {
        match (&self.key, &self.key_header) {
            (Some(key), None) if (1..=MAX_KEY).contains(&key.len()) => Ok(Cow::Borrowed(key)),
            (Some(_), None) => Err(KEY),
            (None, Some(name)) => {
                let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| KEY_HEADER)?;
                let mut values = request.headers().get_all(name);
                // Of two one may be the client's, and which one depends on the proxy.
                let (Some(value), None) = (values.next(), values.next()) else {
                    return Err(KEY_HEADER);
                };
                let key = str::from_utf8(value.as_bytes()).map_err(|_| KEY_HEADER)?;
                if (1..=MAX_KEY).contains(&key.len()) {
                    Ok(Cow::Borrowed(key))
                } else {
                    Err(KEY_HEADER)
                }
            }
            _ => Err(ONE_KEY),
        }
    }

    fn question<'b>(&'b self, key: Cow<'b, str>) -> Result<CheckRequest<'b>, Problem> {
        let cost = match &self.cost {
            Some(cost) => Cost::parse(cost.as_bytes())?,
            None => Cost::ONE,
        };
        let policy = match (&self.policy, &self.capacity, &self.rate) {
            (policy, None, None) => {
                LimitSource::Named(policy.as_deref().unwrap_or(DEFAULT_POLICY).into())
            }
            (None, Some(capacity), Some(rate)) => LimitSource::Inline(Limit::new(
                Capacity::parse(capacity.as_bytes())?,
                Rate::parse(rate.as_bytes())?,
            )),
            (Some(_), _, _) => return Err(BOTH),
            (None, _, _) => return Err(HALF),
        };
        Ok(CheckRequest { key, policy, cost })
    }

    fn deny_status(&self) -> Result<StatusCode, Problem> {
        match self.deny_status.as_deref() {
            None | Some("429") => Ok(StatusCode::TOO_MANY_REQUESTS),
            Some("403") => Ok(StatusCode::FORBIDDEN),
            Some(_) => Err(DENY_STATUS),
        }
    }
}

/// Percent-decodes. `+` is itself: it may be part of a key, and proxies do not write spaces so.
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
                let high = digit(bytes.next()).ok_or(ENCODING)?;
                high << 4 | digit(bytes.next()).ok_or(ENCODING)?
            }
            byte => byte,
        });
    }
    String::from_utf8(decoded).map(Cow::Owned).map_err(|_| ENCODING)
}

#[cfg(test)]
mod tests {
    use actix_web::{http::StatusCode, test::TestRequest};
    use rl_bucket::{Cost, Invalid, Limit};

    use super::{
        BOTH, DENY_STATUS, ENCODING, HALF, KEY, KEY_HEADER, LimitSource, ONE_KEY, Problem, Query,
        TWICE, UNKNOWN,
    };

    /// `key cost deny_status`, and the choice.
    fn read(query: &str) -> Result<(String, Cost, u16, Option<Limit>, String), Problem> {
        let request = TestRequest::default()
            .insert_header(("x-user", "anna"))
            .insert_header(("x-empty", ""))
            .append_header(("x-twice", "anna"))
            .append_header(("x-twice", "bert"))
            .insert_header(("x-latin", &b"\xe9"[..]))
            .to_http_request();
        let query = Query::parse(query)?;
        let key = query.key(&request)?;
        let question = query.question(key)?;
        let deny: StatusCode = query.deny_status()?;
        let (limit, policy) = match question.policy {
            LimitSource::Inline(limit) => (Some(limit), String::new()),
            LimitSource::Named(name) => (None, name.into_owned()),
        };
        Ok((question.key.into_owned(), question.cost, deny.as_u16(), limit, policy))
    }

    #[test]
    fn questions() {
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
            (
                "key=k&capacity=10&rate=100/m",
                Ok(("k".to_owned(), Cost::ONE, 429, Some(limit), String::new())),
            ),
        ] {
            assert_eq!(read(query), expected, "{query}");
        }
    }

    #[test]
    fn refusals() {
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
            ("key_header=x-twice", KEY_HEADER),
            ("key_header=x-latin", KEY_HEADER),
            ("key_header=a%20b", KEY_HEADER),
            ("key=k&key=k", TWICE),
            ("key=k&burst=1", UNKNOWN),
            ("key=k&Key=k", UNKNOWN),
            ("key=%", ENCODING),
            ("key=%f", ENCODING),
            ("key=%+1", ENCODING),
            ("key=%ff", ENCODING),
            ("key=k&cost=1e2", Invalid::Cost.into()),
            ("key=k&cost=", Invalid::Cost.into()),
            ("key=k&capacity=0&rate=1", Invalid::Capacity.into()),
            ("key=k&capacity=1&rate=1/w", Invalid::Rate.into()),
            ("key=k&capacity=1", HALF),
            ("key=k&policy=a&rate=1", BOTH),
            ("key=k&deny_status=500", DENY_STATUS),
            ("key=k&deny_status=", DENY_STATUS),
        ] {
            assert_eq!(read(query), Err(problem), "{query}");
        }
    }
}
