//! The few requests that nearly every scenario makes, as methods of [`Cluster`].

use std::sync::Arc;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::Value;
use tokio::task::JoinHandle;

use super::{Cluster, Response, eventually};

/// The answer of a request that is still waiting.
pub type Pending = JoinHandle<Response>;

impl Cluster {
    /// Calls a handler and waits, e.g. `account/k/add`.
    pub async fn call(&self, target: &str, body: impl Into<Value>) -> Response {
        self.ingress.post(&format!("/restate/call/{target}")).json(body).send().await
    }

    /// Calls a handler that declares no input.
    pub async fn call_empty(&self, target: &str) -> Response {
        self.ingress.post(&format!("/restate/call/{target}")).send().await
    }

    /// Calls a handler and expects a JSON value.
    pub async fn value(&self, target: &str, body: impl Into<Value>) -> Value {
        self.call(target, body).await.expect(200).json()
    }

    /// Starts a call in the background.
    pub fn call_later(self: &Arc<Self>, target: &str, body: impl Into<Value>) -> Pending {
        let (cluster, target, body) = (self.clone(), target.to_owned(), body.into());
        tokio::spawn(async move { cluster.call(&target, body).await })
    }

    /// Sends to a handler and returns the invocation id; the send must be new.
    pub async fn send(&self, target: &str, body: impl Into<Value>) -> String {
        let response = self.ingress.post(&format!("/restate/send/{target}")).json(body);
        let response = response.send().await.expect(202);
        let answer = response.json();
        assert_eq!(answer["status"], "Accepted", "{}", response.text());
        let id = answer["invocationId"].as_str().expect("an invocation id").to_owned();
        assert_eq!(response.header("x-restate-id"), id);
        id
    }

    /// Waits for the result of an invocation.
    pub async fn attach(&self, id: &str) -> Response {
        self.ingress.get(&format!("/restate/attach/{id}")).send().await
    }

    /// Starts waiting for the result of an invocation in the background.
    pub fn attach_later(self: &Arc<Self>, id: &str) -> Pending {
        let (cluster, id) = (self.clone(), id.to_owned());
        tokio::spawn(async move { cluster.attach(&id).await })
    }

    /// Reads the result of an invocation without waiting.
    pub async fn output(&self, id: &str) -> Response {
        self.ingress.get(&format!("/restate/output/{id}")).send().await
    }

    /// Waits for a success and returns its JSON value.
    pub async fn result(&self, id: &str) -> Value {
        self.attach(id).await.expect(200).json()
    }

    /// Sends to a handler that announces a review of `name`; returns the ids of invocation and wait.
    pub async fn ask(&self, target: &str, name: &str) -> (String, String) {
        let invocation = self.send(target, name).await;
        (invocation, self.announced(name).await)
    }

    /// Resolves an awakeable with a JSON value over the compatible path.
    pub async fn resolve(&self, wait: &str, value: impl Into<Value>) -> Response {
        self.ingress.post(&format!("/restate/awakeables/{wait}/resolve")).json(value).send().await
    }

    /// Rejects an awakeable with a text over the compatible path.
    pub async fn reject(&self, wait: &str, reason: &str) -> Response {
        let path = format!("/restate/awakeables/{wait}/reject");
        self.ingress.post(&path).typed("text/plain", reason.to_owned()).send().await
    }

    /// One of the invocation verbs of the admin API: cancel, kill, pause, resume, purge.
    pub async fn control(&self, id: &str, verb: &str) -> Response {
        self.admin.patch(&format!("/invocations/{id}/{verb}")).send().await
    }

    /// Waits until `GET /waits` lists something of an invocation, and returns those entries.
    pub async fn waits_of(&self, id: &str, query: &str) -> Vec<Value> {
        eventually(&format!("{id} is listed as waiting ({query})"), async || {
            let page = self.admin.get(&format!("/waits?limit=1000{query}")).send().await;
            let page = page.expect(200).json();
            let waits = page["waits"].as_array().expect("a list of waits").clone();
            let own: Vec<_> = waits.into_iter().filter(|w| w["invocation_id"] == id).collect();
            (!own.is_empty()).then_some(own)
        })
        .await
    }
}

/// The bytes inside an awakeable id: 24 public, 16 secret, 4 of index.
pub fn id_bytes(wait: &str) -> Vec<u8> {
    let encoded = wait.strip_prefix("sign_1").expect("an awakeable id");
    BASE64_URL_SAFE_NO_PAD.decode(encoded).expect("base64url")
}

/// An awakeable id made of bytes, right or wrong.
pub fn sign_id(bytes: &[u8]) -> String {
    format!("sign_1{}", BASE64_URL_SAFE_NO_PAD.encode(bytes))
}
