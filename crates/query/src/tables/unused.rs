//! Tables of what there is none of here, so that queries of tools that name them have an answer.

use super::nothing;
use crate::{
    cell::Type::{Bool, Text, Time, U32, U64},
    table::Table,
};

pub(super) const RULES: Table = Table {
    name: "sys_rules",
    columns: &[
        ("pattern", Text),
        ("concurrency", U32),
        ("description", Text),
        ("disabled", Bool),
        ("version", U32),
        ("last_modified", Time),
    ],
    keys: &[],
    open: |_, _| nothing(),
};

pub(super) const USER_LIMITS: Table = Table {
    name: "sys_user_limits",
    columns: &[
        ("partition_key", U64),
        ("scope", Text),
        ("l1", Text),
        ("l2", Text),
        ("level", Text),
        ("usage", U32),
        ("concurrency_limit", U32),
        ("rule_pattern", Text),
        ("available", U32),
        ("num_waiters", U64),
    ],
    keys: &[],
    open: |_, _| nothing(),
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
