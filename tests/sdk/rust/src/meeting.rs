//! Named signals: messages to a running invocation.

use restate_sdk::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub struct Message {
    id: String,
    name: String,
    text: String,
}

pub struct Meeting;

#[restate_sdk::service(name = "meeting")]
impl Meeting {
    #[handler]
    async fn wait(&self, ctx: Context<'_>, name: String) -> HandlerResult<String> {
        Ok(ctx.signal::<String>(&name).await?)
    }

    #[handler(name = "waitTwice")]
    async fn wait_twice(&self, ctx: Context<'_>, name: String) -> HandlerResult<Json<[String; 2]>> {
        let first = ctx.signal::<String>(&name).await?;
        note!(ctx, ctx.invocation_id(), format!("heard {first}"))?;
        Ok(Json([first, ctx.signal::<String>(&name).await?]))
    }

    #[handler]
    async fn tell(&self, ctx: Context<'_>, message: Json<Message>) -> HandlerResult<()> {
        let Message { id, name, text } = message.into_inner();
        ctx.invocation_handle(id).signal(name).resolve(text);
        Ok(())
    }

    #[handler]
    async fn refuse(&self, ctx: Context<'_>, message: Json<Message>) -> HandlerResult<()> {
        let Message { id, name, text } = message.into_inner();
        let failure = TerminalError::new_with_code(403, text);
        ctx.invocation_handle(id).signal(name).reject(failure);
        Ok(())
    }
}

pub struct Room;

#[restate_sdk::object(name = "room")]
impl Room {
    /// One meeting at a time per room: the next one is queued, and its signals wait with it.
    #[handler]
    async fn wait(&self, ctx: ObjectContext<'_>, name: String) -> HandlerResult<String> {
        Ok(ctx.signal::<String>(&name).await?)
    }
}
