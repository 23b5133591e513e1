//! The stream of an attempt in memory.
//!
//! - Owns: both ends of it, and the future that runs the handler.
//! - Does not own: what the engine makes of it (`test/world.rs`).

use std::{
    pin::Pin,
    sync::{Arc, atomic::AtomicBool},
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use reveille_engine::{command::AttemptId, effect::AttemptStart};
use reveille_protocol::{
    frame::{Frame, FrameDecoder},
    version::ServiceProtocolVersion,
};
use tokio::sync::{mpsc, watch};

use crate::{
    definition::Handler,
    driver::{Lost, Settings, drive},
};

const FRAME_BYTES_MAX: usize = 1 << 28;
/// Output that an attempt may be ahead; everything is read in each turn.
const OUTPUT_SEGMENTS: usize = 1 << 16;

/// One attempt.
pub struct Attempt {
    pub id: AttemptId,
    /// Gone once the server has ended the request.
    pub input: Option<mpsc::UnboundedSender<Bytes>>,
    output: mpsc::Receiver<Result<Bytes, Lost>>,
    decoder: FrameDecoder,
    pub run: Pin<Box<dyn Future<Output = Result<(), Lost>> + Send>>,
    pub is_waiting: Arc<AtomicBool>,
    /// Whether the engine was told that it only waits.
    pub is_idle_told: bool,
}

struct Chunks(mpsc::UnboundedReceiver<Bytes>);

impl Stream for Chunks {
    type Item = Result<Bytes, Lost>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Lost>>> {
        self.get_mut().0.poll_recv(cx).map(|chunk| chunk.map(Ok))
    }
}

impl Attempt {
    /// Starts it with its journal.
    pub fn start(start: AttemptStart, handler: Handler, settings: Settings) -> Self {
        let version = ServiceProtocolVersion::new(start.protocol_version);
        let version = version.unwrap_or(ServiceProtocolVersion::MAX);
        let (input, chunks) = mpsc::unbounded_channel();
        let (sender, output) = mpsc::channel(OUTPUT_SEGMENTS);
        let is_waiting = settings.is_waiting.clone();
        let (_, stops) = watch::channel(false);
        let run = Box::pin(async move {
            drive(&handler, version, settings, Chunks(chunks), sender, stops).await
        });
        let attempt = Attempt {
            id: start.attempt,
            input: Some(input),
            output,
            decoder: FrameDecoder::new(FRAME_BYTES_MAX),
            run,
            is_waiting,
            is_idle_told: false,
        };
        attempt.send(&start.frames);
        attempt
    }

    /// Hands it frames of the server.
    pub fn send(&self, frames: &[Frame]) {
        let mut bytes = BytesMut::new();
        frames.iter().for_each(|frame| frame.encode(&mut bytes));
        if let Some(input) = &self.input {
            // The attempt may be over, as a server finds out later too.
            let _ = input.send(bytes.freeze());
        }
    }

    /// What it has written by now.
    pub fn frames(&mut self) -> Vec<Frame> {
        while let Ok(Ok(bytes)) = self.output.try_recv() {
            self.decoder.push(bytes);
        }
        let next = || self.decoder.next().unwrap_or_else(|error| panic!("our own frames: {error}"));
        std::iter::from_fn(next).collect()
    }
}
