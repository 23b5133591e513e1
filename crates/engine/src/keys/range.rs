//! Ranges of rows that belong together.

use bytes::{BufMut, Bytes, BytesMut};
use reveille_protocol::id::InvocationId;

use super::{Instance, of_id, of_instance, put_name};

/// Range of all rows of one table.
pub fn table(tag: u8) -> (Bytes, Bytes) {
    (Bytes::copy_from_slice(&[tag]), Bytes::copy_from_slice(&[tag + 1]))
}

/// Range of all rows of one table that belong to an invocation.
pub fn of_invocation(tag: u8, id: InvocationId) -> (Bytes, Bytes) {
    prefix_range(of_id(tag, id, 0))
}

/// Range of all rows of one table that belong to an object or workflow key.
pub fn of_instance_range(tag: u8, instance: Instance<'_>) -> (Bytes, Bytes) {
    prefix_range(of_instance(tag, instance, 0))
}

/// Range of all rows of one table that belong to an instance in a scope.
pub fn of_scoped_range(tag: u8) -> (Bytes, Bytes) {
    (Bytes::copy_from_slice(&[tag, 0xFF, 0xFF]), Bytes::copy_from_slice(&[tag + 1]))
}

/// Range of all rows of one table that belong to any key of a service outside of scopes.
pub fn of_service_range(tag: u8, service: &str) -> (Bytes, Bytes) {
    let mut prefix = BytesMut::with_capacity(3 + service.len());
    prefix.put_u8(tag);
    put_name(&mut prefix, service);
    prefix_range(prefix)
}

/// The range of all keys with a prefix. Prefixes start with a tag below 0xFF, so there is an end.
pub(super) fn prefix_range(prefix: BytesMut) -> (Bytes, Bytes) {
    let start = prefix.freeze();
    let mut end = start.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            break;
        }
    }
    (start, end.into())
}
