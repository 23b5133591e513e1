//! Every bound of the server in one place.
//!
//! Hitting a bound is an error message that says which bound it was and how to raise it. Bounds
//! that an operator may raise are defaults of [`crate::config`]; the others are fixed.

use std::time::Duration;

/// Largest request body at the ingress, in bytes (`ingress.request-size-limit`).
pub const REQUEST_BYTES_DEFAULT: usize = 32 << 20;

/// Calls and sends that are on their way at the same time (`ingress.concurrent-requests-limit`), as many
/// as attempts may be open.
pub const CONCURRENT_REQUESTS_DEFAULT: usize = CONCURRENT_ATTEMPTS_DEFAULT;

/// Open calls and sends up to which none is refused, however long they take.
pub const OVERLOAD_REQUESTS_MIN: usize = 512;

/// How long a command may wait for a partition, there and back, before that counts as falling behind:
/// a few times as much for a call, which does so several times.
pub const OVERLOAD_DELAY_MAX: Duration = Duration::from_millis(100);

/// How long the delay must exceed [`OVERLOAD_DELAY_MAX`]: a burst is over sooner.
pub const OVERLOAD_STANDING: Duration = Duration::from_millis(200);

/// The delay above which fewer requests are let in while the server is behind.
pub const OVERLOAD_DELAY_KEPT: Duration = Duration::from_millis(5);

/// Time without a measurement of the delay, because few requests are open, after which nothing is left of
/// a queue.
pub const OVERLOAD_OVER: Duration = Duration::from_secs(1);

/// Pause between two measurements of the delay.
pub const OVERLOAD_PROBE_PAUSE: Duration = Duration::from_millis(5);

/// How long a call counts as being on its way; one that is older waits for its handler.
pub const INTAKE_COUNTED: Duration = Duration::from_secs(10);

/// Largest message accepted from a deployment, in bytes (`worker.invoker.message-size-limit`).
pub const MESSAGE_BYTES_DEFAULT: usize = 32 << 20;

/// Attempts open at the same time (`worker.invoker.concurrent-invocations-limit`).
pub const CONCURRENT_ATTEMPTS_DEFAULT: usize = 10_000;

/// Commands that wait in front of one partition; senders wait when it is full.
pub const MAILBOX_LEN: usize = 4096;

/// Commands that a partition takes from its mailbox in one go.
pub const COMMANDS_PER_TURN: usize = 512;

/// Timers that a partition carries out in one go: with many of them due, the first ones start at once, and
/// what they lead to is not behind all others.
pub const TIMERS_PER_TURN: usize = 64;

/// Commands in a turn up to which a partition commits on its own thread. Those that come meanwhile wait
/// for it; with more of them it is faster to go on beside the flush.
pub const COMMIT_HERE_COMMANDS: usize = 16;

/// Batches of one partition that may wait for durability at the same time.
pub const BATCHES_IN_FLIGHT: usize = 8;

/// Bytes of writes after which a batch is closed even when more commands wait.
pub const BATCH_BYTES: usize = 4 << 20;

/// Frames that wait in front of one attempt; an attempt that does not read is aborted.
pub const ATTEMPT_MAILBOX_LEN: usize = 1024;

/// Frames of one attempt that are handed to the partition as one step.
pub const FRAMES_PER_STEP: usize = 256;

/// Largest discovery manifest, in bytes.
pub const MANIFEST_BYTES: usize = 8 << 20;

/// Longest error body read from a deployment, in bytes.
pub const ERROR_BODY_BYTES: usize = 4096;

/// HTTP/2 connections to one deployment.
pub const CONNECTIONS_PER_DEPLOYMENT: usize = 128;

/// Streams on one HTTP/2 connection to a deployment, even when the peer allows more.
pub const STREAMS_PER_CONNECTION: usize = 128;

/// Streams on one HTTP/2 connection to a deployment until its settings, which are waited for before
/// the first one, say otherwise.
pub const STREAMS_BEFORE_SETTINGS: usize = 100;

