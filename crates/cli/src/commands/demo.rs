//! `reveille demo`: the server, a handler that waits for the user, and the story of both.

use std::path::PathBuf;

use crate::{
    config::{Flags, Settings},
    demo::{Ending, Stage},
    node::{self, Node},
    signals::Signals,
};

/// Arguments of `demo`.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    settings: Flags,
    /// Answer by itself and end after the result
    #[arg(long)]
    yes: bool,
}

/// Tells the story; then serves until a signal, unless it answers by itself.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let settings = node::prepare(defaults(), &arguments.settings)?;
    refuse_security(&settings)?;
    let store = node::open_store(&settings)?;
    node::runtime()?.block_on(async {
        let mut signals = Signals::listen()?;
        let mut stage = Stage::set(&settings.data_dir)?;
        let node = Node::start(&settings, store).await?;
        let played = stage.play(&node, &mut signals, arguments.yes).await;
        if matches!(played, Ok(Ending::Told)) && !arguments.yes {
            stage.say_ending();
            signals.first().await;
        }
        signals.stop_or_exit(node.stop()).await;
        stage.clear();
        played.map(drop)
    })
}

/// The demonstration calls itself over plain HTTP and without a token.
fn refuse_security(settings: &Settings) -> anyhow::Result<()> {
    let security = &settings.server.security;
    let closed = [&security.ingress, &security.admin]
        .iter()
        .any(|listener| !listener.tokens.is_empty() || listener.cert_file.is_some());
    anyhow::ensure!(
        !closed,
        "demo takes neither tokens nor TLS: leave ingress.tokens, admin.tokens and the tls settings \
         out, or use `reveille serve`"
    );
    Ok(())
}

/// A directory of its own, and no log lines between those of the story.
fn defaults() -> Settings {
    Settings {
        data_dir: PathBuf::from("./reveille-demo"),
        log_filter: "error".to_owned(),
        ..Settings::default()
    }
}
