//! Concurrency rules: changes as a whole, versions, bounds, and that they outlive a restart.

use reveille_store::memory::MemoryStore;
use serde_json::{Value, json};

use super::{super::RuleView, FakeDeployments, Registry, RegistryError, open};
use crate::limits::{RULE_DESCRIPTION_BYTES, RULES_MAX};

async fn put(registry: &Registry, rules: Value) -> Result<Vec<RuleView>, RegistryError> {
    registry.put_rules(serde_json::from_value(rules).expect("rules")).await
}

async fn delete(registry: &Registry, rules: Value) -> Result<Vec<String>, RegistryError> {
    registry.delete_rules(serde_json::from_value(rules).expect("rules")).await
}

/// Pattern, limit, version, and a mark where it is disabled.
fn shown(rules: &[RuleView]) -> String {
    let show = |rule: &RuleView| {
        let limit = rule.limits.concurrency.map_or("!".to_owned(), |limit| limit.to_string());
        let disabled = if rule.disabled { "-" } else { "" };
        format!("{disabled}{}={limit} v{}", rule.pattern, rule.version)
    };
    rules.iter().map(show).collect::<Vec<_>>().join(", ")
}

#[tokio::test]
async fn changes_are_durable_and_reach_the_schema() {
    let (store, deployments) = (MemoryStore::new(1), FakeDeployments::default());
    let registry = open(&store, &deployments).expect("an empty store opens");
    assert_eq!(registry.schema().borrow().rules.version, 0);
    let first = json!([
        {"pattern": "s/", "limits": {"concurrency": 2}, "description": "two"},
        {"pattern": "*/a", "disabled": true},
    ]);
    assert_eq!(shown(&put(&registry, first).await.expect("new")), "s=2 v1, -*/a=! v1");
    let second = json!([{"pattern": "s", "limits": {"concurrency": 5}}]);
    assert_eq!(shown(&put(&registry, second).await.expect("known")), "s=5 v2");
    assert_eq!(put(&registry, json!([])).await.expect("nothing"), Vec::new());

    let again = open(&store, &deployments).expect("the store opens again");
    assert_eq!(shown(&again.rules()), "-*/a=! v1, s=5 v2");
    let rules = again.schema().borrow().rules.clone();
    assert_eq!(rules.limit(&["s"]).map(|limit| limit.concurrency), Some(5));
    assert_eq!(rules.limit(&["s", "a"]), None);
    let removed = delete(&again, json!([{"pattern": "s"}, {"pattern": "none"}])).await;
    assert_eq!(removed.expect("removed"), ["s"]);
    assert_eq!(again.schema().borrow().rules.limit(&["s"]), None);
    // A rule that comes back has another version than the one that went.
    let back = json!([{"pattern": "s", "precondition": {"type": "does_not_exist"}}]);
    let back = put(&again, back).await.expect("it does not exist");
    assert!(back[0].version > 2, "{back:?}");
}

#[tokio::test]
async fn what_does_not_hold_changes_nothing() {
    let registry = open(&MemoryStore::new(1), &FakeDeployments::default()).expect("it opens");
    put(&registry, json!([{"pattern": "s"}])).await.expect("new");
    let long = "d".repeat(RULE_DESCRIPTION_BYTES + 1);
    let many: Vec<Value> =
        (0..RULES_MAX).map(|number| json!({ "pattern": format!("s/{number}") })).collect();
    let other = |rule: Value| json!([{"pattern": "other"}, rule]);
    for (rules, expected) in [
        (
            other(json!({"pattern": "s", "precondition": {"type": "does_not_exist"}})),
            "the rule 's' has version 1, but no version was expected; nothing was changed",
        ),
        (
            other(json!({"pattern": "s", "precondition": {"type": "matches", "version": 7}})),
            "the rule 's' has version 1, but version 7 was expected; nothing was changed",
        ),
        (
            other(json!({"pattern": "t", "precondition": {"type": "matches", "version": 1}})),
            "the rule 't' has no version, but version 1 was expected; nothing was changed",
        ),
        (
            other(json!({"pattern": "s", "description": long})),
            "the description of rule 's' has 1025 bytes, at most 1024 fit; nothing was changed",
        ),
        (
            json!(many),
            "there can be 1000 rules at most; remove some, or use patterns with '*'; nothing was \
             changed",
        ),
    ] {
        let refused = put(&registry, rules).await.expect_err(expected);
        assert_eq!(refused.to_string(), expected);
        assert_eq!(shown(&registry.rules()), "s=! v1");
    }
    let wrong = json!([{"pattern": "s", "expected_version": 2}]);
    delete(&registry, wrong).await.expect_err("it has another version");
    assert_eq!(shown(&registry.rules()), "s=! v1");
    let right = json!([{"pattern": "s", "expected_version": 1}]);
    assert_eq!(delete(&registry, right).await.expect("it has that version"), ["s"]);
}
