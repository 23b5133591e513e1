//! A deployment and a partition made of channels.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{Request, Response};
use reveille_engine::command::{AttemptId, Command};
use reveille_engine::effect::AttemptStart;
use reveille_engine::schema::DeploymentSchema;
use reveille_protocol::frame::{Frame, FrameDecoder, MessageType};
use reveille_protocol::id::{DeploymentId, InvocationId};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};

use crate::invoker::attempt::Attempt;
use crate::invoker::pool::ConnectionTimes;
use crate::invoker::{AttemptHandle, Inbox, Invoker, InvokerOptions};
use crate::partition::Partitions;
use crate::partition::handle::Mail;
use crate::tls::Stream;
use tokio_rustls::TlsAcceptor;

/// A test that waits longer than this is stuck.
const STUCK: Duration = Duration::from_secs(20);

/// The media type of all attempts here.
pub(super) const MEDIA_TYPE: &str = "application/vnd.restate.invocation.v7";

/// Fails a test that is stuck, instead of hanging.
pub(super) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(STUCK, future).await.expect("the test is stuck")
}

/// A frame of one payload byte repeated.
pub(super) fn frame(ty: MessageType, len: usize) -> Frame {
    Frame::new(ty, vec![b'x'; len].into())
}

/// The encoded form of frames.
pub(super) fn encoded(frames: &[Frame]) -> Bytes {
    let mut bytes = BytesMut::new();
    frames.iter().for_each(|frame| frame.encode(&mut bytes));
    bytes.freeze()
}

/// An attempt that starts with `Start` and `Input` and waits long for everything.
pub(super) fn start() -> Box<AttemptStart> {
    Box::new(AttemptStart {
        id: InvocationId::from_parts(1, 2),
        attempt: AttemptId { created_at: 1, number: 3 },
        deployment: DeploymentId(1),
        protocol_version: 7,
        service: "Greeter".to_owned(),
        handler: "greet".to_owned(),
        key: None,
        trace: None,
        bidirectional: true,
        hold_timeout_ms: 600_000,
        inactivity_timeout_ms: 600_000,
        abort_timeout_ms: 600_000,
        frames: vec![frame(MessageType::START, 10), frame(MessageType::INPUT_COMMAND, 3)],
    })
}

/// An invoker between a deployment and a partition.
pub(super) struct Rig {
    pub(super) invoker: Invoker,
    pub(super) schema: DeploymentSchema,
    pub(super) mails: mpsc::Receiver<Mail>,
}

impl Rig {
    pub(super) fn new(uri: &str, http1: bool) -> Rig {
        Rig::with_mailbox(uri, http1, 1024)
    }

    pub(super) fn with_mailbox(uri: &str, http1: bool, mailbox_len: usize) -> Rig {
        Rig::with_times(uri, http1, mailbox_len, ConnectionTimes::default())
    }

    pub(super) fn with_times(
        uri: &str,
        http1: bool,
        mailbox_len: usize,
        times: ConnectionTimes,
    ) -> Rig {
        let options = InvokerOptions { message_size_limit: 1 << 20, ..InvokerOptions::default() };
        Rig::with_options(uri, http1, mailbox_len, times, options)
    }

    pub(super) fn with_options(
        uri: &str,
        http1: bool,
        mailbox_len: usize,
        times: ConnectionTimes,
        options: InvokerOptions,
    ) -> Rig {
        let (sender, mails) = mpsc::channel(mailbox_len);
        let runtime = tokio::runtime::Handle::current();
        let partitions = Partitions::new(vec![sender]);
        let invoker = Invoker::with_times(runtime, partitions, options, times);
        let schema = DeploymentSchema {
            id: DeploymentId(1),
            uri: uri.to_owned(),
            bidirectional: true,
            http1,
            protocol_version: 7,
            headers: vec![("x-gateway".to_owned(), "open".to_owned())],
            services: Vec::new(),
            former: std::collections::BTreeMap::new(),
        };
        Rig { invoker, schema, mails }
    }

