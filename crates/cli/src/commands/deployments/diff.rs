//! What a registration would change, as a list of services and handlers with signs.
//!
//! ```text
//! + Account            VirtualObject, 2 handlers     new
//! ~ Greeter            revision 1 becomes 2          changed
//!   + greetAll
//!   ~ greet            exclusive, was shared
//!   - hello
//! = Approval           revision 3 becomes 4          the same handlers
//! - Old                                              no longer served by this deployment
//! ```
//!
//! - Invariant: pure; what is registered and what is offered are both as the API shows them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::operator::table::shown;

/// Returns one line per difference. `registered` are the latest revisions of all services, `offered` what
/// the endpoint serves, `deployment` the id that it has already, if it does.
pub fn lines(registered: &[Value], offered: &[Value], deployment: Option<&str>) -> Vec<String> {
    let before: BTreeMap<String, &Value> =
        registered.iter().map(|service| (shown(&service["name"]), service)).collect();
    let after: BTreeMap<String, &Value> =
        offered.iter().map(|service| (shown(&service["name"]), service)).collect();
    let mut lines = Vec::new();
    for (name, service) in &after {
        match before.get(name) {
            None => lines.push(added(name, service)),
            Some(old) => lines.extend(changed(name, old, service)),
        }
    }
    let is_lost = |name: &String, old: &Value| {
        !after.contains_key(name) && old["deployment_id"].as_str() == deployment
    };
    let lost = before.iter().filter(|(name, old)| deployment.is_some() && is_lost(name, old));
    lines
        .extend(lost.map(|(name, _)| format!("- {name}: no longer served, calls to it will fail")));
    lines
}

fn added(name: &str, service: &Value) -> String {
    let handlers: Vec<_> = handlers(service).into_keys().collect();
    format!("+ {name}: {}, handlers {}", shown(&service["ty"]), handlers.join(", "))
}

fn changed(name: &str, old: &Value, new: &Value) -> Vec<String> {
    let (before, after) = (handlers(old), handlers(new));
    let names: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let mut details = Vec::new();
    if old["ty"] != new["ty"] {
        details.push(format!(
            "  ~ {}, was {}: a breaking change",
            shown(&new["ty"]),
            shown(&old["ty"])
        ));
    }
    for handler in names {
        match (before.get(handler), after.get(handler)) {
            (None, Some(ty)) if ty.is_empty() => details.push(format!("  + {handler}")),
            (None, Some(ty)) => details.push(format!("  + {handler}: {ty}")),
            (Some(_), None) => details.push(format!("  - {handler}")),
            (Some(old), Some(new)) if old != new => {
                details.push(format!("  ~ {handler}: {new}, was {old}"));
            }
            _ => {}
        }
    }
    let (sign, rest) = if details.is_empty() { ("=", ", the same handlers") } else { ("~", "") };
    let revisions = match (old["revision"].as_u64(), new["revision"].as_u64()) {
        (Some(old), Some(new)) if old != new => format!("revision {old} becomes {new}"),
        (Some(old), _) => format!("revision {old}"),
        _ => String::new(),
    };
    let mut lines = vec![format!("{sign} {name}: {revisions}{rest}")];
    lines.append(&mut details);
    lines
}

/// Handlers with their type, which plain ones have not.
fn handlers(service: &Value) -> BTreeMap<String, String> {
    let all = service["handlers"].as_array().into_iter().flatten();
    all.map(|handler| (shown(&handler["name"]), shown(&handler["ty"]))).collect()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;

    #[test]
    fn differences() {
        let handler = |name: &str, ty: &str| json!({"name": name, "ty": ty});
        let registered = [
            json!({"name": "Account", "ty": "VirtualObject", "revision": 1, "deployment_id": "dp_1",
                "handlers": [handler("deposit", "Exclusive"), handler("read", "Shared")]}),
            json!({"name": "Gone", "ty": "Service", "revision": 1, "deployment_id": "dp_1",
                "handlers": []}),
            json!({"name": "Other", "ty": "Service", "revision": 1, "deployment_id": "dp_2",
                "handlers": []}),
            json!({"name": "Same", "ty": "Service", "revision": 3, "deployment_id": "dp_1",
                "handlers": [{"name": "h"}]}),
            json!({"name": "Turned", "ty": "Service", "revision": 1, "deployment_id": "dp_1",
                "handlers": []}),
        ];
        let offered = [
            json!({"name": "Account", "ty": "VirtualObject", "revision": 2,
                "handlers": [handler("read", "Exclusive"), handler("close", "Exclusive")]}),
            json!({"name": "New", "ty": "Service", "revision": 1,
                "handlers": [{"name": "a"}, {"name": "b"}]}),
            json!({"name": "Same", "ty": "Service", "revision": 4, "handlers": [{"name": "h"}]}),
            json!({"name": "Turned", "ty": "Workflow", "revision": 2, "handlers": []}),
        ];
        let expected = expect![[r"
            ~ Account: revision 1 becomes 2
              + close: Exclusive
              - deposit
              ~ read: Exclusive, was Shared
            + New: Service, handlers a, b
            = Same: revision 3 becomes 4, the same handlers
            ~ Turned: revision 1 becomes 2
              ~ Workflow, was Service: a breaking change
            - Gone: no longer served, calls to it will fail"]];
        expected.assert_eq(&lines(&registered, &offered, Some("dp_1")).join("\n"));
        // Another deployment takes over, and takes nothing away.
        assert!(!lines(&registered, &offered, None).join("\n").contains("- Gone"));
    }
}
