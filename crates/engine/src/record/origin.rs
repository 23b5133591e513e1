//! What a record says of how its invocation came to be: by whom, and when it was put where.

use reveille_protocol::id::{DeploymentId, InvocationId};

use super::InvocationRecord;
use crate::command::Millis;
use crate::keys;

impl InvocationRecord {
    /// What it came from.
    pub fn origin(&self) -> Origin {
        if let Some(id) = keys::parse_id(&self.restarted_from) {
            return Origin::Restart(id);
        }
        let caller = self.caller.as_ref().and_then(|caller| keys::parse_id(&caller.id));
        match caller.or_else(|| keys::parse_id(&self.sender)) {
            Some(id) => Origin::Handler(id),
            None => Origin::Ingress,
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
    /// An operator, as a restart of that invocation.
    Restart(InvocationId),
}

impl Origin {
    /// The word used in APIs.
    pub fn name(self) -> &'static str {
        match self {
            Origin::Ingress => "ingress",
            Origin::Handler(_) => "service",
            Origin::Restart(_) => "restart_as_new",
        }
    }
}
