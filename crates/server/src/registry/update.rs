//! Decides what a change of a deployment itself changes: its address, its headers, its HTTP version.
//! Pure: records in, records out.
//!
//! - Owns: which changes would strand work that has started.
//! - Invariant: revisions of services that stay are as they were: no new work moves.

use reveille_protocol::id::DeploymentId;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    Plan, RegisterDeployment, RegistryError, TextMap,
    record::{self, DeploymentRecord, Records},
    request,
    uri::DeploymentUri,
};

/// What is to change of a deployment; what is absent or `null` stays as it is.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub struct UpdateDeployment {
    /// New base address.
    #[serde(default, deserialize_with = "request::optional_uri")]
    #[schemars(with = "Option<String>")]
    pub uri: Option<DeploymentUri>,
    /// Headers added to every request from now on; they replace the old ones.
    #[serde(default, deserialize_with = "request::optional_headers")]
    #[schemars(with = "Option<TextMap>")]
    pub additional_headers: Option<Vec<(String, String)>>,
    /// True to call it with HTTP/1.1, false for HTTP/2.
    #[serde(default)]
    pub use_http_11: Option<bool>,
    /// True to accept that services or handlers are missing or have changed their type.
    #[serde(default, deserialize_with = "request::or_default")]
    #[schemars(with = "Option<bool>")]
    pub overwrite: bool,
    /// True to check only: nothing is stored.
    #[serde(default, deserialize_with = "request::or_default")]
    #[schemars(with = "Option<bool>")]
    pub dry_run: bool,
}

impl UpdateDeployment {
    /// The request with which the deployment is discovered again.
    pub(super) fn request(
        &self,
        known: &DeploymentRecord,
    ) -> Result<RegisterDeployment, RegistryError> {
        let uri = match &self.uri {
            Some(uri) => uri.clone(),
            None => DeploymentUri::stored(&known.uri).map_err(|error| RegistryError::Record {
                id: known.uri.clone(),
                detail: error.to_string(),
            })?,
        };
        let headers = self.additional_headers.clone().unwrap_or_else(|| known.headers.clone());
        Ok(RegisterDeployment {
            additional_headers: headers,
            use_http_11: self.use_http_11.unwrap_or(known.http1),
            metadata: TextMap::clone(&known.metadata),
            ..RegisterDeployment::new(uri)
        })
    }
}

/// Decides what becomes of a deployment that was discovered again.
pub(super) fn update(
    records: &Records,
    id: DeploymentId,
    update: &UpdateDeployment,
    mut record: DeploymentRecord,
) -> Result<Plan<DeploymentRecord>, RegistryError> {
    let Some(known) = records.get(&id) else { return Err(RegistryError::UnknownDeployment(id)) };
    let taken = records.iter().find(|(other, known)| **other != id && known.uri == record.uri);
    if let Some((other, _)) = taken {
        return Err(RegistryError::AddressTaken { uri: record.uri.clone(), other: *other });
    }
    if !update.overwrite {
        check_complete(id, known, &record)?;
    }
    record.created_at_ms = known.created_at_ms;
    for (name, service) in &mut record.services {
        match known.services.get(name) {
            Some(known) => {
                (service.revision, service.retired) = (known.revision, known.retired);
                service.patch = known.patch.kept_for(&service.manifest_options);
            }
            None => {
                service.revision = super::place::revision_max(records, name) + 1;
                // What operators changed holds for the service, wherever it is.
                if let Some((_, known)) = record::latest_of(records, name) {
                    service.patch = known.patch.kept_for(&service.manifest_options);
                }
            }
        }
    }
    let next = (!update.dry_run).then(|| {
        let mut next = records.clone();
        next.insert(id, record.clone());
        (next, vec![id])
    });
    Ok(Plan { value: record, next })
}

/// What has started may need every service and handler that was there.
fn check_complete(
    id: DeploymentId,
    known: &DeploymentRecord,
    found: &DeploymentRecord,
) -> Result<(), RegistryError> {
    let incomplete = |what: String| Err(RegistryError::Incomplete { id, what });
    for (name, service) in &known.services {
        let Some(other) = found.services.get(name) else {
            return incomplete(format!("service '{name}' is missing"));
        };
        if other.kind != service.kind {
            return incomplete(format!("service '{name}' is {} now", other.kind));
        }
        for (handler, record) in &service.handlers {
            match other.handlers.get(handler) {
                Some(other) if other.kind == record.kind => {}
                Some(_) => {
                    return incomplete(format!("handler '{name}/{handler}' has another type now"));
                }
                None => return incomplete(format!("handler '{name}/{handler}' is missing")),
            }
        }
    }
    Ok(())
}
