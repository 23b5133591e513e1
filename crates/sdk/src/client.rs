//! Requests to handlers from outside of any handler: over HTTP, or within the process of an embedded engine.
//!
//! ```no_run
//! use reveille::{Context, HandlerResult, client::{Client, ClientError}};
//!
//! struct Approval;
//!
//! #[reveille::service]
//! impl Approval {
//!     async fn ask(&self, ctx: &Context, what: String) -> HandlerResult<String> {
//!         Ok(format!("{what}: {}", ctx.awakeable::<String>().1.await?))
//!     }
//! }
//!
//! # async fn run() -> Result<(), ClientError> {
//! let client = Client::http("http://127.0.0.1:8080")?;
//! let approval = ApprovalClient::new(&client);
//!
//! // Wait for the result, or come back for it.
//! let answer: String = approval.ask("news".into()).call().await?;
//! let asked = approval.ask("more news".into()).idempotency_key("more-news").send().await?;
//! let answer = client.invocation::<String>(asked.id()).attach().await?;
//! # Ok(())
//! # }
//! ```
//!
//! - Owns: [`Client`] and [`Admin`], typed requests, results, and completions with their receipts.
//! - Does not own: how requests travel ([`Transport`]); retries, which idempotency keys make harmless.
//! - Invariant: a failure of a handler and a refusal of the server are different errors.

mod admin;
mod answer;
pub(crate) mod http1;
mod request;

use std::{marker::PhantomData, pin::Pin, sync::Arc};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, header};
use reveille_protocol::text::percent;

pub use self::{
    admin::{Admin, AdminPromise},
    answer::{ClientError, Receipt, ReceiptOutcome},
    request::{ClientInvocation, ClientRequest},
};
use crate::{BoxError, payload::Encode};

/// What a transport gives: the whole response.
pub type Exchange<'a> =
    Pin<Box<dyn Future<Output = Result<Response<Bytes>, BoxError>> + Send + 'a>>;

/// Represents a way to the ingress or the admin API of a server.
///
/// Requests have a path and headers; the transport adds the authority. One of one's own can add TLS, proxies
/// or whatever else the way needs.
pub trait Transport: Send + Sync + 'static {
    /// Sends a request and collects the response.
    fn exchange(&self, request: Request<Bytes>) -> Exchange<'_>;
}

/// Makes requests to handlers, completes awakeables, and finds invocations. Clones share their transport.
///
/// Typed clients take it in the place of a context: `ApprovalClient::new(&client)`.
#[derive(Clone)]
pub struct Client(Way);

/// How clients of either API are made.
macro_rules! clients {
    ($($client:ident of $what:literal),+) => {$(
        impl $client {
            #[doc = concat!("Makes a client of the ", $what, " at an address: `http://host:port`, perhaps with a path in front.")]
            ///
            /// # Errors
            ///
            /// When it is no such address. For `https`, give [`Self::new`] a transport that has TLS.
            pub fn http(uri: &str) -> Result<Self, ClientError> {
                Ok(Self::new(http1::Http::new(uri)?))
            }

            /// Makes a client with a transport.
            pub fn new(transport: impl Transport) -> Self {
                Self(Way::new(transport))
            }

            /// Sends a bearer token with each request.
            ///
            /// # Errors
            ///
            /// When the token has characters that a header cannot have.
            pub fn bearer_token(self, token: &str) -> Result<Self, ClientError> {
                self.0.bearer_token(token).map(Self)
            }
        }
    )+};
}

clients! { Client of "ingress", Admin of "admin API" }

impl Client {
    /// Returns an invocation by its id, with a result of type `O`.
    pub fn invocation<O>(&self, id: impl Into<String>) -> ClientInvocation<'_, O> {
        ClientInvocation { client: self, id: id.into(), output: PhantomData }
    }

    /// Answers an awakeable. The receipt tells whether this was what decided it.
    ///
    /// # Errors
    ///
    /// When the request could not be made or was refused; not when somebody else was faster.
    pub async fn resolve_awakeable<T: Encode + ?Sized>(
        &self,
        id: &str,
        value: &T,
    ) -> Result<Receipt, ClientError> {
        let path = format!("/restate/awakeables/{}/resolve", percent(id));
        self.complete(path, T::CONTENT_TYPE, value.encode()?).await
    }

    /// Answers an awakeable with a failure of code 500. The receipt tells whether this decided it.
    ///
    /// # Errors
    ///
    /// As [`Self::resolve_awakeable`].
    pub async fn reject_awakeable(&self, id: &str, reason: &str) -> Result<Receipt, ClientError> {
        let path = format!("/restate/awakeables/{}/reject", percent(id));
        let reason = Bytes::copy_from_slice(reason.as_bytes());
        self.complete(path, REASON, reason).await
    }

    async fn complete(
        &self,
        path: String,
        content_type: Option<&str>,
        body: Bytes,
    ) -> Result<Receipt, ClientError> {
        let mut request = post(path, content_type, body)?;
        // What became of it is told in the status too, by servers that know.
        request.headers_mut().insert("prefer", HeaderValue::from_static("handling=strict"));
        Receipt::read(self.exchange(request).await?)
    }

    async fn exchange(&self, request: Request<Bytes>) -> Result<Response<Bytes>, ClientError> {
        self.0.exchange(request).await
    }
}

/// A transport, and what goes with each request.
#[derive(Clone)]
struct Way {
    transport: Arc<dyn Transport>,
    authorization: Option<HeaderValue>,
}

impl Way {
    fn new(transport: impl Transport) -> Self {
        Self { transport: Arc::new(transport), authorization: None }
    }

    fn bearer_token(mut self, token: &str) -> Result<Self, ClientError> {
        let value = HeaderValue::try_from(format!("Bearer {token}"));
        let mut value =
            value.map_err(|error| ClientError::Request(format!("the token: {error}")))?;
        value.set_sensitive(true);
        self.authorization = Some(value);
        Ok(self)
    }

    async fn exchange(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>, ClientError> {
        if let Some(authorization) = &self.authorization {
            request.headers_mut().insert(header::AUTHORIZATION, authorization.clone());
        }
        self.transport.exchange(request).await.map_err(ClientError::Transport)
    }
}

/// The content type of the reason of a rejection.
const REASON: Option<&str> = Some("text/plain; charset=utf-8");

fn post(
    path: String,
    content_type: Option<&str>,
    body: Bytes,
) -> Result<Request<Bytes>, ClientError> {
    let mut request = Request::builder().method(Method::POST).uri(path);
    if let Some(content_type) = content_type {
        request = request.header(header::CONTENT_TYPE, content_type);
    }
    request.body(body).map_err(|error| ClientError::Request(error.to_string()))
}

fn get(path: String) -> Result<Request<Bytes>, ClientError> {
    let request = Request::builder().method(Method::GET).uri(path);
    request.body(Bytes::new()).map_err(|error| ClientError::Request(error.to_string()))
}
