//! Tests of whole attempts: handlers as users write them, and a server that is a script.
//!
//! Start with [`Peer`].

mod concurrency;
mod kept;
mod misuse;
mod recorded;
mod user_code;

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context as TaskContext, Poll},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use reveille_protocol::{
    frame::{Frame, FrameDecoder, MessageType},
    message::{
        ErrorMessage, InputCommand, Notification, OutputCommand, ProposeRunCompletionAck, Start,
        Value, Void, notification, notification::Id, output_command,
    },
    version::ServiceProtocolVersion,
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
};

use super::{Settings, drive};
use crate::{
    clock::Clock,
    definition::{Entry, Handler, HandlerFuture},
    options::Options,
    vm::VmOptions,
};

/// Polls that surely let everything happen that can happen without more input.
const TURNS: usize = 50;

struct Chunks(mpsc::UnboundedReceiver<Bytes>);

impl Stream for Chunks {
    type Item = Result<Bytes, ()>;

    fn poll_next(
        self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Bytes, ()>>> {
        self.get_mut().0.poll_recv(cx).map(|chunk| chunk.map(Ok))
    }
}

/// The server of one attempt.
struct Peer {
    input: Option<mpsc::UnboundedSender<Bytes>>,
    output: mpsc::Receiver<Result<Bytes, super::Lost>>,
    stopping: watch::Sender<bool>,
    attempt: JoinHandle<bool>,
    decoder: FrameDecoder,
}

type Enter = fn(Entry) -> HandlerFuture;

impl Peer {
    fn start(version: ServiceProtocolVersion, enter: Enter) -> Self {
        let (input, chunks) = mpsc::unbounded_channel();
        let (sender, output) = mpsc::channel(1000);
        let handler = Handler {
            name: "h".into(),
            ty: None,
            input: Default::default(),
            output: Default::default(),
            options: Options::new(),
            enter: Arc::new(enter),
        };
        let settings = Settings {
            vm: VmOptions::default(),
            clock: Clock::System,
            is_waiting: Arc::default(),
            foreign_wait_max: Duration::from_secs(5),
        };
        let (stopping, stops) = watch::channel(false);
        let attempt = tokio::spawn(async move {
            drive(&handler, version, settings, Chunks(chunks), sender, stops).await.is_ok()
        });
        let decoder = FrameDecoder::new(1 << 20);
        Self { input: Some(input), output, stopping, attempt, decoder }
    }

    /// Starts with a journal of an input and these entries.
    fn replay(enter: Enter, entries: &[Frame]) -> Self {
        Self::started(enter, entries, Start::default())
    }

    /// Starts with an empty journal, and state of which nothing is known.
    fn partial(enter: Enter) -> Self {
        Self::started(enter, &[], Start { partial_state: true, ..Start::default() })
    }

    fn started(enter: Enter, entries: &[Frame], start: Start) -> Self {
        let peer = Self::start(ServiceProtocolVersion::V7, enter);
        let known_entries = u32::try_from(entries.len() + 1).expect("few");
        let id = Bytes::from_static(b"id");
        let start = Start { id, known_entries, ..start };
        peer.send(&[Frame::message(MessageType::START, &start)]);
        let value = Some(Value { content: Bytes::from_static(b"1") });
        let input = InputCommand { value, ..InputCommand::default() };
        peer.send(&[Frame::message(MessageType::INPUT_COMMAND, &input)]);
        peer.send(entries);
        peer
    }

    fn send(&self, frames: &[Frame]) {
        let mut bytes = BytesMut::new();
        frames.iter().for_each(|frame| frame.encode(&mut bytes));
        self.send_bytes(bytes.freeze());
    }

    fn send_bytes(&self, bytes: Bytes) {
        let input = self.input.as_ref().expect("the request is open");
        // The attempt may be over, as a server finds out later too.
        let _ = input.send(bytes);
    }

