//! The client, over HTTP and within the process: the same stories, with the same ends.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use reveille::{
    Caller as _, Context, Embedded, HandlerResult, ObjectContext, Target, TerminalError,
    WorkflowContext,
    client::{Admin, Client, ClientError, ReceiptOutcome},
    payload::Raw,
};

/// Waits for an answer. It notes the ids that it hands out.
#[derive(Clone, Default)]
struct Approval(Arc<Mutex<Vec<String>>>);

#[reveille::service]
impl Approval {
    async fn ask(&self, ctx: &Context, what: String) -> HandlerResult<String> {
        let (id, answer) = ctx.awakeable::<String>();
        let publish = || {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(id);
            Ok(())
        };
        ctx.run_sync("publish", publish).await?;
        Ok(format!("{what}: {}", answer.await?))
    }

    async fn refuse(&self, _ctx: &Context) -> HandlerResult<()> {
        Err(TerminalError::new("never").code(451).metadata("law", "all of it").into())
    }

    async fn header(&self, ctx: &Context) -> HandlerResult<Option<String>> {
        Ok(ctx.header("x-name").map(str::to_owned))
    }

    async fn raw(&self, _ctx: &Context, Raw(bytes): Raw) -> HandlerResult<Raw> {
        Ok(Raw(bytes))
    }