    pub(super) fn start(&self, start: Box<AttemptStart>) -> AttemptHandle {
        self.invoker.start(start, &self.schema)
    }

    /// An attempt that has no task.
    pub(super) fn attempt(&self, start: Box<AttemptStart>) -> Attempt {
        let (_, told) = mpsc::channel(1);
        let (_, unwanted) = oneshot::channel();
        let inbox = Inbox { told, unwanted };
        Attempt::new(self.invoker.shared.clone(), start, &self.schema, inbox)
    }

    /// What the partition is told next, in short.
    pub(super) async fn told(&mut self) -> String {
        match soon(self.mails.recv()).await {
            Some(Mail::Tell(command)) => describe(&command),
            Some(_) => panic!("an attempt only tells"),
            None => "nothing more".to_owned(),
        }
    }

    /// Everything the partition is told until every attempt is over.
    pub(super) async fn rest(self) -> Vec<String> {
        let Rig { invoker, mut mails, .. } = self;
        drop(invoker);
        let mut rest = Vec::new();
        while let Some(mail) = soon(mails.recv()).await {
            let Mail::Tell(command) = mail else { panic!("an attempt only tells") };
            rest.push(describe(&command));
        }
        rest
    }
}

fn describe(command: &Command) -> String {
    match command {
        Command::Frames { attempt, frames, .. } => {
            let frames: Vec<_> =
                frames.iter().map(|it| format!("{}({})", it.ty.name(), it.payload.len())).collect();
            format!("frames of {attempt}: {}", frames.join(" "))
        }
        Command::AttemptFailed { attempt, failure, .. } => {
            let (code, doc_code, message) = (failure.code, failure.doc_code, &failure.message);
            format!("{attempt} failed: {code} {doc_code} {message}")
        }
        Command::AttemptIdle { attempt, expired, .. } => format!("{attempt} idle: {expired}"),
        other => panic!("an attempt does not tell {other:?}"),
    }
}

/// An HTTP/2 deployment whose streams are served by hand.
pub(super) struct Deployment {
    pub(super) uri: String,
    connections: Arc<AtomicUsize>,
    streams: mpsc::UnboundedReceiver<Served>,
    ended: mpsc::UnboundedReceiver<()>,
    shutdown: tokio::sync::watch::Sender<bool>,
}

impl Deployment {
    /// Listens. Each connection takes at most that many streams at the same time.
    pub(super) async fn listen(streams_max: u32) -> Deployment {
        Deployment::listen_with(streams_max, None).await
    }

    /// Listens, with TLS if it is given.
    pub(super) async fn listen_with(streams_max: u32, tls: Option<TlsAcceptor>) -> Deployment {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let uri = address(&listener, tls.is_some());
        let connections = Arc::new(AtomicUsize::new(0));
        let (served, streams) = mpsc::unbounded_channel();
        let (end, ended) = mpsc::unbounded_channel();
        let (shutdown, stopping) = tokio::sync::watch::channel(false);
        let counter = connections.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::SeqCst);
                let (served, end, mut stopping) = (served.clone(), end.clone(), stopping.clone());
                let tls = tls.clone();
                tokio::spawn(async move {
                    let Some(socket) = shake(socket, tls).await else { return };
                    let mut builder = h2::server::Builder::new();
                    builder.max_concurrent_streams(streams_max);
                    let Ok(mut connection) = builder.handshake(socket).await else { return };
                    stopping.mark_unchanged();
                    loop {
                        tokio::select! {
                            accepted = connection.accept() => {
                                let Some(Ok((request, respond))) = accepted else { break };
                                let (parts, body) = request.into_parts();
                                let head = Request::from_parts(parts, ());
                                let decoder = FrameDecoder::new(64 << 20);
                                // The test that wanted it may be over.
                                let _over = served.send(Served { head, body, respond, decoder });
                            }
                            Ok(()) = stopping.changed() => connection.graceful_shutdown(),
                        }
                    }
                    // The test that wanted to know may be over.
                    let _over = end.send(());
                });
            }
        });
        Deployment { uri, connections, streams, ended, shutdown }
    }

    /// The next stream.
    pub(super) async fn served(&mut self) -> Served {
        soon(self.streams.recv()).await.expect("the listener lives as long as the test")
    }

    /// Connections accepted so far.
    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Waits until a connection has ended.
    pub(super) async fn ended(&mut self) {
        soon(self.ended.recv()).await.expect("the listener lives as long as the test");
    }

    /// Sends GOAWAY on every open connection.
    pub(super) fn go_away(&self) {
        self.shutdown.send_replace(true);
    }
}

