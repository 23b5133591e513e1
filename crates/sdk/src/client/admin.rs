//! What operators do: over the admin API, or within the process of an embedded engine.
//!
//! - Owns: [`Admin`], completing durable promises without a handler in between.
//! - Invariant: what is named is encoded, so that any text is one name.

use bytes::Bytes;
use reveille_protocol::text::percent;

use super::{ClientError, REASON, Receipt, Way, post};
use crate::payload::Encode;

/// Does what operators may do. Clones share their transport.
///
/// ```no_run
/// # async fn run() -> Result<(), reveille::client::ClientError> {
/// use reveille::client::Admin;
///
/// let admin = Admin::http("http://127.0.0.1:9070")?;
/// let receipt = admin.promise("Review", "draft-7", "decision").resolve("print it").await?;
/// println!("{:?}", receipt.outcome);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Admin(pub(super) Way);

impl Admin {
    /// Names a durable promise of a workflow. The run of that key need not have begun.
    pub fn promise(&self, workflow: &str, key: &str, name: &str) -> AdminPromise<'_> {
        let path = format!("/promises/{}/{}/{}/", percent(workflow), percent(key), percent(name));
        AdminPromise { admin: self, path, query: String::new() }
    }
}

/// A durable promise, as it is seen from outside of any handler.
#[must_use = "nothing is completed before `resolve` or `reject`"]
pub struct AdminPromise<'a> {
    admin: &'a Admin,
    /// Up to the verb.
    path: String,
    /// Behind the verb.
    query: String,
}

impl AdminPromise<'_> {
    /// Says that the workflow is in a scope.
    pub fn scope(mut self, scope: &str) -> Self {
        self.query = format!("?scope={}", percent(scope));
        self
    }

    /// Completes it with a value. The receipt tells whether this was what decided it.
    ///
    /// # Errors
    ///
    /// When the request could not be made or was refused: there is no such workflow, or this may not
    /// complete it. Not when somebody else was faster.
    pub async fn resolve<T: Encode + ?Sized>(self, value: &T) -> Result<Receipt, ClientError> {
        let value = value.encode()?;
        self.complete("resolve", T::CONTENT_TYPE, value).await
    }

    /// Completes it with a failure of code 500. The receipt tells whether this decided it.
    ///
    /// # Errors
    ///
    /// As [`Self::resolve`].
    pub async fn reject(self, reason: &str) -> Result<Receipt, ClientError> {
        self.complete("reject", REASON, Bytes::copy_from_slice(reason.as_bytes())).await
    }

    async fn complete(
        self,
        verb: &str,
        content_type: Option<&str>,
        body: Bytes,
    ) -> Result<Receipt, ClientError> {
        let request = post(format!("{}{verb}{}", self.path, self.query), content_type, body)?;
        Receipt::of_a_service(self.admin.0.exchange(request).await?)
    }
}
