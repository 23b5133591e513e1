//! Tables of what there is none of here, so that queries of tools that name them have an answer.

use super::nothing;
use crate::{
    cell::Type::{Bool, Text, Time, U64},
    table::Table,
};

pub(super) const SCHEDULER: Table = queues("sys_scheduler");
pub(super) const VQUEUES: Table = queues("sys_vqueues");
pub(super) const VQUEUE_META: Table = queues("sys_vqueue_meta");
pub(super) const VQUEUE_ENTRY_STATUS: Table = queues("sys_vqueue_entry_status");

const fn queues(name: &'static str) -> Table {
    Table {
        name,
        columns: &[
            ("id", Text),
            ("is_active", Bool),
            ("queue_is_paused", Bool),
            ("service_name", Text),
            ("scope", Text),
            ("limit_key", Text),
            ("lock_name", Text),
            ("created_at", Time),
            ("last_enqueued_at", Time),
            ("last_start_at", Time),
            ("last_attempt_at", Time),
            ("last_finish_at", Time),
            ("num_inbox", U64),
            ("num_running", U64),
            ("num_suspended", U64),
            ("num_paused", U64),
            ("num_finished", U64),
        ],
        keys: &[],
        open: |_, _| nothing(),
    }
}
