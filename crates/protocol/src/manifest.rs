//! The discovery manifest: what a deployment says about itself.
//!
//! - Owns: the JSON shapes of manifest versions 1 to 5, [`parse`] and its checks, [`ACCEPT`].
//! - Does not own: the exchange itself, nor checks against earlier revisions (server).
//! - Invariant: a parsed manifest has valid and distinct names, only combinations of service and
//!   handler type that mean something, and a protocol range that is not empty.
//!
//! Unknown members are ignored and `null` counts as absent. Start with [`parse`].

mod check;
mod shape;

#[cfg(test)]
mod tests;

pub use shape::{
    Handler, HandlerType, InputPayload, Manifest, Options, OutputPayload, ProtocolMode,
    RetryPolicyOnMaxAttempts, Service, ServiceType,
};

/// The `accept` header of a discovery request: one header, no parameters, best version first.
///
/// Version 5 is read but not asked for, since its schema is not published.
pub const ACCEPT: &str = "application/vnd.restate.endpointmanifest.v4+json, \
    application/vnd.restate.endpointmanifest.v3+json, \
    application/vnd.restate.endpointmanifest.v2+json, \
    application/vnd.restate.endpointmanifest.v1+json";

/// The highest manifest version that [`parse`] reads.
const VERSION_MAX: u32 = 5;

/// Reads and checks the body of a discovery response.
///
/// Of services, or handlers of one service, with the same name the last one wins.
///
/// # Errors
///
/// See [`ManifestError`]; the first problem found is reported.
pub fn parse(content_type: &str, body: &[u8]) -> Result<Manifest, ManifestError> {
    if !is_manifest(content_type) {
        return Err(ManifestError::ContentType(content_type.to_owned()));
    }
    let manifest: Manifest = serde_json::from_slice(body)?;
    check::check(manifest)
}

fn is_manifest(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    (1..=VERSION_MAX)
        .any(|n| essence == format!("application/vnd.restate.endpointmanifest.v{n}+json"))
}

/// Why a manifest is refused. The deployment must be fixed in all cases.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The response is no manifest, or one of a version that we do not read.
    #[error("unsupported content type '{0}'")]
    ContentType(String),
    /// The body is not JSON of the expected shape, or has an unknown enum value.
    #[error("{0}")]
    Decode(#[from] serde_json::Error),
    /// A service name violates the pattern.
    #[error("invalid service name '{0}'")]
    ServiceName(String),
    /// A handler name violates the pattern.
    #[error("invalid handler name '{handler}' in service '{service}'")]
    HandlerName {
        /// The service it belongs to.
        service: String,
        /// The name.
        handler: String,
    },
    /// A service bears a name that the server needs for itself.
    #[error("cannot insert/modify service '{0}' as it contains a reserved name")]
    ReservedName(String),
    /// The handler type means nothing in a service of this type.
    #[error("invalid combination of service type and handler type '({service:?}, {handler:?})'")]
    HandlerType {
        /// The type of the service.
        service: ServiceType,
        /// The type of the handler.
        handler: Option<HandlerType>,
    },
    /// The range of protocol versions is empty or lies outside 1 to 2^31-1.
    #[error("invalid service protocol range [{min}, {max}]")]
    ProtocolRange {
        /// The announced minimum.
        min: u32,
        /// The announced maximum.
        max: u32,
    },
}
