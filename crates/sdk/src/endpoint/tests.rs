//! Routes, negotiation and shutdown, over real connections in both versions of HTTP.

use std::{marker::PhantomData, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, StatusCode, Version};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use reveille_protocol::manifest::{self, ServiceType};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::oneshot,
};

use super::{Endpoint, EndpointBuilder, EndpointError, ProtocolMode};
use crate::{
    Context, Definition, Options, Service,
    definition::{Entry, HandlerFuture, Schemas},
};

struct Greeter(&'static str);

impl Service for Greeter {
    fn definition(self: Arc<Self>) -> Definition {
        let enter = |entry: Entry| -> HandlerFuture {
            Box::pin(async move {
                let _: Context = entry.context();
                let name: String = entry.input()?;
                Entry::output(Ok::<_, crate::HandlerError>(format!("Hello {name}")))
            })
        };
        let schemas = Schemas::<String, String> { input: None, output: None, types: PhantomData };
        let options = Options::new().documentation("Greets.");
        Definition::new(self.0, ServiceType::Service, options).handler(
            "greet",
            None,
            schemas,
            Options::new(),
            enter,
        )
    }
}

pub(super) fn builder() -> EndpointBuilder {
    Endpoint::builder().bind(Greeter("Greeter"))
}

struct Served {
    stream: Option<TcpStream>,
    shutdown: Option<oneshot::Sender<()>>,
    task: tokio::task::JoinHandle<()>,
}

async fn serve(endpoint: Endpoint) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (shutdown, stopped) = oneshot::channel::<()>();
    let task = tokio::spawn(async move {
        let stopped = async move {
            let _ = stopped.await;
        };
        endpoint.serve(listener, stopped).await;
    });
    let stream = TcpStream::connect(address).await.expect("a connection");
    Served { stream: Some(stream), shutdown: Some(shutdown), task }
}

struct Answer {
    status: StatusCode,
    content_type: String,
    body: Vec<u8>,
}

async fn ask(endpoint: Endpoint, version: Version, request: Request<Full<Bytes>>) -> Answer {
    let mut served = serve(endpoint).await;
    let stream = TokioIo::new(served.stream.take().expect("a stream"));
    let response = if version == Version::HTTP_2 {
        let (mut sender, connection) =
            http2::handshake(TokioExecutor::new(), stream).await.expect("a handshake");
        tokio::spawn(connection);
        sender.send_request(request).await
    } else {
        let (mut sender, connection) = http1::handshake(stream).await.expect("a handshake");
        tokio::spawn(connection);
        sender.send_request(request).await
    };
    let response = response.expect("a response");
    let content_type = response.headers().get("content-type");
    let content_type = content_type.map(|ty| ty.to_str().expect("text").to_owned());
    assert!(response.headers()["x-restate-server"].to_str().expect("text").contains("reveille"));
    let status = response.status();
    let body = response.into_body().collect().await.expect("a body").to_bytes().to_vec();
    Answer { status, content_type: content_type.unwrap_or_default(), body }
}

fn request(method: &str, path: &str, headers: &[(&str, &str)]) -> Request<Full<Bytes>> {
    let uri = format!("http://127.0.0.1{path}");
    let request = Request::builder().method(method).uri(uri);
    let request =
        headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request.body(Full::default()).expect("a request")
}

#[tokio::test]
async fn routes() {
    let v7 = ("content-type", "application/vnd.restate.invocation.v7");
    let manifest = |version| format!("application/vnd.restate.endpointmanifest.v{version}+json");
    let (v9, v2) = (manifest(9), manifest(2));
    /// Method, path, headers, status.
    type Row<'a> = (&'static str, &'static str, Vec<(&'static str, &'a str)>, u16);
    let table: Vec<Row<'_>> = vec![
        ("GET", "/health", vec![], 200),
        ("GET", "/pre/health", vec![], 200),
        ("GET", "/discover", vec![], 200),
        ("GET", "/pre/fix/discover", vec![("accept", &v2)], 200),
        ("GET", "/discover", vec![("accept", &v9)], 415),
        ("GET", "/", vec![], 404),
        ("POST", "/invoke/Greeter/greet", vec![], 415),
        ("POST", "/invoke/Greeter/greet", vec![("content-type", "application/json")], 415),
        ("POST", "/invoke/Greeter/other", vec![v7], 404),
        ("POST", "/invoke/Other/greet", vec![v7], 404),
        // An empty stream is answered by an error within the protocol.
        ("POST", "/invoke/Greeter/greet", vec![v7], 200),
        ("POST", "/pre/invoke/Greeter/greet", vec![v7], 200),
    ];
    for version in [Version::HTTP_11, Version::HTTP_2] {
        for (method, path, headers, status) in &table {
            let endpoint = builder().build().expect("an endpoint");
            let answer = ask(endpoint, version, request(method, path, headers)).await;
            assert_eq!(answer.status, *status, "{version:?} {method} {path}");
            if path.contains("invoke") && *status == 200 {
                assert_eq!(answer.content_type, v7.1);
                assert_eq!(answer.body[..2], [0, 2], "an error frame");
            }
        }
    }
}