/// Flow-control window of one HTTP/2 stream from a deployment, in bytes.
pub const STREAM_WINDOW_BYTES: u32 = 1 << 20;

/// Flow-control window of one HTTP/2 connection from a deployment, in bytes.
pub const CONNECTION_WINDOW_BYTES: u32 = 2 << 20;

/// Longest wait for a connection to a deployment, in milliseconds.
pub const CONNECT_TIMEOUT_MS: u64 = 10_000;

/// Longest wait for a discovery response, in milliseconds.
pub const DISCOVERY_TIMEOUT_MS: u64 = 10_000;

/// Pause between two keep-alive pings on a connection with open streams, in milliseconds.
pub const PING_INTERVAL_MS: u64 = 40_000;

/// Longest wait for the answer to a ping, in milliseconds; then the connection is given up.
pub const PING_TIMEOUT_MS: u64 = 20_000;

/// Time after which an unused connection to a deployment is closed, in milliseconds.
pub const CONNECTION_IDLE_MS: u64 = 300_000;

/// Unused HTTP/1.1 connections kept open to one deployment.
pub const IDLE_HTTP1_CONNECTIONS: usize = 8;

/// Longest wait for a response to end after its terminal frame, in milliseconds.
pub const DRAIN_TIMEOUT_MS: u64 = 5_000;

/// Bytes read after the terminal frame before the stream is reset.
pub const DRAIN_BYTES: usize = 64 << 10;

/// Longest wait for the body of an error response, in milliseconds.
pub const ERROR_BODY_TIMEOUT_MS: u64 = 2_000;

/// Chunks of encoded frames that wait for the window of a request stream.
pub const OUTGOING_CHUNKS: usize = 64;

/// Deployments that the registry keeps.
pub const DEPLOYMENTS_MAX: usize = 10_000;

/// Entries of the state of one key that the admin API shows.
pub const STATE_ENTRIES_SHOWN: usize = 10_000;
/// Concurrency rules that the registry keeps.
pub const RULES_MAX: usize = 1_000;

/// Longest description of a concurrency rule, in bytes.
pub const RULE_DESCRIPTION_BYTES: usize = 1024;

/// Kafka clusters that the registry keeps.
pub const KAFKA_CLUSTERS_MAX: usize = 100;

/// Longest name of a Kafka cluster, in bytes.
pub const KAFKA_NAME_BYTES: usize = 128;

/// Longest properties of a Kafka client, names and values together, in bytes: there may be
/// certificates in them.
pub const KAFKA_PROPERTIES_BYTES: usize = 64 << 10;

/// Subscriptions that the registry keeps; each one that reads has a client with threads.
pub const SUBSCRIPTIONS_MAX: usize = 200;

/// Records of one partition of a topic that wait to be sent; then no more of it are fetched.
pub const KAFKA_LANE_RECORDS: usize = 1024;

/// Bytes of records of one partition of a topic that wait to be sent; then no more of it are fetched.
pub const KAFKA_LANE_BYTES: usize = 4 << 20;

/// Records of one partition of a topic that are sent and not durable yet.
pub const KAFKA_IN_FLIGHT: usize = 256;

/// What a client fetches ahead for all partitions of its topic, in KiB, unless its options say.
pub const KAFKA_FETCH_AHEAD_KB: usize = 16 << 10;

/// First pause after a record was refused or a broker did not answer; it doubles with each.
pub const KAFKA_RETRY_DELAY: Duration = Duration::from_millis(250);

/// Longest pause before a record is tried again.
pub const KAFKA_RETRY_DELAY_MAX: Duration = Duration::from_secs(30);

/// Longest wait for an answer of a broker about a topic.
pub const KAFKA_ASK_TIMEOUT: Duration = Duration::from_secs(5);

/// Rows of taken offsets that are read in one go.
pub const KAFKA_OFFSETS_PER_SCAN: usize = 1024;

