//! `/subscriptions` and `/kafka-clusters`: topics whose records become invocations.
//!
//! Secrets among properties are never shown. A subscription shows what holds it up, if anything does.

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::{Path, Query, State},
    http::{HeaderName, StatusCode, header::LOCATION},
};
use reveille_protocol::id::SubscriptionId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Admin, problem::Problem, route::Route};
use crate::{
    kafka,
    registry::kafka::{Cluster, Kafka, NewSubscription, Properties, Subscription},
    text::time,
};

const SUBSCRIPTION: &str = "Id of a subscription, `sub_…`.";
const BAD_ID: &str = "The id does not parse.";
const NO_SUBSCRIPTION: &str = "There is no such subscription.";
const CLUSTER: &str = "Name of a cluster.";
const NO_CLUSTER: &str = "There is no such cluster.";
const BAD_PROPERTIES: &str = "A property is refused, or no brokers are named.";
const NOT_BUILT: &str = "This server was built without Kafka.";

/// The routes of this file.
pub(super) fn routes() -> Vec<Route> {
    let mut routes = subscription_routes();
    routes.extend(cluster_routes());
    routes
}

fn subscription_routes() -> Vec<Route> {
    vec![
        Route::get("/subscriptions", "list_subscriptions", subscriptions)
            .says("kafka", "Lists subscriptions, with what holds them up")
            .query::<Wanted>()
            .answer::<Subscriptions>(200, "Those of that sink and source, or all."),
        Route::post("/subscriptions", "create_subscription", subscribe)
            .says("kafka", "Lets the records of a topic become invocations")
            .body::<Subscribe>()
            .answer::<SubscriptionView>(201, "It is created; header `location` names it.")
            .problem(400, "Source, sink or an option is refused, or the cluster is not known.")
            .problem(501, NOT_BUILT)
            .stored(),
        Route::get("/subscriptions/{subscription}", "get_subscription", subscription)
            .says("kafka", "Shows a subscription, with what holds it up")
            .path("subscription", SUBSCRIPTION)
            .answer::<SubscriptionView>(200, "The subscription.")
            .text(400, BAD_ID)
            .problem(404, NO_SUBSCRIPTION),
        Route::delete("/subscriptions/{subscription}", "delete_subscription", unsubscribe)
            .says("kafka", "Ends a subscription; invocations that it made go on")
            .path("subscription", SUBSCRIPTION)
            .empty(202, "It is ended.")
            .text(400, BAD_ID)
            .problem(404, NO_SUBSCRIPTION)
            .stored(),
    ]
}

fn cluster_routes() -> Vec<Route> {
    vec![
        Route::get("/kafka-clusters", "list_kafka_clusters", clusters)
            .says("kafka", "Lists Kafka clusters")
            .answer::<Clusters>(200, "All of them, secrets masked."),
        Route::post("/kafka-clusters", "create_kafka_cluster", create_cluster)
            .says("kafka", "Makes a Kafka cluster known")
            .body::<CreateCluster>()
            .answer::<ClusterView>(201, "It is known; header `location` names it.")
            .problem(400, BAD_PROPERTIES)
            .problem(409, "There is a cluster of this name.")
            .problem(501, NOT_BUILT)
            .stored(),
        Route::get("/kafka-clusters/{cluster}", "get_kafka_cluster", cluster)
            .says("kafka", "Shows a Kafka cluster")
            .path("cluster", CLUSTER)
            .query::<Details>()
            .answer::<ClusterView>(200, "The cluster, secrets masked.")
            .problem(404, NO_CLUSTER),
        Route::patch("/kafka-clusters/{cluster}", "update_kafka_cluster", update_cluster)
            .says("kafka", "Replaces the properties of a Kafka cluster")
            .path("cluster", CLUSTER)
            .body::<UpdateCluster>()
            .answer::<ClusterView>(200, "The cluster as it is now.")
            .problem(400, BAD_PROPERTIES)
            .problem(404, NO_CLUSTER)
            .problem(409, "It comes from the settings of the server.")
            .problem(501, NOT_BUILT)
            .stored(),
        Route::delete("/kafka-clusters/{cluster}", "delete_kafka_cluster", remove_cluster)
            .says("kafka", "Forgets a Kafka cluster")
            .path("cluster", CLUSTER)
            .query::<Removal>()
            .empty(202, "It is forgotten.")
            .problem(404, NO_CLUSTER)
            .problem(409, "Subscriptions read from it, and the removal is not forced.")
            .stored(),
    ]
}

