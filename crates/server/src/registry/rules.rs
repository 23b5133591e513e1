//! Concurrency rules: the set that operators change, stored as a whole.
//!
//! | key | value |
//! |---|---|
//! | `limit-rules` | version byte ‖ JSON of [`RulesRecord`]; absent until the first change |
//!
//! - Owns: the row, its codec, changes with their preconditions, what operators see.
//! - Does not own: what a pattern means ([`reveille_engine::rules`]), the routes ([`crate::admin`]).
//! - Invariant: a change is applied as a whole or not at all.

use std::num::NonZeroU32;

use bytes::Bytes;
use reveille_engine::rules::{Rule, Rules, parse_pattern};
use reveille_store::{Batch, PartitionId, Store};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};

use super::RegistryError;
use crate::limits;

const KEY: &[u8] = b"limit-rules";
const VERSION: u8 = 1;

/// A rule to create, or to replace the one with the same pattern.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PutRule {
    /// Pattern of levels, such as `tenant/*`.
    #[serde(deserialize_with = "pattern")]
    #[schemars(with = "String")]
    pub pattern: String,
    /// Its limits; absent ones are without limit.
    #[serde(default)]
    pub limits: UserLimits,
    /// For people.
    #[serde(default)]
    pub description: Option<String>,
    /// True to have it ignored.
    #[serde(default)]
    pub disabled: bool,
    /// What must hold before.
    #[serde(default)]
    pub precondition: Precondition,
}

/// A rule to remove.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteRule {
    /// Pattern of levels, such as `tenant/*`.
    #[serde(deserialize_with = "pattern")]
    #[schemars(with = "String")]
    pub pattern: String,
    /// The version that it must have, if that matters.
    #[serde(default)]
    pub expected_version: Option<u32>,
}

/// Limits of a rule.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct UserLimits {
    /// Most invocations at the same time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<NonZeroU32>,
}

/// What must hold for a change to be made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Precondition {
    /// Nothing.
    #[default]
    None,
    /// The rule has this version.
    Matches {
        /// The version.
        version: u32,
    },
    /// There is no such rule.
    DoesNotExist,
}

/// A rule as operators see it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "Rule")]
pub struct RuleView {
    /// Pattern.
    pub pattern: String,
    /// Limits.
    pub limits: UserLimits,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// True while it is ignored.
    pub disabled: bool,
    /// Version of the set with which it changed last.
    pub version: u32,
    /// When it changed last.
    pub last_modified_millis_since_epoch: u64,
}

/// The stored form of the set.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct RulesRecord {
    version: u32,
    rules: Vec<RuleRecord>,
}

/// The stored form of a rule.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct RuleRecord {
    pattern: String,
    concurrency: Option<u32>,
    description: Option<String>,
    disabled: bool,
    version: u32,
    modified_at_ms: u64,
}

/// Reads the set.
pub(super) fn load(store: &dyn Store, partition: PartitionId) -> Result<Rules, RegistryError> {
    let Some(value) = store.get(partition, KEY)? else { return Ok(Rules::default()) };
    let damaged = |detail: String| RegistryError::RulesRecord { detail };
    let json = match value.split_first() {
        Some((&VERSION, json)) => json,
        Some((found, _)) => {
            let text = format!("version {found} is not supported, only {VERSION}");
            return Err(damaged(text));
        }
        None => return Err(damaged("it is empty".to_owned())),
    };
    let record: RulesRecord =
        serde_json::from_slice(json).map_err(|error| damaged(error.to_string()))?;
    let rules = record.rules.into_iter().map(|rule| {
        let RuleRecord { pattern, concurrency, description, disabled, version, modified_at_ms } =
            rule;
        let modified_at = modified_at_ms;
        (pattern, Rule { concurrency, description, disabled, version, modified_at })
    });
    Ok(Rules { version: record.version, by_pattern: rules.collect() })
}

/// Makes the batch that brings the set from memory to the store.
pub(super) fn batch(rules: &Rules) -> Result<Batch, RegistryError> {
    let record = RulesRecord {
        version: rules.version,
        rules: rules
            .by_pattern
            .iter()
            .map(|(pattern, rule)| RuleRecord {
                pattern: pattern.clone(),
                concurrency: rule.concurrency,
                description: rule.description.clone(),
                disabled: rule.disabled,
                version: rule.version,
                modified_at_ms: rule.modified_at,
            })
            .collect(),
    };
    let mut value = vec![VERSION];
    serde_json::to_writer(&mut value, &record)
        .map_err(|error| RegistryError::RulesRecord { detail: error.to_string() })?;
    let mut batch = Batch::default();
    batch.put(Bytes::from_static(KEY), Bytes::from(value));
    Ok(batch)
}

/// Decides what a put leads to.
pub(super) fn put(rules: &Rules, puts: &[PutRule], now_ms: u64) -> Result<Rules, RegistryError> {
    let mut next = rules.clone();
    next.version += 1;
    for put in puts {
        let actual = next.by_pattern.get(&put.pattern).map(|rule| rule.version);
        let expected = match put.precondition {
            Precondition::None => actual,
            Precondition::Matches { version } => Some(version),
            Precondition::DoesNotExist => None,
        };
        check_version(&put.pattern, expected, actual)?;
        let len = put.description.as_ref().map_or(0, String::len);
        if len > limits::RULE_DESCRIPTION_BYTES {
            return Err(RegistryError::RuleDescription { pattern: put.pattern.clone(), len });
        }
        let rule = Rule {
            concurrency: put.limits.concurrency.map(NonZeroU32::get),
            description: put.description.clone(),
            disabled: put.disabled,
            version: next.version,
            modified_at: now_ms,
        };
        next.by_pattern.insert(put.pattern.clone(), rule);
    }
    if next.by_pattern.len() > limits::RULES_MAX {
        return Err(RegistryError::TooManyRules);
    }
    Ok(next)
}

/// Decides what a removal leads to, with the patterns of those that were there.
pub(super) fn delete(
    rules: &Rules,
    deletes: &[DeleteRule],
) -> Result<(Rules, Vec<String>), RegistryError> {
    let mut next = rules.clone();
    let mut removed = Vec::new();
    for delete in deletes {
        let actual = next.by_pattern.get(&delete.pattern).map(|rule| rule.version);
        if delete.expected_version.is_some() {
            check_version(&delete.pattern, delete.expected_version, actual)?;
        }
        if next.by_pattern.remove(&delete.pattern).is_some() {
            removed.push(delete.pattern.clone());
        }
    }
    next.version += u32::from(!removed.is_empty());
    Ok((next, removed))
}

/// Shows a rule.
pub(super) fn view(pattern: &str, rule: &Rule) -> RuleView {
    RuleView {
        pattern: pattern.to_owned(),
        limits: UserLimits { concurrency: rule.concurrency.and_then(NonZeroU32::new) },
        description: rule.description.clone(),
        disabled: rule.disabled,
        version: rule.version,
        last_modified_millis_since_epoch: rule.modified_at,
    }
}

fn check_version(
    pattern: &str,
    expected: Option<u32>,
    actual: Option<u32>,
) -> Result<(), RegistryError> {
    if expected == actual {
        return Ok(());
    }
    Err(RegistryError::RuleVersion { pattern: pattern.to_owned(), expected, actual })
}

fn pattern<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    parse_pattern(&String::deserialize(deserializer)?).map_err(de::Error::custom)
}
