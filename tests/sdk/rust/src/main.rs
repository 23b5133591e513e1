//! Serves the programs of this folder: those of `examples/typescript`, with the Rust SDK.
//!
//!   PORT             where to listen
//!   MODE=bidi|rr|h1  streaming over HTTP/2, request/response over HTTP/2, or over HTTP/1.1
//!
//! The server that comes with the SDK streams over HTTP/2; for the other two modes the endpoint of
//! the SDK is served by hyper itself.

use std::{convert::Infallible, env};

use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use restate_sdk::prelude::*;
use tokio::net::TcpListener;

#[macro_use]
mod notes;

mod account;
mod approval;
mod caller;
mod combinators;
mod desk;
mod door;
mod meeting;
mod outcome;
mod reviewer;
mod steps;
mod workflows;

#[tokio::main]
async fn main() {
    let port: u16 = env::var("PORT").map_or(9080, |port| port.parse().expect("PORT is a number"));
    let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("listen on PORT");
    match env::var("MODE").as_deref() {
        Ok("rr" | "h1") => serve(listener, endpoint()).await,
        _ => HttpServer::new(endpoint()).serve(listener).await,
    }
}

fn endpoint() -> Endpoint {
    Endpoint::builder()
        .bind(account::Account)
        .bind(account::Archive)
        .bind(account::Cabinet)
        .bind(approval::Approval)
        .bind(caller::Caller)
        .bind(caller::Payout)
        .bind(combinators::Combinators)
        .bind(desk::Desk)
        .bind(door::Door)
        .bind(meeting::Meeting)
        .bind(meeting::Room)
        .bind(reviewer::Notifier)
        .bind(reviewer::Reviewer)
        .bind(steps::Patient)
        .bind(steps::Steps)
        .bind(steps::Stubborn)
        .bind(workflows::ReleaseWorkflow)
        .bind(workflows::ReviewWorkflow)
        .bind(workflows::ShortReviewWorkflow)
        .build()
}

/// Serves request/response over whichever version of HTTP the client speaks.
async fn serve(listener: TcpListener, endpoint: Endpoint) {
    loop {
        let (stream, _) = listener.accept().await.expect("accept a connection");
        let endpoint = endpoint.clone();
        tokio::spawn(async move {
            let answer = service_fn(move |request| {
                let options = HandleOptions { protocol_mode: ProtocolMode::RequestResponse };
                let answer = endpoint.handle_with_options(request, options);
                async move { Ok::<_, Infallible>(answer) }
            });
            let server = auto::Builder::new(TokioExecutor::new());
            if let Err(error) = server.serve_connection(TokioIo::new(stream), answer).await {
                println!("a connection ended with {error}");
            }
        });
    }
}
