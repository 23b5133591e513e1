//! Named signals: messages to a running invocation.

use reveille::{Context, HandlerResult, ObjectContext, TerminalError};
use serde::{Deserialize, Serialize};

use crate::notes::note;

#[derive(Serialize, Deserialize)]
pub struct Message {
    id: String,
    name: String,
    text: String,
}

pub struct Meeting;

#[reveille::service(name = "meeting")]
impl Meeting {
    async fn wait(&self, ctx: &Context, name: String) -> HandlerResult<String> {
        Ok(ctx.signal(&name).await?)
    }

    #[handler(name = "waitTwice")]
    async fn wait_twice(&self, ctx: &Context, name: String) -> HandlerResult<[String; 2]> {
        let first: String = ctx.signal(&name).await?;
        note(ctx, ctx.invocation_id(), &format!("heard {first}")).await?;
        Ok([first, ctx.signal(&name).await?])
    }

    async fn tell(&self, ctx: &Context, message: Message) -> HandlerResult<()> {
        ctx.invocation::<String>(message.id).signal(&message.name, &message.text);
        Ok(())
    }

    async fn refuse(&self, ctx: &Context, message: Message) -> HandlerResult<()> {
        let failure = TerminalError::new(message.text).code(403);
        ctx.invocation::<String>(message.id).signal_failure(&message.name, failure);
        Ok(())
    }
}

pub struct Room;

#[reveille::object(name = "room")]
impl Room {
    /// One meeting at a time per room: the next one is queued, and its signals wait with it.
    async fn wait(&self, ctx: &ObjectContext, name: String) -> HandlerResult<String> {
        Ok(ctx.signal(&name).await?)
    }
}
