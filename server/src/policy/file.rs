//! Reads a policy file: TOML in, policies or the place of the first error out.
//!
//! Numbers are parsed from the text of the file by the grammar that the rest of RL uses. A TOML
//! parser would accept `1e2`, `0x10` and `inf`, and would round before the bounds are checked.

use std::{collections::HashMap, str};

use rl_bucket::{Capacity, Invalid, Limit, Rate};
use rl_store::MAX_KEY;
use toml::{Spanned, Value};

use super::{
    definition::{PoliciesByName, Policy},
    error::{PolicyFileError, SpannedError},
    key_kind::KeyKind,
    limits::{INLINE, NamedLimit, PolicyLimits},
    tables::{FileTable, KeyName, LimitTable, Mode, OverrideTable, PolicyTable},
};
use crate::toml_error::TomlError;

/// The content of a policy file.
pub(super) struct PolicyFile {
    pub(super) policies: PoliciesByName,
    /// Whether limits may come with a check.
    pub(super) has_inline: bool,
}

/// The text of the file, from which numbers are parsed.
#[derive(Clone, Copy)]
struct Source<'a>(&'a str);

const MAX_POLICIES: usize = 1000;
const MAX_LIMITS: usize = 16;
const MAX_NAME: usize = 64;

const NAME: &str = "a name must be 1 to 64 letters, digits, '.', '_' or '-'";
const RESERVED: &str = "the name inline is reserved for limits that come with a check";
const FORM: &str = "a policy must have either capacity and rate, or limits";
const PAIR: &str = "capacity and rate must be given together";
const LIMITS: &str = "limits must be 1 to 16 tables with name, capacity and rate";
const DISTINCT_NAMES: &str = "the limits of a policy must have different names";
const POLICIES: &str = "a file must define 1 to 1000 policies, or set inline = true";
const IPV6_PREFIX: &str = "ipv6_prefix must be a whole number from 32 to 128";
const IPV6_PREFIX_ALONE: &str = "ipv6_prefix must come with key = \"ip\"";
const OVERRIDE_KEY: &str = "the key of an override must be 1 to 1024 bytes";
const OVERRIDE_ADDRESS: &str = "the key of an override must be an IP address, or an IPv6 network \
    of ipv6_prefix bits: the policy has key = \"ip\"";
const OVERRIDE_REPEATED: &str = "another override is for the same address or network";
const OVERRIDE_SINGLE: &str = "an override of this policy must have capacity, rate or both";
const OVERRIDE_SEVERAL: &str = "an override of this policy must have limits: tables with name, and \
    capacity, rate or both";
const OVERRIDE_NAME: &str = "no limit of the policy has this name";

/// Reads the content of a policy file.
pub(super) fn read(content: &[u8]) -> Result<PolicyFile, PolicyFileError> {
    let text = str::from_utf8(content).map_err(|error| {
        let valid = str::from_utf8(&content[..error.valid_up_to()]).unwrap_or_default();
        PolicyFileError::at(valid, valid.len(), "the file must be UTF-8".to_owned())
    })?;
    let located = |error: SpannedError| PolicyFileError::at(text, error.span.start, error.reason);
    let file: FileTable = toml::from_str(text).map_err(|error| {
        let TomlError { span, reason } = TomlError::new(&error, may_be_a_field);
        located(SpannedError { span, reason })
    })?;
    if file.policies.len() > MAX_POLICIES || (file.policies.is_empty() && !file.inline) {
        return Err(located(SpannedError::new(0..0, POLICIES)));
    }
    let mut policies = PoliciesByName::new();
    for (name, table) in &file.policies {
        let policy = Source(text).policy(name, table).map_err(located)?;
        policies.insert(policy.name.clone(), policy);
    }
    Ok(PolicyFile { policies, has_inline: file.inline })
}

// === impl Source ===

