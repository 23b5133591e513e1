//! `reveille serve`: the server, until it is told to stop.

use std::io::Write as _;

use crate::{
    config::{Flags, Settings},
    node::{self, Node},
    signals::Signals,
};

/// Arguments of `serve`.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    settings: Flags,
}

/// Serves until SIGTERM or SIGINT, then stops gracefully.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let settings = node::prepare(Settings::default(), &arguments.settings)?;
    let store = node::open_store(&settings)?;
    node::runtime()?.block_on(async {
        let mut signals = Signals::listen()?;
        let mut node = Node::start(&settings, store).await?;
        let (ingress, admin) = node.urls();
        // For people and scripts; nothing depends on anyone reading it.
        let _ = writeln!(
            std::io::stdout(),
            "reveille is ready: ingress {ingress}, admin {admin}"
        );
        let failure = tokio::select! {
            () = signals.first() => None,
            why = node.failed() => Some(why),
        };
        tracing::info!("stopping; a second signal ends the process at once");
        signals.stop_or_exit(node.stop()).await;
        match failure {
            None => Ok(()),
            Some(why) => anyhow::bail!(
                "{why}; what was acknowledged is safe, start the server again when the cause is gone"
            ),
        }
    })
}
