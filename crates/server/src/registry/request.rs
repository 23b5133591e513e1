//! What an operator asks for when registering a deployment.
//!
//! Invariant: what was deserialized is valid: the address is in normal form, headers can be sent.

use serde::{Deserialize, Deserializer, de::Error};

use super::{TextMap, check_header, uri::DeploymentUri};

/// Asks to discover a deployment and to send new work to it. Deserializes from the request body.
#[derive(Clone, Debug, Deserialize)]
pub struct RegisterDeployment {
    /// Base address.
    #[serde(deserialize_with = "uri")]
    pub uri: DeploymentUri,
    /// Headers added to every request to the deployment.
    #[serde(default, deserialize_with = "headers")]
    pub additional_headers: Vec<(String, String)>,
    /// True to call it with HTTP/1.1 instead of HTTP/2.
    #[serde(default, deserialize_with = "or_default")]
    pub use_http_11: bool,
    /// True to discover a known address again.
    #[serde(default, deserialize_with = "or_default")]
    pub force: bool,
    /// True to let services change their type.
    #[serde(default, deserialize_with = "or_default")]
    pub breaking: bool,
    /// True to check only: nothing is stored.
    #[serde(default, deserialize_with = "or_default")]
    pub dry_run: bool,
    /// Shown with the deployment, means nothing to the server.
    #[serde(default, deserialize_with = "or_default")]
    pub metadata: TextMap,
}

impl RegisterDeployment {
    /// Makes a request with every option at its default.
    pub fn new(uri: DeploymentUri) -> RegisterDeployment {
        RegisterDeployment {
            uri,
            additional_headers: Vec::new(),
            use_http_11: false,
            force: false,
            breaking: false,
            dry_run: false,
            metadata: TextMap::new(),
        }
    }
}

fn uri<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DeploymentUri, D::Error> {
    DeploymentUri::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

fn headers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(String, String)>, D::Error> {
    Ok(optional_headers(deserializer)?.unwrap_or_default())
}

/// Clients send `null` for what they do not set.
pub(super) fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// An address that may be left out.
pub(super) fn optional_uri<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<DeploymentUri>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| DeploymentUri::parse(&text).map_err(D::Error::custom)).transpose()
}

/// Headers that may be left out.
pub(super) fn optional_headers<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<(String, String)>>, D::Error> {
    let map = Option::<TextMap>::deserialize(deserializer)?;
    for (name, value) in map.iter().flatten() {
        check_header(name, value).map_err(D::Error::custom)?;
    }
    Ok(map.map(|map| map.into_iter().collect()))
}
