//! What would not be the same on replay is refused, with an explanation.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{FutureExt as _, select};
use reveille_protocol::{
    frame::{Frame, MessageType},
    message::{InputCommand, Start, Value, notification, notification::Id},
    version::ServiceProtocolVersion,
};

use super::{Enter, Peer, answered, completed, handler, names, notify};
use crate::{HandlerError, RetryPolicy, Target};

/// A handler that does something else between the beginning of something and awaiting it.
macro_rules! awaiting {
    (|$ctx:ident| $future:expr) => {
        awaiting!(crate::Context, |$ctx| $future)
    };
    ($context:ty, |$ctx:ident| $future:expr) => {
        handler!($context, |$ctx, _input: i32| {
            let future = $future;
            $ctx.invocation::<()>("inv_1x").cancel();
            future.await?;
            Ok(())
        })
    };
}

fn signalled(name: &str, text: &'static str) -> Frame {
    let value = Value { content: Bytes::from_static(text.as_bytes()) };
    notify(Id::SignalName(name.to_owned()), notification::Result::Value(value))
}

/// What the handler does, and parts of the explanation.
const TABLE: &[(&str, Enter, &[&str])] = &[
    (
        "foreign future",
        handler!(|ctx| {
            ctx.invocation::<()>("inv_1x").cancel();
            std::future::pending::<()>().await;
            Ok(())
        }),
        &["not durable", "ctx.run", "misuse.rs:"],
    ),
    (
        "foreign timer beside a durable future",
        handler!(|ctx| {
            // Pacing: the timer is what must not be awaited.
            let mut timer = Box::pin(tokio::time::sleep(Duration::from_secs(1)).fuse());
            let mut answer = ctx.awakeable::<i32>().1.fuse();
            select! {
                () = timer => {}
                _ = answer => {}
            }
            Ok(())
        }),
        &["together with one that is not", ".timeout(", "misuse.rs:"],
    ),
    (
        "durable operation in a step",
        handler!(|ctx| {
            let step = ctx.run("outer", async || {
                ctx.sleep(Duration::from_secs(1)).await?;
                Ok(())
            });
            Ok(step.await?)
        }),
        &["within the step \"outer\"", "misuse.rs:"],
    ),
    (
        "randomness in a step",
        handler!(|ctx| Ok(ctx.run_sync("outer", || Ok(ctx.rand().u64())).await?)),
        &["within the step \"outer\""],
    ),
    (
        "durable future in a task",
        handler!(|ctx| {
            let sleep = ctx.sleep(Duration::from_secs(1));
            let task = tokio::spawn(sleep);
            Ok(task.await??)
        }),
        &["outside of its handler", "misuse.rs:"],
    ),
    (
        "panic",
        handler!(|ctx| {
            let (id, _) = ctx.awakeable::<()>();
            if !id.is_empty() {
                panic!("of {}", "some sort");
            }
            Ok(())
        }),
        &["panicked", "of some sort"],
    ),
    (
        "panic in a step",
        handler!(|ctx| {
            let is_odd = ctx.invocation_id().is_empty();
            let step = || if is_odd { panic!("odd") } else { Ok(()) };
            Ok(ctx.run_sync("step", step).await?)
        }),
        &["panicked", "odd"],
    ),
    (
        "result that cannot be written",
        handler!(|_ctx| Ok(std::collections::HashMap::from([(vec![1], 1)]))),
        &["result of the handler cannot be written"],
    ),
];

#[tokio::test(start_paused = true)]
async fn misuse_is_explained() {
    for (name, handler, expected) in TABLE {
        let mut peer = Peer::replay(*handler, &[]);
        let message = peer.error_after(Duration::from_secs(20)).await;
        for part in *expected {
            assert!(message.contains(part), "{name}: {part} in {message}");
        }
        peer.close();
        peer.written().await;
        assert!(peer.attempt.is_finished(), "{name}");
    }
}

/// Alone, and not for long, it is let go: a lock, or a channel between parts of the handler.
#[tokio::test(start_paused = true)]
async fn short_waits_for_other_things_are_admitted() {
    let mut peer = Peer::replay(
        handler!(|ctx| {
            // Pacing: what is admitted alone.
            tokio::time::sleep(Duration::from_secs(1)).await;
            tokio::task::yield_now().await;
            Ok(ctx.invocation_id().len())
        }),
        &[],
    );
    peer.written().await;
    tokio::time::advance(Duration::from_secs(2)).await;
    assert_eq!(peer.result().await, "0");
}

/// Channels between parts of a handler are as deterministic as the parts.
#[tokio::test]
async fn channels_within_a_handler_are_admitted() {
    let mut peer = Peer::replay(
        handler!(|ctx| {
            let (sender, mut receiver) = tokio::sync::mpsc::channel::<i32>(1);
            let produce = async {
                for _ in 0..300 {
                    sender.send(1).await?;
                }
                drop(sender);
                Ok::<_, HandlerError>(())
            };
            let consume = async {
                let mut sum = ctx.awakeable::<i32>().1.await?;
                while let Some(number) = receiver.recv().await {
                    sum += number;
                }
                ctx.invocation::<()>("inv_1x").cancel();
                Ok::<_, HandlerError>(sum)
            };
            let (produced, sum) = futures_util::join!(produce, consume);
            produced?;
            sum
        }),
        &[],
    );
    peer.written().await;
    peer.send(&[answered(17, "5")]);
    assert_eq!(peer.result().await, "305");
}

