//! What the code of the attribute macros calls. Nothing here is for users; it may change at any time.

use std::marker::PhantomData;

pub use reveille_protocol::manifest::{HandlerType, ServiceType};

pub use crate::definition::{Entry, Schemas};

/// Asks a type for its JSON Schema, whether it has one or not.
pub struct Probe<T>(PhantomData<fn() -> T>);

impl<T> Probe<T> {
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        Self(PhantomData)
    }
}

/// Of types without a schema. Found only where [`ViaSchemars`] is not: behind one more reference.
pub trait ViaNothing {
    fn json_schema(&self) -> Option<serde_json::Value> {
        None
    }
}

impl<T> ViaNothing for &Probe<T> {}

/// Of types with a schema.
pub trait ViaSchemars {
    fn json_schema(&self) -> Option<serde_json::Value>;
}

#[cfg(feature = "schemars")]
impl<T: schemars::JsonSchema> ViaSchemars for Probe<T> {
    fn json_schema(&self) -> Option<serde_json::Value> {
        // Nothing has no schema: there is no body.
        (size_of::<T>() > 0).then(|| schemars::schema_for!(T).to_value())
    }
}
