//! `/limits/rules`: the concurrency rules of scopes and limit keys.
//!
//! A put creates or replaces the rules that it names and leaves the others alone, as clients expect;
//! a removal is a request of its own. Either is done as a whole or not at all.

use axum::{Json, extract::State};

use super::{Admin, problem::Problem, route::Route};
use crate::registry::{DeleteRule, PutRule, RuleView};

/// The routes of this file.
pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::put("/limits/rules", "upsert_rules", put)
            .says("rule", "Creates or replaces the rules that it names, all or none")
            .body::<Vec<PutRule>>()
            .answer::<Vec<RuleView>>(200, "The rules that it named, in their order.")
            .problem(409, "A precondition does not hold.")
            .problem(422, "A description is too long, or there would be too many rules.")
            .stored(),
        Route::get("/limits/rules", "list_rules", list)
            .says("rule", "Lists all concurrency rules")
            .answer::<Vec<RuleView>>(200, "All of them, in order of pattern."),
        Route::post("/limits/rules/bulk-delete", "bulk_delete_rules", delete)
            .says("rule", "Removes rules, all or none")
            .body::<Vec<DeleteRule>>()
            .answer::<Vec<String>>(200, "The patterns of those that were there.")
            .problem(409, "A rule has another version.")
            .stored(),
    ]
}

/// `PUT /limits/rules`: answers with the rules that it named, in their order.
async fn put(
    State(admin): State<Admin>,
    Json(rules): Json<Vec<PutRule>>,
) -> Result<Json<Vec<RuleView>>, Problem> {
    Ok(Json(admin.registry.put_rules(rules).await?))
}

/// `GET /limits/rules`: all of them, in order of pattern.
async fn list(State(admin): State<Admin>) -> Json<Vec<RuleView>> {
    Json(admin.registry.rules())
}

/// `POST /limits/rules/bulk-delete`: answers with the patterns of those that were there.
async fn delete(
    State(admin): State<Admin>,
    Json(rules): Json<Vec<DeleteRule>>,
) -> Result<Json<Vec<String>>, Problem> {
    Ok(Json(admin.registry.delete_rules(rules).await?))
}