#[tokio::test]
async fn errors_of_steps_and_handlers_are_tried_again() {
    let table: Vec<(Enter, &[&str], Option<u64>)> = vec![
        (handler!(|_ctx| Err::<(), _>("no".into())), &["Error"], None),
        (
            handler!(|ctx| {
                let policy = RetryPolicy::new().initial_delay(Duration::from_millis(7));
                let step = ctx.run("s", async || Err::<(), _>("no".into()));
                Ok(step.retry(policy).await?)
            }),
            &["Run", "Error"],
            Some(7),
        ),
        // A delay that the step asks for wins over that of its policy.
        (
            handler!(|ctx| {
                let policy = RetryPolicy::new().initial_delay(Duration::from_millis(7));
                let step = ctx.run("s", async || {
                    Err::<(), _>(HandlerError::retry_after("no", Duration::from_secs(7)))
                });
                Ok(step.retry(policy).await?)
            }),
            &["Run", "Error"],
            Some(7000),
        ),
        (
            handler!(|_ctx| Err::<(), _>(HandlerError::retry_after("no", Duration::from_secs(7)))),
            &["Error"],
            Some(7000),
        ),
    ];
    for (handler, expected, delay) in table {
        let mut peer = Peer::replay(handler, &[]);
        let frames = peer.written().await;
        assert_eq!(names(&frames), expected);
        let error: reveille_protocol::message::ErrorMessage =
            frames.last().expect("one").decode().expect("an error");
        assert_eq!((error.code, error.message.as_str()), (500, "no"));
        assert_eq!(error.next_retry_delay, delay);
    }
}

/// What cannot be read is the fault of the caller, and trying again would not help.
#[tokio::test]
async fn undecodable_input_is_an_outcome() {
    let handler: Enter = handler!(crate::Context, |_ctx, text: String| Ok(text));
    let mut peer = Peer::replay(handler, &[]);
    let result = peer.result().await;
    assert!(result.starts_with("400 the input cannot be read: invalid type"), "{result}");
}

/// What cannot be read is told of what it is the result of, and not of what the handler did last.
#[tokio::test]
async fn unreadable_result_names_its_own_command() {
    /// A handler, what it is answered, and the command of the error with its index.
    type Row = (&'static str, Enter, Frame, Option<(u32, MessageType)>);
    let table: [Row; 5] = [
        ("awakeable", awaiting!(|ctx| ctx.awakeable::<i32>().1), answered(17, "no"), None),
        ("signal", awaiting!(|ctx| ctx.signal::<i32>("go")), signalled("go", "no"), None),
        (
            "call",
            awaiting!(|ctx| ctx.request::<i32>(Target::service("S", "h"), &1).call()),
            completed(2, "no"),
            Some((1, MessageType::CALL_COMMAND)),
        ),
        (
            "attach",
            awaiting!(|ctx| ctx.invocation::<i32>("inv_1x").attach()),
            completed(1, "no"),
            Some((1, MessageType::ATTACH_INVOCATION_COMMAND)),
        ),
        (
            "state",
            awaiting!(crate::ObjectContext, |ctx| ctx.get::<i32>("k")),
            completed(1, "no"),
            Some((1, MessageType::GET_LAZY_STATE_COMMAND)),
        ),
    ];
    for (what, handler, answer, expected) in table {
        let mut peer = Peer::partial(handler);
        peer.written().await;
        peer.send(&[answer]);
        let error = peer.error().await;
        let start = format!("the result of the {what} at ");
        assert!(error.message.starts_with(&start), "{}", error.message);
        let index = error.related_command_index;
        let ty = error.related_command_type.map(|ty| MessageType(ty as u16));
        assert_eq!(index.zip(ty), expected, "{what}");
    }
}

/// What only waits breaks off, and a step is executed to its end.
#[tokio::test]
async fn stopping_waits_for_steps_alone() {
    let waits: Enter = handler!(|ctx| Ok(ctx.awakeable::<i32>().1.await?));
    let steps: Enter = handler!(|ctx| {
        let step = ctx.run("s", async || {
            for _ in 0..5 {
                tokio::task::yield_now().await;
            }
            Ok(1)
        });
        Ok(step.await?)
    });
    for (handler, expected) in
        [(waits, &["AwaitingOn"][..]), (steps, &["Run", "ProposeRunCompletion", "AwaitingOn"])]
    {
        let mut peer = Peer::replay(handler, &[]);
        if expected.len() == 1 {
            assert_eq!(names(&peer.written().await), expected);
        }
        peer.stopping.send(true).expect("an attempt");
        let frames = peer.written().await;
        assert!(expected.len() == 1 || names(&frames) == expected, "{frames:?}");
        assert!(peer.attempt.is_finished());
        assert!(!peer.attempt.await.expect("no panic"));
    }
}

/// Whatever a server sends, it is not part of earlier versions.
#[tokio::test]
async fn scopes_are_known_from_v7_on() {
    let handler: Enter = handler!(|ctx| Ok(ctx.scope().map(str::to_owned)));
    for (version, expected) in
        [(ServiceProtocolVersion::V6, "null"), (ServiceProtocolVersion::V7, "\"tenant\"")]
    {
        let mut peer = Peer::start(version, handler);
        let (id, scope) = (Bytes::from_static(b"id"), Some("tenant".to_owned()));
        let start = Start { id, scope, known_entries: 1, ..Start::default() };
        let input = Frame::message(MessageType::INPUT_COMMAND, &InputCommand::default());
        peer.send(&[Frame::message(MessageType::START, &start), input]);
        assert_eq!(peer.result().await, expected, "{version}");
    }
}
