//! One server and one service process on a directory of their own, which can die and come back.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard},
};

use serde_json::json;
use tempfile::TempDir;

use super::{Http, Process, Response, Sdk, eventually, free_port, notes::Notes};

/// How the service speaks to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Streams over HTTP/2.
    Bidi,
    /// Request/response over HTTP/2.
    RequestResponse,
    /// Request/response over HTTP/1.1.
    Http1,
    /// A function of AWS Lambda, which the example plays.
    Lambda,
}

/// What a cluster is made of.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Whose programs are served.
    pub sdk: Sdk,
    pub mode: Mode,
    /// The highest protocol version that the server may choose: 5, 6 or 7.
    pub version: u32,
    /// Further settings of the server, as environment variables.
    pub env: Vec<(String, String)>,
    /// Further settings of the service, as environment variables.
    pub service_env: Vec<(String, String)>,
}

impl Setup {
    pub fn new(mode: Mode, version: u32) -> Self {
        let sdk = Sdk::TypeScript;
        Self { sdk, mode, version, env: Vec::new(), service_env: Vec::new() }
    }

    /// Serves the programs of another SDK.
    pub fn sdk(mut self, sdk: Sdk) -> Self {
        self.sdk = sdk;
        self
    }

    /// Adds one setting, e.g. `REVEILLE_WORKER__CLEANUP_INTERVAL`.
    pub fn env(mut self, key: &str, value: &str) -> Self {
        self.env.push((key.into(), value.into()));
        self
    }

    /// Adds one setting of the service, e.g. `IDENTITY_KEYS`.
    pub fn service_env(mut self, key: &str, value: &str) -> Self {
        self.service_env.push((key.into(), value.into()));
        self
    }

    /// Where the service is registered.
    fn service_uri(&self, port: u16) -> String {
        let tls = self.service_env.iter().any(|(key, _)| key == "TLS_CERT");
        // Certificates are for names.
        if tls { format!("https://localhost:{port}") } else { format!("http://127.0.0.1:{port}") }
    }
}

/// The function that the example plays.
pub const LAMBDA_ARN: &str = "arn:aws:lambda:eu-central-1:123456789012:function:greeter:1";

/// What the server signs with in that mode.
pub const LAMBDA_SECRET: &str = "secret-of-the-account";

/// A server with the example programs registered.
pub struct Cluster {
    pub ingress: Http,
    pub admin: Http,
    pub setup: Setup,
    pub ports: Ports,
    directory: TempDir,
    notes: Notes,
    server: Mutex<Option<Process>>,
    service: Mutex<Option<Process>>,
}

/// Where the processes listen; the same after every restart.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    pub ingress: u16,
    pub admin: u16,
    pub service: u16,
}

impl Cluster {
    /// Starts server and service and registers the service.
    pub async fn start(setup: Setup) -> Self {
        let cluster = Self::stopped(setup);
        cluster.start_server().await;
        cluster.start_service().await;
        cluster.register().await.expect(201);
        cluster
    }

    /// Prepares directory and ports and starts nothing.
    pub fn stopped(setup: Setup) -> Self {
        let directory = TempDir::with_prefix("reveille-e2e-").expect("create a directory");
        let ports = Ports { ingress: free_port(), admin: free_port(), service: free_port() };
        Self {
            ingress: Http::new(ports.ingress),
            admin: Http::new(ports.admin),
            setup,
            ports,
            notes: Notes::new(directory.path()),
            directory,
            server: Mutex::new(None),
            service: Mutex::new(None),
        }
    }

    /// A name for messages, e.g. `Python bidi v6`.
    pub fn name(&self) -> String {
        let Setup { sdk, mode, version, .. } = &self.setup;
        format!("{sdk} {mode:?} v{version}")
    }

    /// Whether terminal errors may carry metadata; before version 6 the SDKs refuse to send any,
    /// and that of Rust knows none.
    pub fn carries_metadata(&self) -> bool {
        self.setup.version >= 6 && self.setup.sdk != Sdk::Rust
    }

