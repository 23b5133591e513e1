//! The checks that make a decoded manifest a valid one.

use std::collections::HashMap;

use crate::manifest::{Handler, HandlerType, Manifest, ManifestError, Service, ServiceType};

/// Names that our own routes use.
const RESERVED_NAMES: [&str; 3] = ["restate", "openapi", "reveille"];
/// The highest protocol version that the schema admits.
const PROTOCOL_VERSION_MAX: u32 = i32::MAX as u32;

pub(super) fn check(mut manifest: Manifest) -> Result<Manifest, ManifestError> {
    let (min, max) = (manifest.min_protocol_version, manifest.max_protocol_version);
    if min < 1 || min > max || max > PROTOCOL_VERSION_MAX {
        return Err(ManifestError::ProtocolRange { min, max });
    }
    for service in &mut manifest.services {
        check_service(service)?;
        keep_last(&mut service.handlers, |handler| &handler.name);
    }
    keep_last(&mut manifest.services, |service| &service.name);
    Ok(manifest)
}

fn check_service(service: &Service) -> Result<(), ManifestError> {
    let name = &service.name;
    if !is_name(name, b"._-") {
        return Err(ManifestError::ServiceName(name.clone()));
    }
    if RESERVED_NAMES.contains(&name.as_str()) {
        return Err(ManifestError::ReservedName(name.clone()));
    }
    service.handlers.iter().try_for_each(|handler| check_handler(service, handler))
}

fn check_handler(service: &Service, handler: &Handler) -> Result<(), ManifestError> {
    if !is_name(&handler.name, b"_") {
        return Err(ManifestError::HandlerName {
            service: service.name.clone(),
            handler: handler.name.clone(),
        });
    }
    match (service.ty, handler.ty) {
        (ServiceType::Service, Some(_))
        | (ServiceType::VirtualObject, Some(HandlerType::Workflow))
        | (ServiceType::Workflow, Some(HandlerType::Exclusive)) => {
            Err(ManifestError::HandlerType { service: service.ty, handler: handler.ty })
        }
        _ => Ok(()),
    }
}

/// Matches `^([a-zA-Z]|_[a-zA-Z0-9])[a-zA-Z0-9…]*$`, where `…` is `extra`.
fn is_name(name: &str, extra: &[u8]) -> bool {
    let rest = match name.as_bytes() {
        [b'_', second, rest @ ..] if second.is_ascii_alphanumeric() => rest,
        [first, rest @ ..] if first.is_ascii_alphabetic() => rest,
        _ => return false,
    };
    rest.iter().all(|byte| byte.is_ascii_alphanumeric() || extra.contains(byte))
}

/// Keeps the last item of each name, in its place.
fn keep_last<T>(items: &mut Vec<T>, name: impl Fn(&T) -> &str) {
    let last: HashMap<String, usize> =
        items.iter().enumerate().map(|(place, item)| (name(item).to_owned(), place)).collect();
    let mut place = 0;
    items.retain(|item| {
        let keep = last.get(name(item)) == Some(&place);
        place += 1;
        keep
    });
}
