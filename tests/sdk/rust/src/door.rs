//! What callers may send: input declarations, and a handler that the outside may not call.

use std::convert::Infallible;

use bytes::Bytes;
use restate_sdk::{
    prelude::*,
    serde::{Deserialize, InputMetadata, PayloadMetadata, Serialize},
};

pub struct Image(Bytes);

impl Serialize for Image {
    type Error = Infallible;

    fn serialize(&self) -> Result<Bytes, Infallible> {
        Ok(self.0.clone())
    }
}

impl Deserialize for Image {
    type Error = Infallible;

    fn deserialize(bytes: &mut Bytes) -> Result<Self, Infallible> {
        Ok(Self(bytes.clone()))
    }
}

impl PayloadMetadata for Image {
    fn json_schema() -> Option<serde_json::Value> {
        None
    }

    fn input_metadata() -> InputMetadata {
        InputMetadata { accept_content_type: "image/*", is_required: true }
    }
}

pub struct Door;

#[restate_sdk::service(name = "door")]
impl Door {
    #[handler]
    async fn json(&self, _ctx: Context<'_>, name: String) -> HandlerResult<String> {
        Ok(format!("Hello {name}"))
    }

    #[handler]
    async fn bytes(&self, _ctx: Context<'_>, body: Vec<u8>) -> HandlerResult<Vec<u8>> {
        Ok(body)
    }

    #[handler]
    async fn image(&self, _ctx: Context<'_>, body: Image) -> HandlerResult<u64> {
        Ok(body.0.len() as u64)
    }

    /// Declares that there is no input at all.
    #[handler]
    async fn nothing(&self, _ctx: Context<'_>) -> HandlerResult<String> {
        Ok("nothing".into())
    }

    #[handler(ingress_private)]
    async fn hidden(&self, _ctx: Context<'_>, name: String) -> HandlerResult<String> {
        Ok(format!("Psst {name}"))
    }
}
