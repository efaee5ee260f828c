//! From the body of a check to a question.
//!
//! Numbers are read from the raw text of the JSON by the one grammar that everything else uses: a JSON
//! parser would take `1e2` and `-0`, and would round before anyone could look.

use std::{borrow::Cow, fmt, str};

use rl_bucket::{Capacity, Cost, Limit, Rate};
use rl_store::{MAX_KEY, bucket_key::DEFAULT_POLICY};
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{Problem, openapi};
use crate::limiter::{CheckRequest, LimitSource};

/// What is asked: whose bucket, under which limit, about how many tokens. Either a policy gives the limit, or
/// `capacity` and `rate` do.
// Well-formed, and with no claim beyond that.
#[derive(Default, ToSchema)]
#[schema(as = Check)]
#[serde(deny_unknown_fields)]
pub(super) struct CheckBody<'a> {
    /// Whose bucket: 1 to 1024 bytes of UTF-8.
    #[schema(value_type = String, required = true, min_length = 1, max_length = 1024, examples("user:42"))]
    key: Option<&'a RawValue>,
    /// The name of a policy; `default` if absent.
    #[schema(value_type = String, required = false, examples("default"))]
    policy: Option<&'a RawValue>,
    #[schema(schema_with = openapi::amount, required = false)]
    cost: Option<&'a RawValue>,
    #[schema(schema_with = openapi::capacity, required = false)]
    capacity: Option<&'a RawValue>,
    #[schema(schema_with = openapi::rate, required = false)]
    rate: Option<&'a RawValue>,
    #[schema(ignore)]
    problem: Option<Problem>,
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Field {
    Key,
    Policy,
    Cost,
    Capacity,
    Rate,
    #[serde(other)]
    Unknown,
}

const NOT_AN_OBJECT: Problem = Problem::Invalid("a check must be a JSON object");
const UNKNOWN: Problem =
    Problem::Invalid("unknown field: a check has key, policy, cost, capacity and rate");
const TWICE: Problem = Problem::Invalid("a field must not be given twice");
pub(super) const KEY: Problem = Problem::Invalid("key must be a string of 1 to 1024 bytes");
const POLICY: Problem = Problem::Invalid("policy must be a string");
pub(super) const HALF: Problem = Problem::Invalid("capacity and rate must be given together");
pub(super) const BOTH: Problem =
    Problem::Invalid("policy must not be given along with capacity and rate");
const NO_COST: Problem = Problem::Invalid("cost must not be given: a reset has no amount");

// === impl CheckBody ===

impl<'a> CheckBody<'a> {
    /// Reads a body: [`Problem::Malformed`] if it is no JSON, [`Problem::Invalid`] if it has other
    /// fields than a check, or one of them twice.
    pub(super) fn parse(body: &'a [u8]) -> Result<Self, Problem> {
        Self::read(text(body)?)
    }

    /// Reads what is text.
    pub(super) fn read(body: &'a str) -> Result<Self, Problem> {
        match serde_json::from_str::<Self>(body) {
            Ok(body) => body.sound(),
            // What is no object is refused before it is read to the end: JSON or not?
            Err(error) if error.is_data() => match serde_json::from_str::<IgnoredAny>(body) {
                Ok(_) => Err(NOT_AN_OBJECT),
                Err(_) => Err(Problem::Malformed),
            },
            Err(_) => Err(Problem::Malformed),
        }
    }

    /// Itself, if it has no other fields than a check, and none twice.
    pub(super) fn sound(self) -> Result<Self, Problem> {
        self.problem.map_or(Ok(self), Err)
    }

