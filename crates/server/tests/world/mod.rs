//! A server, a deployment and a client in one process.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use reveille_endpoint::{Attempt, Endpoint, ServiceDef, Stop};
use reveille_server::config::ServerConfig;
use reveille_server::server::Server;
use reveille_store::Store;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// Awakeable ids that handlers handed out, by name.
#[derive(Clone, Default)]
struct Reviews {
    ids: Arc<Mutex<HashMap<String, String>>>,
    added: Arc<Notify>,
    /// 1: a handler stands at it, 2: it is open.
    gate: Arc<AtomicU8>,
}

/// A server with its deployment.
pub struct World {
    pub server: Server,
    endpoint: SocketAddr,
    reviews: Reviews,
}

/// A response.
pub struct Answer {
    pub status: u16,
    headers: http::HeaderMap,
    body: Bytes,
}

impl Answer {
    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("test bodies are text")
    }

    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

impl World {
    /// Starts deployment and server on free ports and registers the one with the other.
    pub async fn start(store: impl Store, config: ServerConfig) -> World {
        let reviews = Reviews::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let endpoint = listener.local_addr().expect("bound");
        let deployment = deployment(&reviews);
        tokio::spawn(async move { deployment.serve(listener, std::future::pending()).await });
        World::serve(Arc::new(store), config, endpoint, reviews).await
    }

    /// Starts another server after the first one crashed; the deployment lives on.
    pub async fn restart(self, store: impl Store, config: ServerConfig) -> World {
        let World { server, endpoint, reviews } = self;
        drop(server);
        World::serve(Arc::new(store), config, endpoint, reviews).await
    }

    /// Stops gracefully, then starts another server.
    pub async fn stop_and_restart(self, store: impl Store, config: ServerConfig) -> World {
        let World { server, endpoint, reviews } = self;
        server.stop().await;
        World::serve(Arc::new(store), config, endpoint, reviews).await
    }

    /// Starts a second server beside the first.
    pub async fn second(&self, store: Arc<dyn Store>, config: ServerConfig) -> World {
        World::serve(store, config, self.endpoint, self.reviews.clone()).await
    }

