//! The policy file: TOML in, policies or the place of the first mistake out.
//!
//! Numbers are read from the text of the file by the one grammar that everything else uses: a TOML
//! parser would take `1e2`, `0x10` and `inf`, and would round before anyone could look.

use std::{
    collections::{BTreeMap, HashMap},
    str,
};

use rl_bucket::{Capacity, Invalid, Limit, Rate};
use rl_store::MAX_KEY;
use serde::Deserialize;
use toml::{Spanned, Value};

use super::{
    INLINE, NamedLimit, OnError, PoliciesByName, Policy,
    mistake::{FileError, Mistake},
};
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    inline: bool,
    #[serde(default)]
    policies: BTreeMap<Spanned<String>, Spanned<PolicyTable>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyTable {
    capacity: Option<Spanned<Value>>,
    rate: Option<Spanned<Value>>,
    limits: Option<Spanned<Vec<Spanned<LimitTable>>>>,
    #[serde(default)]
    on_error: OnError,
    #[serde(default)]
    mode: Mode,
    #[serde(default)]
    overrides: BTreeMap<Spanned<String>, Spanned<OverrideTable>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OverrideTable {
    capacity: Option<Spanned<Value>>,
    rate: Option<Spanned<Value>>,
    limits: Option<Spanned<Vec<Spanned<LimitTable>>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitTable {
    name: Spanned<String>,
    capacity: Option<Spanned<Value>>,
    rate: Option<Spanned<Value>>,
}

#[derive(Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    #[default]
    Enforce,
    Shadow,
}

/// The text, to read numbers from.
#[derive(Clone, Copy)]
struct Text<'a>(&'a str);

const MAX_POLICIES: usize = 1000;
const MAX_LIMITS: usize = 16;
const MAX_NAME: usize = 64;

const NAME: &str = "a name must be 1 to 64 letters, digits, '.', '_' or '-'";
const RESERVED: &str =
    "the policy inline cannot be defined: it is that of limits which come with a check";
const ONE_FORM: &str = "a policy has capacity and rate, or limits, not both";
const BOTH: &str = "capacity and rate must be given together";
const NO_LIMIT: &str = "a policy needs capacity and rate, or limits";
const LIMITS: &str = "limits must be 1 to 16 tables with name, capacity and rate";
const TWICE: &str = "two limits of a policy have this name";
const POLICIES: &str = "a file must define 1 to 1000 policies, or say inline = true";
const OVERRIDE_KEY: &str = "the key of an override must be 1 to 1024 bytes";
const OVERRIDE_SINGLE: &str = "an override of this policy has capacity, rate or both";
const OVERRIDE_SEVERAL: &str =
    "an override of this policy has limits: tables with name and capacity, rate or both";
const OVERRIDE_NAME: &str = "the policy has no limit of this name";

/// The policies by name, and whether limits may come with a check.
pub(super) fn read(file: &[u8]) -> Result<(PoliciesByName, bool), FileError> {
    let text = str::from_utf8(file).map_err(|error| {
        let valid = str::from_utf8(&file[..error.valid_up_to()]).unwrap_or_default();
        FileError::at(valid, valid.len(), "the file must be UTF-8".to_owned())
    })?;
    let located = |mistake: Mistake| FileError::at(text, mistake.at.start, mistake.reason);
    let file: File = toml::from_str(text).map_err(|error| {
        let at = error.span().unwrap_or_default();
        located(Mistake { at, reason: error.message().replace('\n', ", ") })
    })?;
    if file.policies.len() > MAX_POLICIES || (file.policies.is_empty() && !file.inline) {
        return Err(located(Mistake::new(0..0, POLICIES)));
    }
    let mut policies = PoliciesByName::new();
    for (name, table) in &file.policies {
        let policy = Text(text).policy(name, table).map_err(located)?;
        policies.insert(policy.name.clone(), policy);
    }
    Ok((policies, file.inline))
}

// === impl Text ===

