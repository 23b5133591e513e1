//! The commands for operators against a real server: the binary as its users run it, in a pipe.

use std::process::{Command, Output};

use serde_json::{Value, json};

use super::harness::{Cluster, Mode, Setup, eventually};

/// Runs a command against the server of a cluster.
fn run(cluster: &Cluster, line: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reveille"));
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("REVEILLE_")) {
            command.env_remove(name);
        }
    }
    command.args(line.split(' ')).env("REVEILLE_ADMIN_URL", admin(cluster));
    command.output().expect("run the binary")
}

fn admin(cluster: &Cluster) -> String {
    format!("http://127.0.0.1:{}", cluster.ports.admin)
}

/// Standard output of a command that succeeds.
#[track_caller]
fn text(cluster: &Cluster, line: &str) -> String {
    let output = run(cluster, line);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "reveille {line}: {:?}\n{said}", output.status);
    String::from_utf8(output.stdout).expect("text").trim_end().to_owned()
}

#[track_caller]
fn json_of(cluster: &Cluster, line: &str) -> Value {
    let text = text(cluster, &format!("{line} --json"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("reveille {line}: {error}: {text}"))
}

/// Standard error of a command that ends with this exit code.
#[track_caller]
fn refused(cluster: &Cluster, line: &str, code: i32) -> String {
    let output = run(cluster, line);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "reveille {line}: {said}");
    said
}

#[tokio::test]
async fn an_operator_at_work() {
    let cluster = Cluster::stopped(Setup::new(Mode::Bidi, 7));
    let nobody = refused(&cluster, "services list", 1);
    assert!(nobody.contains("cannot reach") && nobody.contains("REVEILLE_ADMIN_URL"), "{nobody}");
    cluster.start_server().await;
    cluster.start_service().await;

    register(&cluster);
    wait_and_answer(&cluster).await;
    cancel_by_target(&cluster).await;
    state(&cluster).await;
    assert_eq!(json_of(&cluster, "whoami")["healthy"], true);
    assert!(text(&cluster, "services status").is_empty(), "nothing is left to do");
}

fn register(cluster: &Cluster) {
    let uri = format!("http://127.0.0.1:{}", cluster.ports.service);
    let said = refused(cluster, &format!("deployments register {uri}"), 2);
    assert!(said.contains("+ account: VirtualObject") && said.contains("--yes"), "{said}");
    refused(cluster, "deployments list", 1);
    let id = text(cluster, &format!("deployments register {uri} --yes --quiet"));
    assert!(id.starts_with("dp_"), "{id}");
    assert_eq!(text(cluster, "deployments list --quiet"), id);
    let again = text(cluster, &format!("deployments register {uri}"));
    assert!(again.contains("registered already"), "{again}");
    let described = text(cluster, &format!("deployments describe {id}"));
    assert!(described.contains("account") && described.contains("withdraw"), "{described}");
    let needed = refused(cluster, &format!("deployments remove {id} --yes"), 1);
    assert!(needed.contains("still needed"), "{needed}");
    let set = json_of(cluster, "services config set account --journal-retention 90m");
    assert_eq!(set["journal_retention"], "1h 30m");
}

async fn wait_and_answer(cluster: &Cluster) {
    let (first, first_wait) = cluster.ask("approval/ask", "first").await;
    let (second, _) = cluster.ask("approval/ask", "second").await;
    for invocation in [&first, &second] {
        cluster.waits_of(invocation, "").await;
    }
    let listed = text(cluster, "waits --kind awakeable --quiet");
    assert_eq!(listed.lines().count(), 2, "{listed}");
    let named = listed.lines().find(|line| line.starts_with(&second)).expect("the second wait");

    let described = text(cluster, &format!("invocations describe {second}"));
    for part in ["approval/ask", "suspended", "awakeable", "run", "succeeded"] {
        assert!(described.contains(part), "{part} is not in\n{described}");
    }
    let secret = cluster.announced("second").await;
    assert!(!described.contains(&secret), "the id of the awakeable is a secret:\n{described}");

    text(cluster, &format!("waits resolve {first_wait} --value \"one\""));
    text(cluster, &format!("waits resolve {named} --value \"two\""));
    let repeated = text(cluster, &format!("waits resolve {first_wait} --value \"one\""));
    assert!(repeated.contains("before"), "{repeated}");
    let late = refused(cluster, &format!("waits resolve {first_wait} --value \"three\""), 1);
    assert!(late.contains("yours changed nothing") || late.contains("has ended"), "{late}");
    assert_eq!(cluster.result(&first).await, "one");
    assert_eq!(cluster.result(&second).await, "two");
}