    /// The question it asks of whole buckets, which has no amount.
    pub(super) fn whole(&self) -> Result<CheckRequest<'a>, Problem> {
        if self.cost.is_some() { Err(NO_COST) } else { self.question() }
    }

    /// The question it asks; [`Problem::Invalid`] if a string is of the wrong type or length, a number breaks its
    /// rule or fields exclude each other.
    pub(super) fn question(&self) -> Result<CheckRequest<'a>, Problem> {
        let (key, policy) = (self.key()?, self.named()?);
        let cost = match self.cost {
            Some(raw) => Cost::parse(number(raw).as_bytes())?,
            None => Cost::ONE,
        };
        let policy = match (policy, self.capacity, self.rate) {
            (policy, None, None) => {
                LimitSource::Named(policy.unwrap_or(Cow::Borrowed(DEFAULT_POLICY)))
            }
            (None, Some(capacity), Some(rate)) => {
                let capacity = Capacity::parse(number(capacity).as_bytes())?;
                LimitSource::Inline(Limit::new(capacity, Rate::parse(number(rate).as_bytes())?))
            }
            (Some(_), _, _) => return Err(BOTH),
            (None, _, _) => return Err(HALF),
        };
        Ok(CheckRequest { key, policy, cost })
    }

    fn key(&self) -> Result<Cow<'a, str>, Problem> {
        let key = self.key.and_then(string).ok_or(KEY)?;
        if (1..=MAX_KEY).contains(&key.len()) { Ok(key) } else { Err(KEY) }
    }

    fn named(&self) -> Result<Option<Cow<'a, str>>, Problem> {
        self.policy.map(|raw| string(raw).ok_or(POLICY)).transpose()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for CheckBody<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = CheckBody<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            /// Reads to the end whatever it meets, so that what is not JSON is told apart from what is
            /// merely not a check.
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut body = CheckBody::default();
                while let Some((field, value)) = map.next_entry::<Field, &'de RawValue>()? {
                    let slot = match field {
                        Field::Key => &mut body.key,
                        Field::Policy => &mut body.policy,
                        Field::Cost => &mut body.cost,
                        Field::Capacity => &mut body.capacity,
                        Field::Rate => &mut body.rate,
                        Field::Unknown => {
                            body.problem.get_or_insert(UNKNOWN);
                            continue;
                        }
                    };
                    if slot.replace(value).is_some() {
                        body.problem.get_or_insert(TWICE);
                    }
                }
                Ok(body)
            }
        }

        deserializer.deserialize_map(Fields)
    }
}

/// JSON is UTF-8. Seen as a whole, that costs less than string by string.
pub(super) fn text(body: &[u8]) -> Result<&str, Problem> {
    str::from_utf8(body).map_err(|_| Problem::Malformed)
}

/// The value of a JSON string, copied only if it has escapes.
fn string(raw: &RawValue) -> Option<Cow<'_, str>> {
    let text = raw.get();
    match text.strip_prefix('"')?.strip_suffix('"')? {
        plain if !plain.contains('\\') => Some(Cow::Borrowed(plain)),
        _ => serde_json::from_str(text).ok().map(Cow::Owned),
    }
}

/// The text of a JSON number, or of a string that holds one. Escapes are decoded: PHP, for one, writes
/// `100\/m`. Anything else is text outside the grammar.
fn number(raw: &RawValue) -> Cow<'_, str> {
    string(raw).unwrap_or(Cow::Borrowed(raw.get()))
}

#[cfg(test)]
mod tests {
    use rl_bucket::{Cost, Invalid, Limit};

    use super::{
        BOTH, CheckBody, CheckRequest, HALF, KEY, NOT_AN_OBJECT, POLICY, Problem, TWICE, UNKNOWN,
    };
    use crate::limiter::LimitSource;

    #[track_caller]
    fn asks(body: &str, key: &str, policy: LimitSource<'_>, cost: &str) {
        let parsed = CheckBody::parse(body.as_bytes()).unwrap();
        let cost = Cost::parse(cost.as_bytes()).unwrap();
        assert_eq!(parsed.question(), Ok(CheckRequest { key: key.into(), policy, cost }), "{body}");
    }

    fn refusal(body: &[u8]) -> Option<Problem> {
        CheckBody::parse(body).and_then(|parsed| parsed.question().map(drop)).err()
    }