impl Text<'_> {
    fn policy(
        self,
        name: &Spanned<String>,
        table: &Spanned<PolicyTable>,
    ) -> Result<Policy, Mistake> {
        check_name(name)?;
        if name.get_ref() == INLINE {
            return Err(Mistake::new(name.span(), RESERVED));
        }
        // The span of a table under a header of its own is of use to nobody: the name's is.
        let whole = name.span();
        let table = table.get_ref();
        let limits = match (&table.capacity, &table.rate, &table.limits) {
            (None, None, Some(limits)) => self.limits(limits)?,
            (Some(capacity), Some(rate), None) => {
                let limit = Limit::new(self.capacity(capacity)?, self.rate(rate)?);
                vec![NamedLimit { name: name.get_ref().clone().into(), limit }]
            }
            (None, None, None) => return Err(Mistake::new(whole, NO_LIMIT)),
            (_, _, Some(limits)) => return Err(Mistake::new(limits.span(), ONE_FORM)),
            (Some(half), None, None) | (None, Some(half), None) => {
                return Err(Mistake::new(half.span(), BOTH));
            }
        };
        let several = table.limits.is_some();
        let mut overrides = HashMap::with_capacity(table.overrides.len());
        for (key, table) in &table.overrides {
            if !(1..=MAX_KEY).contains(&key.get_ref().len()) {
                return Err(Mistake::new(key.span(), OVERRIDE_KEY));
            }
            let limits = self.overridden(&limits, several, key, table.get_ref())?;
            overrides.insert(key.get_ref().as_str().into(), limits.into());
        }
        Ok(Policy {
            name: name.get_ref().as_str().into(),
            several,
            limits: limits.into(),
            overrides,
            on_error: table.on_error,
            is_shadow: table.mode == Mode::Shadow,
        })
    }

    fn limits(
        self,
        tables: &Spanned<Vec<Spanned<LimitTable>>>,
    ) -> Result<Vec<NamedLimit>, Mistake> {
        if !(1..=MAX_LIMITS).contains(&tables.get_ref().len()) {
            return Err(Mistake::new(tables.span(), LIMITS));
        }
        let mut limits = Vec::<NamedLimit>::with_capacity(tables.get_ref().len());
        for table in tables.get_ref() {
            let LimitTable { name, capacity, rate } = table.get_ref();
            check_name(name)?;
            if limits.iter().any(|other| other.name == name.get_ref().as_str()) {
                return Err(Mistake::new(name.span(), TWICE));
            }
            let (Some(capacity), Some(rate)) = (capacity, rate) else {
                return Err(Mistake::new(table.span(), BOTH));
            };
            let limit = Limit::new(self.capacity(capacity)?, self.rate(rate)?);
            limits.push(NamedLimit { name: name.get_ref().clone().into(), limit });
        }
        Ok(limits)
    }

    /// The limits of a policy with those changes that an override makes; what it does not mention stays.
    fn overridden(
        self,
        limits: &[NamedLimit],
        several: bool,
        key: &Spanned<String>,
        table: &OverrideTable,
    ) -> Result<Vec<NamedLimit>, Mistake> {
        let mut limits = limits.to_vec();
        let whole = key.span();
        match (&table.capacity, &table.rate, &table.limits) {
            (None, None, Some(tables)) if several => {
                for table in tables.get_ref() {
                    let LimitTable { name, capacity, rate } = table.get_ref();
                    let limit = limits
                        .iter_mut()
                        .find(|limit| limit.name == name.get_ref().as_str())
                        .ok_or_else(|| Mistake::new(name.span(), OVERRIDE_NAME))?;
                    if capacity.is_none() && rate.is_none() {
                        return Err(Mistake::new(table.span(), OVERRIDE_SEVERAL));
                    }
                    limit.limit = self.changed(&limit.limit, capacity, rate)?;
                }
            }
            (capacity, rate, None) if !several && (capacity.is_some() || rate.is_some()) => {
                for limit in &mut limits {
                    limit.limit = self.changed(&limit.limit, capacity, rate)?;
                }
            }
            _ if several => return Err(Mistake::new(whole, OVERRIDE_SEVERAL)),
            _ => return Err(Mistake::new(whole, OVERRIDE_SINGLE)),
        }
        Ok(limits)
    }

    fn changed(
        self,
        limit: &Limit,
        capacity: &Option<Spanned<Value>>,
        rate: &Option<Spanned<Value>>,
    ) -> Result<Limit, Mistake> {
        Ok(Limit::new(
            capacity.as_ref().map_or(Ok(limit.capacity()), |value| self.capacity(value))?,
            rate.as_ref().map_or(Ok(limit.rate()), |value| self.rate(value))?,
        ))
    }

    fn capacity(self, value: &Spanned<Value>) -> Result<Capacity, Mistake> {
        self.number(value, Capacity::parse)
    }

    fn rate(self, value: &Spanned<Value>) -> Result<Rate, Mistake> {
        self.number(value, Rate::parse)
    }

    fn number<T>(
        self,
        value: &Spanned<Value>,
        parse: impl Fn(&[u8]) -> Result<T, Invalid>,
    ) -> Result<T, Mistake> {
        let text = match value.get_ref() {
            Value::String(text) => text.as_str(),
            _ => self.0.get(value.span()).unwrap_or_default(),
        };
        parse(text.as_bytes()).map_err(|invalid| Mistake::new(value.span(), invalid.text()))
    }
}

