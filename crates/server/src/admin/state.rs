//! `/services/{service}/state`: reading and replacing the whole state of a key.
//!
//! - Owns: the JSON of a state, the text of its version, which services have state.
//! - Does not own: when an edit is applied, what a version is computed of (crate `engine`).
//! - Invariant: a version that was made here is checked; one of another origin cannot be, and counts as
//!   absent, unless it is that of a key without state.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use axum::{
    Json,
    extract::{Path, Query, State},
    http::StatusCode,
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use bytes::Bytes;
use reveille_engine::{
    command::{Command, StateEdit, StateVersion},
    effect::Reply,
    identity,
    keys::{self, Instance, NAME_BYTES_MAX, tag},
    level,
    record::{InvocationRecord, decode},
    retention, state_edit,
    tx::Invocation,
};
use reveille_protocol::id::InvocationId;
use reveille_store::{PartitionId, Snapshot};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{SeqAccess, Visitor},
};

use super::{
    Admin,
    invocations::refusal,
    problem::Problem,
    reading::{Unreadable, over_snapshot},
    route::Route,
    services::{NO_SERVICE, SERVICE},
};
use crate::{limits, text::time};

/// In front of every version that is made here.
const VERSION_PREFIX: &str = "sv1_";

/// The version that others give a key without state: the hash of nothing, as here.
const VERSION_EMPTY: &str = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU";

/// The new state of a key, all of it.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "StateEdit")]
struct Edit {
    /// The key.
    object_key: String,
    /// Values by name; what is not named is removed.
    new_state: BTreeMap<String, Value>,
    /// The version that the state must have, as it was read; absent to replace any.
    version: Option<String>,
    /// The scope of the key, if it is in one.
    scope: Option<String>,
}

/// A value: an array of bytes, or a string that stands for its UTF-8 bytes.
struct Value(Bytes);

/// The query of a read.
#[derive(Deserialize, JsonSchema)]
struct Read {
    /// The key.
    key: String,
    /// The scope of the key, if it is in one.
    scope: Option<String>,
}

/// The state of a key.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "State")]
struct Shown {
    /// Stands for exactly this state, for an edit.
    version: String,
    /// Values in base64, by name.
    state: BTreeMap<String, String>,
}

/// The routes of this file.
pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/services/{service}/state", "get_service_state", read)
            .says("state", "Shows the state of a key")
            .path("service", SERVICE)
            .query::<Read>()
            .answer::<Shown>(200, "The state with its version; empty for a key without state.")
            .problem(400, "The service has no state, the key has too much, or a name is malformed.")
            .problem(404, NO_SERVICE)
            .problem(500, "The state cannot be read, see the log."),
        Route::post("/services/{service}/state", "modify_service_state", replace)
            .says("state", "Replaces the state of a key, behind the handler that holds it")
            .path("service", SERVICE)
            .body::<Edit>()
            .empty(202, "The edit is durable. It is applied when no handler holds the key.")
            .problem(400, "The service has no state, or a name, scope or version is malformed.")
            .problem(404, NO_SERVICE)
            .problem(409, "The state has another version.")
            .problem(500, "An error of the server, see its log.")
            .problem(503, "The server is stopping, or the key has too many edits that wait."),
    ]
}

/// `POST /services/{service}/state`: 202 when the edit is durable. It is applied at once, or when the
/// handler that may write has ended.
async fn replace(
    State(admin): State<Admin>,
    Path(service): Path<String>,
    Json(edit): Json<Edit>,
) -> Result<StatusCode, Problem> {
    check_stateful(&admin, &service)?;
    check_name("object_key", &edit.object_key)?;
    for name in edit.new_state.keys() {
        check_name("new_state", name)?;
    }
    let scope = check_scope(edit.scope)?;
    let version = edit.version.as_deref().map(parse_version).transpose()?.flatten();
    let entries = edit.new_state.into_iter().map(|(name, value)| (name.into(), value.0)).collect();
    let id = place_of(scope.as_deref().unwrap_or(&edit.object_key));
    let edit = Box::new(StateEdit { scope, service, key: edit.object_key, entries, version });
    let reply =
        admin.partitions.ask(id, move |request| Command::ReplaceState { request, edit }).await?;
    match reply {
        Reply::Accept => Ok(StatusCode::ACCEPTED),
        reply => Err(refusal(reply)),
    }
}

/// `GET /services/{service}/state?key=K`: the state as committed, with its version for an edit. Names
/// that are not UTF-8 are shown with replacement characters.
async fn read(
    State(admin): State<Admin>,
    Path(service): Path<String>,
    Query(query): Query<Read>,
) -> Result<Json<Shown>, Problem> {
    check_stateful(&admin, &service)?;
    check_name("key", &query.key)?;
    let scope = check_scope(query.scope)?;
    let key = query.key.clone();
    let read = move |snapshot: &dyn Snapshot| {
        let instance = Instance { scope: scope.as_deref(), service: &service, key: &query.key };
        read_instance(snapshot, instance)
    };
    let Some(shown) = over_snapshot(&admin.store, read).await? else {
        let most = limits::STATE_ENTRIES_SHOWN;
        let text = format!("the state of '{key}' has more than {most} entries");
        return Err(Problem::new(StatusCode::BAD_REQUEST, text));
    };
    Ok(Json(shown))
}