    fn close(&mut self) {
        self.input = None;
    }

    /// What was written, once nothing more happens.
    async fn written(&mut self) -> Vec<Frame> {
        for _ in 0..TURNS {
            tokio::task::yield_now().await;
        }
        while let Ok(Ok(bytes)) = self.output.try_recv() {
            self.decoder.push(bytes);
        }
        std::iter::from_fn(|| self.decoder.next().expect("frames")).collect()
    }

    /// The result of the handler, closing the request.
    async fn result(&mut self) -> String {
        let frames = self.written().await;
        self.close();
        let output = frames.iter().find(|frame| frame.ty == MessageType::OUTPUT_COMMAND);
        let output: OutputCommand = match output {
            Some(frame) => frame.decode().expect("an output"),
            None => panic!("no output: {:?}", names(&frames)),
        };
        self.written().await;
        assert!(self.attempt.is_finished());
        match output.result.expect("a result") {
            output_command::Result::Value(value) => {
                String::from_utf8(value.content.to_vec()).expect("text")
            }
            output_command::Result::Failure(failure) => {
                format!("{} {}", failure.code, failure.message)
            }
        }
    }

    /// The message of the error, after so much time in which nothing else happens.
    async fn error_after(&mut self, time: Duration) -> String {
        let frames = self.written().await;
        tokio::time::advance(time).await;
        self.error_in(frames).await.message
    }

    async fn error(&mut self) -> ErrorMessage {
        self.error_in(Vec::new()).await
    }

    /// The error among these frames, or what follows them.
    async fn error_in(&mut self, mut frames: Vec<Frame>) -> ErrorMessage {
        frames.extend(self.written().await);
        let error = frames.iter().find(|frame| frame.ty == MessageType::ERROR);
        match error {
            Some(frame) => frame.decode().expect("an error"),
            None => panic!("no error: {:?}", names(&frames)),
        }
    }
}

fn names(frames: &[Frame]) -> Vec<&'static str> {
    frames.iter().map(|frame| frame.ty.name()).collect()
}

fn notify(id: Id, outcome: notification::Result) -> Frame {
    let notification = Notification { id: Some(id), result: Some(outcome) };
    Frame::message(MessageType::SIGNAL_NOTIFICATION, &notification)
}

fn completed(id: u32, text: &str) -> Frame {
    let value = Value { content: Bytes::copy_from_slice(text.as_bytes()) };
    notify(Id::CompletionId(id), notification::Result::Value(value))
}

fn answered(signal: u32, text: &str) -> Frame {
    let value = Value { content: Bytes::copy_from_slice(text.as_bytes()) };
    notify(Id::SignalId(signal), notification::Result::Value(value))
}

fn ack(id: u32) -> Frame {
    let ack = ProposeRunCompletionAck { completion_id: id };
    Frame::message(MessageType::PROPOSE_RUN_COMPLETION_ACK, &ack)
}

fn cancel() -> Frame {
    notify(Id::SignalId(1), notification::Result::Void(Void {}))
}

/// A handler with a plain context and no input to speak of, as an [`Enter`].
macro_rules! handler {
    (|$ctx:ident| $body:expr) => {
        |entry: crate::definition::Entry| -> crate::definition::HandlerFuture {
            Box::pin(async move {
                let context: crate::Context = entry.context();
                let $ctx = &context;
                let result: Result<_, crate::HandlerError> = async { $body }.await;
                crate::definition::Entry::output(result)
            })
        }
    };
    ($context:ty, |$ctx:ident, $input:ident: $type:ty| $body:expr) => {
        |entry: crate::definition::Entry| -> crate::definition::HandlerFuture {
            Box::pin(async move {
                let context: $context = entry.context();
                let $ctx = &context;
                let $input: $type = entry.input()?;
                let result: Result<_, crate::HandlerError> = async { $body }.await;
                crate::definition::Entry::output(result)
            })
        }
    };
}
use handler;
