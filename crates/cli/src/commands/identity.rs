//! `reveille identity`: the key that signs requests to deployments.

use std::{
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use reveille_server::request_identity::{self, RequestIdentity};

/// Arguments of `identity`.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Makes a private key in a new file and prints its public key
    Generate {
        /// The file, PKCS#8 PEM; it must not exist
        file: PathBuf,
    },
    /// Prints the public key of a private key
    Show {
        /// The file, PKCS#8 PEM
        file: PathBuf,
    },
}

/// Prints the public key, as the SDKs take it, on a line of its own.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let identity = match &arguments.command {
        Command::Generate { file } => generate(file)?,
        Command::Show { file } => RequestIdentity::from_file(file)?,
    };
    writeln!(std::io::stdout(), "{}", identity.public_key())
        .context("cannot write to standard output")
}

fn generate(path: &Path) -> anyhow::Result<RequestIdentity> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).context("the operating system gives no random bytes")?;
    let pem = request_identity::private_key_pem(&seed);
    let write = || {
        let mut file = create_private(path)?;
        file.write_all(pem.as_bytes())?;
        file.sync_all()
    };
    write().with_context(|| format!("cannot create {}", path.display()))?;
    Ok(RequestIdentity::from_pem(pem.as_bytes())?)
}

/// Creates a file that only its owner may read, and never replaces one: the old key may be in use.
fn create_private(path: &Path) -> std::io::Result<File> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_for_its_owner_only() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("identity.pem");
        let made = generate(&path).expect("a key");
        let read = RequestIdentity::from_file(&path).expect("the key");
        assert_eq!(made.public_key(), read.public_key());
        assert!(made.public_key().starts_with("publickeyv1_"), "{}", made.public_key());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(&path).expect("the file").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        let error = generate(&path).expect_err("it exists");
        assert!(format!("{error:#}").contains("exists"), "{error:#}");
        let kept = RequestIdentity::from_file(&path).expect("the key");
        assert_eq!(kept.public_key(), made.public_key());
    }
}
