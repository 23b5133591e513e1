//! The address of a deployment in its normal form.
//!
//! - Owns: what makes two addresses the same.
//! - Invariant: a [`DeploymentUri`] is `http://host[:port]/path/`, or `https`: host in lower case, no query, a
//!   slash at the end; or that of a function ([`crate::lambda`]), or of a deployment within this process
//!   ([`crate::invoker::LocalDeployment`]).

use std::{fmt, str::FromStr};

use http::Uri;

use crate::{invoker::local::SCHEME, lambda::function::Function};

/// The base address of a deployment; equal values name the same deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeploymentUri {
    uri: Uri,
}

/// Why a text is not the address of a deployment. Fix the input.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UriError {
    /// It does not follow the grammar, or names no host.
    #[error("'{0}' is not an absolute URI such as http://localhost:9080")]
    Invalid(String),
    /// Another scheme.
    #[error(
        "deployments are called over http or https, not {0}; put a proxy in front of one that needs \
         more"
    )]
    Scheme(String),
    /// Not the name of a deployment within this process.
    #[error("'{0}' is no name for a deployment: use lower-case letters, digits, '-' and '.'")]
    Name(String),
    /// A name or password in front of the host.
    #[error("credentials in the URI are not supported, send them as additional_headers")]
    Credentials,
}

impl DeploymentUri {
    /// Reads an address and brings it to its normal form.
    pub fn parse(text: &str) -> Result<DeploymentUri, UriError> {
        let invalid = || UriError::Invalid(text.to_owned());
        let uri = Uri::from_str(text.trim()).map_err(|_| invalid())?;
        let scheme = uri.scheme_str().ok_or_else(invalid)?;
        let scheme = scheme.to_ascii_lowercase();
        if !matches!(scheme.as_str(), "http" | "https") {
            return Err(UriError::Scheme(scheme));
        }
        let authority = uri.authority().ok_or_else(invalid)?;
        if authority.as_str().contains('@') {
            return Err(UriError::Credentials);
        }
        let path = uri.path().trim_end_matches('/');
        let authority = authority.as_str().to_ascii_lowercase();
        let normal = format!("{scheme}://{authority}{path}/");
        Uri::from_str(&normal).map(|uri| DeploymentUri { uri }).map_err(|_| invalid())
    }

    /// Makes the address of a function.
    pub(crate) fn function(function: &Function) -> Result<DeploymentUri, UriError> {
        let text = function.to_string();
        Uri::from_str(&text).map(|uri| DeploymentUri { uri }).map_err(|_| UriError::Invalid(text))
    }

    /// Makes the address of a deployment within this process. The name is part of what is stored: it has
    /// to be the same after a restart. Lower-case letters, digits, `-` and `.`.
    pub fn local(name: &str) -> Result<DeploymentUri, UriError> {
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
        if name.is_empty() || !name.chars().all(is_plain) {
            return Err(UriError::Name(name.to_owned()));
        }
        Uri::from_str(&format!("{SCHEME}://{name}/"))
            .map(|uri| DeploymentUri { uri })
            .map_err(|_| UriError::Name(name.to_owned()))
    }

    /// Reads an address that was stored, which is in normal form already.
    pub(super) fn stored(text: &str) -> Result<DeploymentUri, UriError> {
        Uri::from_str(text)
            .map(|uri| DeploymentUri { uri })
            .map_err(|_| UriError::Invalid(text.to_owned()))
    }

    /// The function that it is, if it is one.
    pub(super) fn as_function(&self) -> Option<Function> {
        Function::of(&self.uri)
    }

    /// Returns the address for the HTTP client.
    pub fn to_uri(&self) -> Uri {
        self.uri.clone()
    }
}

impl fmt::Display for DeploymentUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.uri.fmt(f)
    }
}
