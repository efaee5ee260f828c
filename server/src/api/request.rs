//! From the body of a check to a check request.
//!
//! Numbers are read from the raw text of the JSON by the bucket's own grammar, so that a number has
//! one value and one rule wherever it is written.

use std::{borrow::Cow, fmt, str};

use memchr::memchr;
use rl_bucket::{Capacity, Cost, Limit, Rate};
use rl_store::{MAX_KEY, bucket_key::DEFAULT_POLICY};
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{problem::Problem, rules, schemas};
use crate::limiter::{CheckRequest, LimitSource};

/// The key, the limit, and the number of tokens. The limit is that of a policy, or an inline limit
/// of `capacity` and `rate`. A field that is null is absent.
// Well-formed JSON with these fields; their values are not validated yet.
#[derive(Default, ToSchema)]
#[schema(as = Check)]
#[serde(deny_unknown_fields)]
pub(super) struct CheckBody<'a> {
    /// The owner of the bucket: 1 to 1024 bytes of UTF-8. Under a policy with `key = "ip"` an IP
    /// address, whose IPv6 network is the owner.
    #[schema(
        value_type = String,
        required = true,
        min_length = 1,
        max_length = 1024,
        examples("user:42"),
    )]
    key: Option<&'a RawValue>,
    /// The policy's name; `default` if absent.
    #[schema(value_type = Option<String>, required = false, examples("default"))]
    policy: Option<&'a RawValue>,
    #[schema(schema_with = schemas::cost, required = false)]
    cost: Option<&'a RawValue>,
    #[schema(schema_with = schemas::capacity, required = false)]
    capacity: Option<&'a RawValue>,
    #[schema(schema_with = schemas::rate, required = false)]
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

// === impl CheckBody ===

impl<'a> CheckBody<'a> {
    /// Parses a body: [`Problem::Malformed`] if it is not JSON, [`Problem::Invalid`] if it is not
    /// an object, or a field is unknown or repeated.
    pub(super) fn parse(body: &'a [u8]) -> Result<Self, Problem> {
        Self::parse_text(text(body)?)
    }

    /// As [`CheckBody::parse`], of a body that is known to be UTF-8.
    pub(super) fn parse_text(body: &'a str) -> Result<Self, Problem> {
        match serde_json::from_str::<Self>(body) {
            Ok(body) => body.problem.map_or(Ok(body), Err),
            // serde stops at the first byte of another type, so the rest may not be JSON.
            Err(error) if error.is_data() => match serde_json::from_str::<IgnoredAny>(body) {
                Ok(_) => Err(rules::NOT_A_CHECK),
                Err(_) => Err(Problem::Malformed),
            },
            Err(_) => Err(Problem::Malformed),
        }
    }

    /// A body that stands for one that could not be parsed.
    pub(super) fn invalid(problem: Problem) -> Self {
        Self { problem: Some(problem), ..Self::default() }
    }

    /// The check request of a reset, which has no cost.
    pub(super) fn reset_request(&self) -> Result<CheckRequest<'a>, Problem> {
        if present(self.cost).is_some() { Err(rules::COST_OF_RESET) } else { self.check_request() }
    }

    /// The check request; the problem found while parsing, or [`Problem::Invalid`] if a string has
    /// the wrong type or length, a number breaks its rule, or fields exclude each other.
    pub(super) fn check_request(&self) -> Result<CheckRequest<'a>, Problem> {
        if let Some(problem) = self.problem {
            return Err(problem);
        }
        let (key, policy) = (self.key()?, self.policy()?);
        let cost = match present(self.cost) {
            Some(raw) => Cost::parse(number(raw).as_bytes())?,
            None => Cost::ONE,
        };
        let (capacity, rate) = (present(self.capacity), present(self.rate));
        let (capacity, rate) = (capacity.map(number), rate.map(number));
        let source = limit_source(policy, capacity.as_deref(), rate.as_deref())?;
        Ok(CheckRequest { key, source, cost, prefix: None })
    }

    fn key(&self) -> Result<Cow<'a, str>, Problem> {
        self.key.and_then(string).filter(|key| is_key(key)).ok_or(rules::KEY)
    }

    fn policy(&self) -> Result<Option<Cow<'a, str>>, Problem> {
        present(self.policy).map(|raw| string(raw).ok_or(rules::POLICY)).transpose()
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

            /// Reads to the end even after a problem, to tell a body that is not JSON from one that
            /// is not a check.
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
                            body.problem.get_or_insert(rules::UNKNOWN_FIELD);
                            continue;
                        }
                    };
                    if slot.replace(value).is_some() {
                        body.problem.get_or_insert(rules::REPEATED_FIELD);
                    }
                }
                Ok(body)
            }
        }

        deserializer.deserialize_map(Fields)
    }
}

