//! Code of users, such as a serializer or the text of an error, may use the context: it never runs under the lock
//! of the attempt.

use std::{cell::RefCell, fmt, sync::Arc};

use reveille_protocol::frame::MessageType;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Enter, Peer, answered, handler, names};
use crate::{Context, attempt::Attempt};

thread_local! {
    /// The attempt of the handler that runs on the thread of the test.
    static ATTEMPT: RefCell<Option<Arc<Attempt>>> = const { RefCell::new(None) };
}

fn remember(ctx: &Context) {
    ATTEMPT.set(Some(ctx.attempt().clone()));
}

/// Uses the context, after a look at whether it would block.
fn use_context() {
    let attempt = ATTEMPT.with_borrow(|attempt| attempt.clone().expect("a handler"));
    assert!(attempt.core.try_lock().is_ok(), "the attempt is locked");
    Context::new(attempt).rand().u64();
}

/// A value and an error whose code uses the context.
#[derive(Debug)]
struct Nosy;

impl Serialize for Nosy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use_context();
        serializer.serialize_u32(1)
    }
}

impl<'de> Deserialize<'de> for Nosy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use_context();
        u32::deserialize(deserializer).map(|_| Self)
    }
}

impl fmt::Display for Nosy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use_context();
        f.write_str("nosy")
    }
}

impl std::error::Error for Nosy {}

/// What is written or read where, and a part of the explanation where the context must not be used.
const TABLE: &[(&str, Enter, Option<&str>)] = &[
    (
        "value of a step",
        handler!(|ctx| {
            remember(ctx);
            ctx.run("nosy", async || Ok(Nosy)).await?;
            Ok(())
        }),
        Some("within the step \"nosy\""),
    ),
    (
        "error of a step",
        handler!(|ctx| {
            remember(ctx);
            Ok(ctx.run("nosy", async || Err::<(), _>(Nosy.into())).await?)
        }),
        Some("within the step \"nosy\""),
    ),
    (
        "error of a handler",
        handler!(|ctx| {
            remember(ctx);
            Err::<(), _>(Nosy.into())
        }),
        Some("outside of its handler"),
    ),
    (
        "result of a handler",
        handler!(|ctx| {
            remember(ctx);
            Ok(Nosy)
        }),
        None,
    ),
    (
        "answer of an awakeable",
        handler!(|ctx| {
            remember(ctx);
            ctx.resolve_awakeable("sign_1x", &Nosy);
            Ok(())
        }),
        None,
    ),
    (
        "value of an awakeable",
        handler!(|ctx| {
            remember(ctx);
            ctx.awakeable::<Nosy>().1.await?;
            Ok(())
        }),
        None,
    ),
    (
        "state",
        handler!(crate::ObjectContext, |ctx, _input: i32| {
            remember(ctx);
            ctx.set("k", &Nosy);
            ctx.get::<Nosy>("k").await?;
            Ok(())
        }),
        None,
    ),
];

#[tokio::test]
async fn code_of_users_runs_without_the_lock_of_the_attempt() {
    for (what, handler, expected) in TABLE {
        let mut peer = Peer::replay(*handler, &[]);
        peer.send(&[answered(17, "1")]);
        match expected {
            Some(part) => {
                let message = peer.error().await.message;
                assert!(message.contains(part), "{what}: {message}");
            }
            None => {
                let frames = peer.written().await;
                assert_eq!(frames.last().map(|frame| frame.ty), Some(MessageType::END), "{what}");
                assert!(!names(&frames).contains(&"Error"), "{what}");
            }
        }
    }
}
