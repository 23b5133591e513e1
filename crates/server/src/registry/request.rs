//! What an operator asks for when registering a deployment.
//!
//! Invariant: what was deserialized is valid: the address is in normal form, headers can be sent.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
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

/// What to discover and register: `uri`, or `arn` with or without `assume_role_arn`.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "RegisterDeployment")]
struct Body {
    /// Base address of an endpoint.
    #[serde(default, deserialize_with = "optional_uri")]
    #[schemars(with = "Option<String>")]
    uri: Option<DeploymentUri>,
    /// ARN of a Lambda function, with its version or alias, instead of `uri`.
    arn: Option<String>,
    /// ARN of a role that is taken on to invoke the function.
    assume_role_arn: Option<String>,
    /// Headers added to every request to the deployment.
    #[serde(default, deserialize_with = "headers")]
    #[schemars(with = "Option<TextMap>", extend("default" = TextMap::new()))]
    additional_headers: Vec<(String, String)>,
    /// True to call it with HTTP/1.1 instead of HTTP/2.
    #[serde(default, deserialize_with = "or_default")]
    #[schemars(with = "Option<bool>")]
    use_http_11: bool,
    /// True to discover a known address again.
    #[serde(default, deserialize_with = "or_default")]
    #[schemars(with = "Option<bool>")]
    force: bool,
    /// True to let services change their type.
    #[serde(default, deserialize_with = "or_default")]
    #[schemars(with = "Option<bool>")]
    breaking: bool,
    /// True to check only: nothing is stored.
    #[serde(default, deserialize_with = "or_default")]
    #[schemars(with = "Option<bool>")]
    dry_run: bool,
    /// Shown with the deployment, means nothing to the server.
    #[serde(default, deserialize_with = "or_default")]
    #[schemars(with = "Option<TextMap>")]
    metadata: TextMap,
}

impl JsonSchema for RegisterDeployment {
    fn schema_name() -> Cow<'static, str> {
        Body::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Body::json_schema(generator)
    }
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
