//! What is written to the log at the level `trace`: ids, and nothing that is anybody's own.

#[allow(dead_code, reason = "each test binary uses a part of it")]
mod world;

use std::io;
use std::sync::{Arc, Mutex};

use reveille_server::config::ServerConfig;
use reveille_store::memory::MemoryStore;
use tracing_subscriber::fmt::MakeWriter;

use world::{World, eventually};

/// Keeps every line.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("not poisoned").extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Lines;

    fn make_writer(&self) -> Lines {
        self.clone()
    }
}

impl Lines {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().expect("not poisoned")).into_owned()
    }
}

/// One test, as the subscriber is the one of the whole process: tasks and partitions have threads of
/// their own.
#[tokio::test(flavor = "multi_thread")]
async fn lines_name_invocations_and_no_secrets() {
    let lines = Lines::default();
    let filter = tracing_subscriber::EnvFilter::new("trace");
    let writing = tracing_subscriber::fmt().with_env_filter(filter).with_writer(lines.clone());
    writing.json().flatten_event(true).try_init().expect("the only subscriber");

    let mut config = ServerConfig::default();
    config.defaults.retry.initial_interval_ms = 1;
    let world = World::start(MemoryStore::new(1), config).await;
    let headers = [
        ("content-type", "text/plain"),
        ("authorization", "Bearer marker-of-authorization"),
        ("x-own", "marker-of-a-header"),
    ];
    let again = world.post_with("/flaky/again", "marker-of-a-payload", &headers).await;
    assert_eq!(again.text(), "marker-of-a-payload");
    let never = world.post_with("/flaky/never", "marker-of-a-failure", &headers).await;
    assert_eq!(never.status, 418, "{}", never.text());
    let awakeable = world.begin_review("one").await;
    eventually(async || world.admin("/waits").await.text().contains("reviews")).await;
    let path = format!("/restate/awakeables/{awakeable}/resolve");
    assert_eq!(world.post_with(&path, "marker-of-an-answer", &headers).await.status, 202);
    assert_eq!(world.attach("one").await.text(), "marker-of-an-answer");
    let refused = format!("/restate/awakeables/{awakeable}x/resolve");
    assert!(world.post(&refused, "marker-of-an-answer").await.status >= 400);
    let id = again.header("x-restate-id").expect("an id").to_owned();
    world.server.stop().await;

    let text = lines.text();
    for marker in ["marker-of-", awakeable.as_str(), secret(&awakeable)] {
        let found: Vec<_> = text.lines().filter(|line| line.contains(marker)).collect();
        assert!(found.is_empty(), "{marker}: {found:?}");
    }
    // Every step of a life, with the same names of fields.
    let of_id: Vec<_> = text.lines().filter(|line| line.contains(&id)).collect();
    let field = format!("\"invocation_id\":\"{id}\"");
    for message in ["attempt starts", "attempt ended", "invocation completed"] {
        let line = of_id.iter().find(|line| line.contains(message));
        let line = line.unwrap_or_else(|| panic!("no line '{message}' of {of_id:?}"));
        assert!(line.contains(&field), "{line}");
    }
    assert!(text.contains("\"deployment_id\":\"dp_"), "the deployment is named");
    assert!(text.contains("the partition was taken over"));
}

/// The end of an awakeable id, where its secret is.
fn secret(awakeable: &str) -> &str {
    &awakeable[awakeable.len() - 22..]
}