/// Reads the state of a key; `None` when it has too many entries to be shown.
fn read_instance(
    snapshot: &dyn Snapshot,
    instance: Instance<'_>,
) -> Result<Option<Shown>, Unreadable> {
    let place = place_of(instance.scope.unwrap_or(instance.key));
    let partition = PartitionId(identity::partition_of(place, snapshot.partition_count()));
    let (start, end) = keys::of_instance_range(tag::STATE, instance);
    let most = limits::STATE_ENTRIES_SHOWN;
    let mut rows = snapshot.scan(partition, &start, &end, most + 1)?;
    if rows.len() > most {
        return Ok(None);
    }
    if !rows.is_empty() && is_expired(snapshot, partition, instance)? {
        rows.clear();
    }
    let len = keys::instance_prefix_len(instance);
    let version = state_edit::version_of(rows.iter().map(|(key, value)| (&key[len..], &value[..])));
    let state = rows.iter().map(|(key, value)| {
        (String::from_utf8_lossy(&key[len..]).into_owned(), STANDARD.encode(value))
    });
    Ok(Some(Shown { version: show_version(version), state: state.collect() }))
}

/// True when the state belongs to a workflow run whose retention is over: it is gone when read.
fn is_expired(
    snapshot: &dyn Snapshot,
    partition: PartitionId,
    instance: Instance<'_>,
) -> Result<bool, Unreadable> {
    let id = identity::workflow_run_id(instance.scope, instance.service, instance.key);
    let key = keys::invocation(id);
    let Some(value) = snapshot.get(partition, &key)? else { return Ok(false) };
    let record: InvocationRecord = decode(&key, &value)?;
    Ok(retention::is_over(&Invocation { id, record }, time::now()))
}

fn check_stateful(admin: &Admin, service: &str) -> Result<(), Problem> {
    let found = admin.registry.service(service).ok_or_else(|| {
        Problem::not_found(format!("The requested service '{service}' does not exist"))
    })?;
    if found.ty == "Service" {
        let text = format!("Cannot modify state for service type {}", found.ty);
        return Err(Problem::new(StatusCode::BAD_REQUEST, text));
    }
    Ok(())
}

/// Refuses names that are too long for a key of the store.
pub(super) fn check_name(field: &str, name: &str) -> Result<(), Problem> {
    if name.len() <= NAME_BYTES_MAX {
        return Ok(());
    }
    let text = format!(
        "The request field '{field}' has a name of {} bytes, at most {NAME_BYTES_MAX} fit",
        name.len()
    );
    Err(Problem::new(StatusCode::BAD_REQUEST, text))
}

/// Checks a scope; an empty one is none.
pub(super) fn check_scope(scope: Option<String>) -> Result<Option<String>, Problem> {
    let Some(scope) = scope.filter(|scope| !scope.is_empty()) else { return Ok(None) };
    match level::check_name(&scope) {
        Ok(()) => Ok(Some(scope)),
        Err(error) => {
            let text = format!("The request field 'scope' is wrong: {error}");
            Err(Problem::new(StatusCode::BAD_REQUEST, text))
        }
    }
}

/// Any id in the partition of a scope, or of a key outside of scopes.
fn place_of(key: &str) -> InvocationId {
    InvocationId::from_parts(identity::partition_key_of(key), 0)
}

fn show_version(version: StateVersion) -> String {
    format!("{VERSION_PREFIX}{}", URL_SAFE_NO_PAD.encode(version))
}

/// Reads a version; `None` for one that was not made here.
fn parse_version(text: &str) -> Result<Option<StateVersion>, Problem> {
    let empty = Some(text).filter(|text| *text == VERSION_EMPTY);
    let Some(encoded) = text.strip_prefix(VERSION_PREFIX).or(empty) else { return Ok(None) };
    let bytes = URL_SAFE_NO_PAD.decode(encoded).ok();
    match bytes.and_then(|bytes| StateVersion::try_from(bytes).ok()) {
        Some(version) => Ok(Some(version)),
        None => Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "The request field 'version' is invalid, send it as it was read, or leave it out",
        )),
    }
}

impl JsonSchema for Value {
    fn schema_name() -> Cow<'static, str> {
        "StateValue".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "The bytes of a value, or a string that stands for its UTF-8 bytes.",
            "anyOf": [
                {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 255}},
                {"type": "string"},
            ],
        })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Value;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of bytes or a string")
            }

            fn visit_str<E>(self, text: &str) -> Result<Value, E> {
                Ok(Value(Bytes::copy_from_slice(text.as_bytes())))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
                let mut bytes = Vec::new();
                while let Some(byte) = items.next_element::<u8>()? {
                    bytes.push(byte);
                }
                Ok(Value(bytes.into()))
            }
        }
        deserializer.deserialize_any(Either)
    }
}