    #[handler(private)]
    async fn hidden(&self, _ctx: &Context) -> HandlerResult<()> {
        Ok(())
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

    async fn name(&self, ctx: &ObjectContext) -> HandlerResult<String> {
        Ok(ctx.key().to_owned())
    }
}

struct Review;

#[reveille::workflow]
impl Review {
    async fn run(&self, ctx: &WorkflowContext) -> HandlerResult<String> {
        Ok(ctx.promise::<String>("the decision?").await?)
    }
}

/// Polls for the next awakeable that was handed out.
async fn handed_out(approval: &Approval) -> String {
    for _ in 0..2000 {
        if let Some(id) = approval.0.lock().unwrap_or_else(PoisonError::into_inner).pop() {
            return id;
        }
        // Pacing: the condition is asked for again and again.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("nothing is asked");
}

async fn calls(client: &Client) {
    let approval = ApprovalClient::new(client);
    let error = approval.refuse().call().await.expect_err("a failure");
    let expected = TerminalError::new("never").code(451).metadata("law", "all of it");
    assert!(matches!(&error, ClientError::Failed(failed) if *failed == expected), "{error:?}");
    let header = approval.header().header("x-name", "Ann").call().await.expect("a result");
    assert_eq!(header.as_deref(), Some("Ann"));
    let raw = approval.raw(Raw::from(vec![0, 255])).call().await.expect("bytes");
    assert_eq!(&raw.0[..], [0, 255]);
    let refused = approval.hidden().call().await.expect_err("a refusal");
    assert!(matches!(&refused, ClientError::Refused { status: 400, .. }), "{refused:?}");
    let unknown = client.request::<(), ()>(Target::service("Nobody", "h"), &());
    let unknown = unknown.call().await.expect_err("a refusal");
    assert!(matches!(&unknown, ClientError::Refused { status: 404, .. }), "{unknown:?}");
    let bad = approval.header().header("no name", "x").call().await.expect_err("no header");
    assert!(matches!(&bad, ClientError::Request(_)), "{bad:?}");
    // The result is text, not a number.
    let target = Target::keyed("Counter", "k", "name");
    let unread = client.request::<(), u64>(target, &()).call().await.expect_err("no number");
    assert!(matches!(&unread, ClientError::Payload(_)), "{unread:?}");
}

async fn sends(client: &Client, name: &str) {
    for key in ["plain", "a/b c?é%", "send"] {
        let counter = CounterClient::new(client, format!("{name} {key}"));
        assert_eq!(counter.name().call().await.expect("a key"), format!("{name} {key}"));
        let send = || counter.add(2).idempotency_key("once").send();
        let (first, second) = (send().await.expect("sent"), send().await.expect("sent"));
        assert_eq!(first.id(), second.id());
        assert_eq!(first.attach().await.expect("a sum"), 2);
        assert_eq!(second.output().await.expect("a sum"), Some(2));
        let later = counter.add(1).send_after(Duration::from_millis(20)).await.expect("sent");
        assert_eq!(later.attach().await.expect("a sum"), 3);
    }
    let unknown = client.invocation::<u64>(format!("inv_1{}", "0".repeat(33)));
    let unknown = unknown.output().await.expect_err("nobody knows it");
    assert!(matches!(&unknown, ClientError::Refused { status: 404, .. }), "{unknown:?}");
}

async fn completions(client: &Client, approval: &Approval) {
    let ask = || ApprovalClient::new(client).ask("tea".into());
    let asked = ask().send().await.expect("sent");
    assert_eq!(asked.output().await.expect("it is known"), None);
    let id = handed_out(approval).await;
    for (answer, expected) in [
        ("yes", ReceiptOutcome::Completed),
        ("yes", ReceiptOutcome::Replayed),
        ("no", ReceiptOutcome::Conflict),
    ] {
        let receipt = client.resolve_awakeable(&id, answer).await.expect("a receipt");
        // Its invocation may have ended by then.
        let is_over = receipt.outcome == ReceiptOutcome::Gone && answer == "no";
        assert!(receipt.outcome == expected || is_over, "{receipt:?}");
    }
    assert_eq!(asked.attach().await.expect("an answer"), "tea: yes");

    let asked = ask().send().await.expect("sent");
    let id = handed_out(approval).await;
    let receipt = client.reject_awakeable(&id, "no tea").await.expect("a receipt");
    assert_eq!(receipt.outcome, ReceiptOutcome::Completed);
    let error = asked.attach().await.expect_err("a failure");
    assert!(matches!(&error, ClientError::Failed(failed) if failed.message() == "no tea"));
    // An id from outside is one segment of the path, whatever it holds.
    let sly = client.reject_awakeable("sign_1AAAA/resolve?x=", "x").await;
    assert!(matches!(&sly, Err(ClientError::Refused { status: 400, .. })), "{sly:?}");
    let unknown = client.resolve_awakeable("sign_1AAAA", "x").await;
    assert!(matches!(&unknown, Err(ClientError::Refused { status: 400, .. })), "{unknown:?}");
}

/// Completes promises without a handler in between, before the run and while it waits.
async fn promises(client: &Client, admin: &Admin, name: &str) {
    use ReceiptOutcome::{Completed, Conflict, Replayed};

    for (at, key) in ["early", "late/k?é%"].into_iter().enumerate() {
        let key = format!("{name} {key}");
        let review = ReviewClient::new(client, key.clone());
        let promise = || admin.promise("Review", &key, "the decision?");
        let running = if at == 1 { Some(review.run().send().await.expect("sent")) } else { None };
        for (answer, expected) in [("yes", Completed), ("yes", Replayed), ("no", Conflict)] {
            let receipt = promise().resolve(answer).await.expect("a receipt");
            assert_eq!(receipt.outcome, expected, "{key} {answer}");
            assert!(receipt.at.is_some());
        }
        let run = match running {
            Some(run) => run,
            None => review.run().send().await.expect("sent"),
        };
        assert_eq!(run.attach().await.expect("an answer"), "yes");
    }
    let key = format!("{name} rejected");
    let promise = || admin.promise("Review", &key, "the decision?");
    assert_eq!(promise().reject("too long").await.expect("a receipt").outcome, Completed);
    // In a scope it is another one.
    let scoped = promise().scope("tenant").resolve("yes").await.expect("a receipt");
    assert_eq!(scoped.outcome, Completed);
    let error = ReviewClient::new(client, key.clone()).run().call().await.expect_err("a failure");
    assert!(matches!(&error, ClientError::Failed(failed) if failed.message() == "too long"));
    for (service, refusal) in [("Nobody", 404), ("Counter", 400), ("Review/k/p/resolve?x=", 404)] {
        let refused = admin.promise(service, "k", "p").resolve("x").await;
        let is_refused =
            matches!(&refused, Err(ClientError::Refused { status, .. }) if *status == refusal);
        assert!(is_refused, "{service}: {refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_http_and_within_the_process() {
    let approval = Approval::default();
    let engine = Embedded::in_memory()
        .bind(approval.clone())
        .bind(Counter)
        .bind(Review)
        .ingress(SocketAddr::from(([127, 0, 0, 1], 0)))
        .admin(SocketAddr::from(([127, 0, 0, 1], 0)))
        .start()
        .await
        .expect("it starts");
    let address = engine.ingress_address().expect("it listens");
    let over_http = Client::http(&format!("http://{address}/")).expect("an address");
    let admin_address = engine.admin_address().expect("it listens");
    let admin_over_http = Admin::http(&format!("http://{admin_address}")).expect("an address");
    for (name, client, admin) in
        [("http", over_http, admin_over_http), ("process", engine.client(), engine.admin())]
    {
        calls(&client).await;
        sends(&client, name).await;
        completions(&client, &approval).await;
        promises(&client, &admin, name).await;
    }
    let (client, admin) = (engine.client(), engine.admin());
    engine.stop().await;
    let stopped = admin.promise("Review", "k", "p").resolve("x").await.expect_err("it has stopped");
    assert!(matches!(&stopped, ClientError::Refused { status: 503, .. }), "{stopped:?}");
    let stopped = ApprovalClient::new(&client).header().call().await.expect_err("it has stopped");
    assert!(matches!(&stopped, ClientError::Refused { status: 503, .. }), "{stopped:?}");
    let nobody = Client::http(&format!("http://{address}")).expect("an address");
    let nobody = ApprovalClient::new(&nobody).header().call().await.expect_err("nobody listens");
    assert!(matches!(&nobody, ClientError::Transport(_)), "{nobody:?}");
}

#[test]
fn addresses_are_checked() {
    for uri in ["", "localhost:8080", "https://localhost", "http://", "ftp://x"] {
        assert!(matches!(Client::http(uri), Err(ClientError::Request(_))), "{uri}");
    }
    assert!(Client::http("http://localhost:8080/prefix/").is_ok());
    let client = Client::http("http://localhost").expect("an address");
    assert!(client.bearer_token("line\nbreak").is_err());
}