/// The address of a listener; certificates of tests are for `localhost`.
pub(super) fn address(listener: &TcpListener, tls: bool) -> String {
    let address = listener.local_addr().expect("an address");
    if tls {
        format!("https://localhost:{}/", address.port())
    } else {
        format!("http://{address}/")
    }
}

/// Shakes hands, if there is TLS; nothing when that fails, as the client sees why.
pub(super) async fn shake(socket: TcpStream, tls: Option<TlsAcceptor>) -> Option<Stream> {
    let Some(tls) = tls else { return Some(Stream::Plain(socket)) };
    let stream = tls.accept(socket).await.ok()?;
    Some(Stream::Tls(Box::new(stream.into())))
}

/// One stream as the deployment sees it.
pub(super) struct Served {
    pub(super) head: Request<()>,
    pub(super) body: RecvStream,
    pub(super) respond: SendResponse<Bytes>,
    decoder: FrameDecoder,
}

impl Served {
    pub(super) fn header(&self, name: &str) -> &str {
        self.head.headers().get(name).map_or("", |value| value.to_str().expect("ASCII"))
    }

    /// Answers with a status and content type; the body follows.
    pub(super) fn answer(&mut self, status: u16, content_type: &str) -> SendStream<Bytes> {
        let response = Response::builder().status(status).header("content-type", content_type);
        let response = response.body(()).expect("a response");
        self.respond.send_response(response, false).expect("the stream is open")
    }

    /// Answers the way a deployment does.
    pub(super) fn ok(&mut self) -> SendStream<Bytes> {
        self.answer(200, MEDIA_TYPE)
    }

    /// The next frame as `name(length)`, `eof`, or `reset` with the reason.
    pub(super) async fn read(&mut self) -> String {
        loop {
            if let Some(frame) = self.decoder.next().expect("the invoker sends frames") {
                return format!("{}({})", frame.ty.name(), frame.payload.len());
            }
            match soon(self.body.data()).await {
                Some(Ok(bytes)) => {
                    let released = self.body.flow_control().release_capacity(bytes.len());
                    released.expect("the bytes were received");
                    self.decoder.push(bytes);
                }
                Some(Err(error)) => {
                    let reason = error.reason().expect("a reset has a reason");
                    return format!("reset {}", u32::from(reason));
                }
                None => return "eof".to_owned(),
            }
        }
    }

    /// Reads until the end of the request or its reset.
    pub(super) async fn read_all(&mut self) -> Vec<String> {
        let mut all = Vec::new();
        loop {
            let next = self.read().await;
            let last = next == "eof" || next.starts_with("reset");
            all.push(next);
            if last {
                return all;
            }
        }
    }
}

/// Sends frames as one piece.
pub(super) fn send(stream: &mut SendStream<Bytes>, frames: &[Frame]) {
    stream.send_data(encoded(frames), false).expect("the stream is open");
}

/// The reason of the reset that ends this stream.
pub(super) async fn reset_reason(stream: &mut SendStream<Bytes>) -> Reason {
    soon(poll_fn(|cx| stream.poll_reset(cx))).await.expect("the stream was reset")
}
