//! Virtual objects: one writer per key, readers at any time.

use reveille::{HandlerResult, ObjectContext, SharedObjectContext, TerminalError};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::notes::announce;

#[derive(Serialize, Deserialize)]
pub struct Withdrawal {
    pub name: String,
    pub amount: i64,
}

pub struct Account;

#[reveille::object(name = "account")]
impl Account {
    async fn add(&self, ctx: &ObjectContext, amount: i64) -> HandlerResult<i64> {
        let balance = ctx.get::<i64>("balance").await?.unwrap_or(0) + amount;
        ctx.set("balance", &balance);
        Ok(balance)
    }

    /// Holds the key until somebody approves; later calls of this key queue up behind it.
    async fn withdraw(&self, ctx: &ObjectContext, withdrawal: Withdrawal) -> HandlerResult<String> {
        let Withdrawal { name, amount } = withdrawal;
        let (wait, answer) = ctx.awakeable::<String>();
        announce(ctx, &name, &wait).await?;
        let verdict = answer.await?;
        let balance = ctx.get::<i64>("balance").await?.unwrap_or(0) - amount;
        ctx.set("balance", &balance);
        Ok(format!("{verdict} {balance}"))
    }

    async fn book(&self, ctx: &ObjectContext, line: String) -> HandlerResult<Vec<String>> {
        let mut statement = ctx.get::<Vec<String>>("statement").await?.unwrap_or_default();
        statement.push(line);
        ctx.set("statement", &statement);
        Ok(statement)
    }

    #[shared]
    async fn get(&self, ctx: &SharedObjectContext) -> HandlerResult<i64> {
        Ok(ctx.get("balance").await?.unwrap_or(0))
    }
}

#[derive(Serialize, Deserialize)]
pub struct Entry {
    name: String,
    value: Value,
}

/// An object of named cells; its state travels with each attempt, or is fetched when read.
macro_rules! cells {
    ($type:ident, $name:literal, $lazy:literal) => {
        pub struct $type;

        #[reveille::object(name = $name, lazy_state = $lazy)]
        impl $type {
            async fn put(&self, ctx: &ObjectContext, entry: Entry) -> HandlerResult<()> {
                ctx.set(&entry.name, &entry.value);
                Ok(())
            }

            async fn clear(&self, ctx: &ObjectContext, name: String) -> HandlerResult<()> {
                ctx.clear(&name);
                Ok(())
            }

            #[handler(name = "clearAll")]
            async fn clear_all(&self, ctx: &ObjectContext) -> HandlerResult<()> {
                ctx.clear_all();
                Ok(())
            }

            #[handler(name = "putAndFail")]
            async fn put_and_fail(&self, ctx: &ObjectContext, entry: Entry) -> HandlerResult<()> {
                let Entry { name, value } = entry;
                ctx.set(&name, &value);
                let value = ctx.get::<Value>(&name).await?.unwrap_or_default();
                Err(TerminalError::new(format!("{name} is {value}")).into())
            }

            #[shared]
            async fn get(
                &self,
                ctx: &SharedObjectContext,
                name: String,
            ) -> HandlerResult<Option<Value>> {
                Ok(ctx.get(&name).await?)
            }

            #[shared]
            async fn keys(&self, ctx: &SharedObjectContext) -> HandlerResult<Vec<String>> {
                Ok(ctx.keys().await?)
            }
        }
    };
}

cells!(Cabinet, "cabinet", false);
cells!(Archive, "archive", true);
