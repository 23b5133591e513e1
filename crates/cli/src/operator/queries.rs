//! The SQL text of all commands.
//!
//! - Owns: every query, and [`quote`], the one way for text of others to get into one.
//! - Does not own: what matches ([`super::selector`] makes conditions of these parts), the tables (the server).
//! - Invariant: every value in a query went through [`quote`], or is a number.

use reveille_server::text::time;

/// Most entries of a journal that are shown.
pub const JOURNAL_ENTRIES_MAX: usize = 1000;

/// Most keys that are shown as blocked.
pub const BLOCKED_KEYS_MAX: usize = 10;

/// Writes a text as an SQL literal.
pub fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// `column = 'value'`.
pub fn equals(column: &str, value: &str) -> String {
    format!("{column} = {}", quote(value))
}

/// `column IN ('a', 'b')`.
pub fn is_in(column: &str, values: &[impl AsRef<str>]) -> String {
    let values: Vec<_> = values.iter().map(|value| quote(value.as_ref())).collect();
    format!("{column} IN ({})", values.join(", "))
}

/// Which invocations `invocations list` shows. Conditions are joined by "and".
#[derive(Clone, Debug, Default)]
pub struct InvocationFilter {
    /// Services, any of them.
    pub services: Vec<String>,
    /// Handler.
    pub handler: Option<String>,
    /// Key.
    pub key: Option<String>,
    /// Statuses, any of them; all but completed ones when there is none.
    pub statuses: Vec<String>,
    /// True for completed ones as well.
    pub has_completed: bool,
    /// Deployment: pinned to it, or last tried on it.
    pub deployment: Option<String>,
    /// Created since then, in milliseconds.
    pub since_ms: Option<u64>,
}

impl InvocationFilter {
    fn conditions(&self) -> String {
        let mut all = Vec::new();
        if !self.services.is_empty() {
            all.push(is_in("target_service_name", &self.services));
        }
        if !self.statuses.is_empty() {
            all.push(is_in("status", &self.statuses));
        } else if !self.has_completed {
            all.push("status != 'completed'".to_owned());
        }
        all.extend(self.handler.iter().map(|handler| equals("target_handler_name", handler)));
        all.extend(self.key.iter().map(|key| equals("target_service_key", key)));
        if let Some(id) = &self.deployment {
            let pinned = equals("pinned_deployment_id", id);
            all.push(format!("({pinned} OR {})", equals("last_attempt_deployment_id", id)));
        }
        let since = self.since_ms.map(|at| quote(&time::milliseconds_utc(at)));
        all.extend(since.map(|since| format!("created_at >= {since}")));
        if all.is_empty() { "true".to_owned() } else { all.join(" AND ") }
    }
}

/// Invocations, newest first.
pub fn invocations(filter: &InvocationFilter, limit: usize) -> String {
    format!(
        "SELECT id, target, status, created_at, modified_at, scheduled_start_at, next_retry_at, \
         retry_count, last_failure, completion_result, completion_failure, pinned_deployment_id \
         FROM sys_invocation WHERE {} ORDER BY created_at DESC, id LIMIT {limit}",
        filter.conditions()
    )
}

/// Ids and targets of the invocations that a condition selects, oldest first.
pub fn selected(condition: &str, statuses: &[&str], limit: usize) -> String {
    format!(
        "SELECT id, target, status, created_at FROM sys_invocation WHERE {condition} AND {} \
         ORDER BY created_at, id LIMIT {limit}",
        is_in("status", statuses)
    )
}

/// Everything about one invocation.
pub fn invocation(id: &str) -> String {
    format!("SELECT * FROM sys_invocation WHERE {}", equals("id", id))
}

/// What one invocation waits for.
pub fn waits_of(id: &str) -> String {
    format!(
        "SELECT kind, \"index\", name, since FROM sys_wait WHERE {} ORDER BY since LIMIT 100",
        equals("invocation_id", id)
    )
}

/// The journal of one invocation, without its payloads.
pub fn journal(id: &str) -> String {
    format!(
        "SELECT \"index\", entry_type, name, entry_lite_json, appended_at FROM sys_journal WHERE {} \
         ORDER BY \"index\" LIMIT {JOURNAL_ENTRIES_MAX}",
        equals("id", id)
    )
}