    #[test]
    fn questions() {
        let default = LimitSource::Named("default".into());
        asks(r#"{"key":"user:42"}"#, "user:42", default.clone(), "1");
        asks(r#" { "cost" : 2.5 , "key" : "k" } "#, "k", default.clone(), "2.5");
        asks(r#"{"key":"k","cost":"0"}"#, "k", default.clone(), "0");
        asks(r#"{"key":"k","policy":"default"}"#, "k", default.clone(), "1");
        asks(r#"{"key":"k","policy":"\u0061pi"}"#, "k", LimitSource::Named("api".into()), "1");
        asks(r#"{"k\u0065y":"\"\u00e9\n\ud83d\ude00"}"#, "\"é\n😀", default, "1");
        let inline = || LimitSource::Inline(Limit::parse("10", "100/m").unwrap());
        asks(r#"{"key":"k","capacity":10,"rate":"100/m"}"#, "k", inline(), "1");
        asks(r#"{"key":"k","capacity":"10","rate":"100\/m"}"#, "k", inline(), "1");
        let plain = LimitSource::Inline(Limit::parse("1", "5").unwrap());
        asks(r#"{"key":"k","capacity":1.0,"rate":5}"#, "k", plain, "1");
    }

    #[test]
    fn not_json() {
        for body in [
            "",
            " ",
            "{",
            "[",
            "[[[[",
            "{]",
            r#"{"key"}"#,
            r#"{"key":}"#,
            r#"{"key":"k",}"#,
            r#"{"key":"k"} x"#,
            r#"{"key":"k"}{}"#,
            r#"{"key":"a"#,
            "{\"key\":\"a\nb\"}",
            r#"{"key":"\x"}"#,
            r#"{key:"k"}"#,
            r#"{"key":'k'}"#,
            r#"{"key":"k","cost":NaN}"#,
            r#"{"key":"k","cost":.5}"#,
            r#"{"key":"k","cost":01}"#,
            r#"{"key":"k","cost":+1}"#,
            "\u{feff}{\"key\":\"k\"}",
            r#""k"x"#,
        ] {
            assert_eq!(refusal(body.as_bytes()), Some(Problem::Malformed), "{body}");
        }
        assert_eq!(refusal(b"{\"key\":\"\xff\"}"), Some(Problem::Malformed));
    }

    #[test]
    fn not_a_check() {
        let long = format!(r#"{{"key":"{}"}}"#, "k".repeat(1025));
        for (body, problem) in [
            ("null", NOT_AN_OBJECT),
            ("[]", NOT_AN_OBJECT),
            (r#""key""#, NOT_AN_OBJECT),
            ("7", NOT_AN_OBJECT),
            ("{}", KEY),
            (r#"{"key":""}"#, KEY),
            (r#"{"key":null}"#, KEY),
            (r#"{"key":7}"#, KEY),
            (r#"{"key":["k"]}"#, KEY),
            (r#"{"key":"\ud800"}"#, KEY),
            (&long, KEY),
            (r#"{"key":"k","key":"k"}"#, TWICE),
            (r#"{"key":"k","cost":1,"c\u006fst":1}"#, TWICE),
            (r#"{"key":"k","Key":"k"}"#, UNKNOWN),
            (r#"{"key":"k","burst":{"a":[1]}}"#, UNKNOWN),
            (r#"{"key":"k","policy":null}"#, POLICY),
            (r#"{"key":"k","policy":1}"#, POLICY),
            (r#"{"key":"k","capacity":1}"#, HALF),
            (r#"{"key":"k","rate":1}"#, HALF),
            (r#"{"key":"k","policy":"default","rate":1}"#, BOTH),
            (r#"{"key":"k","policy":"default","capacity":1,"rate":1}"#, BOTH),
        ] {
            assert_eq!(refusal(body.as_bytes()), Some(problem), "{body}");
        }
    }

    #[test]
    fn numbers_have_one_grammar() {
        for cost in [
            "-1",
            "-0",
            "1e2",
            "1E2",
            "1.0e0",
            "1000000001",
            "12345678901",
            "0.0000000001",
            "true",
            "null",
            "[]",
            "{}",
            r#""""#,
            r#"" 1""#,
            r#""+1""#,
            r#""0x1""#,
            r#""1\n""#,
            r#""inf""#,
        ] {
            let body = format!(r#"{{"key":"k","cost":{cost}}}"#);
            assert_eq!(refusal(body.as_bytes()), Some(Invalid::Cost.into()), "{cost}");
        }
        for (fields, invalid) in [
            (r#""capacity":0,"rate":1"#, Invalid::Capacity),
            (r#""capacity":1e3,"rate":1"#, Invalid::Capacity),
            (r#""capacity":1,"rate":0"#, Invalid::Rate),
            (r#""capacity":1,"rate":"1/w""#, Invalid::Rate),
        ] {
            let body = format!(r#"{{"key":"k",{fields}}}"#);
            assert_eq!(refusal(body.as_bytes()), Some(invalid.into()), "{fields}");
        }
    }
}
