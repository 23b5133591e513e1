//! Engine and handlers in one process.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::Request;
use reveille::{Context, Embedded, EmbeddedBuilder, EmbeddedError, HandlerResult, ObjectContext};
use tempfile::TempDir;

/// Waits for an answer. It notes the ids that it hands out.
#[derive(Clone, Default)]
struct Approval(Arc<Mutex<Vec<String>>>);

#[reveille::service]
impl Approval {
    async fn ask(&self, ctx: &Context, question: String) -> HandlerResult<String> {
        let (id, answer) = ctx.awakeable::<String>();
        let ids = self.0.clone();
        ctx.run("publish", || async move {
            ids.lock().unwrap_or_else(PoisonError::into_inner).push(id);
            Ok(())
        })
        .await?;
        Ok(format!("{question} {}", answer.await?))
    }
}

struct Counter;

#[reveille::object]
impl Counter {
    async fn add(&self, ctx: &ObjectContext, amount: u64) -> HandlerResult<u64> {
        let sum = ctx.get::<u64>("sum").await?.unwrap_or(0) + amount;
        ctx.set("sum", &sum);
        Ok(sum)
    }
}

async fn post(engine: &Embedded, path: &str, body: &str) -> (u16, String) {
    let request = Request::post(path)
        .header("content-type", "application/json")
        .body(Bytes::copy_from_slice(body.as_bytes()))
        .expect("a request");
    let response = engine.request(request).await;
    let text = String::from_utf8_lossy(response.body()).into_owned();
    (response.status().as_u16(), text)
}

/// Waits for the result of what was sent.
async fn result(engine: &Embedded, sent: &str) -> Bytes {
    let sent: serde_json::Value = serde_json::from_str(sent).expect("JSON");
    let id = sent["invocationId"].as_str().expect("an id");
    let attach = Request::get(format!("/restate/invocation/{id}/attach")).body(Bytes::new());
    engine.request(attach.expect("a request")).await.into_body()
}

async fn published(approval: &Approval) -> String {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let id = approval.0.lock().unwrap_or_else(PoisonError::into_inner).first().cloned();
        if let Some(id) = id {
            return id;
        }
        assert!(Instant::now() < deadline, "nothing was published");
        tokio::task::yield_now().await;
    }
}

fn open(directory: &TempDir, approval: &Approval) -> EmbeddedBuilder {
    Embedded::open(directory.path()).bind(approval.clone()).bind(Counter)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wait_outlives_its_process() {
    let (directory, approval) = (TempDir::new().expect("a directory"), Approval::default());
    let engine = open(&directory, &approval).start().await.expect("it starts");
    let (status, sent) = post(&engine, "/Approval/ask/send", r#""sure?""#).await;
    assert_eq!(status, 202, "{sent}");
    let id = published(&approval).await;
    assert_eq!(post(&engine, "/Counter/k/add", "2").await, (200, "2".to_owned()));
    engine.stop().await;

    let engine = open(&directory, &approval).start().await.expect("it starts again");
    assert_eq!(post(&engine, "/Counter/k/add", "3").await, (200, "5".to_owned()));
    let resolve = format!("/restate/awakeables/{id}/resolve");
    assert_eq!(post(&engine, &resolve, r#""yes""#).await.0, 202);
    assert_eq!(result(&engine, &sent).await, r#""sure? yes""#);
    let ids = approval.0.lock().unwrap_or_else(PoisonError::into_inner).len();
    assert_eq!(ids, 1, "a step is executed once");
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_live_in_one_process_and_a_directory_is_used_by_one() {
    let (directory, approval) = (TempDir::new().expect("a directory"), Approval::default());
    let first = open(&directory, &approval).start().await.expect("it starts");
    let second = Embedded::in_memory().bind(Counter).start().await.expect("it starts");
    assert_eq!(post(&first, "/Counter/k/add", "2").await.1, "2");
    assert_eq!(post(&second, "/Counter/k/add", "7").await.1, "7");
    let error = open(&directory, &approval).start().await.expect_err("it is taken");
    assert!(matches!(error, EmbeddedError::Store(_)), "{error}");
    first.stop().await;
    second.stop().await;
    open(&directory, &approval).start().await.expect("it is free again").stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_goes_on_under_another_name_once_it_is_taken_over() {
    let (directory, approval) = (TempDir::new().expect("a directory"), Approval::default());
    let engine = open(&directory, &approval).name("old").start().await.expect("it starts");
    let (_, sent) = post(&engine, "/Approval/ask/send", r#""sure?""#).await;
    let id = published(&approval).await;
    engine.stop().await;

    let narrow = Embedded::open(directory.path()).name("new").bind(Counter).take_over();
    let error = narrow.start().await.expect_err("Approval is missing");
    assert!(matches!(error, EmbeddedError::TakeOver(_)), "{error}");

    let engine = open(&directory, &approval).name("new").take_over().start().await;
    let engine = engine.expect("it starts");
    let resolve = format!("/restate/awakeables/{id}/resolve");
    assert_eq!(post(&engine, &resolve, r#""yes""#).await.0, 202);
    assert_eq!(result(&engine, &sent).await, r#""sure? yes""#);
    engine.stop().await;
}

/// The number of threads of this process.
#[cfg(target_os = "linux")]
fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").expect("Linux lists threads").count()
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handlers_that_wait_take_no_threads() {
    const WAITING: usize = 300;
    let (directory, approval) = (TempDir::new().expect("a directory"), Approval::default());
    let engine = open(&directory, &approval).start().await.expect("it starts");
    let before = threads();
    for _ in 0..WAITING {
        let (status, sent) = post(&engine, "/Approval/ask/send", r#""sure?""#).await;
        assert_eq!(status, 202, "{sent}");
    }
    let deadline = Instant::now() + Duration::from_secs(30);
    while approval.0.lock().unwrap_or_else(PoisonError::into_inner).len() < WAITING {
        assert!(Instant::now() < deadline, "not all have begun to wait");
        tokio::task::yield_now().await;
    }
    let during = threads();
    // The engines of other tests come and go meanwhile, with a dozen threads each.
    let is_bounded = during < before + WAITING / 3;
    assert!(is_bounded, "{before} threads, and {during} with {WAITING} that wait");
    engine.stop().await;
}
