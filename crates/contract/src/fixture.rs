//! What stands beside a server while scripts run: the deployment that is called, and a stand-in that
//! keeps notes and plays deployments of any kind.
//!
//! | request to the stand-in | what it does |
//! |---|---|
//! | `GET /notes/{name}` | what a handler noted under the name; 404 before that |
//! | `PUT /played/{name}` | from now on `/played/{name}/` is a deployment: its discovery is answered with the body, the content type and the header `x-status` of this request; its handlers accept a call and never answer |
//! | `GET /played/{name}/last` | head of the last request to that deployment, a header a line |
//!
//! - Owns: both listeners and what they remember.
//! - Does not own: the code of the handlers (`services.rs`).

mod services;

use std::{
    collections::HashMap,
    convert::Infallible,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard},
};

use anyhow::Result;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// The running stand-in and deployment; both end when it is dropped.
pub struct Fixture {
    /// Where the stand-in listens.
    pub address: SocketAddr,
    /// Where the deployment listens.
    pub service: SocketAddr,
    _tasks: JoinSet<()>,
}

impl Fixture {
    /// Starts both on free ports of the loopback interface.
    pub async fn start() -> Result<Self> {
        let memory = Memory::default();
        let (listener, service_listener) = (listen().await?, listen().await?);
        let (address, service) = (listener.local_addr()?, service_listener.local_addr()?);
        let endpoint = services::endpoint(&memory);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            endpoint.serve(service_listener, std::future::pending()).await;
        });
        tasks.spawn(serve(listener, memory));
        Ok(Self { address, service, _tasks: tasks })
    }
}

async fn listen() -> Result<TcpListener> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?)
}

/// What handlers and scripts tell each other; clones share it.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Remembered>>);

#[derive(Default)]
struct Remembered {
    notes: HashMap<String, Bytes>,
    played: HashMap<String, Played>,
}

/// A deployment that is only played.
#[derive(Clone, Default)]
struct Played {
    status: u16,
    content_type: String,
    manifest: Bytes,
    last_head: String,
}

impl Memory {
    fn note(&self, name: &str, content: Bytes) {
        self.lock().notes.insert(name.to_owned(), content);
    }

    fn lock(&self) -> MutexGuard<'_, Remembered> {
        self.0.lock().expect("no holder of this lock panics")
    }
}

async fn serve(listener: TcpListener, memory: Memory) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => { connections.spawn(serve_connection(stream, memory.clone())); }
                // Without connections the scripts fail and say so.
                Err(_) => return,
            },
        }
    }
}

async fn serve_connection(stream: TcpStream, memory: Memory) {
    let service = service_fn(move |request| {
        let memory = memory.clone();
        async move { Ok::<_, Infallible>(respond(request, &memory).await) }
    });
    // Whoever broke the connection knows.
    let _ = auto::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn respond(request: Request<Incoming>, memory: &Memory) -> Response<Full<Bytes>> {
    let path = request.uri().path().trim_matches('/').to_owned();
    let segments: Vec<&str> = path.split('/').collect();
    match (request.method().as_str(), segments.as_slice()) {
        ("GET", ["notes", name]) => match memory.lock().notes.get(*name) {
            Some(note) => answer(200, "text/plain", note.clone()),
            None => answer(404, "text/plain", Bytes::new()),
        },
        ("PUT", ["played", name]) => play(request, name, memory).await,
        ("GET", ["played", name, "last"]) => {
            let head = memory.lock().played.get(*name).map(|played| played.last_head.clone());
            answer(200, "text/plain", head.unwrap_or_default().into())
        }
        ("GET", ["played", name, .., "discover"]) => {
            let mut memory = memory.lock();
            let Some(played) = memory.played.get_mut(*name) else {
                return answer(404, "text/plain", Bytes::new());
            };
            played.last_head = head_of(&request);
            answer(played.status, &played.content_type, played.manifest.clone())
        }
        ("POST", ["played", name, .., "invoke", _, _]) => {
            if let Some(played) = memory.lock().played.get_mut(*name) {
                played.last_head = head_of(&request);
            }
            std::future::pending().await
        }
        _ => answer(404, "text/plain", Bytes::new()),
    }
}

async fn play(request: Request<Incoming>, name: &str, memory: &Memory) -> Response<Full<Bytes>> {
    let header = |name: &str| {
        let value = request.headers().get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let mut played = Played {
        status: header("x-status").parse().unwrap_or(200),
        content_type: header("content-type"),
        ..Played::default()
    };
    match request.into_body().collect().await {
        Ok(body) => played.manifest = body.to_bytes(),
        Err(error) => return answer(400, "text/plain", error.to_string().into()),
    }
    memory.lock().played.insert(name.to_owned(), played);
    answer(200, "text/plain", Bytes::new())
}

fn head_of(request: &Request<Incoming>) -> String {
    let mut head = format!("{} {}\n", request.method(), request.uri().path());
    for (name, value) in request.headers() {
        head.push_str(&format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes())));
    }
    head
}

fn answer(status: u16, content_type: &str, body: Bytes) -> Response<Full<Bytes>> {
    let builder = Response::builder().status(status).header("content-type", content_type);
    builder.body(Full::new(body)).unwrap_or_else(|error| {
        Response::new(Full::new(Bytes::from(format!("the script asks for no answer: {error}"))))
    })
}
