//! `reveille token`: a token to be given to a caller, and the hash of it that the settings hold.

use std::io::Write as _;

use anyhow::Context as _;
use reveille_server::access;

/// Arguments of `token`.
#[derive(clap::Args)]
pub struct Arguments {
    /// What the token is called in settings and logs, such as the name of who gets it
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

/// Makes a token and shows it once: nothing keeps it.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut random = [0; 32];
    getrandom::fill(&mut random).context("the operating system gives no random bytes")?;
    let token = access::token(&random);
    let hash = access::hash(&token);
    let entry = match &arguments.name {
        Some(name) => format!("{name}={hash}"),
        None => hash,
    };
    access::Tokens::parse(&entry)
        .ok()
        .context("expected a name of letters, digits, '-', '_' and '.', at most 64 of them")?;
    writeln!(
        std::io::stdout(),
        "token    {token}\n\
         setting  {entry}\n\n\
         Callers send the token as header `authorization: Bearer <token>`; it is shown only now.\n\
         The setting goes into ingress.tokens or admin.tokens, with commas between several."
    )
    .context("cannot write to standard output")
}
