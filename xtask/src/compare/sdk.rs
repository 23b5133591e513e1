//! `cargo xtask compare --sdk --peer COMMAND`: handlers with our SDK behind the peer.
//!
//! Opt-in and by hand, as the rest of the comparison. The programs of the end-to-end tests are served in every mode;
//! each row of [`STORIES`] is asked for, through our client, and must come to what it comes to with our server. Then an
//! approval waits, and is answered.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use reveille::{Caller as _, Target, client::Client};
use serde_json::{Value, json};

use crate::{
    process::{self, Server},
    workspace,
};

/// How the programs are served.
const MODES: [&str; 3] = ["bidi", "rr", "h1"];

/// Handler, input and result. `{mode}` tells the modes apart.
const STORIES: &[(&str, &str, &str)] = &[
    ("steps/walk", r#"{"key":"walk-{mode}","count":5}"#, "15"),
    ("steps/flakyStep", r#"{"key":"flaky-{mode}","failures":2}"#, r#""worked at attempt 3""#),
    ("steps/flakyHandler", r#"{"key":"again-{mode}","failures":2}"#, r#""worked at attempt 3""#),
    ("account/{mode}/add", "5", "5"),
    ("account/{mode}/book", r#""tea""#, r#"["tea"]"#),
    ("archive/{mode}/put", r#"{"name":"n","value":[1]}"#, "null"),
    ("archive/{mode}/get", r#""n""#, "[1]"),
    ("caller/add", r#"{"key":"{mode}","amount":2}"#, "7"),
    ("caller/addOnce", r#"{"key":"once-{mode}","amount":3}"#, "true"),
    ("caller/callOnce", r#"{"key":"twice-{mode}","amount":3}"#, "[3,3]"),
    (
        "caller/cancelApproval",
        r#""impatient-{mode}""#,
        r#"{"code":409,"message":"Cancelled","metadata":{}}"#,
    ),
    (
        "caller/refused",
        r#"{"message":"no tea","code":422}"#,
        r#"{"code":422,"message":"no tea","metadata":{}}"#,
    ),
    ("combinators/withTimeout", r#"{"name":"late-{mode}","millis":100}"#, r#""timed out""#),
];

/// How often something that takes a moment is asked for, and how long in between.
const PATIENCE: (u32, Duration) = (200, Duration::from_millis(50));

/// The programs, which end with this.
struct Programs(Child);

impl Drop for Programs {
    fn drop(&mut self) {
        // Both fail only when they have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Tells all stories in all modes.
pub async fn run_stories(peer: &str) -> Result<()> {
    workspace::run(workspace::cargo(&["build", "-p", "reveille-programs"]))?;
    for mode in MODES {
        let data = process::data_directory()?;
        let server = Server::start(Some(peer), data.path())?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let reviews = data.path().join("reviews");
        let mut programs =
            Command::new(workspace::target_directory()?.join("debug/reveille-programs"));
        programs.env("PORT", port.to_string()).env("MODE", mode).stdout(Stdio::null());
        programs.env("REVIEW_LOG", &reviews).env("RUN_LOG", data.path().join("runs"));
        let _programs = Programs(programs.spawn().context("start the programs")?);
        register(server.admin, port, mode).await?;
        let client = Client::http(&format!("http://{}", server.ingress))?;
        for (target, input, expected) in STORIES {
            let fill = |text: &str| text.replace("{mode}", mode);
            let target = parse(&fill(target))?;
            let shown = format!("{}/{} ({mode})", target.service, target.handler);
            let input: Value = serde_json::from_str(&fill(input))?;
            // `Option`, so that nothing is read as `null`.
            let request = client.request::<Value, Option<Value>>(target, &input);
            let result = request.call().await.with_context(|| shown.clone())?;
            let result = result.unwrap_or_default();
            let expected: Value = serde_json::from_str(expected)?;
            ensure!(result == expected, "{shown} came to {result}, not to {expected}");
        }
        approval(&client, &reviews).await?;
        println!("{mode}: {} stories", STORIES.len() + 1);
    }
    Ok(())
}

fn parse(target: &str) -> Result<Target> {
    Ok(match *target.split('/').collect::<Vec<_>>() {
        [service, handler] => Target::service(service, handler),
        [service, key, handler] => Target::keyed(service, key, handler),
        _ => bail!("{target} is no handler"),
    })
}

/// Asks, answers, and reads the result.
async fn approval(client: &Client, reviews: &Path) -> Result<()> {
    let ask = client.request::<_, String>(Target::service("approval", "ask"), "a person");
    let asked = ask.send().await?;
    let (times, pause) = PATIENCE;
    for _ in 0..times {
        let announced = std::fs::read_to_string(reviews).unwrap_or_default();
        let announced =
            announced.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let own = announced.rev().find(|review| review["name"] == "a person");
        let Some(id) = own.as_ref().and_then(|review| review["id"].as_str()) else {
            // Pacing: the handler announces it in a moment.
            tokio::time::sleep(pause).await;
            continue;
        };
        client.resolve_awakeable(id, "yes").await?;
        let answer = asked.attach().await?;
        ensure!(answer == "yes", "approval/ask came to {answer}");
        return Ok(());
    }
    bail!("approval/ask announces nothing")
}

/// Registers the programs, once the server listens.
async fn register(admin: SocketAddr, port: u16, mode: &str) -> Result<()> {
    let body = json!({"uri": format!("http://127.0.0.1:{port}"), "use_http_11": mode == "h1"});
    let (times, pause) = PATIENCE;
    let mut said = String::new();
    for _ in 0..times {
        match post(admin, body.to_string()).await {
            Ok(201) => return Ok(()),
            Ok(status) => said = format!("the registration is answered {status}"),
            Err(error) => said = error.to_string(),
        }
        // Pacing: the server starts.
        tokio::time::sleep(pause).await;
    }
    bail!(said)
}

async fn post(admin: SocketAddr, body: String) -> Result<u16> {
    let stream = tokio::net::TcpStream::connect(admin).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // It ends with the sender.
    tokio::spawn(connection);
    let request = http::Request::post("/deployments")
        .header("host", admin.to_string())
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body)))?;
    Ok(sender.send_request(request).await?.status().as_u16())
}