#[tokio::test]
async fn manifest_by_version() {
    let accept = "application/vnd.restate.endpointmanifest.v4+json, \
        application/vnd.restate.endpointmanifest.v3+json";
    let table = [
        (Version::HTTP_11, None, manifest::ProtocolMode::RequestResponse),
        (Version::HTTP_2, None, manifest::ProtocolMode::BidiStream),
        (
            Version::HTTP_2,
            Some(ProtocolMode::RequestResponse),
            manifest::ProtocolMode::RequestResponse,
        ),
    ];
    for (version, mode, expected) in table {
        let endpoint = match mode {
            Some(mode) => builder().protocol_mode(mode),
            None => builder(),
        };
        let request = request("GET", "/discover", &[("accept", accept)]);
        let answer = ask(endpoint.build().expect("an endpoint"), version, request).await;
        let manifest = manifest::parse(&answer.content_type, &answer.body).expect("a manifest");
        assert!(answer.content_type.contains("v4"));
        assert_eq!(manifest.protocol_mode, Some(expected));
        let range = (manifest.min_protocol_version, manifest.max_protocol_version);
        assert_eq!(range, (5, 7));
        let handler = &manifest.services[0].handlers[0];
        let input = handler.input.as_ref().expect("an input");
        assert_eq!(input.content_type.as_deref(), Some("application/json"));
        assert_eq!(manifest.services[0].options.documentation.as_deref(), Some("Greets."));
    }
}

#[tokio::test]
async fn options_that_an_old_server_does_not_know_are_not_lost() {
    let private = |definition: Definition| definition.options(|options| options.private(true));
    let endpoint = Endpoint::builder().bind_with(Greeter("Greeter"), private).build();
    let request = request("GET", "/discover", &[]);
    let answer = ask(endpoint.expect("an endpoint"), Version::HTTP_2, request).await;
    assert_eq!(answer.status, 500);
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert!(text.contains("private") && text.contains("version 3"), "{text}");
}

#[test]
fn what_cannot_be_registered_is_not_built() {
    let twice = builder().bind(Greeter("Greeter")).build();
    assert!(matches!(twice, Err(EndpointError::ServiceTwice(name)) if name == "Greeter"));
    let bad = Endpoint::builder().bind(Greeter("no spaces")).build();
    assert!(matches!(bad, Err(EndpointError::Manifest(_))));
    #[cfg(feature = "identity")]
    assert!(matches!(builder().identity_key("x").build(), Err(EndpointError::IdentityKey(_))));
}

#[cfg(feature = "identity")]
#[tokio::test]
async fn unsigned_requests_are_refused() {
    let key = "publickeyv1_GmaDrppBC7P5ARKV8g3djiwP89vz1jLK23V2GBjuAEGB";
    for (path, status) in [("/health", 200), ("/discover", 401), ("/invoke/Greeter/greet", 401)] {
        let endpoint = builder().identity_key(key).build().expect("an endpoint");
        let answer = ask(endpoint, Version::HTTP_2, request("GET", path, &[])).await;
        assert_eq!(answer.status, status, "{path}");
    }
}

#[tokio::test]
async fn shutdown_ends_with_its_connections() {
    let mut served = serve(builder().build().expect("an endpoint")).await;
    let shutdown = served.shutdown.take().expect("once");
    shutdown.send(()).expect("it serves");
    tokio::time::timeout(Duration::from_secs(20), served.task)
        .await
        .expect("it ends")
        .expect("well");
}
