//! Wakers: who woke the handler, a step or something that is not durable.
//!
//! - Owns: [`Flags`], the waker of the handler; [`RunWaker`], that of a closure of a step.
//! - Invariant: a wake of a closure is known to be one, since its flag is set before the handler's.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Wake, Waker},
};

/// The waker of a handler.
#[derive(Default)]
pub(crate) struct Flags {
    is_woken: AtomicBool,
    is_run_woken: AtomicBool,
    driver: Mutex<Option<Waker>>,
}

impl Flags {
    /// Forgets all wakes up to now.
    pub fn clear(&self) {
        self.is_woken.store(false, Ordering::SeqCst);
        self.is_run_woken.store(false, Ordering::SeqCst);
    }

    /// Sets who is to be woken with the handler.
    pub fn register(&self, driver: &Waker) {
        let mut slot = self.driver.lock().unwrap_or_else(PoisonError::into_inner);
        if !slot.as_ref().is_some_and(|slot| slot.will_wake(driver)) {
            *slot = Some(driver.clone());
        }
    }

    /// Whether the handler was woken since the last [`Flags::clear`].
    pub fn is_woken(&self) -> bool {
        self.is_woken.load(Ordering::SeqCst)
    }

    /// Whether a closure was woken since the last [`Flags::clear`].
    pub fn is_run_woken(&self) -> bool {
        self.is_run_woken.load(Ordering::SeqCst)
    }

    /// Wakes the handler, and with it the driver.
    pub fn wake(&self) {
        self.is_woken.store(true, Ordering::SeqCst);
        let driver = self.driver.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(driver) = driver {
            driver.wake();
        }
    }
}

impl Wake for Flags {
    fn wake(self: Arc<Self>) {
        Flags::wake(&self);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        Flags::wake(self);
    }
}

/// The waker of a closure: wakes the future that polls it.
pub(crate) struct RunWaker {
    pub flags: Arc<Flags>,
    pub outer: Waker,
}

impl Wake for RunWaker {
    fn wake(self: Arc<Self>) {
        Wake::wake_by_ref(&self);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.flags.is_run_woken.store(true, Ordering::SeqCst);
        self.outer.wake_by_ref();
    }
}
