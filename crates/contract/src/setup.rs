//! Brings a server that was started elsewhere to where the scripts begin: ready, services registered.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::{client, fixture::Fixture, run::Target};

/// How long a server may take until it answers.
const READY_TIMEOUT: Duration = Duration::from_secs(30);
const READY_PAUSE: Duration = Duration::from_millis(20);

/// A well-formed awakeable id of nothing: 40 bytes and an index with us, 24 and an index with the peer.
const UNKNOWN_WAIT: &str = "sign_1BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc";
const UNKNOWN_WAIT_OF_PEER: &str = "sign_1BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBw";

impl Target {
    /// Waits until the server answers and registers the services that the scripts call.
    ///
    /// Fails when the server is not ready in 30 seconds, or refuses them.
    pub async fn prepare(
        fixture: &Fixture,
        ingress: SocketAddr,
        admin: SocketAddr,
        peer: bool,
    ) -> Result<Target> {
        for address in [ingress, admin] {
            let path = if address == ingress { "/restate/health" } else { "/health" };
            ready(address, path).await?;
        }
        let service = format!("http://{}/", fixture.service);
        let headers = [("content-type".to_owned(), "application/json".to_owned())];
        let body = format!(r#"{{"uri":"{service}"}}"#);
        let answer = client::send(admin, "POST", "/deployments", &headers, body).await?;
        if answer.status != 201 {
            bail!("the services were not registered: {} {}", answer.status, answer.text());
        }
        let unknown_wait = if peer { UNKNOWN_WAIT_OF_PEER } else { UNKNOWN_WAIT };
        let variables = BTreeMap::from([
            ("service".to_owned(), service),
            ("fixture".to_owned(), format!("http://{}/", fixture.address)),
            // The discard service: nobody listens there on a machine of today.
            ("closed".to_owned(), "http://127.0.0.1:9/".to_owned()),
            ("unknown_wait".to_owned(), unknown_wait.to_owned()),
        ]);
        Ok(Target { ingress, admin, fixture: fixture.address, variables, peer })
    }
}

async fn ready(address: SocketAddr, path: &str) -> Result<()> {
    let started = Instant::now();
    loop {
        let answer = client::send(address, "GET", path, &[], String::new()).await;
        match answer {
            Ok(answer) if answer.status == 200 => return Ok(()),
            Ok(_) | Err(_) if started.elapsed() < READY_TIMEOUT => {
                // Pacing: asked again until it is ready; this only spares the processor.
                tokio::time::sleep(READY_PAUSE).await;
            }
            Ok(answer) => bail!("{address} is not ready: {} {}", answer.status, answer.text()),
            Err(error) => return Err(error).context(format!("{address} is not ready")),
        }
    }
}