async fn cancel_by_target(cluster: &Cluster) {
    let body = |name: &str| json!({"name": name, "amount": 5});
    let holder = cluster.send("account/anna/withdraw", body("anna")).await;
    cluster.announced("anna").await;
    let queued = cluster.send("account/anna/withdraw", body("queued")).await;
    cluster.waits_of(&holder, "").await;
    let busy = json_of(cluster, "services status account");
    assert_eq!(busy["blocked_keys"][0]["held_by"], json!(holder), "{busy}");

    let asked = refused(cluster, "invocations cancel account/anna", 2);
    assert!(asked.contains(&holder) && asked.contains(&queued), "{asked}");
    let done = json_of(cluster, "invocations cancel account/anna --yes");
    assert_eq!(done["done"].as_array().map(Vec::len), Some(2), "{done}");
    eventually("both are over", async || {
        let left = run(cluster, "invocations list --service account --quiet");
        left.stdout.is_empty().then_some(())
    })
    .await;
    let unknown = refused(cluster, &format!("invocations kill {holder}"), 1);
    assert!(unknown.contains("already completed"), "{unknown}");
}

async fn state(cluster: &Cluster) {
    assert_eq!(cluster.value("account/berta/add", 5).await, 5);
    assert_eq!(json_of(cluster, "state get account berta"), json!({"balance": 5}));
    let mut set = Command::new("sh");
    set.args(["-c", "echo 40 | \"$0\" state set account berta balance --file -"]);
    set.arg(env!("CARGO_BIN_EXE_reveille")).env("REVEILLE_ADMIN_URL", admin(cluster));
    let output = set.output().expect("run a shell");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(text(cluster, "state get account berta balance"), "40");
    assert_eq!(cluster.value("account/berta/add", 2).await, 42);
    let sql = "SELECT value_utf8 AS balance FROM state WHERE service_key = 'berta'";
    let output = Command::new(env!("CARGO_BIN_EXE_reveille"))
        .args(["sql", "--csv", "--admin-url", &admin(cluster)])
        .arg(sql)
        .output();
    let csv = String::from_utf8(output.expect("run the binary").stdout).expect("text");
    assert_eq!(csv, "balance\r\n42\r\n");
    text(cluster, "state clear account berta --yes");
    refused(cluster, "state get account berta", 1);

    text(cluster, "rules set team/* --concurrency 3");
    assert_eq!(json_of(cluster, "rules list")[0]["limits"]["concurrency"], 3);
    text(cluster, "rules remove team/*");
    refused(cluster, "rules list", 1);
}

#[tokio::test]
async fn over_tls_with_a_token() {
    let directory = tempfile::tempdir().expect("a directory");
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let file = |name: &str, content: String| {
        let path = directory.path().join(name);
        std::fs::write(&path, content).expect("write a file");
        path.to_str().expect("a readable path").to_owned()
    };
    let certificate = file("cert.pem", made.cert.pem());
    let key = file("key.pem", made.signing_key.serialize_pem());
    let setup = Setup::new(Mode::Bidi, 7);
    let printed = text(&Cluster::stopped(setup.clone()), "token --name test");
    let field = |name: &str| {
        let line = printed.lines().find_map(|line| line.strip_prefix(name)).expect("a line");
        line.trim().to_owned()
    };
    let cluster = Cluster::stopped(
        setup
            .env("REVEILLE_ADMIN__TLS__CERT_FILE", &certificate)
            .env("REVEILLE_ADMIN__TLS__KEY_FILE", &key)
            .env("REVEILLE_ADMIN__TOKENS", &field("setting ")),
    );
    let _server = cluster.spawn_server(&cluster.log("server"));
    let url = format!("--admin-url https://localhost:{}", cluster.ports.admin);
    let trusted = format!("{url} --ca-file {certificate}");
    let whole = format!("rules list {trusted} --token {}", field("token "));
    // Nothing is listed, and it is the server that says so.
    eventually("the server answers", async || {
        let output = run(&cluster, &whole);
        String::from_utf8_lossy(&output.stderr).contains("No rules").then_some(())
    })
    .await;
    for (line, part) in [
        (format!("rules list {url}"), "--ca-file"),
        (format!("rules list {trusted}"), "asks for a token: give it with --token"),
        (format!("rules list {trusted} --token wrong"), "does not take this token"),
    ] {
        let said = refused(&cluster, &line, 1);
        assert!(said.contains(part), "{line}: {said}");
    }
}
