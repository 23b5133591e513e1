//! The manifest: what the endpoint says about itself, in the version that the server reads.
//!
//! - Owns: negotiation, and which version has what.
//! - Invariant: an option is never left out silently because the server is too old for it.

use reveille_protocol::{
    manifest::{self, Manifest, ManifestError, Options},
    version::ServiceProtocolVersion,
};

use super::{Endpoint, ProtocolMode};

/// Versions of manifests, the best first.
const TYPES: [(u32, &str); 4] = [
    (4, "application/vnd.restate.endpointmanifest.v4+json"),
    (3, "application/vnd.restate.endpointmanifest.v3+json"),
    (2, "application/vnd.restate.endpointmanifest.v2+json"),
    (1, "application/vnd.restate.endpointmanifest.v1+json"),
];
/// What a server gets that does not say what it reads.
const VERSION_DEFAULT: u32 = 2;

/// Why a server gets no manifest.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It reads no version of ours.
    NotAcceptable,
    /// It reads only versions that cannot express the options.
    TooOld(String),
}

impl Endpoint {
    /// Returns the manifest, as it is announced over HTTP/2 to a server that reads the newest version.
    pub fn manifest(&self) -> serde_json::Value {
        // Maps of strings, numbers and schemas that were JSON before.
        let mode = self.inner.mode.unwrap_or(ProtocolMode::Bidirectional);
        serde_json::to_value(self.announced(mode)).unwrap_or_default()
    }

    /// The manifest for a server, and its content type.
    pub(super) fn manifest_for(
        &self,
        accept: Option<&str>,
        mode: ProtocolMode,
    ) -> Result<(&'static str, Vec<u8>), Refusal> {
        let (version, content_type) = match accept {
            Some(accept) => negotiate(accept).ok_or(Refusal::NotAcceptable)?,
            None => TYPES
                .into_iter()
                .find(|(version, _)| *version == VERSION_DEFAULT)
                .ok_or(Refusal::NotAcceptable)?,
        };
        let manifest = self.announced(mode);
        for service in &manifest.services {
            let of_handlers = service.handlers.iter().map(|handler| &handler.options);
            for options in of_handlers.chain([&service.options]) {
                if let Some((needed, what)) =
                    newest(options).filter(|(needed, _)| *needed > version)
                {
                    return Err(Refusal::TooOld(format!(
                        "the service {:?} sets {what}, which manifests have from version {needed} on, and \
                         the server reads version {version}: upgrade it, or leave that out",
                        service.name
                    )));
                }
            }
        }
        // Maps of strings, numbers and schemas that were JSON before.
        let body =
            serde_json::to_vec(&manifest).map_err(|error| Refusal::TooOld(error.to_string()))?;
        Ok((content_type, body))
    }

    pub(super) fn check_manifest(&self) -> Result<(), ManifestError> {
        let body = serde_json::to_vec(&self.announced(ProtocolMode::Bidirectional))?;
        manifest::parse(TYPES[0].1, &body).map(drop)
    }

    fn announced(&self, mode: ProtocolMode) -> Manifest {
        let mode = match mode {
            ProtocolMode::Bidirectional => manifest::ProtocolMode::BidiStream,
            ProtocolMode::RequestResponse => manifest::ProtocolMode::RequestResponse,
        };
        Manifest {
            protocol_mode: Some(mode),
            min_protocol_version: ServiceProtocolVersion::MIN.number(),
            max_protocol_version: ServiceProtocolVersion::MAX.number(),
            services: self.inner.definitions.iter().map(|one| one.to_manifest()).collect(),
        }
    }
}

/// The best version that is accepted, whatever parameters it has.
fn negotiate(accept: &str) -> Option<(u32, &'static str)> {
    let accepted = |ty: &str| {
        accept.split(',').any(|part| {
            let essence = part.split(';').next().unwrap_or_default().trim();
            essence.eq_ignore_ascii_case(ty) || essence == "*/*"
        })
    };
    TYPES.into_iter().find(|(_, ty)| accepted(ty))
}

/// The newest of the options that are set, with the version that brought it.
fn newest(options: &Options) -> Option<(u32, &'static str)> {
    let of_retry = options.retry_policy_initial_interval_ms.is_some()
        || options.retry_policy_max_interval_ms.is_some()
        || options.retry_policy_max_attempts.is_some()
        || options.retry_policy_exponentiation_factor.is_some()
        || options.retry_policy_on_max_attempts.is_some();
    let table = [
        (4, "a retry policy", of_retry),
        (3, "an inactivity timeout", options.inactivity_timeout_ms.is_some()),
        (3, "an abort timeout", options.abort_timeout_ms.is_some()),
        (3, "a journal retention", options.journal_retention_ms.is_some()),
        (3, "an idempotency retention", options.idempotency_retention_ms.is_some()),
        (3, "a workflow retention", options.workflow_completion_retention_ms.is_some()),
        (3, "lazy state", options.enable_lazy_state.is_some()),
        (3, "that it is private", options.ingress_private.is_some()),
        (2, "documentation", options.documentation.is_some()),
        (2, "metadata", options.metadata.is_some()),
    ];
    table.into_iter().find(|(_, _, is_set)| *is_set).map(|(version, what, _)| (version, what))
}
