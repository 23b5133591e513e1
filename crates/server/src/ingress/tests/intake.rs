//! More requests than are let in at the same time.

use std::sync::Arc;

use expect_test::expect;
use reveille_engine::command::RequestId;
use reveille_engine::effect::Reply;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Duration, advance};

use super::super::{Ingress, IngressAccess, Intake};
use super::invoke::JSON;
use super::wait::awakeable;
use super::{LIMIT, get, post, schema, show_answer, some_id};
use crate::limits;
use crate::partition::Partitions;
use crate::partition::handle::{Mail, Refused};

type Answer = oneshot::Sender<Result<Reply, Refused>>;

/// An ingress with so many places, and the mailbox of its partition.
fn places(max: usize) -> (Ingress, mpsc::Receiver<Mail>) {
    let (mailbox, mails) = mpsc::channel(2 * max);
    let (_keep, schema) = watch::channel(Arc::new(schema()));
    let ingress = Ingress {
        partitions: Partitions::new(vec![mailbox]),
        schema,
        request_size_limit: LIMIT,
        intake: Intake::new(max),
        access: IngressAccess::default(),
    };
    (ingress, mails)
}

async fn asked(mails: &mut mpsc::Receiver<Mail>) -> (String, Answer) {
    let Some(Mail::Ask(command, answer)) = mails.recv().await else { panic!("no command") };
    let command = format!("{:?}", command(RequestId(1)));
    (command.split(' ').next().unwrap_or_default().to_owned(), answer)
}

/// Questions, and answers to waits, reach the partition while calls are refused.
async fn others_are_taken(ingress: &Ingress, mails: &mut mpsc::Receiver<Mail>) {
    let question = get(&format!("/restate/invocation/{}/output", some_id()));
    let answer = post(&format!("/restate/awakeables/{}/resolve", awakeable()), &[JSON], "1");
    for (request, expected) in [(question, "Output"), (answer, "CompleteWait")] {
        let ingress = ingress.clone();
        let asking = tokio::spawn(async move { ingress.handle(request).await });
        let (command, reply) = asked(mails).await;
        assert_eq!(command, expected);
        drop(reply);
        assert_eq!(
            asking.await.expect("no panic").status().as_u16(),
            503,
            "as the partition is gone"
        );
    }
}

#[tokio::test]
async fn a_request_beyond_them_is_refused_and_reaches_no_partition() {
    let (ingress, mut mails) = places(1);
    let first = tokio::spawn({
        let ingress = ingress.clone();
        async move { ingress.handle(get("/S/h")).await.status().as_u16() }
    });
    let (command, answer) = asked(&mut mails).await;
    assert_eq!(command, "Invoke");
    let refusal = expect![[r#"
        503
        content-type: application/json
        retry-after: 1
        x-restate-error-source: ingress
        {"code":503,"message":"the server is busy with as many requests as it lets in at the same time (1); try again in a moment, or raise 'ingress.concurrent-requests-limit'","source":"ingress"}"#]];
    refusal.assert_eq(&show_answer(ingress.handle(get("/S/h")).await).await);
    let send = post("/S/h/send", &[JSON], "1");
    refusal.assert_eq(&show_answer(ingress.handle(send).await).await);
    assert!(mails.try_recv().is_err(), "it reached the partition");
    others_are_taken(&ingress, &mut mails).await;

    answer.send(Ok(Reply::Unavailable("full".to_owned()))).expect("it waits");
    assert_eq!(first.await.expect("no panic"), 503);
    let next = tokio::spawn(async move { ingress.handle(post("/S/h/send", &[JSON], "1")).await });
    let (_command, answer) = asked(&mut mails).await;
    let accepted = Reply::Accepted { id: some_id(), fresh: true, execution_time: None };
    answer.send(Ok(accepted)).expect("it waits");
    assert_eq!(next.await.expect("no panic").status().as_u16(), 202);
}

#[tokio::test(start_paused = true)]
async fn while_commands_wait_for_long_calls_are_refused_and_answers_are_not() {
    let (ingress, mut mails) = places(1000);
    let call = || {
        let ingress = ingress.clone();
        tokio::spawn(async move { show_answer(ingress.handle(get("/S/h")).await).await })
    };
    let send_until = async |count: usize| {
        while ingress.intake.open() < count {
            call();
            tokio::task::yield_now().await;
        }
    };
    send_until(limits::OVERLOAD_REQUESTS_MIN).await;
    // Nobody reads the mailbox, so the probe that goes out with this call does not come back.
    send_until(limits::OVERLOAD_REQUESTS_MIN + 1).await;
    advance(limits::OVERLOAD_DELAY_MAX + Duration::from_millis(1)).await;
    send_until(limits::OVERLOAD_REQUESTS_MIN + 2).await;
    advance(limits::OVERLOAD_STANDING).await;
    let refusal = expect![[r#"
        503
        content-type: application/json
        retry-after: 1
        x-restate-error-source: ingress
        {"code":503,"message":"the server is overloaded: calls and sends are refused until it has caught up; try again in a moment","source":"ingress"}"#]];
    refusal.assert_eq(&call().await.expect("no panic"));

    let mut probes = 0;
    while let Ok(mail) = mails.try_recv() {
        if let Mail::Probe(_) = mail {
            probes += 1;
        }
    }
    assert_eq!(probes, 1, "one at a time");
    others_are_taken(&ingress, &mut mails).await;
}