/// Headers of a record, with names and values, in bytes at most.
pub const KAFKA_HEADER_BYTES: usize = LISTENER_HEADER_BYTES as usize;

/// Largest request body at the admin API, in bytes.
pub const ADMIN_BODY_BYTES: usize = 32 << 20;

/// Waits on one page of a list unless the client asks for another number.
pub const WAITS_PER_PAGE_DEFAULT: usize = 100;

/// Most waits on one page of a list.
pub const WAITS_PER_PAGE_MAX: usize = 1_000;

/// Rows that one request for a page of waits examines; the client continues from there.
pub const WAIT_ROWS_EXAMINED: usize = 10_000;

/// Rows that are read from one partition at a time for a page of waits.
pub const WAIT_ROWS_PER_SCAN: usize = 128;

/// Longest duration that is read, in milliseconds: a thousand years, so that times have four-digit years.
pub const DURATION_MS_MAX: u64 = 1000 * 365 * 24 * 60 * 60 * 1000;

/// Largest body that names the target of an attach, output or lookup, in bytes.
pub const TARGET_BODY_BYTES: usize = 1 << 20;

/// Connections open at the ingress at the same time; further ones wait to be accepted.
pub const INGRESS_CONNECTIONS: usize = 65_536;

/// Largest head of a request to a listener, in bytes.
pub const LISTENER_HEADER_BYTES: u32 = 64 << 10;

/// Longest wait for the head of a request, in milliseconds; idle connections are closed then, too.
pub const LISTENER_HEADER_READ_MS: u64 = 75_000;

/// Requests open on one HTTP/2 connection to a listener (`ingress.streams-per-connection`). A client that
/// has more of them waits or opens another connection, which costs less than refusing them
/// (`docs/adr/0017-refuse-by-delay.md`).
pub const LISTENER_STREAMS_DEFAULT: u32 = 256;

/// Flow-control window of one HTTP/2 request to a listener, in bytes.
pub const LISTENER_STREAM_WINDOW_BYTES: u32 = 1 << 20;

/// Flow-control window of one HTTP/2 connection to a listener, in bytes.
pub const LISTENER_CONNECTION_WINDOW_BYTES: u32 = 4 << 20;

/// Pause between two keep-alive pings to an HTTP/2 caller, in milliseconds.
pub const LISTENER_PING_INTERVAL_MS: u64 = 40_000;

/// Longest wait of a listener for the answer to a ping, in milliseconds.
pub const LISTENER_PING_TIMEOUT_MS: u64 = 20_000;

/// Longest wait for requests in flight when a listener shuts down, in milliseconds.
pub const LISTENER_SHUTDOWN_MS: u64 = 10_000;

/// Pause after a connection could not be accepted, in milliseconds.
pub const LISTENER_ACCEPT_RETRY_MS: u64 = 50;

/// Longest wait for a reused HTTP/1.1 connection to be ready, in milliseconds; then another is
/// opened.
pub const REUSE_TIMEOUT_MS: u64 = 200;

/// How long an attempt that awaits an answer likely to come soon keeps its stream, in milliseconds.
pub const HOLD_MS: u64 = 250;

/// How long a stopping server waits for open requests.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// Longest pause between two pieces of a request body, in milliseconds.
pub const LISTENER_BODY_PAUSE_MS: u64 = 60_000;

/// Signatures of requests that are kept to be used again, one per handler.
pub const IDENTITY_TOKENS: usize = 4096;

/// Time after which the files of a listener's certificate are looked at again, in milliseconds.
pub const TLS_FILES_CHECK_MS: u64 = 5_000;

/// Connections open at the admin API at the same time; further ones wait to be accepted.
pub const ADMIN_CONNECTIONS: usize = 1024;

/// TLS handshakes of one listener at the same time; further ones wait, within their own time.
pub const LISTENER_HANDSHAKES: usize = 4096;

/// Longest TLS handshake with a caller, in milliseconds.
pub const LISTENER_HANDSHAKE_MS: u64 = 10_000;

