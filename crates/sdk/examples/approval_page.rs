//! A web application with its engine inside: what is asked waits on a page until somebody clicks.
//!
//! `cargo run -p reveille --example approval_page --features embedded,client`, then open
//! <http://localhost:3000>. Kill it whenever you like: what was asked is still there at the next start.

use std::{collections::BTreeMap, error::Error, sync::Arc};

use axum::{
    Router,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{Html, Redirect},
    routing::{get, post},
};
use reveille::{
    Context, Embedded, HandlerResult, ObjectContext, SharedObjectContext,
    client::{Client, ClientError},
};
use serde::Deserialize;
use tokio::net::TcpListener;

/// Everything is in one inbox.
const INBOX: &str = "all";

/// Asks whoever looks at the page.
pub struct Approval;

#[reveille::service]
impl Approval {
    /// Waits for a click, and returns what it was.
    pub async fn ask(&self, ctx: &Context, what: String) -> HandlerResult<String> {
        let (id, answer) = ctx.awakeable::<String>();
        let inbox = InboxClient::new(ctx, INBOX);
        inbox.put((id.clone(), what.clone())).call().await?;
        let answer = answer.await?;
        inbox.remove(id).call().await?;
        Ok(format!("{what}: {answer}"))
    }
}

/// What is asked and not answered: awakeable ids, and what they are about.
pub struct Inbox;

#[reveille::object]
impl Inbox {
    /// Adds something.
    #[handler(private)]
    pub async fn put(
        &self,
        ctx: &ObjectContext,
        (id, what): (String, String),
    ) -> HandlerResult<()> {
        ctx.set(&id, &what);
        Ok(())
    }

    /// Takes something out.
    #[handler(private)]
    pub async fn remove(&self, ctx: &ObjectContext, id: String) -> HandlerResult<()> {
        ctx.clear(&id);
        Ok(())
    }

    /// Lists everything.
    #[shared]
    pub async fn list(&self, ctx: &SharedObjectContext) -> HandlerResult<BTreeMap<String, String>> {
        let mut all = BTreeMap::new();
        for id in ctx.keys().await? {
            if let Some(what) = ctx.get::<String>(&id).await? {
                all.insert(id, what);
            }
        }
        Ok(all)
    }
}

/// The pages, over the engine of this process.
pub fn pages(engine: &Embedded) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/ask", get(ask))
        .route("/answer/{id}/{answer}", post(answer))
        .with_state(Arc::new(engine.client()))
}

#[derive(Deserialize)]
struct Question {
    what: String,
}

async fn page(State(client): State<Arc<Client>>) -> Result<Html<String>, (StatusCode, String)> {
    let open = InboxClient::new(&*client, INBOX).list().call().await.map_err(sorry)?;
    let rows: String = open
        .iter()
        .map(|(id, what)| {
            let button = |answer: &str| {
                format!("<button formaction=\"/answer/{id}/{answer}\">{answer}</button>")
            };
            format!("<p>{} {} {}", escaped(what), button("yes"), button("no"))
        })
        .collect();
    Ok(Html(format!(
        "<!doctype html><title>Approvals</title>\
         <form action=\"/ask\"><input name=\"what\" placeholder=\"Ask something\"></form>\
         <form method=\"post\">{rows}</form>"
    )))
}

async fn ask(
    State(client): State<Arc<Client>>,
    Query(Question { what }): Query<Question>,
) -> Result<Redirect, (StatusCode, String)> {
    ApprovalClient::new(&*client).ask(what).send().await.map_err(sorry)?;
    Ok(Redirect::to("/"))
}

async fn answer(
    State(client): State<Arc<Client>>,
    Path((id, answer)): Path<(String, String)>,
) -> Result<Redirect, (StatusCode, String)> {
    // The first click wins; a second one changes nothing.
    client.resolve_awakeable(&id, &answer).await.map_err(sorry)?;
    Ok(Redirect::to("/"))
}

fn sorry(error: ClientError) -> (StatusCode, String) {
    (StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

/// Serves until Ctrl-C.
#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let engine = Embedded::open("approvals").bind(Approval).bind(Inbox).start().await?;
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    let stop = async { drop(tokio::signal::ctrl_c().await) };
    axum::serve(listener, pages(&engine)).with_graceful_shutdown(stop).await?;
    engine.stop().await;
    Ok(())
}