fn check_name(name: &Spanned<String>) -> Result<(), Mistake> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if (1..=MAX_NAME).contains(&name.get_ref().len()) && name.get_ref().bytes().all(good) {
        Ok(())
    } else {
        Err(Mistake::new(name.span(), NAME))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Limits, Policies};

    fn read(text: &str) -> Result<Policies, String> {
        Policies::read(text.as_bytes()).map_err(|error| error.to_string())
    }

    /// `name capacity rate` of each limit that applies to a key.
    fn limits(policies: &Policies, policy: &str, key: &str) -> Vec<String> {
        let Limits::Shared(limits) = policies.by_name[policy].limits(key) else {
            panic!("limits of a policy");
        };
        let text = |limit: &super::NamedLimit| {
            format!("{} {} {}", limit.name, limit.limit.capacity(), limit.limit.rate())
        };
        limits.iter().map(text).collect()
    }

    #[test]
    fn policies_and_overrides() {
        let policies = read(
            r#"
            [policies.default]
            capacity = 100
            rate = "100/m"
            overrides."vip:1" = { capacity = 1000 }
            overrides."vip:2" = { capacity = "0.5", rate = 2.5 }

            [policies.api]
            on_error = "closed"
            mode = "shadow"
            limits = [
              { name = "burst", capacity = 20, rate = "10/s" },
              { name = "day", capacity = 10000, rate = "10000/d" },
            ]
            [policies.api.overrides."vip:1"]
            limits = [{ name = "day", rate = "20000/d" }]
            "#,
        )
        .unwrap();
        assert_eq!(policies.by_name.len(), 2);
        assert!(policies.inline.is_none(), "off as soon as there is a file");
        assert_eq!(limits(&policies, "default", "x"), ["default 100 100/m"]);
        assert_eq!(limits(&policies, "default", "vip:1"), ["default 1000 100/m"]);
        assert_eq!(limits(&policies, "default", "vip:2"), ["default 0.5 2.5"]);
        assert_eq!(limits(&policies, "api", "x"), ["burst 20 10/s", "day 10000 10000/d"]);
        assert_eq!(limits(&policies, "api", "vip:1"), ["burst 20 10/s", "day 10000 20000/d"]);
        let (default, api) = (&policies.by_name["default"], &policies.by_name["api"]);
        assert_eq!((default.on_error.name(), default.is_shadow), ("local", false));
        assert_eq!((api.on_error.name(), api.is_shadow), ("closed", true));

        let bucket = |policy: &super::Policy| policy.bucket("k", &policy.limits("k")[0]);
        assert_eq!(bucket(default), b"rl:{k}:default");
        assert_eq!(bucket(api), b"rl:{k}:api:burst");
    }

    #[test]
    fn a_limit_has_the_name_of_its_policy_or_its_own() {
        let policies = read(
            r#"
            [policies.default]
            capacity = 4
            rate = "2/s"
            [policies.api]
            limits = [
              { name = "burst", capacity = 20, rate = "10/s" },
              { name = "day", capacity = 100, rate = "100/d" },
            ]
            "#,
        )
        .unwrap();
        let limit = |name: &str| {
            policies.limit(name).map(|limit| format!("{} {}", limit.capacity(), limit.rate()))
        };
        assert_eq!(limit("default"), Ok("4 2/s".to_owned()));
        assert_eq!(limit("api:day"), Ok("100 100/d".to_owned()));
        for (name, reason) in [
            ("api", "the policy has several limits: name one, as POLICY:LIMIT"),
            ("api:hour", "the policy has no limit of this name"),
            ("default:default", "the policy has no limit of this name"),
            ("none", "no policy has this name"),
        ] {
            assert_eq!(limit(name), Err(reason));
        }
    }

    #[test]
    fn a_hash_tells_contents_apart() {
        let [one, two] = ["inline = true", "inline = true "].map(|text| read(text).unwrap());
        assert!(one.inline.is_some());
        assert_eq!(one.hash.len(), 16);
        assert_ne!(one.hash, two.hash);
        assert_eq!(one.hash, read("inline = true").unwrap().hash);
    }

    #[test]
    fn mistakes_have_a_place_and_a_reason() {
        for (text, mistake) in [
            ("", "line 1, column 1: a file must define 1 to 1000 policies"),
            ("policies = 1", "line 1, column 12: invalid type: integer `1`"),
            ("polices = {}", "line 1, column 1: unknown field `polices`, expected"),
            ("[policies.a]\ncapacity = 1\nrate = \"1/s\"\nburst = 2", "line 4, column 1: unknown"),
            ("[policies.a]\ncapacity = ", "line 2, column 12: "),
            ("[policies.a]\n[policies.a]", "line 2, column "),
            ("[policies.a]", "line 1, column 11: a policy needs capacity and rate"),
            ("[policies.a]\ncapacity = 1", "line 2, column 12: capacity and rate must be given"),
            ("[policies.a]\nrate = 1", "line 2, column 8: capacity and rate must be given"),
            ("[policies.a]\ncapacity = 0\nrate = 1", "line 2, column 12: capacity must be"),
            ("[policies.a]\ncapacity = 1e3\nrate = 1", "line 2, column 12: capacity must be"),
            ("[policies.a]\ncapacity = 1_0\nrate = 1", "line 2, column 12: capacity must be"),
            ("[policies.a]\ncapacity = -1\nrate = 1", "line 2, column 12: capacity must be"),
            ("[policies.a]\ncapacity = inf\nrate = 1", "line 2, column 12: capacity must be"),
            ("[policies.a]\ncapacity = [1]\nrate = 1", "line 2, column 12: capacity must be"),
            ("[policies.a]\ncapacity = 1\nrate = \"1/w\"", "line 3, column 8: rate must be"),
            ("policies.a = {capacity = 1, rate = true}", "line 1, column 36: rate must be"),
            ("[policies.inline]\ncapacity = 1\nrate = 1", "line 1, column 11: the policy inline"),
            ("[policies.\"a:b\"]\ncapacity = 1\nrate = 1", "line 1, column 11: a name must be"),
            ("[policies.\"\"]\ncapacity = 1\nrate = 1", "line 1, column 11: a name must be"),
            ("[policies.a]\nlimits = []", "line 2, column 10: limits must be 1 to 16"),
            ("[policies.a]\ncapacity = 1\nlimits = []", "line 3, column 10: a policy has"),
            ("policies.a.limits = [{name=\"x\"}]", "line 1, column 22: capacity and rate"),
            ("policies.a.limits = [{capacity=1}]", "line 1, column 22: missing field `name`"),
            (
                "policies.a.limits = [{name=\"x\",capacity=1,rate=1},{name=\"x\",capacity=1,rate=1}]",
                "line 1, column 57: two limits",
            ),
            (
                "[policies.a]\ncapacity = 1\nrate = 1\non_error = \"ajar\"",
                "line 4, column 12: unknown variant `ajar`",
            ),
            (
                "[policies.a]\ncapacity = 1\nrate = 1\nmode = \"\"",
                "line 4, column 8: unknown variant",
            ),
            (
                "[policies.a]\ncapacity = 1\nrate = 1\noverrides.\"\" = {}",
                "line 4, column 11: the key",
            ),
            (
                "[policies.a]\ncapacity = 1\nrate = 1\noverrides.k = {}",
                "line 4, column 11: an override",
            ),
            (
                "[policies.a]\ncapacity = 1\nrate = 1\noverrides.k = { limits = [] }",
                "line 4, column 11: an override of this policy has capacity",
            ),
            (
                "[policies.a]\nlimits = [{name=\"x\",capacity=1,rate=1}]\noverrides.k = { limits = [{name=\"y\",rate=1}] }",
                "line 3, column 33: the policy has no limit of this name",
            ),
            (
                "[policies.a]\nlimits = [{name=\"x\",capacity=1,rate=1}]\noverrides.k = { rate = 1 }",
                "line 3, column 11: an override of this policy has limits",
            ),
        ] {
            let said = read(text).err().unwrap_or_default();
            assert!(said.starts_with(mistake), "{text}\n-> {said}");
        }
        let latin = Policies::read(b"# \xe9").err().unwrap();
        assert_eq!(latin.to_string(), "line 1, column 3: the file must be UTF-8");
    }
}
