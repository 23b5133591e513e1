//! What a record says of how its invocation came to be: by whom, and when it was put where.

use bytes::Bytes;
use reveille_protocol::id::{DeploymentId, InvocationId, SubscriptionId};

use super::InvocationRecord;
use crate::command::{Millis, Source};
use crate::keys;
use crate::message::id_bytes;

impl InvocationRecord {
    /// What it came from.
    pub fn origin(&self) -> Origin {
        if let Some(id) = keys::parse_id(&self.restarted_from) {
            return Origin::Restart(id);
        }
        let caller = self.caller.as_ref().and_then(|caller| keys::parse_id(&caller.id));
        match caller.map_or_else(|| Source::from_stored(&self.sender), Source::Handler) {
            Source::Handler(id) => Origin::Handler(id),
            Source::Subscription(id) => Origin::Subscription(id),
            Source::Ingress => Origin::Ingress,
        }
    }

    /// The deployment that all its attempts go to; `None` while that is the latest.
    pub fn pinned_on(&self) -> Option<DeploymentId> {
        let bytes: Option<[u8; 16]> = self.pinned_deployment.as_ref().try_into().ok();
        bytes.map(|bytes| DeploymentId(u128::from_be_bytes(bytes)))
    }

    /// When the first attempt started; `None` before that.
    pub fn running_at(&self) -> Option<Millis> {
        (self.attempt > 0).then(|| self.late_start_at.unwrap_or(self.created_at))
    }

    /// When it was put into the timer to start later; `None` if it was to start at once.
    pub fn scheduled_at(&self) -> Option<Millis> {
        self.start_at.filter(|at| *at > self.created_at).map(|_| self.created_at)
    }
}

/// What an invocation came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The ingress.
    Ingress,
    /// A handler, by call or one-way call.
    Handler(InvocationId),
    /// A record of a topic.
    Subscription(SubscriptionId),
    /// An operator, as a restart of that invocation.
    Restart(InvocationId),
}

impl Source {
    /// The stored form: 24 bytes of an invocation, 16 of a subscription, none of the ingress.
    pub fn to_stored(self) -> Bytes {
        match self {
            Source::Ingress => Bytes::new(),
            Source::Handler(id) => id_bytes(id),
            Source::Subscription(id) => Bytes::copy_from_slice(&id.0.to_be_bytes()),
        }
    }

    /// Reads the stored form.
    pub fn from_stored(bytes: &[u8]) -> Source {
        match bytes.try_into().map(u128::from_be_bytes) {
            Ok(id) => Source::Subscription(SubscriptionId(id)),
            Err(_) => keys::parse_id(bytes).map_or(Source::Ingress, Source::Handler),
        }
    }
}

impl Origin {
    /// The word used in APIs.
    pub fn name(self) -> &'static str {
        match self {
            Origin::Ingress => "ingress",
            Origin::Handler(_) => "service",
            Origin::Subscription(_) => "subscription",
            Origin::Restart(_) => "restart_as_new",
        }
    }
}
