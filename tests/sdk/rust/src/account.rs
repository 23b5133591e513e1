//! Virtual objects: one writer per key, readers at any time.

use restate_sdk::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Serialize, Deserialize)]
pub struct Withdrawal {
    pub name: String,
    pub amount: i64,
}

pub struct Account;

#[restate_sdk::object(name = "account")]
impl Account {
    #[handler]
    async fn add(&self, ctx: ObjectContext<'_>, amount: i64) -> HandlerResult<i64> {
        let balance = ctx.get::<i64>("balance").await?.unwrap_or(0) + amount;
        ctx.set("balance", balance);
        Ok(balance)
    }

    /// Holds the key until somebody approves; later calls of this key queue up behind it.
    #[handler]
    async fn withdraw(
        &self,
        ctx: ObjectContext<'_>,
        withdrawal: Json<Withdrawal>,
    ) -> HandlerResult<String> {
        let Withdrawal { name, amount } = withdrawal.into_inner();
        let (wait, answer) = ctx.awakeable::<String>();
        announce!(ctx, &name, wait)?;
        let verdict = answer.await?;
        let balance = ctx.get::<i64>("balance").await?.unwrap_or(0) - amount;
        ctx.set("balance", balance);
        Ok(format!("{verdict} {balance}"))
    }

    #[handler]
    async fn book(&self, ctx: ObjectContext<'_>, line: String) -> HandlerResult<Json<Vec<String>>> {
        let statement = ctx.get::<Json<Vec<String>>>("statement").await?;
        let mut statement = statement.map(Json::into_inner).unwrap_or_default();
        statement.push(line);
        ctx.set("statement", Json(statement.clone()));
        Ok(Json(statement))
    }

    #[handler]
    async fn get(&self, ctx: SharedObjectContext<'_>) -> HandlerResult<i64> {
        Ok(ctx.get::<i64>("balance").await?.unwrap_or(0))
    }
}

#[derive(Serialize, Deserialize)]
pub struct Entry {
    name: String,
    value: Value,
}

/// An object of named cells; its state travels with each attempt, or is fetched when read.
///
/// The context wants a name that lives as long as itself; a test may leak one.
macro_rules! cells {
    ($type:ident, $name:tt, $lazy:tt) => {
        pub struct $type;

        #[restate_sdk::object(name = $name, lazy_state = $lazy)]
        impl $type {
            #[handler]
            async fn put(&self, ctx: ObjectContext<'_>, entry: Json<Entry>) -> HandlerResult<()> {
                let Entry { name, value } = entry.into_inner();
                ctx.set(&name, Json(value));
                Ok(())
            }

            #[handler]
            async fn clear(&self, ctx: ObjectContext<'_>, name: String) -> HandlerResult<()> {
                ctx.clear(&name);
                Ok(())
            }

            #[handler(name = "clearAll")]
            async fn clear_all(&self, ctx: ObjectContext<'_>) -> HandlerResult<()> {
                ctx.clear_all();
                Ok(())
            }

            #[handler(name = "putAndFail")]
            async fn put_and_fail(
                &self,
                ctx: ObjectContext<'_>,
                entry: Json<Entry>,
            ) -> HandlerResult<()> {
                let Entry { name, value } = entry.into_inner();
                ctx.set(&name, Json(value));
                let value =
                    ctx.get::<Json<Value>>(name.clone().leak()).await?.map(Json::into_inner);
                let value = value.unwrap_or_default();
                Err(TerminalError::new(format!("{name} is {value}")).into())
            }

            #[handler]
            async fn get(
                &self,
                ctx: SharedObjectContext<'_>,
                name: String,
            ) -> HandlerResult<Option<Json<Value>>> {
                Ok(ctx.get(name.leak()).await?)
            }

            #[handler]
            async fn keys(&self, ctx: SharedObjectContext<'_>) -> HandlerResult<Json<Vec<String>>> {
                let mut keys = ctx.get_keys().await?;
                keys.sort();
                Ok(Json(keys))
            }
        }
    };
}

cells!(Cabinet, "cabinet", false);
cells!(Archive, "archive", true);
