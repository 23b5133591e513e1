//! The server as a process: start, stop, and refusals that say why.

use std::{fs, time::Instant};

use super::harness::{Cluster, Mode, Setup, eventually};

fn setup() -> Setup {
    Setup::new(Mode::Bidi, 7)
}

#[tokio::test]
async fn example_starts_in_every_mode() {
    for mode in [Mode::Bidi, Mode::RequestResponse, Mode::Http1] {
        let cluster = Cluster::stopped(Setup::new(mode, 7));
        cluster.start_service().await;
        eventually("the example says that it serves", async || {
            cluster.logs().contains("Serving on port").then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn stops_on_sigterm_and_goes_on_after_a_restart() {
    let cluster = Cluster::start(setup()).await;
    let (invocation, wait) = cluster.ask("approval/ask", "sigterm").await;
    let mut server = cluster.take_server();
    server.terminate();
    let status = server.exit().await;
    assert!(status.success(), "{status}:\n{}", server.tail());
    cluster.start_server().await;
    cluster.output(&invocation).await.expect(470);
    cluster.resolve(&wait, "after the restart").await.expect(202);
    assert_eq!(cluster.result(&invocation).await, "after the restart");
}

#[tokio::test]
async fn answers_before_any_deployment_exists() {
    let cluster = Cluster::stopped(setup());
    let started = Instant::now();
    cluster.start_server().await;
    println!("ready after {:?}", started.elapsed());
    let health = cluster.ingress.get("/restate/health").send().await.expect(200);
    assert_eq!(health.text(), r#"{"services":[]}"#);
    cluster.admin.get("/health").send().await.expect(200);
    let list = cluster.admin.get("/deployments").send().await.expect(200);
    assert_eq!(list.text(), r#"{"deployments":[]}"#);
}

#[tokio::test]
async fn second_server_on_a_directory_names_the_first() {
    let mut cluster = Cluster::stopped(setup());
    cluster.start_server().await;
    let first = cluster.take_server();
    cluster.ports.ingress = super::harness::free_port();
    cluster.ports.admin = super::harness::free_port();
    let mut second = cluster.spawn_server(&cluster.log("second"));
    let status = second.exit().await;
    assert!(!status.success(), "two servers share a directory");
    let output = second.output();
    assert!(output.contains(&first.id().to_string()), "who holds the directory? {output}");
}

#[tokio::test]
async fn unusable_directory_is_named() {
    let cluster = Cluster::stopped(setup());
    fs::write(cluster.data_directory(), "a file").expect("write a file");
    let mut server = cluster.spawn_server(&cluster.log("server"));
    assert!(!server.exit().await.success(), "a file served as data directory");
    let output = server.output();
    let directory = cluster.data_directory();
    assert!(output.contains(directory.to_str().expect("a readable path")), "{output}");
    assert!(!output.contains("panicked"), "{output}");
}

#[tokio::test]
async fn unknown_setting_is_refused() {
    let cluster = Cluster::stopped(setup().env("REVEILLE_WORKER__CLEANUP_INTERVALL", "1s"));
    let mut server = cluster.spawn_server(&cluster.log("server"));
    assert!(!server.exit().await.success(), "a setting with a typo was ignored");
    let output = server.output().to_lowercase();
    assert!(output.contains("cleanup") && output.contains("intervall"), "{output}");
}
