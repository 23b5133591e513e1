//! Several things at once: what ends first is decided by the order of notifications, live and on replay.

use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt as _, join, select, stream::FuturesUnordered};
use reveille_protocol::{
    frame::{Frame, MessageType},
    message::{SleepCommand, Void, notification, notification::Id},
};
use tokio::sync::Semaphore;

use super::{Enter, Peer, ack, answered, cancel, completed, handler, names, notify};
use crate::{Context, Durable, HandlerError, TerminalError, all, all_settled, any, race};

fn slept(id: u32) -> Frame {
    notify(Id::CompletionId(id), notification::Result::Void(Void {}))
}

const JOIN: Enter = handler!(|ctx| {
    let (a, b) = (ctx.awakeable::<i32>().1, ctx.awakeable::<i32>().1);
    let (a, b) = join!(a, b);
    Ok(vec![a?, b?])
});

const SELECT: Enter = handler!(|ctx| {
    let (mut a, mut b) = (ctx.awakeable::<i32>().1.fuse(), ctx.awakeable::<i32>().1.fuse());
    select! {
        a = a => Ok(vec![a?]),
        b = b => Ok(vec![b?, a.await?]),
    }
});

const UNORDERED: Enter = handler!(|ctx| {
    let mut all: FuturesUnordered<_> = (0..3).map(|_| ctx.awakeable::<i32>().1).collect();
    let mut results = Vec::new();
    while let Some(result) = all.next().await {
        results.push(result?);
    }
    Ok(results)
});

/// Each part goes on by itself, and what both do goes into the journal in the order of their results.
const BRANCHES: Enter = handler!(|ctx| {
    let branch = async |of: i32| {
        let number = ctx.awakeable::<i32>().1.await?;
        let name = format!("{of}");
        Ok::<_, HandlerError>(ctx.run(name, async || Ok(number)).await?)
    };
    let (a, b) = join!(branch(1), branch(2));
    Ok(vec![a?, b?])
});

const RACE: Enter = handler!(|ctx| {
    let three = (0..3).map(|_| ctx.awakeable::<i32>().1);
    let (place, value) = race(three).await?;
    Ok(vec![place as i32, value])
});

const ALL: Enter = handler!(|ctx| Ok(all((0..2).map(|_| ctx.awakeable::<i32>().1)).await?));

/// The winner of a race within an `all` is known when the race ends, not when the rest does.
const NESTED: Enter = handler!(|ctx| {
    let awakeable = || ctx.awakeable::<i32>().1;
    let first = race([awakeable(), awakeable()]).map_value(|(place, _)| place as i32);
    Ok(all([first.into_boxed(), awakeable().into_boxed()]).await?)
});

const SETTLED: Enter = handler!(|ctx| {
    let both = all_settled((0..2).map(|_| ctx.awakeable::<i32>().1)).await?;
    Ok(both.into_iter().map(|one| one.unwrap_or(-1)).collect::<Vec<_>>())
});

/// A future that is kept, and awaited again after another one.
const KEPT: Enter = handler!(|ctx| {
    let (mut a, b) = (ctx.awakeable::<i32>().1, ctx.awakeable::<i32>().1);
    let early = (&mut a).timeout(Duration::from_secs(1)).await;
    assert!(early.is_err_and(|error| error.is_timeout()));
    Ok(vec![b.await?, a.await?])
});

