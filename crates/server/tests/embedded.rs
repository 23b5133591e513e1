//! The engine in the process of its handlers, and moves from there to a server and back.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Request, Response};
use reveille_endpoint::{Attempt, Endpoint, ServiceDef};
use reveille_protocol::id::DeploymentId;
use reveille_server::{
    config::ServerConfig,
    core::Core,
    embedded::{Embedded, Listen},
    invoker::{LocalDeployment, LocalDeployments, LocalRequest, LocalResponse},
    registry::{DeploymentUri, RegisterDeployment, UpdateDeployment},
    server::Server,
};
use reveille_store::{
    Store,
    memory::{MemoryControl, MemoryStore},
};
use tokio::net::{TcpListener, TcpStream};

/// A workflow that waits for an answer. Its handlers note the ids that they hand out, by key.
#[derive(Clone, Default)]
struct Reviews(Arc<Mutex<BTreeMap<String, String>>>);

impl Reviews {
    fn endpoint(&self) -> Endpoint {
        let reviews = self.clone();
        let ask = move |attempt: &mut Attempt| {
            let (id, answered) = attempt.awakeable();
            reviews.ids().insert(attempt.key().to_owned(), id);
            attempt.wait(answered)
        };
        Endpoint::builder().service(ServiceDef::workflow("reviews").handler("ask", ask)).build()
    }

    fn local(&self) -> LocalDeployments {
        let deployment: Arc<dyn LocalDeployment> = Arc::new(Linked(self.endpoint()));
        LocalDeployments::new([("app".to_owned(), deployment)].into())
    }

    fn ids(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the handler of a key has handed out its id.
    async fn id(&self, key: &str) -> String {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            if let Some(id) = self.ids().get(key) {
                return id.clone();
            }
            assert!(Instant::now() < deadline, "the handler of '{key}' did not start");
            tokio::task::yield_now().await;
        }
    }
}

struct Linked(Endpoint);

impl LocalDeployment for Linked {
    fn call(&self, request: Request<LocalRequest>) -> Response<LocalResponse> {
        self.0.respond(request).map(LocalResponse::new)
    }
}

async fn embed(store: &MemoryControl, reviews: &Reviews, listen: Listen) -> Embedded {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let config =
        ServerConfig { ingress_address: any, admin_address: any, ..ServerConfig::default() };
    let store: Arc<dyn Store> = Arc::new(store.reopen());
    Embedded::start(config, listen, store, reviews.local()).await.expect("it starts")
}

/// Calls the ingress of a core.
async fn call(core: &Core, method: &str, path: &str, body: &'static str) -> (u16, String) {
    let request =
        Request::builder().method(method).uri(path).body(Bytes::from_static(body.as_ref()));
    let ingress = core.ingress(Default::default());
    let response: Response<Bytes> = ingress.call(request.expect("a request")).await;
    let text = String::from_utf8_lossy(response.body()).into_owned();
    (response.status().as_u16(), text)
}

async fn begin(core: &Core, reviews: &Reviews, key: &str) -> String {
    let (status, text) = call(core, "POST", &format!("/reviews/{key}/ask/send"), "").await;
    assert_eq!(status, 202, "{text}");
    reviews.id(key).await
}

async fn answer(core: &Core, key: &str, id: &str) {
    let resolve = format!("/restate/awakeables/{id}/resolve");
    assert_eq!(call(core, "POST", &resolve, "yes").await.0, 202);
    let attach = format!("/restate/workflow/reviews/{key}/attach");
    assert_eq!(call(core, "GET", &attach, "").await, (200, "yes".to_owned()));
}

fn deployments(core: &Core) -> Vec<(DeploymentId, String, u64)> {
    let views = core.registry().list();
    let rows = views.into_iter().map(|view| {
        let text = serde_json::to_value(&view).expect("JSON");
        let id = text["id"].as_str().and_then(|id| id.parse().ok()).expect("an id");
        let revision = text["services"][0]["revision"].as_u64().expect("a revision");
        (id, text["uri"].as_str().unwrap_or_default().to_owned(), revision)
    });
    rows.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waits_outlive_the_process_without_a_socket() {
    let (store, reviews) = (MemoryStore::new(2).control(), Reviews::default());
    let engine = embed(&store, &reviews, Listen::default()).await;
    assert_eq!((engine.ingress_address, engine.admin_address), (None, None));
    let id = begin(engine.core(), &reviews, "k").await;
    let before = deployments(engine.core());
    engine.stop().await;

    let engine = embed(&store, &reviews, Listen::default()).await;
    assert_eq!(deployments(engine.core()), before, "nothing new was registered");
    assert_eq!(before.len(), 1);
    assert_eq!((before[0].1.as_str(), before[0].2), ("local://app/", 1));
    answer(engine.core(), "k", &id).await;
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sockets_are_opened_when_asked_for() {
    let (store, reviews) = (MemoryStore::new(1).control(), Reviews::default());
    let engine = embed(&store, &reviews, Listen { ingress: true, admin: true }).await;
    for address in [engine.ingress_address, engine.admin_address] {
        TcpStream::connect(address.expect("an address")).await.expect("it listens");
    }
    let ingress = engine.ingress().clone();
    engine.stop().await;
    let request = Request::post("/reviews/k/ask/send").body(Bytes::new()).expect("a request");
    assert_eq!(ingress.call(request).await.status(), 503, "it has stopped");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn started_work_moves_to_a_server_and_back() {
    let (store, reviews) = (MemoryStore::new(2).control(), Reviews::default());
    let engine = embed(&store, &reviews, Listen::default()).await;
    let first = begin(engine.core(), &reviews, "first").await;
    let (embedded, ..) = deployments(engine.core())[0];
    engine.stop().await;

    // The handlers get a process of their own, and the deployment its address.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let uri = format!("http://{}/", listener.local_addr().expect("bound"));
    let endpoint = reviews.endpoint();
    let serving =
        tokio::spawn(async move { endpoint.serve(listener, std::future::pending()).await });
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let config =
        ServerConfig { ingress_address: any, admin_address: any, ..ServerConfig::default() };
    let server = Server::start(config, Arc::new(store.reopen())).await.expect("it starts");
    let uri = DeploymentUri::parse(&uri).expect("a URI");
    let change = UpdateDeployment { uri: Some(uri), ..UpdateDeployment::default() };
    server.core().registry().update(embedded, change).await.expect("it moves");
    answer(server.core(), "first", &first).await;
    let second = begin(server.core(), &reviews, "second").await;
    server.stop().await;
    serving.abort();

    // And back, without the address that they had.
    let engine = embed(&store, &reviews, Listen::default()).await;
    let local = deployments(engine.core());
    assert_eq!(local.len(), 2, "{local:?}");
    engine.core().registry().get(embedded).expect("it is still known");
    engine.take_over("app", embedded).await.expect("it moves back");
    answer(engine.core(), "second", &second).await;
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_says_that_a_deployment_was_part_of_another_process() {
    let (store, reviews) = (MemoryStore::new(1).control(), Reviews::default());
    embed(&store, &reviews, Listen::default()).await.stop().await;
    let store: Arc<dyn Store> = Arc::new(store.reopen());
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let config =
        ServerConfig { ingress_address: any, admin_address: any, ..ServerConfig::default() };
    let server = Server::start(config, store).await.expect("it starts");
    let uri = DeploymentUri::local("app").expect("a name");
    let request = RegisterDeployment { force: true, ..RegisterDeployment::new(uri) };
    let error = server.core().registry().register(request).await.expect_err("nobody is there");
    assert!(error.to_string().contains("part of a process that this one is not"), "{error}");
    server.stop().await;
}