/// Failed attempts and pauses of one invocation.
pub fn events(id: &str) -> String {
    format!(
        "SELECT after_journal_entry_index, appended_at, event_type, event_json \
         FROM sys_journal_events WHERE {} ORDER BY appended_at LIMIT 100",
        equals("id", id)
    )
}

/// How many invocations each handler has in each status, completed ones left out.
pub fn activity(service: Option<&str>) -> String {
    let service = service.map(|name| format!(" AND {}", equals("target_service_name", name)));
    format!(
        "SELECT target_service_name, target_handler_name, status, COUNT(1) AS invocations, \
         MIN(created_at) AS oldest FROM sys_invocation WHERE status != 'completed'{} \
         GROUP BY target_service_name, target_handler_name, status \
         ORDER BY target_service_name, target_handler_name, status",
        service.unwrap_or_default()
    )
}

/// The keys that most invocations wait for.
pub fn blocked_keys(service: Option<&str>) -> String {
    let service = service.map(|name| format!(" WHERE {}", equals("service_name", name)));
    format!(
        "SELECT service_name, service_key, COUNT(1) AS waiting, MIN(created_at) AS oldest \
         FROM sys_inbox{} GROUP BY service_name, service_key \
         ORDER BY waiting DESC, service_name, service_key LIMIT {BLOCKED_KEYS_MAX}",
        service.unwrap_or_default()
    )
}

/// Who holds each of these keys: pairs of service and key, at least one.
pub fn holders(keys: &[(&str, &str)]) -> String {
    let same = |(service, key): &(&str, &str)| {
        format!("({} AND {})", equals("service_name", service), equals("service_key", key))
    };
    let any: Vec<_> = keys.iter().map(same).collect();
    format!(
        "SELECT service_name, service_key, invocation_id FROM sys_keyed_service_status WHERE {}",
        any.join(" OR ")
    )
}

/// How many invocations there are in each status.
pub fn counts() -> String {
    "SELECT status, COUNT(1) AS invocations FROM sys_invocation GROUP BY status ORDER BY status"
        .to_owned()
}

/// How many waits there are, by kind.
pub fn wait_counts() -> String {
    "SELECT kind, COUNT(1) AS waits FROM sys_wait GROUP BY kind ORDER BY kind".to_owned()
}

/// How many invocations still need a deployment, by service.
pub fn needing(deployment: &str) -> String {
    format!(
        "SELECT target_service_name, COUNT(1) AS invocations FROM sys_invocation \
         WHERE status != 'completed' AND {} GROUP BY target_service_name ORDER BY target_service_name",
        equals("pinned_deployment_id", deployment)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_cannot_be_left() {
        for (text, expected) in [
            ("plain", "'plain'"),
            ("", "''"),
            ("it's", "'it''s'"),
            ("' OR 1=1 --", "''' OR 1=1 --'"),
            ("''", "''''''"),
            ("back\\slash", "'back\\slash'"),
            ("ü\n;", "'ü\n;'"),
        ] {
            assert_eq!(quote(text), expected);
        }
    }

    /// Whatever a user may say ends up between quotes.
    #[test]
    fn no_query_takes_text_as_it_is() {
        let evil = "x' OR 'a'='a";
        let filter = InvocationFilter {
            services: vec![evil.to_owned()],
            handler: Some(evil.to_owned()),
            key: Some(evil.to_owned()),
            statuses: vec![evil.to_owned()],
            deployment: Some(evil.to_owned()),
            ..InvocationFilter::default()
        };
        for sql in [
            invocations(&filter, 5),
            invocation(evil),
            waits_of(evil),
            journal(evil),
            events(evil),
            activity(Some(evil)),
            blocked_keys(Some(evil)),
            holders(&[(evil, evil)]),
            needing(evil),
            selected(&equals("id", evil), &[evil], 5),
        ] {
            assert!(sql.contains("'x'' OR ''a''=''a'"), "{sql}");
            assert!(!sql.replace("'x'' OR ''a''=''a'", "?").contains("a'='a"), "{sql}");
        }
    }
}