/// The limit source of a check. A policy and an inline limit exclude each other, and an inline
/// limit has both numbers.
pub(super) fn limit_source<'a>(
    policy: Option<Cow<'a, str>>,
    capacity: Option<&str>,
    rate: Option<&str>,
) -> Result<LimitSource<'a>, Problem> {
    match (policy, capacity, rate) {
        (policy, None, None) => {
            Ok(LimitSource::Policy(policy.unwrap_or(Cow::Borrowed(DEFAULT_POLICY))))
        }
        (None, Some(capacity), Some(rate)) => {
            let capacity = Capacity::parse(capacity.as_bytes())?;
            Ok(LimitSource::Inline(Limit::new(capacity, Rate::parse(rate.as_bytes())?)))
        }
        (Some(_), _, _) => Err(rules::POLICY_AND_LIMIT),
        (None, _, _) => Err(rules::INCOMPLETE_LIMIT),
    }
}

/// Whether a key has a valid length.
pub(super) fn is_key(key: &str) -> bool {
    (1..=MAX_KEY).contains(&key.len())
}

/// The text of a body. Validating UTF-8 once costs less than string by string.
pub(super) fn text(body: &[u8]) -> Result<&str, Problem> {
    str::from_utf8(body).map_err(|_| Problem::Malformed)
}

/// The value of an optional field. Many clients send null for one that is not set.
fn present(field: Option<&RawValue>) -> Option<&RawValue> {
    field.filter(|raw| raw.get() != "null")
}

/// The value of a JSON string, copied only if it has escapes.
fn string(raw: &RawValue) -> Option<Cow<'_, str>> {
    let text = raw.get();
    match text.strip_prefix('"')?.strip_suffix('"')? {
        plain if memchr(b'\\', plain.as_bytes()).is_none() => Some(Cow::Borrowed(plain)),
        _ => serde_json::from_str(text).ok().map(Cow::Owned),
    }
}

/// The text of a JSON number, or of a string that holds one. Escapes are decoded, since PHP writes
/// `100\/m`. Any other value is returned as it is: the grammar of numbers refuses it.
fn number(raw: &RawValue) -> Cow<'_, str> {
    string(raw).unwrap_or(Cow::Borrowed(raw.get()))
}

#[cfg(test)]
mod tests {
    use rl_bucket::{Cost, Invalid, Limit, Rule};

    use super::{
        CheckBody, CheckRequest, Problem,
        rules::{
            INCOMPLETE_LIMIT, KEY, NOT_A_CHECK, POLICY, POLICY_AND_LIMIT, REPEATED_FIELD,
            UNKNOWN_FIELD,
        },
    };
    use crate::limiter::LimitSource;

    #[track_caller]
    fn assert_parses(body: &str, key: &str, source: LimitSource<'_>, cost: &str) {
        let parsed = CheckBody::parse(body.as_bytes()).unwrap();
        let cost = Cost::parse(cost.as_bytes()).unwrap();
        let expected = CheckRequest { key: key.into(), source, cost, prefix: None };
        assert_eq!(parsed.check_request(), Ok(expected), "{body}");
    }

    fn problem_of(body: &[u8]) -> Option<Problem> {
        CheckBody::parse(body).and_then(|parsed| parsed.check_request().map(drop)).err()
    }

