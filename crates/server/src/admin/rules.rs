//! `/limits/rules`: the concurrency rules of scopes and limit keys.
//!
//! A put creates or replaces the rules that it names and leaves the others alone, as clients expect;
//! a removal is a request of its own. Either is done as a whole or not at all.

use axum::{Json, extract::State};

use super::{Admin, problem::Problem};
use crate::registry::{DeleteRule, PutRule, RuleView};

/// `PUT /limits/rules`: answers with the rules that it named, in their order.
pub(super) async fn put(
    State(admin): State<Admin>,
    Json(rules): Json<Vec<PutRule>>,
) -> Result<Json<Vec<RuleView>>, Problem> {
    Ok(Json(admin.registry.put_rules(rules).await?))
}

/// `GET /limits/rules`: all of them, in order of pattern.
pub(super) async fn list(State(admin): State<Admin>) -> Json<Vec<RuleView>> {
    Json(admin.registry.rules())
}

/// `POST /limits/rules/bulk-delete`: answers with the patterns of those that were there.
pub(super) async fn delete(
    State(admin): State<Admin>,
    Json(rules): Json<Vec<DeleteRule>>,
) -> Result<Json<Vec<String>>, Problem> {
    Ok(Json(admin.registry.delete_rules(rules).await?))
}
