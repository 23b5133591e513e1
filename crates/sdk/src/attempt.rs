//! One attempt, as futures of the handler and the driver share it.
//!
//! - Owns: the machine, what is awaited and by which waker, which steps the handler goes on with, the checks
//!   that durable operations are used where they work.
//! - Does not own: polling the handler ([`crate::driver`]), decoding results ([`crate::durable`]).
//! - Invariant: between two polls of the handler at most one notification is delivered, so that results
//!   are a function of the order of notifications.
//!
//! Start with [`Attempt::syscall`] and [`Core::progress`].

mod executions;
mod registry;
mod waker;

use std::{
    cell::Cell,
    panic::Location,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use reveille_protocol::message::Header;

use self::{executions::Executions, registry::Registry};
pub(crate) use self::{
    registry::{Registration, Step},
    waker::{Flags, RunWaker},
};
use crate::{
    clock::Clock,
    payload::Encode,
    random::Generator,
    vm::{Site, Stopped, Vm},
};

thread_local! {
    /// The attempt whose handler is being polled on this thread, by address.
    static POLLED: Cell<usize> = const { Cell::new(0) };
}

/// What the server told about the invocation.
pub(crate) struct Info {
    pub invocation_id: String,
    pub key: String,
    pub headers: Vec<Header>,
    pub scope: Option<String>,
    pub limit_key: Option<String>,
    pub idempotency_key: Option<String>,
}

/// One attempt of an invocation.
pub struct Attempt {
    pub(crate) core: Mutex<Core>,
    pub(crate) flags: Arc<Flags>,
    pub(crate) info: Info,
    pub(crate) clock: Clock,
}

/// What changes in the course of an attempt.
pub(crate) struct Core {
    pub vm: Vm,
    pub random: Generator,
    registry: Registry,
    executions: Executions,
    /// The run whose closure is being polled.
    inside_run: Option<String>,
    /// Where the handler used the context last.
    last_site: Option<Site>,
}

impl Attempt {
    pub(crate) fn new(vm: Vm, info: Info, clock: Clock) -> Arc<Self> {
        let core = Core {
            random: Generator::new(vm.start(), vm.version()),
            vm,
            registry: Registry::default(),
            executions: Executions::default(),
            inside_run: None,
            last_site: None,
        };
        Arc::new(Self { core: Mutex::new(core), flags: Arc::default(), info, clock })
    }

    pub(crate) fn core(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// The handler is polled next; wakes up to now are forgotten.
    pub(crate) fn begin_poll(&self) {
        let is_run_woken = self.flags.is_run_woken();
        self.flags.clear();
        self.core().executions.begin_poll(is_run_woken);
    }

    /// Marks that the handler is polled, for as long as the guard lives.
    pub(crate) fn polled(&self) -> PolledGuard {
        PolledGuard(POLLED.replace(self.address()))
    }

    /// Does something durable for the handler, after checking that it may do so here.
    pub(crate) fn syscall<T>(
        &self,
        site: Site,
        code: impl FnOnce(&mut Vm) -> Result<T, Stopped>,
    ) -> Option<T> {
        let mut core = self.core();
        self.check_place(&mut core, site).ok()?;
        core.last_site = Some(site);
        code(&mut core.vm).ok()
    }

    /// Writes a value; `None` when it cannot be written, which fails the attempt.
    pub(crate) fn encode<T: Encode + ?Sized>(
        &self,
        value: &T,
        what: &str,
        site: Site,
    ) -> Option<Bytes> {
        match value.encode() {
            Ok(bytes) => Some(bytes),
            Err(error) => {
                self.fail(&format!("the value of {what} cannot be written: {error}"), site);
                None
            }
        }
    }

    /// Fails the attempt for something that the handler did.
    pub(crate) fn fail(&self, message: &str, site: Site) {
        self.core().vm.fail(Vm::internal(format!("{message} (at {site})")));
        self.flags.wake();
    }

    /// Refuses what happens outside the handler, or within a step of it.
    pub(crate) fn check_place(&self, core: &mut Core, site: Site) -> Result<(), Stopped> {
        let message = if POLLED.get() != self.address() {
            format!(
                "the context was used at {site} outside of its handler, for instance in a spawned task \
                 or thread. The order of what happens there is not repeated on replay. Use the context \
                 in the handler itself, with `join!` or `FuturesUnordered` for several things at once"
            )
        } else if let Some(run) = &core.inside_run {
            format!(
                "the context was used at {site} within the step {run:?}. A step is executed once and \
                 then replaced by its result, so that nothing durable can happen inside. Do it before \
                 or after `ctx.run`"
            )
        } else {
            return Ok(());
        };
        core.vm.fail(Vm::internal(message));
        self.flags.wake();
        Err(Stopped)
    }
}

/// Ends the mark of [`Attempt::polled`].
pub(crate) struct PolledGuard(usize);

impl Drop for PolledGuard {
    fn drop(&mut self) {
        POLLED.set(self.0);
    }
}

impl Core {
    /// Enters or leaves the closure of a run.
    pub fn set_inside_run(&mut self, run: Option<String>) {
        self.inside_run = run;
    }

    /// Where the handler used the context last, or else this line.
    pub fn last_site(&self) -> Site {
        self.last_site.unwrap_or(Location::caller())
    }

    /// Where the handler used the context last, for errors about what followed.
    pub fn last_use(&self) -> String {
        match self.last_site {
            Some(site) => format!("it used its context last at {site}"),
            None => "it has not used its context yet".to_owned(),
        }
    }
}
