//! The tables of a policy file, as TOML has them. Their values are not validated yet.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::{Spanned, Value};

use super::definition::OnError;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileTable {
    #[serde(default)]
    pub(super) inline: bool,
    #[serde(default)]
    pub(super) policies: BTreeMap<Spanned<String>, Spanned<PolicyTable>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PolicyTable {
    pub(super) capacity: Option<Spanned<Value>>,
    pub(super) rate: Option<Spanned<Value>>,
    pub(super) limits: Option<Spanned<Vec<Spanned<LimitTable>>>>,
    pub(super) key: Option<KeyName>,
    pub(super) ipv6_prefix: Option<Spanned<Value>>,
    #[serde(default)]
    pub(super) on_error: OnError,
    #[serde(default)]
    pub(super) mode: Mode,
    #[serde(default)]
    pub(super) overrides: BTreeMap<Spanned<String>, Spanned<OverrideTable>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OverrideTable {
    pub(super) capacity: Option<Spanned<Value>>,
    pub(super) rate: Option<Spanned<Value>>,
    pub(super) limits: Option<Spanned<Vec<Spanned<LimitTable>>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LimitTable {
    pub(super) name: Spanned<String>,
    pub(super) capacity: Option<Spanned<Value>>,
    pub(super) rate: Option<Spanned<Value>>,
}

/// The value of `key`.
#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum KeyName {
    Text,
    Ip,
}

#[derive(Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Mode {
    #[default]
    Enforce,
    Shadow,
}