impl Source<'_> {
    fn policy(
        self,
        name: &Spanned<String>,
        table: &Spanned<PolicyTable>,
    ) -> Result<Policy, SpannedError> {
        check_name(name)?;
        if name.get_ref() == INLINE {
            return Err(SpannedError::new(name.span(), RESERVED));
        }
        // Errors about the table point at its name: the span of a table under a header is no help.
        let span = name.span();
        let table = table.get_ref();
        let limits = match (&table.capacity, &table.rate, &table.limits) {
            (None, None, Some(limits)) => self.limits(limits)?,
            (Some(capacity), Some(rate), None) => {
                let limit = Limit::new(self.capacity(capacity)?, self.rate(rate)?);
                vec![NamedLimit { name: name.get_ref().clone().into(), limit }]
            }
            (None, None, None) => return Err(SpannedError::new(span, FORM)),
            (_, _, Some(limits)) => return Err(SpannedError::new(limits.span(), FORM)),
            (Some(half), None, None) | (None, Some(half), None) => {
                return Err(SpannedError::new(half.span(), PAIR));
            }
        };
        let has_named_limits = table.limits.is_some();
        let key_kind = key_kind(table)?;
        let mut overrides = HashMap::with_capacity(table.overrides.len());
        // In the order of the file, so that of two for one bucket the second is reported.
        let mut override_tables: Vec<_> = table.overrides.iter().collect();
        override_tables.sort_by_key(|(key, _)| key.span().start);
        for (key, table) in override_tables {
            if !(1..=MAX_KEY).contains(&key.get_ref().len()) {
                return Err(SpannedError::new(key.span(), OVERRIDE_KEY));
            }
            let normalized = key_kind
                .normalize(key.get_ref())
                .ok_or_else(|| SpannedError::new(key.span(), OVERRIDE_ADDRESS))?;
            let limits = self.overridden(&limits, has_named_limits, key, table.get_ref())?;
            if overrides.insert(normalized.into(), PolicyLimits::new(limits)).is_some() {
                return Err(SpannedError::new(key.span(), OVERRIDE_REPEATED));
            }
        }
        Ok(Policy {
            name: name.get_ref().as_str().into(),
            key_kind,
            has_named_limits,
            limits: PolicyLimits::new(limits),
            overrides,
            on_error: table.on_error,
            is_shadow: table.mode == Mode::Shadow,
        })
    }

    fn limits(
        self,
        tables: &Spanned<Vec<Spanned<LimitTable>>>,
    ) -> Result<Vec<NamedLimit>, SpannedError> {
        if !(1..=MAX_LIMITS).contains(&tables.get_ref().len()) {
            return Err(SpannedError::new(tables.span(), LIMITS));
        }
        let mut limits = Vec::<NamedLimit>::with_capacity(tables.get_ref().len());
        for table in tables.get_ref() {
            let LimitTable { name, capacity, rate } = table.get_ref();
            check_name(name)?;
            if limits.iter().any(|other| other.name == name.get_ref().as_str()) {
                return Err(SpannedError::new(name.span(), DISTINCT_NAMES));
            }
            let (Some(capacity), Some(rate)) = (capacity, rate) else {
                return Err(SpannedError::new(table.span(), PAIR));
            };
            let limit = Limit::new(self.capacity(capacity)?, self.rate(rate)?);
            limits.push(NamedLimit { name: name.get_ref().clone().into(), limit });
        }
        Ok(limits)
    }

    /// The limits of a policy after the changes of an override. Numbers that it omits stay.
    fn overridden(
        self,
        limits: &[NamedLimit],
        has_named_limits: bool,
        key: &Spanned<String>,
        table: &OverrideTable,
    ) -> Result<Vec<NamedLimit>, SpannedError> {
        let mut limits = limits.to_vec();
        let span = key.span();
        match (&table.capacity, &table.rate, &table.limits) {
            (None, None, Some(tables)) if has_named_limits => {
                for table in tables.get_ref() {
                    let LimitTable { name, capacity, rate } = table.get_ref();
                    let limit = limits
                        .iter_mut()
                        .find(|limit| limit.name == name.get_ref().as_str())
                        .ok_or_else(|| SpannedError::new(name.span(), OVERRIDE_NAME))?;
                    if capacity.is_none() && rate.is_none() {
                        return Err(SpannedError::new(table.span(), OVERRIDE_SEVERAL));
                    }
                    limit.limit = self.changed(&limit.limit, capacity, rate)?;
                }
            }
            (capacity, rate, None)
                if !has_named_limits && (capacity.is_some() || rate.is_some()) =>
            {
                for limit in &mut limits {
                    limit.limit = self.changed(&limit.limit, capacity, rate)?;
                }
            }
            _ if has_named_limits => return Err(SpannedError::new(span, OVERRIDE_SEVERAL)),
            _ => return Err(SpannedError::new(span, OVERRIDE_SINGLE)),
        }
        Ok(limits)
    }

    fn changed(
        self,
        limit: &Limit,
        capacity: &Option<Spanned<Value>>,
        rate: &Option<Spanned<Value>>,
    ) -> Result<Limit, SpannedError> {
        Ok(Limit::new(
            capacity.as_ref().map_or(Ok(limit.capacity()), |value| self.capacity(value))?,
            rate.as_ref().map_or(Ok(limit.rate()), |value| self.rate(value))?,
        ))
    }

    fn capacity(self, value: &Spanned<Value>) -> Result<Capacity, SpannedError> {
        self.number(value, Capacity::parse)
    }

    fn rate(self, value: &Spanned<Value>) -> Result<Rate, SpannedError> {
        self.number(value, Rate::parse)
    }

    fn number<T>(
        self,
        value: &Spanned<Value>,
        parse: impl Fn(&[u8]) -> Result<T, Invalid>,
    ) -> Result<T, SpannedError> {
        let text = match value.get_ref() {
            Value::String(text) => text.as_str(),
            _ => self.0.get(value.span()).unwrap_or_default(),
        };
        parse(text.as_bytes()).map_err(|invalid| SpannedError::new(value.span(), invalid.text()))
    }
}

/// Whether an error may repeat this word of the file: a field or value that was mistyped. Anything
/// else could be a secret, in a file that was given by mistake.
fn may_be_a_field(word: &str) -> bool {
    word.len() <= "on_error".len() && word.bytes().all(|it| it.is_ascii_lowercase() || it == b'_')
}

/// The kind of keys that a policy has.
fn key_kind(table: &PolicyTable) -> Result<KeyKind, SpannedError> {
    let prefix = table.ipv6_prefix.as_ref();
    match (table.key, prefix.map(|prefix| (prefix.span(), prefix.get_ref()))) {
        (Some(KeyName::Ip), None) => Ok(KeyKind::Ip { ipv6_prefix: KeyKind::IPV6_PREFIX }),
        (Some(KeyName::Ip), Some((span, prefix))) => prefix
            .as_integer()
            .and_then(|bits| u8::try_from(bits).ok())
            .filter(|bits| KeyKind::IPV6_PREFIXES.contains(bits))
            .map(|ipv6_prefix| KeyKind::Ip { ipv6_prefix })
            .ok_or_else(|| SpannedError::new(span, IPV6_PREFIX)),
        (_, Some((span, _))) => Err(SpannedError::new(span, IPV6_PREFIX_ALONE)),
        (_, None) => Ok(KeyKind::Text),
    }
}

fn check_name(name: &Spanned<String>) -> Result<(), SpannedError> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if (1..=MAX_NAME).contains(&name.get_ref().len()) && name.get_ref().bytes().all(good) {
        Ok(())
    } else {
        Err(SpannedError::new(name.span(), NAME))
    }
}