/// A subscription as it is shown.
#[derive(Serialize, JsonSchema)]
struct SubscriptionView {
    /// Id.
    id: String,
    /// What is read: `kafka://CLUSTER/TOPIC`.
    source: String,
    /// What is invoked: `service://SERVICE/HANDLER`.
    sink: String,
    /// Options of the client, secrets masked, and our own.
    options: BTreeMap<String, String>,
    /// What holds it up; absent when nothing does.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(default)]
    problems: Vec<kafka::Problem>,
}

/// The answer to `GET /subscriptions`.
#[derive(Serialize, JsonSchema)]
struct Subscriptions {
    /// In order of id.
    subscriptions: Vec<SubscriptionView>,
}

/// Which subscriptions are listed; all without.
#[derive(Deserialize, JsonSchema)]
struct Wanted {
    /// Only those that invoke this, as it is shown.
    sink: Option<String>,
    /// Only those that read this, as it is shown.
    source: Option<String>,
}

/// The body of `POST /subscriptions`.
#[derive(Deserialize, JsonSchema)]
struct Subscribe {
    /// What is read: `kafka://CLUSTER/TOPIC`.
    source: String,
    /// What is invoked: `service://SERVICE/HANDLER`.
    sink: String,
    /// Options of the client, and our own.
    options: Option<Properties>,
}

/// A cluster as it is shown.
#[derive(Serialize, JsonSchema)]
struct ClusterView {
    /// Name.
    name: String,
    /// Properties of its clients, secrets masked.
    properties: BTreeMap<String, String>,
    /// Since when it is known.
    created_at: String,
    /// Those that read from it, if they are asked for; absent in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    subscriptions: Option<Vec<SubscriptionView>>,
}

/// The answer to `GET /kafka-clusters`.
#[derive(Serialize, JsonSchema)]
struct Clusters {
    /// In order of name.
    clusters: Vec<ClusterView>,
}

/// The body of `POST /kafka-clusters`.
#[derive(Deserialize, JsonSchema)]
struct CreateCluster {
    /// Name, for sources.
    name: String,
    /// Properties of its clients, `bootstrap.servers` among them.
    properties: Properties,
}

/// The body of `PATCH /kafka-clusters/{name}`.
#[derive(Deserialize, JsonSchema)]
struct UpdateCluster {
    /// All properties; a secret that is sent masked stays as it was.
    properties: Properties,
}

/// The query of `GET /kafka-clusters/{name}`.
#[derive(Deserialize, JsonSchema)]
struct Details {
    /// True to show what reads from it.
    #[serde(default)]
    include_subscriptions: bool,
}

/// The query of a removal.
#[derive(Deserialize, JsonSchema)]
struct Removal {
    /// True to forget it although subscriptions read from it; they wait then.
    force: Option<bool>,
}

/// What is answered to a creation.
type Created<T> = (StatusCode, [(HeaderName, String); 1], Json<T>);

/// `GET /subscriptions`.
async fn subscriptions(
    State(admin): State<Admin>,
    Query(wanted): Query<Wanted>,
) -> Json<Subscriptions> {
    let kafka = set_up(&admin);
    let views = kafka.subscriptions.iter().map(|(id, one)| view(&admin, *id, one));
    let is = |text: &str, wanted: &Option<String>| wanted.as_ref().is_none_or(|w| w == text);
    let listed = views.filter(|v| is(&v.source, &wanted.source) && is(&v.sink, &wanted.sink));
    Json(Subscriptions { subscriptions: listed.collect() })
}

/// `POST /subscriptions`.
async fn subscribe(
    State(admin): State<Admin>,
    Json(body): Json<Subscribe>,
) -> Result<Created<SubscriptionView>, Problem> {
    let Subscribe { source, sink, options } = body;
    let new = NewSubscription { source, sink, options: options.unwrap_or_default() };
    let (id, subscription) = admin.registry.subscribe(new).await?;
    let location = [(LOCATION, format!("subscriptions/{id}"))];
    Ok((StatusCode::CREATED, location, Json(view(&admin, id, &subscription))))
}