/// Time after which an HTTP/2 connection of a caller without requests is closed, in milliseconds.
pub const LISTENER_IDLE_MS: u64 = 300_000;

/// Bytes of each request body that need no place in [`LISTENER_BODY_BYTES`].
pub const LISTENER_BODY_FREE_BYTES: usize = 64 << 10;

/// Bytes of all request bodies of a listener that are being read at the same time; further ones are
/// answered with 503.
pub const LISTENER_BODY_BYTES: usize = 512 << 20;

/// Longest time for which a caller takes no byte of a response, in milliseconds.
pub const LISTENER_WRITE_PAUSE_MS: u64 = 60_000;

/// Longest wait for a caller to close a connection that it was asked to close, in milliseconds.
pub const LISTENER_CLOSING_MS: u64 = 5_000;

/// Tokens that one listener lets in.
pub const TOKENS_MAX: usize = 64;

/// Longest name of a token, in bytes.
pub const TOKEN_NAME_BYTES: usize = 64;

/// Queries that run at the same time; further ones wait, for as long as a query may take.
pub const QUERIES_AT_ONCE: usize = 4;

/// Pieces of a query's answer that wait for its client; then the query waits.
pub const QUERY_PIECES: usize = 4;

/// Longest time of a query (`admin.query.timeout`), in milliseconds.
pub const QUERY_TIMEOUT_MS_DEFAULT: u64 = 30_000;

/// Largest answer to a query, in bytes (`admin.query.answer-size-limit`).
pub const QUERY_ANSWER_BYTES_DEFAULT: usize = 64 << 20;

/// Largest request to a Lambda function, in bytes: AWS takes 6 MB, in base64 and with an envelope.
pub const LAMBDA_REQUEST_BYTES: usize = 4_400_000;

/// Bytes that a pipe to a gateway within this process holds in each direction.
pub const LOCAL_PIPE_BYTES: usize = 64 << 10;

/// Largest answer of a Lambda function that is read, in bytes: AWS gives 6 MB at most.
pub const LAMBDA_RESPONSE_BYTES: usize = 8 << 20;

/// Largest answer of a Lambda function after it was unpacked, in bytes.
pub const LAMBDA_UNPACKED_BYTES: usize = 256 << 20;

/// Memory that all queries take together (`admin.query.memory-limit`), in bytes.
pub const QUERY_MEMORY_BYTES_DEFAULT: usize = 128 << 20;

/// Time that one flush may take before a line says so.
pub const SLOW_COMMIT: Duration = Duration::from_secs(1);

/// Time that a query may take before a line says so.
pub const SLOW_QUERY: Duration = Duration::from_secs(5);

/// Time that an attempt may wait for a place before a line says so.
pub const LONG_PLACE_WAIT: Duration = Duration::from_secs(10);

/// Rows of the wait table that are counted in one go after a partition was taken over.
pub const WAITS_COUNTED_PER_TURN: usize = 1024;

/// Pause between two goes of counting waits, or two looks for the oldest one.
pub const WAITS_COUNT_PAUSE: Duration = Duration::from_millis(20);

/// Spans that wait for the exporter; further ones are dropped and counted.
pub const SPANS_WAITING: usize = 8192;

/// Spans that are sent to the collector in one request.
pub const SPANS_PER_BATCH: usize = 512;

/// Time for which the exporter waits for more spans.
pub const SPANS_DELAY: Duration = Duration::from_secs(1);

/// Tries to send a batch of spans before it is dropped.
pub const SPANS_TRIES: u32 = 5;

/// Pause after the first try to send a batch of spans; it doubles with each.
pub const SPANS_RETRY_DELAY: Duration = Duration::from_secs(1);

/// Longest exchange with the collector.
pub const SPANS_POST_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest answer of the collector that is read, in bytes.
pub const SPANS_ANSWER_BYTES: usize = 64 << 10;

/// How long a stopping server waits for the collector.
pub const SPANS_STOP_TIMEOUT: Duration = Duration::from_secs(3);
