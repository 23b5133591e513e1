//! Decides what a registration or removal changes. Pure: records in, records out.
//!
//! - Owns: identity by address, revisions, the rule on service types, what a removal takes along.
//! - Does not own: the rules within one manifest ([`super::manifest`]).
//! - Invariant: revisions of a service name are unique, and the latest is the highest.

use reveille_protocol::id::DeploymentId;

use super::{
    Plan, RegisterDeployment, Registered, RegistryError,
    record::{self, DeploymentRecord, Records},
};

/// Finds the deployment that answers the request without discovery.
pub(super) fn existing<'a>(
    records: &'a Records,
    request: &RegisterDeployment,
) -> Option<(DeploymentId, &'a DeploymentRecord)> {
    if request.force { None } else { find(records, &request.uri.to_string()) }
}

/// Decides what a discovered deployment changes. `fresh` becomes its id if its address is new.
///
/// The address is looked up again, because others may have registered it during discovery.
pub(super) fn place(
    records: &Records,
    request: &RegisterDeployment,
    mut record: DeploymentRecord,
    fresh: DeploymentId,
) -> Result<Plan<(Registered, DeploymentId, DeploymentRecord)>, RegistryError> {
    if let Some((id, known)) = existing(records, request) {
        return Ok(Plan { value: (Registered::Existing, id, known.clone()), next: None });
    }
    if request.unless_same
        && let Some((id, known)) = find(records, &record.uri)
        && is_same(records, id, known, &record)
    {
        return Ok(Plan { value: (Registered::Existing, id, known.clone()), next: None });
    }
    for (name, service) in &mut record.services {
        let was = record::latest_of(records, name).map(|(_, known)| known.kind);
        if let Some(was) = was
            && was != service.kind
            && !(request.breaking || request.force)
        {
            let (name, declared) = (name.clone(), service.kind);
            return Err(RegistryError::ServiceType { name, was, declared });
        }
        service.revision = revision_max(records, name) + 1;
        if let Some((_, known)) = record::latest_of(records, name) {
            service.patch = known.patch.kept_for(&service.manifest_options);
        }
    }
    let (registered, id) = match find(records, &record.uri) {
        Some((id, _)) => (Registered::Existing, id),
        None => (Registered::Created, fresh),
    };
    let next = (!request.dry_run).then(|| {
        let mut next = records.clone();
        next.insert(id, record.clone());
        (next, vec![id])
    });
    Ok(Plan { value: (registered, id, record), next })
}

/// True when a deployment was discovered as it is known, and new work of all its services goes there.
fn is_same(
    records: &Records,
    id: DeploymentId,
    known: &DeploymentRecord,
    found: &DeploymentRecord,
) -> bool {
    let mut found = found.clone();
    found.created_at_ms = known.created_at_ms;
    for (name, service) in &mut found.services {
        let Some((latest, known)) = record::latest_of(records, name) else { return false };
        if latest != id {
            return false;
        }
        (service.revision, service.retired) = (known.revision, known.retired);
        service.patch = known.patch.clone();
    }
    found == *known
}

/// Decides what the removal of a deployment changes: it goes, and so do the services whose latest
/// revision it serves. Their older revisions elsewhere serve the invocations pinned to them only.
/// Without force it must not serve any; whether invocations need it the caller has found out.
pub(super) fn remove(
    records: &Records,
    id: DeploymentId,
    force: bool,
) -> Result<Plan<()>, RegistryError> {
    if !records.contains_key(&id) {
        return Err(RegistryError::UnknownDeployment(id));
    }
    let latest = record::latest(records);
    if !force {
        let served = latest.iter().filter(|(_, (serving, _))| *serving == id);
        let services: Vec<&str> = served.map(|(name, _)| *name).collect();
        if !services.is_empty() {
            return Err(RegistryError::Serving { id, services: services.join(", ") });
        }
    }
    let gone = |name: &str| latest.get(name).is_some_and(|(serving, _)| *serving == id);
    let mut next = records.clone();
    next.remove(&id);
    let mut changed = vec![id];
    for (other, record) in &mut next {
        let retired =
            record.services.iter_mut().filter(|(name, service)| !service.retired && gone(name));
        let before = changed.len();
        for (_, service) in retired {
            service.retired = true;
            changed.truncate(before);
            changed.push(*other);
        }
    }
    Ok(Plan { value: (), next: Some((next, changed)) })
}

fn find<'a>(records: &'a Records, uri: &str) -> Option<(DeploymentId, &'a DeploymentRecord)> {
    records.iter().find(|(_, record)| record.uri == uri).map(|(id, record)| (*id, record))
}

/// The highest revision that any deployment has of a service, retired or not; 0 if none has it.
pub(super) fn revision_max(records: &Records, name: &str) -> u64 {
    let revisions = records.values().filter_map(|record| record.services.get(name));
    revisions.map(|service| service.revision).max().unwrap_or(0)
}
