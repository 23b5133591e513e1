//! A server that answers a fixed list of requests in any order, and remembers them.

use std::{
    convert::Infallible,
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex},
    thread::JoinHandle,
};

use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::sync::oneshot;

/// One answer: the request it is for, status and body.
pub struct Recorded {
    /// Method and path, and for queries a part of the text after a blank.
    pub request: String,
    /// Status.
    pub status: u16,
    /// Body.
    pub body: String,
}

/// The server.
pub struct Stub {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

struct State {
    left: Vec<Recorded>,
    /// One line per request, with the line of its body.
    seen: Vec<String>,
}

impl Stub {
    /// Starts it on a free port, on a thread of its own.
    pub fn start(answers: Vec<Recorded>) -> Stub {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("a listener");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(Mutex::new(State { left: answers, seen: Vec::new() }));
        let shared = Arc::clone(&state);
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
                tokio::select! {
                    () = serve(listener, shared) => {}
                    // Dropped or told: either way it ends.
                    _ = stopped => {}
                }
            });
        });
        Stub { address, state, stop, thread }
    }

    /// Its base address.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops it and returns the requests, sorted when some ran at the same time.
    pub fn finish(self) -> String {
        // It may have ended by itself.
        let _ = self.stop.send(());
        self.thread.join().expect("the stub does not panic");
        let mut state = self.state.lock().expect("no request panics");
        for at_once in state
            .seen
            .chunk_by_mut(|a, b| [a, b].iter().all(|it| it.starts_with("PATCH /invocations")))
        {
            at_once.sort();
        }
        let left: Vec<_> = state.left.iter().map(|one| one.request.clone()).collect();
        assert!(left.is_empty(), "never asked for: {left:?}, seen: {:#?}", state.seen);
        state.seen.iter().map(|line| format!("> {line}\n")).collect()
    }
}

async fn serve(listener: tokio::net::TcpListener, state: Arc<Mutex<State>>) {
    loop {
        let Ok((socket, _)) = listener.accept().await else { return };
        let state = Arc::clone(&state);
        let service = service_fn(move |request| answer(Arc::clone(&state), request));
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(socket), service));
    }
}

async fn answer(
    state: Arc<Mutex<State>>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let what = format!("{} {}", head.method, head.uri);
    let text = match serde_json::from_slice::<serde_json::Value>(&body) {
        Ok(value) => match value["query"].as_str() {
            Some(sql) if head.uri.path() == "/query" => sql.to_owned(),
            _ => value.to_string(),
        },
        Err(_) => String::from_utf8_lossy(&body).into_owned(),
    };
    let line = if text.is_empty() { what } else { format!("{what} {text}") };
    let token = head.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let mut state = state.lock().expect("no request panics");
    let position = state.left.iter().position(|one| line.starts_with(&one.request));
    state.seen.push(line.clone());
    let (status, body) = match position {
        // The ingress has tokens of its own.
        _ if token != Some("Bearer secret") && !line.starts_with("POST /reveille") => {
            (401, "no token".to_owned())
        }
        Some(at) => {
            let recorded = state.left.remove(at);
            let host = head.headers.get(header::HOST).and_then(|value| value.to_str().ok());
            let url = format!("http://{}", host.unwrap_or_default());
            (recorded.status, recorded.body.replace("SERVER", &url))
        }
        None => (599, format!("the stub has no answer to {line}")),
    };
    let response = Response::builder().status(status).body(Full::new(body.into()));
    Ok(response.expect("a response"))
}