    #[test]
    fn bodies_become_check_requests() {
        let default = LimitSource::Policy("default".into());
        assert_parses(r#"{"key":"user:42"}"#, "user:42", default.clone(), "1");
        assert_parses(r#" { "cost" : 2.5 , "key" : "k" } "#, "k", default.clone(), "2.5");
        assert_parses(r#"{"key":"k","cost":"0"}"#, "k", default.clone(), "0");
        assert_parses(r#"{"key":"k","policy":"default"}"#, "k", default.clone(), "1");
        assert_parses(
            r#"{"key":"k","policy":"\u0061pi"}"#,
            "k",
            LimitSource::Policy("api".into()),
            "1",
        );
        assert_parses(r#"{"k\u0065y":"\"\u00e9\n\ud83d\ude00"}"#, "\"é\n😀", default, "1");
        // Null is absent.
        assert_parses(
            r#"{"key":"k","policy":null,"cost": null ,"capacity":null,"rate":null}"#,
            "k",
            LimitSource::Policy("default".into()),
            "1",
        );
        let inline = || LimitSource::Inline(Limit::parse("10", "100/m").unwrap());
        assert_parses(r#"{"key":"k","capacity":10,"rate":"100/m"}"#, "k", inline(), "1");
        assert_parses(r#"{"key":"k","capacity":"10","rate":"100\/m"}"#, "k", inline(), "1");
        let nulls = r#"{"key":"k","capacity":10,"rate":"100/m","policy":null,"cost":null}"#;
        assert_parses(nulls, "k", inline(), "1");
        let plain = LimitSource::Inline(Limit::parse("1", "5").unwrap());
        assert_parses(r#"{"key":"k","capacity":1.0,"rate":5}"#, "k", plain, "1");
    }

    #[test]
    fn bodies_that_are_not_json_are_malformed() {
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
            assert_eq!(problem_of(body.as_bytes()), Some(Problem::Malformed), "{body}");
        }
        assert_eq!(problem_of(b"{\"key\":\"\xff\"}"), Some(Problem::Malformed));
    }

    #[test]
    fn json_that_is_not_a_check_is_invalid() {
        let long = format!(r#"{{"key":"{}"}}"#, "k".repeat(1025));
        for (body, problem) in [
            ("null", NOT_A_CHECK),
            ("[]", NOT_A_CHECK),
            (r#""key""#, NOT_A_CHECK),
            ("7", NOT_A_CHECK),
            ("{}", KEY),
            (r#"{"key":""}"#, KEY),
            (r#"{"key":null}"#, KEY),
            (r#"{"key":7}"#, KEY),
            (r#"{"key":["k"]}"#, KEY),
            (r#"{"key":"\ud800"}"#, KEY),
            (&long, KEY),
            (r#"{"key":"k","key":"k"}"#, REPEATED_FIELD),
            (r#"{"key":"k","cost":1,"c\u006fst":1}"#, REPEATED_FIELD),
            (r#"{"key":"k","Key":"k"}"#, UNKNOWN_FIELD),
            (r#"{"key":"k","burst":{"a":[1]}}"#, UNKNOWN_FIELD),
            (r#"{"key":"k","cost":null,"cost":1}"#, REPEATED_FIELD),
            (r#"{"key":"k","Cost":null}"#, UNKNOWN_FIELD),
            (r#"{"key":"k","policy":"null"}x"#, Problem::Malformed),
            (r#"{"key":"k","capacity":1,"rate":null}"#, INCOMPLETE_LIMIT),
            (r#"{"key":"k","policy":1}"#, POLICY),
            (r#"{"key":"k","capacity":1}"#, INCOMPLETE_LIMIT),
            (r#"{"key":"k","rate":1}"#, INCOMPLETE_LIMIT),
            (r#"{"key":"k","policy":"default","rate":1}"#, POLICY_AND_LIMIT),
            (r#"{"key":"k","policy":"default","capacity":1,"rate":1}"#, POLICY_AND_LIMIT),
        ] {
            assert_eq!(problem_of(body.as_bytes()), Some(problem), "{body}");
        }
    }

    #[test]
    fn numbers_follow_the_grammar_of_the_bucket() {
        for (number, plain) in [
            ("1.6666666666666667", "1.6666666666666667"),
            ("0.30000000000000004", "0.30000000000000004"),
            ("0.00000000123", "1.23e-9"),
            ("1e-07", "0.0000001"),
            ("1.0E7", "10000000"),
            ("1E-5", "0.00001"),
            ("1e+2", "100"),
            (r#""1.0E-7""#, "0.0000001"),
        ] {
            let limit = Limit::parse(plain, plain).unwrap();
            assert_parses(
                &format!(r#"{{"key":"k","capacity":{number},"rate":{number},"cost":{number}}}"#),
                "k",
                LimitSource::Inline(limit),
                plain,
            );
        }
        let monthly = LimitSource::Inline(Limit::parse("1", "1/30d").unwrap());
        assert_parses(r#"{"key":"k","capacity":1,"rate":"1/30d"}"#, "k", monthly, "1");

        use Rule::{Bounds, Grammar};
        for (cost, rule) in [
            ("-1", Grammar),
            ("-0", Grammar),
            ("-1e-7", Grammar),
            ("12345678901", Grammar),
            ("true", Grammar),
            (r#""null""#, Grammar),
            ("[]", Grammar),
            ("{}", Grammar),
            (r#""""#, Grammar),
            (r#"" 1""#, Grammar),
            (r#""+1""#, Grammar),
            (r#"".5""#, Grammar),
            (r#""1.""#, Grammar),
            (r#""0x1""#, Grammar),
            (r#""1_0""#, Grammar),
            (r#""1\n""#, Grammar),
            (r#""inf""#, Grammar),
            (r#""nan""#, Grammar),
            ("1000000001", Bounds),
            ("1e10", Bounds),
            ("1E400", Bounds),
        ] {
            let body = format!(r#"{{"key":"k","cost":{cost}}}"#);
            assert_eq!(problem_of(body.as_bytes()), Some(Invalid::Cost(rule).into()), "{cost}");
        }
        for (fields, invalid) in [
            (r#""capacity":0,"rate":1"#, Invalid::Capacity(Bounds)),
            (r#""capacity":1e10,"rate":1"#, Invalid::Capacity(Bounds)),
            (r#""capacity":"1k","rate":1"#, Invalid::Capacity(Grammar)),
            (r#""capacity":1,"rate":0"#, Invalid::Rate(Bounds)),
            (r#""capacity":1,"rate":1e-10"#, Invalid::Rate(Bounds)),
            (r#""capacity":1,"rate":"1/w""#, Invalid::Rate(Grammar)),
        ] {
            let body = format!(r#"{{"key":"k",{fields}}}"#);
            assert_eq!(problem_of(body.as_bytes()), Some(invalid.into()), "{fields}");
        }
    }
}
