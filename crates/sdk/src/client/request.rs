//! Typed requests, and invocations as they are seen from outside.
//!
//! - Owns: [`ClientRequest`], [`ClientInvocation`], paths.
//! - Invariant: a key may be any text; it is encoded.

use std::{marker::PhantomData, time::Duration};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request};
use reveille_protocol::text::percent;
use serde::Deserialize;

use super::{Client, ClientError, answer, get, post};
use crate::{
    Caller, Target,
    payload::{Decode, Encode, PayloadError},
    vm::millis,
};

/// An invocation that has not completed is answered with this status.
const STATUS_NOT_READY: u16 = 470;

impl Caller for Client {
    type Request<'a, O: Decode> = ClientRequest<'a, O>;

    #[track_caller]
    fn request<I: Encode + ?Sized, O: Decode>(
        &self,
        target: Target,
        input: &I,
    ) -> ClientRequest<'_, O> {
        // Nothing has no content type, and handlers without an input refuse one.
        let input = input.encode();
        let is_nothing = input.as_ref().is_ok_and(Bytes::is_empty);
        let content_type = I::CONTENT_TYPE.filter(|_| !is_nothing).map(str::to_owned);
        ClientRequest {
            client: self,
            target,
            input,
            content_type,
            headers: Vec::new(),
            output: PhantomData,
        }
    }
}

/// A request that has not been made yet.
#[must_use = "nothing is requested before `call` or `send`"]
pub struct ClientRequest<'a, O> {
    client: &'a Client,
    target: Target,
    input: Result<Bytes, PayloadError>,
    content_type: Option<String>,
    headers: Vec<(String, String)>,
    output: PhantomData<fn() -> O>,
}

impl<'a, O: Decode> ClientRequest<'a, O> {
    /// Adds a header, which the handler sees.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Makes requests with the same key one invocation, so that a lost one can be repeated.
    pub fn idempotency_key(self, key: impl Into<String>) -> Self {
        self.header("idempotency-key", key)
    }

    /// Calls the handler and waits for its result, for as long as it takes.
    ///
    /// # Errors
    ///
    /// See [`ClientError`].
    pub async fn call(self) -> Result<O, ClientError> {
        let client = self.client;
        let request = self.into_request("")?;
        answer::result(client.exchange(request).await?)
    }

    /// Lets the handler run on its own.
    ///
    /// # Errors
    ///
    /// See [`ClientError`].
    pub async fn send(self) -> Result<ClientInvocation<'a, O>, ClientError> {
        self.send_to("/send".to_owned()).await
    }

    /// As [`Self::send`], to begin after a delay, which is taken in whole milliseconds.
    ///
    /// # Errors
    ///
    /// See [`ClientError`].
    pub async fn send_after(self, delay: Duration) -> Result<ClientInvocation<'a, O>, ClientError> {
        self.send_to(format!("/send?delay={}ms", millis(delay))).await
    }

    async fn send_to(self, end: String) -> Result<ClientInvocation<'a, O>, ClientError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Sent {
            invocation_id: String,
        }

        let client = self.client;
        let request = self.into_request(&end)?;
        let response = client.exchange(request).await?;
        if !response.status().is_success() {
            return Err(answer::error(response));
        }
        let sent: Result<Sent, _> = serde_json::from_slice(response.body());
        let sent = sent.map_err(|error| PayloadError::new(error.to_string()))?;
        Ok(client.invocation(sent.invocation_id))
    }

    fn into_request(self, end: &str) -> Result<Request<Bytes>, ClientError> {
        let Target { service, handler, key } = &self.target;
        let mut path = format!("/{service}/");
        if let Some(key) = key {
            path += &percent(key);
            path.push('/');
        }
        path.push_str(handler);
        path.push_str(end);
        let mut request = post(path, self.content_type.as_deref(), self.input?)?;
        for (name, value) in self.headers {
            let header = |what: &str| ClientError::Request(format!("the header {name:?}: {what}"));
            let value = HeaderValue::try_from(value).map_err(|_| header("no such value"))?;
            let name = HeaderName::try_from(&*name).map_err(|_| header("no such name"))?;
            request.headers_mut().append(name, value);
        }
        Ok(request)
    }
}

/// Appends a key to a path: everything that is not unreserved is escaped.
/// An invocation, by its id, with a result of type `O`.
pub struct ClientInvocation<'a, O> {
    pub(super) client: &'a Client,
    pub(super) id: String,
    pub(super) output: PhantomData<fn() -> O>,
}

impl<O: Decode> ClientInvocation<'_, O> {
    /// Returns its id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Waits for its result, for as long as it takes.
    ///
    /// # Errors
    ///
    /// See [`ClientError`]; 404 when it is not known, or not any more.
    pub async fn attach(&self) -> Result<O, ClientError> {
        let request = get(format!("/restate/invocation/{}/attach", percent(&self.id)))?;
        answer::result(self.client.exchange(request).await?)
    }

    /// Gives its result if it has one by now.
    ///
    /// # Errors
    ///
    /// See [`ClientError`]; 404 when it is not known, or not any more.
    pub async fn output(&self) -> Result<Option<O>, ClientError> {
        let request = get(format!("/restate/invocation/{}/output", percent(&self.id)))?;
        let response = self.client.exchange(request).await?;
        if response.status().as_u16() == STATUS_NOT_READY {
            return Ok(None);
        }
        answer::result(response).map(Some)
    }
}
