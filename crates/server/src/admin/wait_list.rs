//! `GET /waits`: what is awaited, oldest first.
//!
//! - Owns: filters, pages and the JSON of a wait.
//! - Does not own: the order over partitions ([`super::wait_merge`]), the rows (crate `engine`).
//! - Invariant: a secret is never shown; a page examines a bounded number of rows, and following
//!   `next` to its end shows every wait that was there all the time exactly once.

use axum::{
    Json,
    extract::{Query, State},
    http::StatusCode,
};
use reveille_engine::wait::{WaitKind, WaitRow};
use reveille_store::Snapshot;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Admin,
    problem::Problem,
    reading::{Unreadable, over_snapshot},
    route::Route,
    wait_merge::{Cursor, Merge},
};
use crate::{
    limits,
    text::{duration, time},
};

/// The query as sent. An empty parameter counts as absent.
#[derive(Deserialize, JsonSchema)]
struct WaitQuery {
    /// Only of invocations of this service.
    service: Option<String>,
    /// Only of invocations of this key.
    key: Option<String>,
    /// Only of this kind.
    #[schemars(extend("enum" = KINDS.map(WaitKind::name)))]
    kind: Option<String>,
    /// Only what has been awaited for longer than this, such as `10m` or `PT10M`.
    older_than: Option<String>,
    /// Most waits of the page.
    #[schemars(with = "Option<usize>", range(min = 1, max = limits::WAITS_PER_PAGE_MAX))]
    limit: Option<String>,
    /// The `next` of a page, to go on behind it.
    after: Option<String>,
}

/// The query, parsed.
struct Filter {
    service: Option<String>,
    key: Option<String>,
    kind: Option<WaitKind>,
    /// Waits that began later are not listed.
    since_max: u64,
    limit: usize,
    after: Option<Cursor>,
}

/// Waits, oldest first.
#[derive(Serialize, JsonSchema)]
struct WaitPage {
    /// The waits of this page. There may be more although they are few.
    waits: Vec<Wait>,
    /// Where the next page begins; `null` on the last one.
    next: Option<String>,
}

/// One wait.
#[derive(Serialize, JsonSchema)]
struct Wait {
    /// What is awaited.
    #[schemars(extend("enum" = KINDS.map(WaitKind::name)))]
    kind: &'static str,
    /// The invocation that waits.
    invocation_id: String,
    /// Number of the wait within its invocation.
    index: u32,
    /// Name of a promise or signal.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// Service, key and handler in one.
    target: String,
    /// Service of the invocation.
    service: String,
    /// Key of the invocation; `null` in plain services.
    key: Option<String>,
    /// Handler of the invocation.
    handler: String,
    /// Scope of the invocation, if it is in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    /// When it began.
    since: String,
    /// Attempts of the invocation until then.
    attempt: u32,
}

/// The routes of this file.
pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/waits", "list_waits", list)
            .says("wait", "Lists what is awaited, oldest first")
            .query::<WaitQuery>()
            .answer::<WaitPage>(200, "A page.")
            .problem(400, "A parameter makes no sense.")
            .problem(500, "A wait cannot be read, see the log."),
    ]
}

/// `GET /waits`.
async fn list(
    State(admin): State<Admin>,
    Query(query): Query<WaitQuery>,
) -> Result<Json<WaitPage>, Problem> {
    let filter = Filter::parse(query, time::now())?;
    over_snapshot(&admin.store, move |snapshot| page(snapshot, &filter)).await.map(Json)
}

fn page(snapshot: &dyn Snapshot, filter: &Filter) -> Result<WaitPage, Unreadable> {
    let mut merge = Merge::start(snapshot, filter.after.as_ref(), filter.since_max)?;
    let mut waits = Vec::new();
    let mut last = None;
    let mut examined = 0;
    while waits.len() < filter.limit && examined < limits::WAIT_ROWS_EXAMINED {
        let Some((cursor, row)) = merge.next()? else { break };
        examined += 1;
        last = Some(cursor);
        if filter.matches(&row) {
            waits.push(show(row));
        }
    }
    let next = if merge.is_done() { None } else { last.map(|cursor| cursor.encode()) };
    Ok(WaitPage { waits, next })
}

impl Filter {
    fn parse(query: WaitQuery, now_ms: u64) -> Result<Filter, Problem> {
        let given = |parameter: Option<String>| parameter.filter(|value| !value.is_empty());
        let kind = given(query.kind).map(|text| parse_kind(&text)).transpose()?;
        let since_max = match given(query.older_than) {
            None => u64::MAX - 1,
            Some(text) => {
                let age_ms = duration::parse(&text)
                    .map_err(|_| invalid("older_than", "expected a duration such as 10m"))?;
                now_ms.saturating_sub(age_ms)
            }
        };
        let limit = match given(query.limit) {
            None => limits::WAITS_PER_PAGE_DEFAULT,
            Some(text) => match text.parse() {
                Ok(limit) if (1..=limits::WAITS_PER_PAGE_MAX).contains(&limit) => limit,
                _ => {
                    let range = format!("expected 1 to {}", limits::WAITS_PER_PAGE_MAX);
                    return Err(invalid("limit", &range));
                }
            },
        };
        let after = given(query.after).map(|text| {
            Cursor::decode(&text).ok_or_else(|| invalid("after", "expected the 'next' of a page"))
        });
        Ok(Filter {
            service: given(query.service),
            key: given(query.key),
            kind,
            since_max,
            limit,
            after: after.transpose()?,
        })
    }

    fn matches(&self, row: &WaitRow) -> bool {
        self.service.as_ref().is_none_or(|service| *service == row.service)
            && self.key.as_ref().is_none_or(|key| Some(key) == row.key.as_ref())
            && self.kind.is_none_or(|kind| kind == row.kind)
    }
}

const KINDS: [WaitKind; 5] =
    [WaitKind::Awakeable, WaitKind::Signal, WaitKind::Promise, WaitKind::Timer, WaitKind::Call];

fn parse_kind(text: &str) -> Result<WaitKind, Problem> {
    KINDS.into_iter().find(|kind| kind.name() == text).ok_or_else(|| {
        let names = KINDS.map(WaitKind::name).join(", ");
        invalid("kind", &format!("expected one of {names}"))
    })
}

fn show(row: WaitRow) -> Wait {
    let target = match &row.key {
        Some(key) => format!("{}/{key}/{}", row.service, row.handler),
        None => format!("{}/{}", row.service, row.handler),
    };
    Wait {
        kind: row.kind.name(),
        invocation_id: row.invocation.to_string(),
        index: row.index,
        name: row.name,
        target,
        service: row.service,
        key: row.key,
        handler: row.handler,
        scope: row.scope,
        since: time::milliseconds_utc(row.since),
        attempt: row.attempt,
    }
}

fn invalid(parameter: &str, reason: &str) -> Problem {
    let message = format!("The query parameter '{parameter}' is invalid. Reason: {reason}");
    Problem::new(StatusCode::BAD_REQUEST, message)
}