    pub fn data_directory(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// Starts the server on its directory and ports and waits until it is ready.
    pub async fn start_server(&self) {
        *lock(&self.server) = Some(self.spawn_server(&self.log("server")));
        eventually("the server is ready", async || {
            assert_alive("server", &self.server);
            let health = self.ingress.get("/restate/health").try_send().await;
            health.is_ok_and(|health| health.status == 200).then_some(())
        })
        .await;
    }

    /// Starts a server process without waiting for anything.
    pub fn spawn_server(&self, log: &Path) -> Process {
        let data = self.data_directory();
        let args = [
            "serve".to_owned(),
            "--data-dir".to_owned(),
            data.to_str().expect("a readable path").to_owned(),
            "--ingress-address".to_owned(),
            format!("127.0.0.1:{}", self.ports.ingress),
            "--admin-address".to_owned(),
            format!("127.0.0.1:{}", self.ports.admin),
        ];
        let mut env = self.setup.env.clone();
        let version = self.setup.version.to_string();
        env.push(("REVEILLE_WORKER__PROTOCOL_VERSION_MAX".into(), version));
        if self.setup.mode == Mode::Lambda {
            let service = format!("http://127.0.0.1:{}", self.ports.service);
            env.push(("AWS_ENDPOINT_URL".into(), service));
            env.push(("AWS_ACCESS_KEY_ID".into(), "AKIDACCOUNT".into()));
            env.push(("AWS_SECRET_ACCESS_KEY".into(), LAMBDA_SECRET.into()));
        }
        Process::start(env!("CARGO_BIN_EXE_reveille"), &args, &env, self.directory.path(), log)
    }

    /// Starts the example programs and waits until they listen.
    pub async fn start_service(&self) {
        let service = self.spawn_service(self.ports.service, &[], &self.log("service")).await;
        *lock(&self.service) = Some(service);
        eventually("the service listens", async || {
            assert_alive("service", &self.service);
            let address = ("127.0.0.1", self.ports.service);
            tokio::net::TcpStream::connect(address).await.is_ok().then_some(())
        })
        .await;
    }

    /// Starts a process that serves the programs on a port, with further environment variables,
    /// without waiting for anything but what it takes to start it.
    pub async fn spawn_service(&self, port: u16, env: &[(&str, &str)], log: &Path) -> Process {
        let mode = match self.setup.mode {
            Mode::Bidi => "bidi",
            Mode::RequestResponse => "rr",
            Mode::Http1 => "h1",
            Mode::Lambda => "lambda",
        };
        let mut variables = vec![
            ("PORT".to_owned(), port.to_string()),
            ("MODE".to_owned(), mode.to_owned()),
            ("INGRESS".to_owned(), format!("http://127.0.0.1:{}", self.ports.ingress)),
            ("REVIEW_LOG".to_owned(), self.notes.review_log()),
            ("RUN_LOG".to_owned(), self.notes.run_log()),
        ];
        variables.extend(self.setup.service_env.iter().cloned());
        variables.extend(env.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())));
        let sdk = self.setup.sdk;
        let program = tokio::task::spawn_blocking(move || sdk.program()).await;
        let program = program.expect("set the SDK up");
        let (executable, arguments) = (program.executable, program.arguments);
        Process::start(executable, arguments, &variables, &program.directory, log)
    }

    /// `kill -9` of the server.
    pub fn kill_server(&self) {
        lock(&self.server).take().expect("the server runs").kill();
    }

    /// `kill -9` of the service.
    pub fn kill_service(&self) {
        lock(&self.service).take().expect("the service runs").kill();
    }

    /// Takes the server process out, to watch how it ends.
    pub fn take_server(&self) -> Process {
        lock(&self.server).take().expect("the server runs")
    }

    /// Registers the service with the admin API.
    pub async fn register(&self) -> Response {
        self.register_port(self.ports.service).await
    }

    /// Registers what is served on a port.
    pub async fn register_port(&self, port: u16) -> Response {
        let uri = self.setup.service_uri(port);
        let body = match self.setup.mode {
            Mode::Http1 => json!({"uri": uri, "use_http_11": true}),
            Mode::Lambda => json!({"arn": LAMBDA_ARN}),
            Mode::Bidi | Mode::RequestResponse => json!({"uri": uri}),
        };
        self.admin.post("/deployments").json(body).send().await
    }

    /// A file in the directory of this cluster.
    pub fn log(&self, name: &str) -> PathBuf {
        self.directory.path().join(format!("{name}.log"))
    }

    /// The ends of all logs, for a failing test.
    pub fn logs(&self) -> String {
        let tail = |name, slot: &Mutex<Option<Process>>| {
            let tail = lock(slot).as_ref().map_or("(not running)".into(), Process::tail);
            format!("--- {name} of {} ---\n{tail}\n", self.name())
        };
        tail("server", &self.server) + &tail("service", &self.service)
    }

    /// The awakeable id that the programs announced for `name`; waits for it.
    pub async fn announced(&self, name: &str) -> String {
        eventually(&format!("{name} asks for a review"), async || self.announcement(name)).await
    }

    /// The latest announcement for `name`, if there is one.
    pub fn announcement(&self, name: &str) -> Option<String> {
        self.notes.announcement(name)
    }

    /// How often the code behind `step` of `key` ran.
    pub fn times_ran(&self, key: &str, step: &str) -> usize {
        self.notes.times_ran(key, step)
    }

    /// The steps that ran for `key`, in order.
    pub fn steps(&self, key: &str) -> Vec<String> {
        self.notes.steps(key)
    }

    /// Waits until the code behind `step` of `key` ran `count` times or more.
    pub async fn ran(&self, key: &str, step: &str, count: usize) {
        let what = format!("{step:?} of {key} runs {count} times");
        eventually(&what, async || (self.times_ran(key, step) >= count).then_some(())).await;
    }
}

fn assert_alive(name: &str, slot: &Mutex<Option<Process>>) {
    let mut slot = lock(slot);
    let process = slot.as_mut().expect("just started");
    if let Some(status) = process.exited() {
        panic!("the {name} ended with {status}:\n{}", process.tail());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
