//! The page of metrics: every name and text, in the text format of OpenMetrics.
//!
//! - Invariant: a scrape reads cells, queue lengths and what the store counts anyway. It never scans
//!   rows, and never waits for a partition.

mod kafka;

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use reveille_store::Store;

use super::cell::{DURATION, Histogram, SIZE, Scale, Total};
use super::{
    DOC_CODES, Metrics, PartitionMetrics, RequestKind, STATUS_CLASSES, WAIT_KINDS, process,
};
use crate::partition::Partitions;
use crate::text::time;

/// The media type of the page.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Everything that one scrape reads.
#[derive(Clone)]
pub struct Scrape {
    /// The cells, and the lengths of mailboxes.
    pub partitions: Partitions,
    /// For its sizes.
    pub store: Arc<dyn Store>,
}

impl fmt::Debug for Scrape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scrape").field("metrics", self.partitions.metrics()).finish_non_exhaustive()
    }
}

impl Scrape {
    /// Writes the page. Reads files of `/proc` and the store's counters, so it may block briefly.
    pub fn page(self) -> Result<String, fmt::Error> {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self));
        let mut page = String::with_capacity(64 << 10);
        text::encode(&mut page, &registry)?;
        Ok(page)
    }
}

impl Collector for Scrape {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let metrics = self.partitions.metrics();
        let mut page = Page { encoder };
        page.info("reveille_build", "The program.", ("version", env!("CARGO_PKG_VERSION")))?;
        ingress(&mut page, metrics)?;
        invocations(&mut page, metrics)?;
        attempts(&mut page, metrics)?;
        partitions(&mut page, self)?;
        waits(&mut page, metrics)?;
        kafka::kafka(&mut page, metrics)?;
        store(&mut page, self)?;
        of_process(&mut page)
    }
}

