//! What a table is: columns, and rows of a snapshot within a range.
//!
//! - Owns: the shapes ([`Table`], [`Row`], [`Filter`]), reading key ranges in steps.
//! - Does not own: which tables there are ([`crate::tables`]).

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use bytes::Bytes;
use reveille_engine::{command::AttemptId, rules::Rules as RuleSet};
use reveille_protocol::id::InvocationId;
use reveille_store::{PartitionId, Snapshot};

use crate::{
    cell::{Cell, Type},
    error::QueryError,
};

/// Rows that are read from the snapshot in one go.
const ROWS_PER_SCAN: usize = 256;

/// What a query sees.
#[derive(Clone)]
pub struct World {
    /// Every partition at one moment.
    pub snapshot: Arc<dyn Snapshot>,
    /// What is registered.
    pub catalog: Arc<Catalog>,
    /// That moment, in milliseconds since 1970.
    pub now_ms: u64,
    /// Attempts that are open.
    pub attempts: Arc<dyn Attempts>,
    /// When the query that looks at it has to end.
    pub(crate) deadline: Option<Instant>,
}

impl World {
    /// What is seen of a snapshot that was taken at `now_ms`.
    pub fn new(
        snapshot: Arc<dyn Snapshot>,
        catalog: Arc<Catalog>,
        attempts: Arc<dyn Attempts>,
        now_ms: u64,
    ) -> World {
        World { snapshot, catalog, now_ms, attempts, deadline: None }
    }
}

/// What is stored nowhere: which attempts have a request open. Asked row by row, so it may be newer
/// than the snapshot.
pub trait Attempts: Send + Sync {
    /// When this attempt was started, in milliseconds since 1970, if its request is open.
    fn started_at(&self, id: InvocationId, attempt: AttemptId) -> Option<u64>;
}

/// What is registered, in the form of its tables.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    /// Every deployment.
    pub deployments: Vec<DeploymentRow>,
    /// The latest revision of every service.
    pub services: Vec<ServiceRow>,
    /// Every concurrency rule.
    pub rules: Arc<RuleSet>,
}

/// A row of `sys_deployment`.
#[derive(Clone, Debug)]
pub struct DeploymentRow {
    /// Identifier.
    pub id: String,
    /// `http` or `lambda`.
    pub ty: &'static str,
    /// Where it is.
    pub endpoint: String,
    /// When it was discovered, in milliseconds since 1970.
    pub created_at_ms: u64,
    /// Lowest version of the service protocol.
    pub protocol_version_min: u32,
    /// Highest version of the service protocol.
    pub protocol_version_max: u32,
    /// Names of its services.
    pub services: Vec<String>,
    /// Name and version of its SDK, if it told.
    pub server: Option<String>,
}

/// A row of `sys_service`.
#[derive(Clone, Debug)]
pub struct ServiceRow {
    /// Name.
    pub name: String,
    /// Revision.
    pub revision: u64,
    /// False when the ingress refuses it.
    pub public: bool,
    /// `service`, `virtual_object` or `workflow`.
    pub ty: &'static str,
    /// The deployment that serves it.
    pub deployment_id: String,
}

/// One table.
pub struct Table {
    /// Name, in lower case.
    pub name: &'static str,
    /// Names and types of the columns, in order.
    pub columns: &'static [(&'static str, Type)],
    /// Columns whose equality narrows the range that is read, the most telling first.
    pub keys: &'static [&'static str],
    /// Opens the rows within a filter. Rows beyond the filter do no harm: SQLite checks again.
    pub open: fn(&World, &Filter) -> Rows,
}

/// Rows, one after the other.
pub type Rows = Box<dyn Iterator<Item = Result<Box<dyn Row>, QueryError>> + Send>;

/// One row. Cells are made when they are asked for.
pub trait Row: Send {
    /// The value of a column.
    fn cell(&self, column: &'static str) -> Result<Cell, QueryError>;
}

/// Values that columns must have, by column name.
#[derive(Clone, Debug, Default)]
pub struct Filter(pub BTreeMap<&'static str, String>);

impl Filter {
    /// The value that a column must have, if there is one.
    pub fn get(&self, column: &str) -> Option<&str> {
        self.0.get(column).map(String::as_str)
    }
}

/// A row of the snapshot.
pub struct Stored {
    /// Its partition.
    pub partition: PartitionId,
    /// Its key.
    pub key: Bytes,
    /// Its value.
    pub value: Bytes,
}

/// Where to read: partitions and, in each, a key range.
///
/// Long stretches that a table passes over are not seen by SQLite, so the time is looked at here too.
pub struct Scan {
    snapshot: Arc<dyn Snapshot>,
    deadline: Option<Instant>,
    partitions: Vec<PartitionId>,
    start: Bytes,
    end: Bytes,
    next: Bytes,
    found: std::vec::IntoIter<(Bytes, Bytes)>,
    is_last: bool,
}

impl Scan {
    /// Reads a range of one partition, or of all.
    pub fn new(world: &World, partition: Option<u16>, (start, end): (Bytes, Bytes)) -> Scan {
        let snapshot = Arc::clone(&world.snapshot);
        let mut partitions: Vec<PartitionId> = match partition {
            Some(number) => vec![PartitionId(number)],
            None => (0..snapshot.partition_count()).rev().map(PartitionId).collect(),
        };
        // An empty last step, so that the first one starts with the last partition of the list.
        partitions.push(PartitionId(0));
        let found = Vec::new().into_iter();
        let (next, deadline) = (start.clone(), world.deadline);
        Scan { snapshot, deadline, partitions, next, start, end, found, is_last: true }
    }

    fn step(&mut self) -> Result<Option<Stored>, QueryError> {
        loop {
            if let (Some((key, value)), Some(partition)) =
                (self.found.next(), self.partitions.last())
            {
                self.next = [&key[..], &[0]].concat().into();
                return Ok(Some(Stored { partition: *partition, key, value }));
            }
            if self.is_last {
                self.partitions.pop();
                self.next = self.start.clone();
            }
            let Some(partition) = self.partitions.last() else { return Ok(None) };
            if self.deadline.is_some_and(|deadline| Instant::now() > deadline) {
                return Err(QueryError::Overdue);
            }
            let rows = self.snapshot.scan(*partition, &self.next, &self.end, ROWS_PER_SCAN)?;
            self.is_last = rows.len() < ROWS_PER_SCAN;
            self.found = rows.into_iter();
        }
    }
}

impl Iterator for Scan {
    type Item = Result<Stored, QueryError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step().transpose()
    }
}
