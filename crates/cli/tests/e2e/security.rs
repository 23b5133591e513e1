//! Signed requests as the verifier of the SDK checks them, deployments behind TLS, and tokens.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::json;
use tempfile::TempDir;

use super::harness::{Cluster, Mode, Sdk, Setup};

const IDENTITY: &str = "REVEILLE_REQUEST_IDENTITY_PRIVATE_KEY_PEM_FILE";

/// Runs a subcommand that prints and ends.
fn reveille(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_reveille")).args(arguments).output();
    let output = output.expect("run the binary");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
    String::from_utf8(output.stdout).expect("text").trim_end().to_owned()
}

/// Makes a key; its file and its public key.
fn key(directory: &Path, name: &str) -> (String, String) {
    let file = text(directory.join(name));
    let public_key = reveille(&["identity", "generate", &file]);
    assert_eq!(reveille(&["identity", "show", &file]), public_key);
    (file, public_key)
}

fn text(path: PathBuf) -> String {
    path.to_str().expect("a readable path").to_owned()
}

#[tokio::test]
async fn the_sdk_accepts_our_signature_and_nobody_elses() {
    signatures(Sdk::TypeScript).await;
}

#[tokio::test]
async fn reveille_accepts_our_signature_and_nobody_elses() {
    signatures(Sdk::Reveille).await;
}

async fn signatures(sdk: Sdk) {
    let directory = TempDir::new().expect("a directory");
    let (ours, public_key) = key(directory.path(), "ours.pem");
    let (other, other_public_key) = key(directory.path(), "other.pem");
    for mode in [Mode::Bidi, Mode::RequestResponse, Mode::Http1] {
        let setup = Setup::new(mode, 7).sdk(sdk).service_env("IDENTITY_KEYS", &public_key);
        for (what, file) in [("unsigned", None), ("another key", Some(&other))] {
            let refused = match file {
                Some(file) => setup.clone().env(IDENTITY, file),
                None => setup.clone(),
            };
            let cluster = Cluster::stopped(refused);
            cluster.start_server().await;
            cluster.start_service().await;
            let answer = cluster.register().await.expect(500);
            let text = answer.text();
            assert!(text.contains("META0003") && text.contains("401"), "{what}: {text}");
        }
        // Every request is checked: discovery, calls, and what a suspended handler resumes with.
        let cluster = Cluster::start(setup.env(IDENTITY, &ours)).await;
        let (invocation, wait) = cluster.ask("approval/ask", "signed").await;
        cluster.resolve(&wait, "done").await.expect(202);
        assert_eq!(cluster.result(&invocation).await, "done");
        let log = cluster.take_server().output();
        assert!(log.contains(&public_key) && !log.contains(&other_public_key), "{log}");
        let pem = fs::read_to_string(&ours).expect("the key");
        let secret = pem.lines().nth(1).expect("base64");
        assert!(!log.contains(secret), "the private key is in the log");
    }
}

#[tokio::test]
async fn deployments_behind_tls() {
    let directory = TempDir::new().expect("a directory");
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let file = |name: &str, content: String| {
        let path = directory.path().join(name);
        fs::write(&path, content).expect("write a file");
        text(path)
    };
    let certificate = file("cert.pem", made.cert.pem());
    let key = file("key.pem", made.signing_key.serialize_pem());
    for mode in [Mode::Bidi, Mode::Http1] {
        let setup =
            Setup::new(mode, 7).service_env("TLS_CERT", &certificate).service_env("TLS_KEY", &key);
        let stranger = Cluster::stopped(setup.clone());
        stranger.start_server().await;
        stranger.start_service().await;
        let refused = stranger.register().await.expect(500);
        let text = refused.text();
        assert!(
            text.contains("add the authority's certificate with http-client.ca-file"),
            "{text}"
        );

        let cluster =
            Cluster::start(setup.env("REVEILLE_HTTP_CLIENT__CA_FILE", &certificate)).await;
        let (invocation, wait) = cluster.ask("approval/ask", "encrypted").await;
        cluster.resolve(&wait, "done").await.expect(202);
        assert_eq!(cluster.result(&invocation).await, "done");
    }
}

#[tokio::test]
async fn tokens_are_asked_for_and_never_handed_on() {
    let printed = reveille(&["token", "--name", "test"]);
    let field = |name: &str| {
        let line = printed.lines().find_map(|line| line.strip_prefix(name)).expect("a line");
        line.trim().to_owned()
    };
    let (token, hash) = (field("token "), field("setting "));
    let setup = Setup::new(Mode::Bidi, 7)
        .env("REVEILLE_ADMIN__TOKENS", &hash)
        .env("REVEILLE_INGRESS__TOKENS", &hash)
        .env("REVEILLE_INGRESS__WAITS_WITHOUT_TOKEN", "true")
        .env("REVEILLE_LOG_FILTER", "trace");
    let cluster = Cluster::stopped(setup);
    cluster.start_server().await;
    cluster.start_service().await;
    cluster.register().await.expect(401);
    let bearer = format!("Bearer {token}");
    let uri = format!("http://127.0.0.1:{}", cluster.ports.service);
    let secret_header = "deployment-secret-7391";
    let body = json!({"uri": uri, "additional_headers": {"x-api-key": secret_header}});
    let register = cluster.admin.post("/deployments").json(body).header("authorization", &bearer);
    register.send().await.expect(201);
    let list = cluster.admin.get("/deployments").header("authorization", &bearer);
    let list = list.send().await.expect(200);
    assert!(!list.text().contains(secret_header), "{}", list.text());

    let ask = || cluster.ingress.post("/restate/send/approval/ask").json("tokens");
    ask().send().await.expect(401);
    ask().header("authorization", &bearer).send().await.expect(202);
    let wait = cluster.announced("tokens").await;
    let resolve = cluster.ingress.post(&format!("/restate/a/{wait}/resolve")).json("done");
    resolve.send().await.expect(202);

    let log = cluster.take_server().output();
    assert!(log.contains("TRACE"), "what would be in the log is not there at all");
    for (what, secret) in [
        ("token", token.as_str()),
        ("hash", hash.trim_start_matches("test=")),
        ("id of a wait", wait.as_str()),
        ("header of a deployment", secret_header),
    ] {
        assert!(!log.contains(secret), "the {what} is in the log");
    }
}