#[tokio::test]
async fn order_decides() {
    let failed = |signal| {
        let failure = TerminalError::new("no").into_failure();
        notify(Id::SignalId(signal), notification::Result::Failure(failure))
    };
    let sleep = Frame::message(MessageType::SLEEP_COMMAND, &SleepCommand::default());
    /// Name, handler, commands of the journal, notifications, result.
    type Row = (&'static str, Enter, Vec<Frame>, Vec<Frame>, &'static str);
    let table: Vec<Row> = vec![
        ("join", JOIN, vec![], vec![answered(18, "2"), answered(17, "1")], "[1,2]"),
        ("select a", SELECT, vec![], vec![answered(17, "1"), answered(18, "2")], "[1]"),
        ("select b", SELECT, vec![], vec![answered(18, "2"), answered(17, "1")], "[2,1]"),
        (
            "unordered",
            UNORDERED,
            vec![],
            vec![answered(19, "3"), answered(17, "1"), answered(18, "2")],
            "[3,1,2]",
        ),
        ("race", RACE, vec![], vec![answered(18, "2"), answered(17, "1")], "[1,2]"),
        ("all", ALL, vec![], vec![answered(18, "2"), answered(17, "1")], "[1,2]"),
        ("all fails", ALL, vec![], vec![failed(18), answered(17, "1")], "500 no"),
        ("settled", SETTLED, vec![], vec![failed(18), answered(17, "1")], "[1,-1]"),
        (
            "nested",
            NESTED,
            vec![],
            vec![answered(18, "2"), answered(17, "1"), answered(19, "3")],
            "[1,3]",
        ),
        ("kept", KEPT, vec![sleep], vec![slept(1), answered(17, "1"), answered(18, "2")], "[2,1]"),
    ];
    for (name, handler, commands, notifications, expected) in table {
        // Live, each at its time; live, all at once; on replay.
        let mut live = Peer::replay(handler, &commands);
        live.written().await;
        for notification in &notifications {
            live.send(std::slice::from_ref(notification));
            let frames = live.written().await;
            if frames.iter().any(|frame| frame.ty == MessageType::OUTPUT_COMMAND) {
                let shown = format!("{:?}", frames[0].payload);
                assert!(shown.contains(expected.trim_start_matches("500 ")), "{name} {shown}");
                break;
            }
        }
        live.close();
        live.written().await;
        assert!(live.attempt.is_finished(), "{name}");

        let mut at_once = Peer::replay(handler, &commands);
        at_once.written().await;
        at_once.send(&notifications);
        assert_eq!(at_once.result().await, expected, "{name}");

        let mut replay = Peer::replay(handler, &[commands, notifications].concat());
        assert_eq!(replay.result().await, expected, "{name}");
    }
}

#[tokio::test]
async fn branches_are_recorded_in_the_order_of_their_results() {
    let mut live = Peer::replay(BRANCHES, &[]);
    live.send(&[answered(18, "2")]);
    let first = live.written().await;
    assert_eq!(names(&first)[..2], ["Run", "ProposeRunCompletion"]);
    live.send(&[answered(17, "1"), ack(1)]);
    let second = live.written().await;
    assert_eq!(names(&second)[..2], ["Run", "ProposeRunCompletion"]);
    live.send(&[ack(2)]);
    assert_eq!(live.result().await, "[1,2]");
    let runs = [first[0].clone(), second[0].clone()];
    let journal = [&runs[..1], &[answered(18, "2"), answered(17, "1")], &runs[1..]].concat();
    let results = [completed(1, "2"), completed(2, "1")];
    let mut replay = Peer::replay(BRANCHES, &[journal, results.to_vec()].concat());
    assert_eq!(replay.result().await, "[1,2]");
}

/// Not with the failure that came last: on replay no step makes the handler look at each of them.
#[tokio::test]
async fn any_of_failures_ends_with_that_of_the_last_future() {
    static GATE: Semaphore = Semaphore::const_new(0);
    const HANDLER: Enter = handler!(|ctx| {
        let three = (0..3).map(|_| ctx.awakeable::<i32>().1);
        let step = ctx.run("step", async || {
            for _ in 0..2 {
                GATE.acquire().await?.forget();
            }
            Ok(())
        });
        let (first, step) = join!(any(three), step);
        step?;
        Ok(first.map_err(|error| error.message().to_owned()).unwrap_err())
    });
    let failed = |signal: u32| {
        let failure = TerminalError::new(format!("failure {signal}")).into_failure();
        notify(Id::SignalId(signal), notification::Result::Failure(failure))
    };
    for order in [[17, 18, 19], [19, 18, 17], [18, 19, 17]] {
        let failures = order.map(failed);
        let mut live = Peer::replay(HANDLER, &[]);
        let run = live.written().await.swap_remove(0);
        for failure in &failures[..2] {
            live.send(std::slice::from_ref(failure));
            live.written().await;
            GATE.add_permits(1);
            live.written().await;
        }
        live.send(&[failures[2].clone(), ack(1)]);
        assert_eq!(live.result().await, "\"failure 19\"", "{order:?}");
        let done = notify(Id::CompletionId(1), notification::Result::Void(Void {}));
        let journal = [&[run][..], &failures, &[done]].concat();
        assert_eq!(Peer::replay(HANDLER, &journal).result().await, "\"failure 19\"", "{order:?}");
    }
}