/// One line of a family: its label and its value.
type Row<V> = (Option<(&'static str, String)>, V);

/// Name, text and where the value is.
type Shown<V> = (&'static str, &'static str, fn(&PartitionMetrics) -> V);

/// Finds a histogram of a partition.
type CellOf = fn(&PartitionMetrics) -> &Histogram;

struct Page<'e> {
    encoder: DescriptorEncoder<'e>,
}

impl Page<'_> {
    fn family<V>(
        &mut self,
        (name, help, ty): (&str, &str, MetricType),
        rows: impl IntoIterator<Item = Row<V>>,
        write: impl Fn(&mut MetricEncoder<'_>, V) -> fmt::Result,
    ) -> fmt::Result {
        let mut metric = self.encoder.encode_descriptor(name, help, None, ty)?;
        for (label, value) in rows {
            match label {
                Some(label) => write(&mut metric.encode_family(&[label])?, value)?,
                None => write(&mut metric, value)?,
            }
        }
        Ok(())
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        self.counters(name, help, [(None, value)])
    }

    fn counters(
        &mut self,
        name: &str,
        help: &str,
        rows: impl IntoIterator<Item = Row<u64>>,
    ) -> fmt::Result {
        self.family((name, help, MetricType::Counter), rows, |metric, value| {
            metric.encode_counter::<NoLabelSet, u64, f64>(&value, None)
        })
    }

    fn gauge(&mut self, name: &str, help: &str, value: f64) -> fmt::Result {
        self.family((name, help, MetricType::Gauge), [(None, value)], |metric, value| {
            metric.encode_gauge(&value)
        })
    }

    fn gauges(
        &mut self,
        name: &str,
        help: &str,
        rows: impl IntoIterator<Item = Row<u64>>,
    ) -> fmt::Result {
        self.family((name, help, MetricType::Gauge), rows, |metric, value| {
            metric.encode_gauge(&value)
        })
    }

    fn histograms(
        &mut self,
        name: &str,
        help: &str,
        rows: impl IntoIterator<Item = Row<Total>>,
    ) -> fmt::Result {
        self.family((name, help, MetricType::Histogram), rows, |metric, total| {
            metric.encode_histogram::<NoLabelSet>(total.sum, total.count(), &total.buckets, None)
        })
    }

    fn info(&mut self, name: &str, help: &str, label: (&str, &str)) -> fmt::Result {
        self.family((name, help, MetricType::Info), [(None, label)], |metric, label| {
            metric.encode_info(&[label])
        })
    }
}

/// Adds up the cells of all partitions.
fn sum(metrics: &Metrics, cell: impl Fn(&PartitionMetrics) -> u64) -> u64 {
    metrics.partitions.iter().map(|partition| cell(partition)).sum()
}

/// Adds up the histograms of all partitions.
fn total(metrics: &Metrics, scale: &Scale, cell: fn(&PartitionMetrics) -> &Histogram) -> Total {
    Total::of(scale, metrics.partitions.iter().map(|partition| cell(partition)))
}

fn each(
    metrics: &Metrics,
    cell: impl Fn(&PartitionMetrics) -> u64,
) -> impl Iterator<Item = Row<u64>> {
    let partitions = metrics.partitions.iter().enumerate();
    partitions.map(move |(number, cells)| (Some(("partition", number.to_string())), cell(cells)))
}

#[allow(clippy::cast_precision_loss, reason = "counts and sizes are not read to the last unit")]
fn float(value: u64) -> f64 {
    value as f64
}

fn ingress(page: &mut Page<'_>, metrics: &Metrics) -> fmt::Result {
    let ingress = &metrics.ingress;
    let help = "Requests answered, by kind and class of the status";
    let name = "reveille_ingress_requests";
    let mut family = page.encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for ((_, kind), classes) in RequestKind::ALL.iter().zip(&ingress.ended) {
        for (class, count) in STATUS_CLASSES.iter().zip(classes) {
            let labels = [("kind", *kind), ("status", *class)];
            let mut row = family.encode_family(&labels)?;
            row.encode_counter::<NoLabelSet, u64, f64>(&count.get(), None)?;
        }
    }
    let durations =
        RequestKind::ALL.iter().zip(&ingress.durations).map(|((_, kind), histogram)| {
            (Some(("kind", (*kind).to_owned())), Total::of(&DURATION, [histogram]))
        });
    page.histograms(
        "reveille_ingress_request_duration_seconds",
        "From the head of a request to the head of its answer",
        durations,
    )?;
    page.gauge(
        "reveille_ingress_requests_open",
        "Requests without an answer so far",
        float(ingress.open()),
    )
}

fn invocations(page: &mut Page<'_>, metrics: &Metrics) -> fmt::Result {
    page.counter(
        "reveille_invocations_created",
        "Invocations created, durably",
        sum(metrics, |partition| partition.created.get()),
    )?;
    let rows = [
        ("success", sum(metrics, |partition| partition.completed.get())),
        ("failure", sum(metrics, |partition| partition.failed.get())),
    ];
    page.counters(
        "reveille_invocations_completed",
        "Invocations that ended, durably, by outcome",
        rows.map(|(outcome, count)| (Some(("outcome", outcome.to_owned())), count)),
    )?;
    page.counter(
        "reveille_invocations_recovered",
        "Invocations that were in flight when their partition was taken over",
        sum(metrics, |partition| partition.recovered.get()),
    )
}

fn attempts(page: &mut Page<'_>, metrics: &Metrics) -> fmt::Result {
    let sum = |cell: fn(&PartitionMetrics) -> u64| sum(metrics, cell);
    page.counter(
        "reveille_attempts_started",
        "Attempts started",
        sum(|partition| partition.attempts_started.get()),
    )?;
    let failed = DOC_CODES.iter().enumerate().map(|(index, code)| {
        let cells = metrics.partitions.iter().map(|cells| cells.attempts_failed[index].get());
        (Some(("code", (*code).to_owned())), cells.sum())
    });
    page.counters(
        "reveille_attempts_failed",
        "Attempts that failed, by documentation code",
        failed,
    )?;
    let gauges: [Shown<u64>; 3] = [
        ("reveille_attempts_open", "Attempts with an open stream", |p| p.attempts_open.get()),
        ("reveille_attempts_waiting", "Attempts that wait for a place", |p| {
            p.attempts_waiting.get()
        }),
        ("reveille_attempts_backing_off", "Failed attempts whose successor is timed", |p| {
            p.backing_off.get()
        }),
    ];
    for (name, help, cell) in gauges {
        page.gauge(name, help, float(sum(cell)))?;
    }
    let durations: [(&str, &str, CellOf); 2] = [
        (
            "reveille_attempt_duration_seconds",
            "From the start of an attempt to its last frame, or to the failure of its stream",
            |partition| &partition.attempt_duration,
        ),
        (
            "reveille_attempt_place_wait_seconds",
            "How long attempts waited that did not get a place at once",
            |partition| &partition.place_wait,
        ),
    ];
    for (name, help, cell) in durations {
        page.histograms(name, help, [(None, total(metrics, &DURATION, cell))])?;
    }
    Ok(())
}

fn partitions(page: &mut Page<'_>, scrape: &Scrape) -> fmt::Result {
    let metrics = scrape.partitions.metrics();
    page.gauges(
        "reveille_partition_serving",
        "1 while the partition takes commands; 0 when its disk is full or it has stopped",
        each(metrics, |partition| partition.serving.get()),
    )?;
    page.counters(
        "reveille_partition_commands",
        "Commands applied",
        each(metrics, |partition| partition.commands.get()),
    )?;
    let batches = |partition: &PartitionMetrics| Total::of(&SIZE, [&partition.batch_size]).count();
    page.counters("reveille_partition_batches", "Batches made durable", each(metrics, batches))?;
    page.counters(
        "reveille_partition_batches_failed",
        "Batches that could not be made durable",
        each(metrics, |partition| partition.batches_failed.get()),
    )?;
    page.gauges(
        "reveille_partition_batches_in_flight",
        "Batches on their way to the disk",
        each(metrics, |partition| partition.batches_in_flight.get()),
    )?;
    let lengths = (0..scrape.partitions.count()).map(|number| {
        let waiting = scrape.partitions.mailbox_len(number) as u64;
        (Some(("partition", number.to_string())), waiting)
    });
    page.gauges("reveille_partition_mailbox_length", "Commands that wait", lengths)?;
    page.counter(
        "reveille_mailbox_full",
        "Commands that had to wait for room in a mailbox",
        metrics.mailbox_full.get(),
    )?;
    page.gauges(
        "reveille_partition_outbox_length",
        "Messages to other partitions that are not confirmed yet",
        each(metrics, |partition| partition.outbox.get()),
    )?;
    let sizes = total(metrics, &SIZE, |partition| &partition.batch_size);
    page.histograms("reveille_batch_size_bytes", "Keys and values of a batch", [(None, sizes)])?;
    let commits = Total::of(&DURATION, [&metrics.commits.duration]);
    page.histograms(
        "reveille_commit_duration_seconds",
        "One flush for all batches that waited for it",
        [(None, commits)],
    )?;
    let late = total(metrics, &DURATION, |partition| &partition.timer_lateness);
    page.histograms(
        "reveille_timer_lateness_seconds",
        "How long after their time timers came up",
        [(None, late)],
    )
}

fn waits(page: &mut Page<'_>, metrics: &Metrics) -> fmt::Result {
    let kinds = WAIT_KINDS.iter().enumerate().map(|(index, kind)| {
        let count = sum(metrics, |partition| partition.waits[index].get());
        (Some(("kind", (*kind).to_owned())), count)
    });
    page.gauges("reveille_waits_pending", "Waits of parked invocations", kinds)?;
    let since = metrics.partitions.iter().map(|partition| partition.waits_oldest_since.get());
    let age_ms = match since.filter(|since| *since > 0).min() {
        Some(since) => time::now().saturating_sub(since),
        None => 0,
    };
    page.gauge(
        "reveille_waits_oldest_age_seconds",
        "Age of the oldest wait, 0 without one",
        float(age_ms) / 1000.0,
    )?;
    let counted = metrics.partitions.iter().all(|partition| partition.waits_counted.get() == 1);
    page.gauge(
        "reveille_waits_counted",
        "1 once the waits that were there at the start are counted; until then there are more",
        f64::from(u8::from(counted)),
    )?;
    let traces = &metrics.traces;
    page.counter(
        "reveille_trace_spans_exported",
        "Spans that the collector took",
        traces.exported.get(),
    )?;
    page.counter(
        "reveille_trace_spans_dropped",
        "Spans lost, because the queue was full or the collector did not take them",
        traces.dropped.get(),
    )
}

fn store(page: &mut Page<'_>, scrape: &Scrape) -> fmt::Result {
    let Some(usage) = scrape.store.usage() else { return Ok(()) };
    let rows = [
        ("reveille_store_disk_bytes", "Bytes of the store on disk", usage.disk_bytes),
        ("reveille_store_journal_bytes", "Bytes of its journals on disk", usage.journal_bytes),
        (
            "reveille_store_write_buffer_bytes",
            "Bytes of rows in memory that are only in the journal on disk",
            usage.write_buffer_bytes,
        ),
    ];
    for (name, help, bytes) in rows {
        page.gauge(name, help, float(bytes))?;
    }
    Ok(())
}

fn of_process(page: &mut Page<'_>) -> fmt::Result {
    let process = process::read();
    let gauges = [
        (
            "process_resident_memory_bytes",
            "Memory that the process occupies",
            process.resident_bytes.map(float),
        ),
        ("process_open_fds", "Open file descriptors", process.open_fds.map(float)),
        (
            "process_start_time_seconds",
            "When the process started, in seconds since the epoch",
            process.started_at_seconds,
        ),
    ];
    for (name, help, value) in gauges {
        if let Some(value) = value {
            page.gauge(name, help, value)?;
        }
    }
    let Some(seconds) = process.cpu_seconds else { return Ok(()) };
    let family = ("process_cpu_seconds", "CPU time used", MetricType::Counter);
    page.family(family, [(None, seconds)], |metric, seconds| {
        metric.encode_counter::<NoLabelSet, f64, f64>(&seconds, None)
    })
}