    async fn serve(
        store: Arc<dyn Store>,
        config: ServerConfig,
        endpoint: SocketAddr,
        reviews: Reviews,
    ) -> World {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let config = ServerConfig { ingress_address: any, admin_address: any, ..config };
        let server = Server::start(config, store).await.expect("the server starts");
        let world = World { server, endpoint, reviews };
        let body = format!(r#"{{"uri":"http://{endpoint}"}}"#);
        let admin = world.server.admin_address;
        let answer = request(admin, "POST", "/deployments", "application/json", &body).await;
        assert!(matches!(answer.status, 200 | 201), "{}", answer.text());
        world
    }

    /// Posts text to the ingress, with headers.
    pub async fn post_with(&self, path: &str, body: &str, headers: &[(&str, &str)]) -> Answer {
        request_with(self.server.ingress_address, "POST", path, headers, body).await
    }

    /// Waits until a handler stands at its gate.
    pub async fn at_gate(&self) {
        eventually(async || self.reviews.gate.load(Ordering::SeqCst) == 1).await;
    }

    /// Opens the gate for good.
    pub fn open_gate(&self) {
        self.reviews.gate.store(2, Ordering::SeqCst);
    }

    /// Posts text to the ingress.
    pub async fn post(&self, path: &str, body: &str) -> Answer {
        request(self.server.ingress_address, "POST", path, "text/plain", body).await
    }

    /// Starts a review and returns the id of the awakeable that it waits on.
    pub async fn begin_review(&self, name: &str) -> String {
        let sent = self.post(&format!("/reviews/{name}/ask/send"), name).await;
        assert_eq!(sent.status, 202, "{}", sent.text());
        self.review(name).await
    }

    /// Waits until a review has started and returns the id of the awakeable that it waits on.
    pub async fn review(&self, name: &str) -> String {
        loop {
            let added = self.reviews.added.notified();
            if let Some(id) = self.reviews.ids.lock().expect("not poisoned").get(name) {
                return id.clone();
            }
            added.await;
        }
    }

    /// Waits for the result of a review.
    pub async fn attach(&self, name: &str) -> Answer {
        self.get(&format!("/restate/workflow/reviews/{name}/attach")).await
    }

    /// Gets a path of the admin API.
    pub async fn admin(&self, path: &str) -> Answer {
        request(self.server.admin_address, "GET", path, "text/plain", "").await
    }

    /// Gets a path of the ingress.
    pub async fn get(&self, path: &str) -> Answer {
        request(self.server.ingress_address, "GET", path, "text/plain", "").await
    }
}

/// Repeats until it is true; fails after ten seconds.
pub async fn eventually(mut condition: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !condition().await {
        assert!(Instant::now() < deadline, "it did not become true within ten seconds");
        tokio::task::yield_now().await;
    }
}

fn deployment(reviews: &Reviews) -> Endpoint {
    let (reviews, gate) = (reviews.clone(), Arc::clone(&reviews.gate));
    let ask = move |attempt: &mut Attempt| {
        let (id, answered) = attempt.awakeable();
        reviews.ids.lock().expect("not poisoned").insert(attempt.key().to_owned(), id);
        reviews.added.notify_waiters();
        attempt.wait(answered)
    };
    let pass = move |attempt: &mut Attempt| {
        // It must not write anything while it is closed, so it keeps its thread.
        let closed = gate.compare_exchange(0, 1, Ordering::SeqCst, Ordering::SeqCst);
        while closed.is_ok() && gate.load(Ordering::SeqCst) != 2 {
            std::thread::yield_now();
        }
        Ok(attempt.input())
    };
    Endpoint::builder()
        .service(ServiceDef::service("greeter").handler("greet", |attempt| Ok(attempt.input())))
        .service(ServiceDef::service("flaky").handler("again", again).handler("never", never))
        .service(ServiceDef::object("chain").handler("link", link))
        .service(ServiceDef::service("gate").handler("pass", pass))
        .service(ServiceDef::workflow("reviews").handler("ask", ask))
        .build()
}

/// Fails on its first attempt. What it fails with says what it was given.
fn again(attempt: &mut Attempt) -> Result<Bytes, Stop> {
    let input = String::from_utf8_lossy(&attempt.input()).into_owned();
    if attempt.retry_count() == 0 { Err(Stop::retry(input)) } else { Ok(input.into()) }
}

/// Ends with a failure that says what it was given.
fn never(attempt: &mut Attempt) -> Result<Bytes, Stop> {
    Err(Stop::terminal(418, String::from_utf8_lossy(&attempt.input()).into_owned()))
}

/// Calls the next link, of another key, and puts its own number in front of the answer.
fn link(attempt: &mut Attempt) -> Result<Bytes, Stop> {
    let number = String::from_utf8_lossy(&attempt.input()).into_owned();
    let left: u32 = number.parse().map_err(|_| Stop::terminal(400, "not a number"))?;
    if left == 0 {
        return Ok(Bytes::from(number));
    }
    let key = format!("{}-{left}", attempt.key());
    let next = attempt.call("chain", &key, "link", Bytes::from((left - 1).to_string()));
    let rest = attempt.wait(next)?;
    Ok(Bytes::from(format!("{number}{}", String::from_utf8_lossy(&rest))))
}

async fn request(
    address: SocketAddr,
    method: &str,
    path: &str,
    content_type: &str,
    body: &str,
) -> Answer {
    request_with(address, method, path, &[("content-type", content_type)], body).await
}

async fn request_with(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let stream = TcpStream::connect(address).await.expect("the server listens");
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("HTTP/1.1");
    tokio::spawn(connection);
    let mut request =
        http::Request::builder().method(method).uri(path).header("host", address.to_string());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request =
        request.body(Full::new(Bytes::copy_from_slice(body.as_bytes()))).expect("a valid request");
    let response = sender.send_request(request).await.expect("a response");
    let (head, body) = response.into_parts();
    let body = body.collect().await.expect("a whole body").to_bytes();
    Answer { status: head.status.as_u16(), headers: head.headers, body }
}
