//! What the security settings come to: keys that are read, certificates that fit, and what an operator
//! should hear before anyone else finds out.
//!
//! - Owns: reading every file that the settings name, once, before a socket is bound; the warnings.
//! - Does not own: what the parts do ([`crate::tls`], [`crate::access`], [`crate::request_identity`]).
//! - Invariant: a setting that cannot be honoured stops the start; none is weakened silently.

use std::net::SocketAddr;

use tracing::{info, warn};

use crate::config::{ListenerSecurity, ServerConfig};
use crate::invoker::Outbound;
use crate::request_identity::{IdentityError, RequestIdentity};
use crate::tls::TlsError;
use crate::tls::client::ClientTls;
use crate::tls::server::{ADMIN_TLS, INGRESS_TLS, ServerTls, TlsFiles, TlsSettings};

/// What was read.
pub(crate) struct Security {
    pub(crate) outbound: Outbound,
    pub(crate) ingress_tls: Option<ServerTls>,
    pub(crate) admin_tls: Option<ServerTls>,
}

/// Why the security settings cannot be honoured. Mend the setting or the file it names.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SecurityError {
    /// Certificates or keys of TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The key of request identity.
    #[error("request-identity-private-key-pem-file: {0}")]
    Identity(#[from] IdentityError),
    /// One of two settings that belong together.
    #[error("{given} is set and {missing} is not; TLS needs both")]
    Half {
        /// The one that is set.
        given: &'static str,
        /// The one that is not.
        missing: &'static str,
    },
}

impl Security {
    /// Reads every file.
    pub(crate) fn open(config: &ServerConfig) -> Result<Security, SecurityError> {
        let security = &config.security;
        let tls = ClientTls::new(security.ca_file.as_deref())?;
        let key_file = security.identity_key_file.as_deref();
        let identity = key_file.map(RequestIdentity::from_file).transpose()?;
        Ok(Security {
            outbound: Outbound { tls, identity, ..Outbound::default() },
            ingress_tls: listener_tls(&security.ingress, INGRESS_TLS)?,
            admin_tls: listener_tls(&security.admin, ADMIN_TLS)?,
        })
    }

    /// Says what is on, and warns of what is open.
    pub(crate) fn announce(&self, config: &ServerConfig) {
        if let Some(identity) = &self.outbound.identity {
            info!(public_key = identity.public_key(), "requests to deployments are signed");
        }
        for (listener, security) in
            [("ingress", &config.security.ingress), ("admin", &config.security.admin)]
        {
            if !security.tokens.is_empty() {
                let names: Vec<String> = security.tokens.names().collect();
                info!(listener, tokens = names.join(" "), "a token is asked for");
            }
        }
        for warning in warnings(config) {
            warn!("{warning}");
        }
    }
}

fn listener_tls(
    security: &ListenerSecurity,
    settings: TlsSettings,
) -> Result<Option<ServerTls>, SecurityError> {
    let (given, missing) = match (security.cert_file.clone(), security.key_file.clone()) {
        (None, None) => return Ok(None),
        (Some(cert_file), Some(key_file)) => {
            return Ok(Some(ServerTls::open(TlsFiles { cert_file, key_file, settings })?));
        }
        (Some(_), None) => (settings.cert, settings.key),
        (None, Some(_)) => (settings.key, settings.cert),
    };
    Err(SecurityError::Half { given, missing })
}

/// Whatever is reachable from other machines and should perhaps not be.
///
/// A warning and no refusal: in a container, where every address but 127.0.0.1 is the right one to bind,
/// it is the network that keeps others out, and the server cannot see it.
fn warnings(config: &ServerConfig) -> Vec<String> {
    let remote = |address: SocketAddr| !address.ip().is_loopback();
    let mut warnings = Vec::new();
    let admin = config.admin_address;
    if remote(admin) && config.security.admin.tokens.is_empty() {
        warnings.push(format!(
            "whoever reaches {admin} may do everything, as the admin API asks for no token: set \
             admin.tokens (`reveille token` makes one) or bind it to 127.0.0.1"
        ));
    }
    for (address, listener, security) in [
        (config.ingress_address, "ingress", &config.security.ingress),
        (admin, "admin", &config.security.admin),
    ] {
        if remote(address) && !security.tokens.is_empty() && security.cert_file.is_none() {
            warnings.push(format!(
                "tokens come to {address} in the clear unless a proxy in front of it does TLS: set \
                 {listener}.tls.cert-file and {listener}.tls.key-file"
            ));
        }
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{self, Tokens};

    #[test]
    fn warnings_are_for_what_others_can_reach() {
        let tokens = Tokens::parse(&access::hash("x")).expect("a hash");
        for (ingress, admin, with_tokens, with_tls, expected) in [
            ("127.0.0.1:1", "127.0.0.1:2", false, false, &[][..]),
            ("[::1]:1", "[::1]:2", true, false, &[][..]),
            ("0.0.0.0:1", "127.0.0.1:2", false, false, &[][..]),
            ("0.0.0.0:1", "0.0.0.0:2", false, false, &["whoever reaches 0.0.0.0:2"][..]),
            ("127.0.0.1:1", "[::]:2", false, true, &["whoever reaches [::]:2"][..]),
            (
                "0.0.0.0:1",
                "10.0.0.1:2",
                true,
                false,
                &["set ingress.tls.cert-file", "set admin.tls.cert-file"][..],
            ),
            ("0.0.0.0:1", "0.0.0.0:2", true, true, &[][..]),
        ] {
            let security = ListenerSecurity {
                tokens: if with_tokens { tokens.clone() } else { Tokens::default() },
                cert_file: with_tls.then(|| "cert.pem".into()),
                key_file: with_tls.then(|| "key.pem".into()),
            };
            let mut config = ServerConfig {
                ingress_address: ingress.parse().expect("an address"),
                admin_address: admin.parse().expect("an address"),
                ..ServerConfig::default()
            };
            config.security.ingress = security.clone();
            config.security.admin = security;
            let warnings = warnings(&config);
            assert_eq!(warnings.len(), expected.len(), "{ingress} {admin}: {warnings:?}");
            for (warning, expected) in warnings.iter().zip(expected) {
                assert!(warning.contains(expected), "{warning}");
            }
        }
    }

    #[test]
    fn what_cannot_be_honoured_stops_the_start() {
        let missing = std::path::PathBuf::from("/no/such/file.pem");
        type Change = fn(&mut ServerConfig, std::path::PathBuf);
        let table: [(Change, &str); 5] = [
            (
                |config, path| config.security.ca_file = Some(path),
                "cannot read /no/such/file.pem, named by http-client.ca-file: ",
            ),
            (
                |config, path| config.security.identity_key_file = Some(path),
                "request-identity-private-key-pem-file: cannot read /no/such/file.pem: ",
            ),
            (
                |config, path| config.security.ingress.cert_file = Some(path),
                "ingress.tls.cert-file is set and ingress.tls.key-file is not",
            ),
            (
                |config, path| config.security.admin.key_file = Some(path),
                "admin.tls.key-file is set and admin.tls.cert-file is not",
            ),
            (
                |config, path| {
                    config.security.admin.key_file = Some(path.clone());
                    config.security.admin.cert_file = Some(path);
                },
                "cannot read /no/such/file.pem, named by admin.tls.cert-file: ",
            ),
        ];
        for (change, expected) in table {
            let mut config = ServerConfig::default();
            change(&mut config, missing.clone());
            let error = Security::open(&config).err().map(|error| error.to_string());
            let error = error.unwrap_or_else(|| panic!("{expected} was accepted"));
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
