//! The HTTP side of an imitated SDK: discovery, and one attempt per request.

use std::{
    collections::HashMap,
    convert::Infallible,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll},
};

use bytes::Bytes;
use hyper::{
    Request, Response, Version,
    body::{Body, Frame, Incoming},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use tokio::{net::TcpListener, sync::mpsc};

use super::{Sdk, attempt::Attempt, programs};
use crate::harness::Mode;

/// A running deployment.
pub struct Deployment {
    pub port: u16,
    shared: Arc<Shared>,
}

/// What the handlers know and leave behind.
pub struct Shared {
    pub sdk: &'static Sdk,
    mode: Mode,
    /// The version that every attempt must be made with.
    pub version: u32,
    notes: Mutex<Notes>,
}

#[derive(Default)]
struct Notes {
    /// Awakeable ids by name.
    announcements: HashMap<String, String>,
    /// The retry counts that `stumble` was started with.
    retry_counts: Vec<u32>,
    /// What the server did and an SDK would refuse.
    complaints: Vec<String>,
}

impl Deployment {
    /// Listens on a free port.
    pub async fn serve(sdk: &'static Sdk, mode: Mode, version: u32) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let port = listener.local_addr().expect("an address").port();
        let shared = Arc::new(Shared { sdk, mode, version, notes: Mutex::default() });
        tokio::spawn(accept(listener, shared.clone()));
        Self { port, shared }
    }

    pub fn announcement(&self, name: &str) -> Option<String> {
        self.shared.notes().announcements.get(name).cloned()
    }

    pub fn retry_counts(&self) -> Vec<u32> {
        self.shared.notes().retry_counts.clone()
    }

    #[track_caller]
    pub fn assert_no_complaints(&self) {
        let complaints = &self.shared.notes().complaints;
        assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    }
}

impl Shared {
    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().expect("no panic while locked")
    }

    pub fn announce(&self, name: String, wait: String) {
        self.notes().announcements.insert(name, wait);
    }

    pub fn note_retry_count(&self, count: u32) {
        self.notes().retry_counts.push(count);
    }

    pub fn complain(&self, complaint: String) {
        self.notes().complaints.push(complaint);
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        let shared = shared.clone();
        tokio::spawn(async move {
            let answers = service_fn(move |request| {
                let shared = shared.clone();
                async move { Ok::<_, Infallible>(answer(request, &shared)) }
            });
            let server = auto::Builder::new(TokioExecutor::new());
            // The connection ends with an error when the server under test is gone; so be it.
            drop(server.serve_connection(TokioIo::new(stream), answers).await);
        });
    }
}

fn answer(request: Request<Incoming>, shared: &Arc<Shared>) -> Response<Output> {
    let path = request.uri().path().to_owned();
    match path.strip_prefix("/invoke/").and_then(|target| target.split_once('/')) {
        Some((service, handler)) => invoke(request, shared, service.into(), handler.into()),
        None if path == "/discover" => discover(&request, shared),
        None => {
            shared.complain(format!("there is nothing at {path}"));
            respond(shared, 404, "text/plain", "not found")
        }
    }
}

/// Chooses the highest version of the manifest that both sides know.
fn discover(request: &Request<Incoming>, shared: &Shared) -> Response<Output> {
    let accept = header(request, "accept");
    let (first, last) = shared.sdk.manifest_versions;
    let known = (first..=last).rev();
    let types = known.map(|n| format!("application/vnd.restate.endpointmanifest.v{n}+json"));
    let mut asked = accept.split(',').map(str::trim);
    let Some(chosen) = types.into_iter().find(|ty| asked.clone().any(|asked| asked == ty)) else {
        let asked = asked.next().unwrap_or_default();
        return respond(shared, 415, "text/plain", format!("unsupported: {asked}"));
    };
    let streams = match shared.mode {
        Mode::Bidi => request.version() == Version::HTTP_2,
        Mode::RequestResponse | Mode::Lambda => false,
        Mode::Http1 => shared.sdk.streams_over_http1,
    };
    let mode = if streams { "BIDI_STREAM" } else { "REQUEST_RESPONSE" };
    let manifest = (shared.sdk.manifest)(mode, shared.sdk.version_max);
    respond(shared, 200, &chosen, manifest.to_string())
}

fn invoke(
    request: Request<Incoming>,
    shared: &Arc<Shared>,
    service: String,
    handler: String,
) -> Response<Output> {
    let content_type = header(&request, "content-type").to_owned();
    let expected = format!("application/vnd.restate.invocation.v{}", shared.version);
    if content_type != expected {
        shared.complain(format!("{service}/{handler} with {content_type}, not {expected}"));
        return respond(shared, 415, "text/plain", "unsupported version");
    }
    let (sender, receiver) = mpsc::unbounded_channel();
    let shared_with = shared.clone();
    tokio::spawn(async move {
        let mut attempt = Attempt::new(shared_with.clone(), request.into_body(), sender);
        match attempt.begin().await {
            Ok(()) => {
                let end = programs::run(&service, &handler, &mut attempt).await;
                attempt.end(end);
            }
            Err(problem) => shared_with.complain(format!("{service}/{handler}: {problem}")),
        }
    });
    let response = Response::builder().status(200).header("content-type", content_type);
    let response = response.header("x-restate-server", shared.sdk.server);
    response.body(Output(receiver)).expect("an answer")
}

fn header<'a>(request: &'a Request<Incoming>, name: &str) -> &'a str {
    request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn respond(
    shared: &Shared,
    status: u16,
    content_type: &str,
    body: impl Into<Bytes>,
) -> Response<Output> {
    let (sender, receiver) = mpsc::unbounded_channel();
    sender.send(body.into()).expect("the receiver is here");
    let response = Response::builder().status(status).header("content-type", content_type);
    let response = response.header("x-restate-server", shared.sdk.server);
    response.body(Output(receiver)).expect("an answer")
}

/// A response body that ends when its sender is gone.
pub struct Output(mpsc::UnboundedReceiver<Bytes>);

impl Body for Output {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }
}
