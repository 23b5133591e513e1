//! Futures that a handler keeps without polling them: they hold nothing up, and are the same on replay.

use std::{
    future::{poll_fn, ready},
    sync::{Arc, Mutex},
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use futures_util::{
    FutureExt as _, StreamExt as _,
    future::{Either, pending, select},
    join,
    stream::FuturesUnordered,
};
use reveille_protocol::{
    frame::{Frame, MessageType},
    message::{AwaitingOn, Suspension, Void, notification, notification::Id},
};
use tokio::sync::Semaphore;

use super::{Enter, Peer, ack, answered, cancel, handler, names, notify};
use crate::{Durable, HandlerResult};

/// A step that was polled beside something else, which ended first.
const BY_REFERENCE: Enter = handler!(|ctx| {
    let mut step = ctx.run("kept", pending::<HandlerResult<i32>>);
    let Either::Right((first, _)) = select(&mut step, ctx.awakeable::<i32>().1).await else {
        return Ok(0);
    };
    let second = ctx.awakeable::<i32>().1.await?;
    drop(step);
    Ok(first? + second)
});

/// A step that took too long: it is not among what is awaited any more.
const BEHIND_A_TIMEOUT: Enter = handler!(|ctx| {
    let mut step = ctx.run("kept", pending::<HandlerResult<i32>>);
    let early = (&mut step).timeout(Duration::from_secs(1)).await;
    assert!(early.is_err_and(|error| error.is_timeout()));
    let (first, second) = (ctx.awakeable::<i32>().1, ctx.awakeable::<i32>().1);
    let sum = second.await? + first.await?;
    drop(step);
    Ok(sum)
});

fn signals_of(frame: &Frame) -> (Vec<u32>, Vec<u32>) {
    let tree = if frame.ty == MessageType::AWAITING_ON {
        frame.decode::<AwaitingOn>().expect("a hint").awaiting_on
    } else {
        frame.decode::<Suspension>().expect("a suspension").awaiting_on
    };
    let tree = tree.expect("a tree");
    assert!(tree.nested_futures.is_empty(), "{tree:?}");
    (tree.waiting_completions, tree.waiting_signals)
}

/// Neither the hint nor the suspension mentions it, and both come.
#[tokio::test]
async fn kept_step_does_not_hold_up() {
    let slept = notify(Id::CompletionId(2), notification::Result::Void(Void {}));
    for (name, handler, news) in [
        ("by reference", BY_REFERENCE, answered(17, "1")),
        ("behind a timeout", BEHIND_A_TIMEOUT, slept),
    ] {
        for is_stopped in [false, true] {
            let mut peer = Peer::replay(handler, &[]);
            let frames = peer.written().await;
            assert!(!names(&frames).contains(&"AwaitingOn"), "{name}: a step is executed");
            peer.send(std::slice::from_ref(&news));
            let frames = peer.written().await;
            assert_eq!(names(&frames), ["AwaitingOn"], "{name}");
            assert_eq!(signals_of(&frames[0]), (vec![], vec![18, 1]), "{name}");
            if is_stopped {
                peer.stopping.send(true).expect("an attempt");
                assert!(peer.written().await.is_empty(), "{name}");
            } else {
                peer.close();
                let frames = peer.written().await;
                assert_eq!(names(&frames), ["Suspension"], "{name}");
                assert_eq!(signals_of(&frames[0]), (vec![], vec![18, 1]), "{name}");
            }
            assert!(peer.attempt.is_finished(), "{name}");
        }
    }
}

/// It is awaited although its closure has not been polled since something else ended.
#[tokio::test]
async fn step_in_a_set_of_futures_is_awaited() {
    static GATE: Semaphore = Semaphore::const_new(0);
    let mut peer = Peer::replay(
        handler!(|ctx| {
            let step = |name| {
                ctx.run(name, || async {
                    GATE.acquire().await?.forget();
                    Ok(1)
                })
            };
            let steps = ["a", "b"].map(|name| step(name).into_boxed());
            let mut all = FuturesUnordered::from_iter(steps);
            all.push(ctx.awakeable::<i32>().1.into_boxed());
            let mut sum = 0;
            while let Some(number) = all.next().await {
                sum += number?;
            }
            Ok(sum)
        }),
        &[],
    );
    assert_eq!(names(&peer.written().await), ["Run", "Run"]);
    peer.send(&[answered(17, "5")]);
    assert!(peer.written().await.is_empty());
    GATE.add_permits(1);
    assert_eq!(names(&peer.written().await), ["ProposeRunCompletion"]);
    peer.close();
    assert!(peer.written().await.is_empty());
    GATE.add_permits(1);
    assert_eq!(names(&peer.written().await), ["ProposeRunCompletion", "Suspension"]);
}

/// What was set aside goes on where it was, whether it was woken meanwhile or not.
#[tokio::test]
async fn kept_step_that_is_awaited_again_goes_on() {
    static GATE: Semaphore = Semaphore::const_new(0);
    const HANDLER: Enter = handler!(|ctx| {
        let mut step = ctx.run("kept", || async {
            GATE.acquire().await?.forget();
            Ok(1)
        });
        let Either::Right((first, _)) = select(&mut step, ctx.awakeable::<i32>().1).await else {
            return Ok(0);
        };
        let second = ctx.awakeable::<i32>().1.await?;
        let (step, third) = join!(step, ctx.awakeable::<i32>().1);
        Ok(first? + second + step? + third?)
    });
    for is_woken_early in [true, false] {
        let mut peer = Peer::replay(HANDLER, &[]);
        peer.send(&[answered(17, "10")]);
        assert_eq!(names(&peer.written().await), ["Run", "AwaitingOn"]);
        if is_woken_early {
            GATE.add_permits(1);
            assert!(peer.written().await.is_empty());
        }
        peer.send(&[answered(18, "100")]);
        if !is_woken_early {
            assert!(peer.written().await.is_empty(), "a step is executed");
            GATE.add_permits(1);
        }
        assert_eq!(names(&peer.written().await), ["ProposeRunCompletion", "AwaitingOn"]);
        peer.send(&[ack(1), answered(19, "1000")]);
        assert_eq!(peer.result().await, "1111");
    }
}

/// Wakes a step, and then its handler.
struct Both {
    step: Arc<Mutex<Option<Waker>>>,
    handler: Waker,
}

impl Wake for Both {
    fn wake(self: Arc<Self>) {
        if let Some(step) = &*self.step.lock().expect("no panic") {
            step.wake_by_ref();
        }
        self.handler.wake_by_ref();
    }
}

/// What it is polled for together with news is no sign that it is awaited after them.
#[tokio::test]
async fn kept_step_that_is_woken_together_with_news_does_not_hold_up() {
    const HANDLER: Enter = handler!(|ctx| {
        let of_step = Arc::new(Mutex::new(None));
        let mut step = ctx.run("kept", || {
            poll_fn(|cx| {
                of_step.lock().expect("no panic").replace(cx.waker().clone());
                Poll::<HandlerResult<i32>>::Pending
            })
        });
        let mut answer = ctx.awakeable::<i32>().1;
        let first = poll_fn(|cx| {
            assert!(step.poll_unpin(cx).is_pending());
            let both = Both { step: of_step.clone(), handler: cx.waker().clone() };
            answer.poll_unpin(&mut Context::from_waker(&Waker::from(Arc::new(both))))
        });
        let first = first.await?;
        let second = ctx.awakeable::<i32>().1.await?;
        drop(step);
        Ok(first + second)
    });
    let mut peer = Peer::replay(HANDLER, &[]);
    assert_eq!(names(&peer.written().await), ["Run"]);
    peer.send(&[answered(17, "1")]);
    assert_eq!(names(&peer.written().await), ["AwaitingOn"]);
    peer.send(&[answered(18, "2")]);
    assert_eq!(peer.result().await, "3");
}

/// A step that is handed out and not polled is to a cancellation what it is on replay.
#[tokio::test]
async fn kept_step_hears_of_a_cancellation_as_on_replay() {
    const HANDLER: Enter = handler!(|ctx| {
        let mut step = ctx.run("kept", async || Ok(1));
        let Either::Right(_) = select(&mut step, ready(())).await else {
            return Ok((false, false));
        };
        let other = ctx.awakeable::<i32>().1.await;
        let step = step.await;
        let is_cancelled =
            |result: crate::DurableResult<i32>| result.is_err_and(|error| error.is_cancelled());
        Ok((is_cancelled(other), is_cancelled(step)))
    });
    let mut live = Peer::replay(HANDLER, &[]);
    let run = live.written().await.swap_remove(0);
    live.send(&[cancel()]);
    let live = live.result().await;
    let replay = Peer::replay(HANDLER, &[run, cancel()]).result().await;
    assert_eq!((live.as_str(), replay.as_str()), ("[true,true]", "[true,true]"));
}

/// What was kept over a cancellation that the handler heard elsewhere is awaited afresh.
#[tokio::test]
async fn kept_future_does_not_hear_of_an_old_cancellation() {
    const HANDLER: Enter = handler!(|ctx| {
        let mut kept = ctx.awakeable::<i32>().1;
        let Either::Right(_) = select(&mut kept, ctx.awakeable::<i32>().1).await else {
            return Ok((false, 0));
        };
        let cancelled = ctx.awakeable::<i32>().1.await;
        ctx.run("undo", async || Ok(())).await?;
        Ok((cancelled.is_err_and(|error| error.is_cancelled()), kept.await?))
    });
    let mut live = Peer::replay(HANDLER, &[]);
    live.written().await;
    live.send(&[answered(18, "1")]);
    live.written().await;
    live.send(&[cancel()]);
    let run = live.written().await.swap_remove(0);
    assert_eq!(run.ty, MessageType::RUN_COMMAND);
    live.send(&[ack(1)]);
    assert_eq!(names(&live.written().await), ["AwaitingOn"]);
    live.send(&[answered(17, "7")]);
    assert_eq!(live.result().await, "[true,7]");
    let undone = notify(Id::CompletionId(1), notification::Result::Void(Void {}));
    let journal = [answered(18, "1"), cancel(), run, undone, answered(17, "7")];
    assert_eq!(Peer::replay(HANDLER, &journal).result().await, "[true,7]");
}

/// A second cancellation is another one: what is awaited by then hears of it.
#[tokio::test]
async fn kept_future_hears_of_the_next_cancellation() {
    const HANDLER: Enter = handler!(|ctx| {
        let mut kept = ctx.awakeable::<i32>().1;
        let Either::Right(_) = select(&mut kept, ctx.awakeable::<i32>().1).await else {
            return Ok((false, false));
        };
        let first = ctx.awakeable::<i32>().1.await;
        ctx.run("undo", async || Ok(())).await?;
        let second = kept.await;
        let is_cancelled =
            |result: crate::DurableResult<i32>| result.is_err_and(|error| error.is_cancelled());
        Ok((is_cancelled(first), is_cancelled(second)))
    });
    let mut live = Peer::replay(HANDLER, &[]);
    live.send(&[answered(18, "1"), cancel()]);
    let run = live.written().await.swap_remove(0);
    live.send(&[ack(1)]);
    assert_eq!(names(&live.written().await), ["AwaitingOn"]);
    live.send(&[cancel()]);
    assert_eq!(live.result().await, "[true,true]");
    let undone = notify(Id::CompletionId(1), notification::Result::Void(Void {}));
    let journal = [answered(18, "1"), cancel(), run, undone, cancel()];
    assert_eq!(Peer::replay(HANDLER, &journal).result().await, "[true,true]");
}

/// Beside a step that is only kept, something that is not durable is awaited alone: for a moment, and no longer.
#[tokio::test(start_paused = true)]
async fn kept_step_is_nothing_to_wait_for() {
    const HANDLER: Enter = handler!(|ctx| {
        let mut step = ctx.run("kept", pending::<HandlerResult<i32>>);
        let Either::Right(_) = select(&mut step, ready(())).await else { return Ok(0) };
        // Pacing: what is admitted alone.
        tokio::time::sleep(Duration::from_secs(1)).await;
        drop(step);
        Ok(1)
    });
    const ENDLESS: Enter = handler!(|ctx| {
        let mut step = ctx.run("kept", pending::<HandlerResult<i32>>);
        let Either::Right(_) = select(&mut step, ready(())).await else {
            return Ok(0);
        };
        pending::<()>().await;
        drop(step);
        Ok(1)
    });
    for is_closed in [false, true] {
        let mut peer = Peer::replay(HANDLER, &[]);
        assert_eq!(names(&peer.written().await), ["Run"]);
        if is_closed {
            peer.close();
        }
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(peer.result().await, "1");
        let mut endless = Peer::replay(ENDLESS, &[]);
        endless.written().await;
        if is_closed {
            endless.close();
        }
        let message = endless.error_after(Duration::from_secs(20)).await;
        assert!(message.contains("not durable"), "{message}");
    }
}
