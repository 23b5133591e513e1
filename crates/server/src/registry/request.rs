//! What an operator asks for when registering a deployment.
//!
//! Invariant: what was deserialized is valid: the address is in normal form, headers can be sent.

use serde::{Deserialize, Deserializer, de::Error};

use super::{TextMap, check_header, uri::DeploymentUri};
use crate::lambda::function::Function;

/// Asks to discover a deployment and to send new work to it. Deserializes from the request body.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Body")]
pub struct RegisterDeployment {
    /// Base address.
    pub uri: DeploymentUri,
    /// Headers added to every request to the deployment.
    pub additional_headers: Vec<(String, String)>,
    /// True to call it with HTTP/1.1 instead of HTTP/2.
    pub use_http_11: bool,
    /// True to discover a known address again.
    pub force: bool,
    /// True to let services change their type.
    pub breaking: bool,
    /// True to check only: nothing is stored.
    pub dry_run: bool,
    /// True to store nothing when new work goes there already, to the same services.
    pub unless_same: bool,
    /// Shown with the deployment, means nothing to the server.
    pub metadata: TextMap,
}

/// The body as it is sent: `uri`, or `arn` with or without `assume_role_arn`.
#[derive(Deserialize)]
struct Body {
    #[serde(default, deserialize_with = "optional_uri")]
    uri: Option<DeploymentUri>,
    arn: Option<String>,
    assume_role_arn: Option<String>,
    #[serde(default, deserialize_with = "headers")]
    additional_headers: Vec<(String, String)>,
    #[serde(default, deserialize_with = "or_default")]
    use_http_11: bool,
    #[serde(default, deserialize_with = "or_default")]
    force: bool,
    #[serde(default, deserialize_with = "or_default")]
    breaking: bool,
    #[serde(default, deserialize_with = "or_default")]
    dry_run: bool,
    #[serde(default, deserialize_with = "or_default")]
    metadata: TextMap,
}

impl TryFrom<Body> for RegisterDeployment {
    type Error = String;

    fn try_from(body: Body) -> Result<RegisterDeployment, String> {
        let (uri, is_function) = match (body.uri, &body.arn) {
            (Some(uri), None) => (uri, false),
            (None, Some(arn)) => {
                let function = Function::parse(arn, body.assume_role_arn.as_deref());
                let function = function.map_err(|error| error.to_string())?;
                (DeploymentUri::function(&function).map_err(|error| error.to_string())?, true)
            }
            (None, None) => return Err("missing field `uri`".to_owned()),
            (Some(_), Some(_)) => return Err("`uri` and `arn` exclude each other".to_owned()),
        };
        if body.assume_role_arn.is_some() && !is_function {
            return Err("`assume_role_arn` belongs to an `arn`".to_owned());
        }
        Ok(RegisterDeployment {
            uri,
            additional_headers: body.additional_headers,
            use_http_11: body.use_http_11 || is_function,
            force: body.force,
            breaking: body.breaking,
            dry_run: body.dry_run,
            unless_same: false,
            metadata: body.metadata,
        })
    }
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
            unless_same: false,
            metadata: TextMap::new(),
        }
    }
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
