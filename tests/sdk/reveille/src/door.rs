//! What callers may send: input declarations, and a handler that the outside may not call.

use reveille::{
    Context, HandlerResult,
    payload::{Bytes, Decode, Encode, PayloadError, Raw},
};

pub struct Image(Bytes);

impl Encode for Image {
    const CONTENT_TYPE: Option<&str> = Some("image/png");

    fn encode(&self) -> Result<Bytes, PayloadError> {
        Ok(self.0.clone())
    }
}

impl Decode for Image {
    const CONTENT_TYPE: Option<&str> = Some("image/*");
    const IS_REQUIRED: bool = true;

    fn decode(bytes: Bytes) -> Result<Self, PayloadError> {
        Ok(Self(bytes))
    }
}

pub struct Door;

#[reveille::service(name = "door")]
impl Door {
    async fn json(&self, _ctx: &Context, name: String) -> HandlerResult<String> {
        Ok(format!("Hello {name}"))
    }

    async fn bytes(&self, _ctx: &Context, body: Raw) -> HandlerResult<Raw> {
        Ok(body)
    }

    async fn image(&self, _ctx: &Context, body: Image) -> HandlerResult<u64> {
        Ok(body.0.len() as u64)
    }

    /// Declares that there is no input at all.
    async fn nothing(&self, _ctx: &Context) -> HandlerResult<String> {
        Ok("nothing".into())
    }

    #[handler(private)]
    async fn hidden(&self, _ctx: &Context, name: String) -> HandlerResult<String> {
        Ok(format!("Psst {name}"))
    }
}