/// Two closures run at the same time, each waiting for the other.
#[tokio::test]
async fn steps_run_side_by_side() {
    let mut peer = Peer::replay(
        handler!(|ctx| {
            let barrier = tokio::sync::Barrier::new(2);
            let step = |name| ctx.run(name, || async { Ok(barrier.wait().await.is_leader()) });
            let (a, b) = join!(step("a"), step("b"));
            Ok(a? != b?)
        }),
        &[],
    );
    let frames = peer.written().await;
    assert_eq!(names(&frames)[..2], ["Run", "Run"]);
    assert_eq!(names(&frames)[2..4], ["ProposeRunCompletion", "ProposeRunCompletion"]);
    peer.send(&[ack(1), ack(2)]);
    assert_eq!(peer.result().await, "true");
}

/// Every await of that moment fails, and the compensation runs.
#[tokio::test]
async fn cancellation_is_a_failure_of_what_is_awaited() {
    const HANDLER: Enter = handler!(|ctx| {
        let (a, b) = join!(ctx.awakeable::<i32>().1, ctx.sleep(Duration::from_secs(1)));
        let cancelled = [a.is_err_and(|e| e.is_cancelled()), b.is_err_and(|e| e.is_cancelled())];
        let undone = ctx.run("undo", async || Ok("undone".to_owned())).await?;
        Ok((cancelled, undone))
    });
    let mut live = Peer::replay(HANDLER, &[]);
    let sleep = live.written().await.swap_remove(0);
    live.send(&[cancel()]);
    let run = live.written().await.swap_remove(0);
    assert_eq!(run.ty, MessageType::RUN_COMMAND);
    live.send(&[ack(2)]);
    let expected = r#"[[true,true],"undone"]"#;
    assert_eq!(live.result().await, expected);
    let journal = [sleep, cancel(), run, completed(2, "\"undone\"")];
    assert_eq!(Peer::replay(HANDLER, &journal).result().await, expected);
}

/// A step that lost a race is dropped in the middle; nothing waits for it.
#[tokio::test]
async fn dropped_step_does_not_hold_up() {
    let mut peer = Peer::replay(
        handler!(|ctx| {
            let (_, answer) = ctx.awakeable::<i32>();
            let step = ctx.run("never", async || {
                std::future::pending::<()>().await;
                Ok(0)
            });
            let (_, first) = race([answer.into_boxed(), step.into_boxed()]).await?;
            Ok(first + ctx.awakeable::<i32>().1.await?)
        }),
        &[],
    );
    peer.send(&[answered(17, "1")]);
    // The hint shows that no step is thought to run.
    assert_eq!(names(&peer.written().await), ["Run", "AwaitingOn"]);
    peer.close();
    assert_eq!(names(&peer.written().await), ["Suspension"]);
}

#[tokio::test]
async fn thousands_at_once() {
    const COUNT: u32 = 2000;
    let mut peer = Peer::replay(
        handler!(|ctx| {
            let mut all: FuturesUnordered<_> =
                (0..COUNT).map(|_| ctx.awakeable::<u32>().1).collect();
            let mut sum = 0;
            while let Some(result) = all.next().await {
                sum += result?;
            }
            Ok(sum)
        }),
        &[],
    );
    let answers: Vec<_> = (17..17 + COUNT).map(|signal| answered(signal, "1")).collect();
    peer.send(&answers);
    assert_eq!(peer.result().await, COUNT.to_string());
}

/// Results are functions of the context, as a helper takes it.
#[tokio::test]
async fn helpers_take_a_context() {
    async fn helper(ctx: &Context) -> Result<i32, TerminalError> {
        ctx.awakeable().1.await
    }
    let handler: Enter =
        handler!(crate::ObjectContext, |ctx, _input: i32| Ok(helper(ctx).await? + 1));
    let mut peer = Peer::replay(handler, &[answered(17, "1")]);
    assert_eq!(peer.result().await, "2");
}
