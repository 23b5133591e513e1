//! Serves the programs of this folder: those of `examples/typescript`, with our own SDK.
//!
//!   PORT             where to listen
//!   MODE=bidi|rr|h1  streaming over HTTP/2, request/response over HTTP/2, or over HTTP/1.1
//!        lambda      as a function of AWS Lambda, which is played
//!   IDENTITY_KEYS    public keys of request identity, separated by commas

use std::{env, error::Error};

use reveille::{Endpoint, ProtocolMode};
use tokio::net::TcpListener;

mod account;
mod approval;
mod caller;
mod combinators;
mod desk;
mod door;
mod lambda;
mod meeting;
mod notes;
mod outcome;
mod reviewer;
mod steps;
mod workflows;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let port: u16 = env::var("PORT").map_or(Ok(9080), |port| port.parse())?;
    let mut endpoint = Endpoint::builder()
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
        .bind(workflows::ShortReviewWorkflow);
    if env::var("MODE").as_deref() == Ok("rr") {
        endpoint = endpoint.protocol_mode(ProtocolMode::RequestResponse);
    }
    for key in env::var("IDENTITY_KEYS").iter().flat_map(|keys| keys.split(',')) {
        endpoint = endpoint.identity_key(key);
    }
    let endpoint = endpoint.build()?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    if env::var("MODE").as_deref() == Ok("lambda") {
        return lambda::serve(endpoint, listener).await;
    }
    endpoint.serve(listener, std::future::pending()).await;
    Ok(())
}
