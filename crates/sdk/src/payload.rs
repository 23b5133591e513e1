//! Payloads: what goes in and out of handlers, steps, state and awakeables.
//!
//! - Owns: [`Encode`] and [`Decode`], JSON for every serde type, [`Raw`] bytes.
//! - Invariant: nothing (`()`) is no bytes, and no bytes are nothing: `()` or `None`.
//!
//! A codec of one's own is an implementation of both traits for a type of one's own that is no serde
//! type:
//!
//! ```
//! use reveille::payload::{Bytes, Decode, Encode, PayloadError};
//!
//! struct Image(Bytes);
//!
//! impl Encode for Image {
//!     const CONTENT_TYPE: Option<&str> = Some("image/png");
//!     fn encode(&self) -> Result<Bytes, PayloadError> {
//!         Ok(self.0.clone())
//!     }
//! }
//!
//! impl Decode for Image {
//!     const CONTENT_TYPE: Option<&str> = Some("image/*");
//!     const IS_REQUIRED: bool = true;
//!     fn decode(bytes: Bytes) -> Result<Self, PayloadError> {
//!         Ok(Image(bytes))
//!     }
//! }
//! ```

use std::mem::{size_of, size_of_val};

pub use bytes::Bytes;
use serde::{
    Serialize,
    de::{DeserializeOwned, IntoDeserializer, value},
};

/// Why a payload cannot be written or read; the text says where.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct PayloadError(String);

impl PayloadError {
    /// Makes an error that says what is wrong with the payload.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

/// Represents what can be written as a payload: every `serde::Serialize`, as JSON.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be written as a payload",
    label = "this is no `Encode`",
    note = "derive `serde::Serialize` for it, or implement `reveille::payload::Encode`"
)]
pub trait Encode {
    /// The content type of results; `None` for none.
    const CONTENT_TYPE: Option<&str>;

    /// Writes the payload. It has to be the same for the same value: payloads are compared on replay.
    ///
    /// # Errors
    ///
    /// When the value has no such form. The attempt fails and is tried again.
    fn encode(&self) -> Result<Bytes, PayloadError>;
}

/// Represents what can be read from a payload: every `serde::de::DeserializeOwned`, from JSON.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from a payload",
    label = "this is no `Decode`",
    note = "derive `serde::Deserialize` for it, or implement `reveille::payload::Decode`"
)]
pub trait Decode: Sized {
    /// The content type of requests, with wildcards as in `accept`; `None` when there is no body.
    const CONTENT_TYPE: Option<&str>;
    /// Whether a request must have a body.
    const IS_REQUIRED: bool;

    /// Reads the payload.
    ///
    /// # Errors
    ///
    /// When the bytes are no such value. As the input of a handler that is an outcome (code 400);
    /// anywhere else the attempt fails and is tried again.
    fn decode(bytes: Bytes) -> Result<Self, PayloadError>;
}

impl<T: Serialize + ?Sized> Encode for T {
    const CONTENT_TYPE: Option<&str> = Some("application/json");

    fn encode(&self) -> Result<Bytes, PayloadError> {
        let json = serde_json::to_vec(self).map_err(|error| PayloadError(error.to_string()))?;
        // `()`, unit structs and no other values: an `Option` has a size.
        if size_of_val(self) == 0 && json == b"null" {
            return Ok(Bytes::new());
        }
        Ok(json.into())
    }
}

impl<T: DeserializeOwned> Decode for T {
    const CONTENT_TYPE: Option<&str> =
        if size_of::<T>() == 0 { None } else { Some("application/json") };
    const IS_REQUIRED: bool = false;

    fn decode(bytes: Bytes) -> Result<Self, PayloadError> {
        if bytes.is_empty() {
            let nothing: value::UnitDeserializer<value::Error> = ().into_deserializer();
            return T::deserialize(nothing)
                .map_err(|_| PayloadError::new("the body is empty, and JSON is expected"));
        }
        serde_json::from_slice(&bytes).map_err(|error| PayloadError(error.to_string()))
    }
}

/// Represents bytes that are passed on as they are.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Raw(
    /// The bytes.
    pub Bytes,
);

impl Encode for Raw {
    const CONTENT_TYPE: Option<&str> = Some("application/octet-stream");

    fn encode(&self) -> Result<Bytes, PayloadError> {
        Ok(self.0.clone())
    }
}

impl Decode for Raw {
    const CONTENT_TYPE: Option<&str> = Some("*/*");
    const IS_REQUIRED: bool = false;

    fn decode(bytes: Bytes) -> Result<Self, PayloadError> {
        Ok(Self(bytes))
    }
}

impl<T: Into<Bytes>> From<T> for Raw {
    fn from(bytes: T) -> Self {
        Self(bytes.into())
    }
}