/// `GET /subscriptions/{id}`.
async fn subscription(
    State(admin): State<Admin>,
    Path(id): Path<String>,
) -> Result<Json<SubscriptionView>, Problem> {
    let id = parse_id(&id)?;
    let kafka = set_up(&admin);
    let found = kafka.subscriptions.get(&id).map(|one| Json(view(&admin, id, one)));
    found.ok_or_else(|| {
        Problem::not_found(format!("The requested subscription '{id}' does not exist"))
    })
}

/// `DELETE /subscriptions/{id}`.
async fn unsubscribe(
    State(admin): State<Admin>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    admin.registry.unsubscribe(parse_id(&id)?).await?;
    Ok(StatusCode::ACCEPTED)
}

/// `GET /kafka-clusters`.
async fn clusters(State(admin): State<Admin>) -> Json<Clusters> {
    let kafka = set_up(&admin);
    let views = kafka.clusters.iter().map(|(name, cluster)| cluster_view(name, cluster));
    Json(Clusters { clusters: views.collect() })
}

/// `POST /kafka-clusters`.
async fn create_cluster(
    State(admin): State<Admin>,
    Json(body): Json<CreateCluster>,
) -> Result<Created<ClusterView>, Problem> {
    let CreateCluster { name, properties } = body;
    let cluster = admin.registry.create_cluster(name.clone(), properties).await?;
    let location = [(LOCATION, format!("kafka-clusters/{name}"))];
    Ok((StatusCode::CREATED, location, Json(cluster_view(&name, &cluster))))
}

/// `GET /kafka-clusters/{name}`: with its subscriptions only if they are asked for.
async fn cluster(
    State(admin): State<Admin>,
    Path(name): Path<String>,
    Query(details): Query<Details>,
) -> Result<Json<ClusterView>, Problem> {
    let kafka = set_up(&admin);
    let Some(cluster) = kafka.clusters.get(&name) else {
        let text = format!("The requested Kafka cluster '{name}' does not exist");
        return Err(Problem::not_found(text));
    };
    let of = kafka.subscriptions.iter();
    let of = of.filter(|(_, one)| details.include_subscriptions && one.cluster == name);
    let subscriptions = of.map(|(id, one)| view(&admin, *id, one)).collect();
    let shown = cluster_view(&name, cluster);
    Ok(Json(ClusterView { subscriptions: Some(subscriptions), ..shown }))
}

/// `PATCH /kafka-clusters/{name}`: other properties; what is sent masked stays as it was.
async fn update_cluster(
    State(admin): State<Admin>,
    Path(name): Path<String>,
    Json(body): Json<UpdateCluster>,
) -> Result<Json<ClusterView>, Problem> {
    let cluster = admin.registry.update_cluster(name.clone(), body.properties).await?;
    Ok(Json(cluster_view(&name, &cluster)))
}

/// `DELETE /kafka-clusters/{name}`: 202 when nothing reads from it or with `?force=true`, else 409.
async fn remove_cluster(
    State(admin): State<Admin>,
    Path(name): Path<String>,
    Query(removal): Query<Removal>,
) -> Result<StatusCode, Problem> {
    admin.registry.remove_cluster(name, removal.force.unwrap_or(false)).await?;
    Ok(StatusCode::ACCEPTED)
}

fn set_up(admin: &Admin) -> std::sync::Arc<Kafka> {
    admin.registry.kafka().borrow().clone()
}

fn view(admin: &Admin, id: SubscriptionId, subscription: &Subscription) -> SubscriptionView {
    SubscriptionView {
        id: id.to_string(),
        source: subscription.source(),
        sink: subscription.sink(),
        options: subscription.options.shown(),
        problems: admin.statuses.of(id),
    }
}

fn cluster_view(name: &str, cluster: &Cluster) -> ClusterView {
    ClusterView {
        name: name.to_owned(),
        properties: cluster.properties.shown(),
        created_at: time::nanoseconds_utc(cluster.created_at_ms),
        subscriptions: None,
    }
}

fn parse_id(id: &str) -> Result<SubscriptionId, Problem> {
    id.parse::<SubscriptionId>().map_err(|reason| {
        Problem::unparsable(format!(
            "Invalid URL: Cannot parse `subscription` with value `{id}`: {reason}"
        ))
    })
}
