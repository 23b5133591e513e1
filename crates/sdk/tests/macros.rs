//! The attribute macros: what is served and announced, and what the clients ask for.

use std::time::Duration;

use reveille::{
    Context, Endpoint, HandlerResult, ObjectContext, Options, SharedObjectContext,
    SharedWorkflowContext, WorkflowContext, payload::Raw,
};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
struct Review {
    text: String,
}

#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
struct Decision {
    approved: bool,
}

struct Approval;

/// Approves things.
#[reveille::service]
impl Approval {
    /// Asks for a review.
    ///
    /// It may take long.
    async fn review(&self, ctx: &Context, review: Review) -> HandlerResult<Decision> {
        let account = AccountClient::new(ctx, review.text);
        account.add(1).call().await?;
        Ok(Decision { approved: true })
    }

    #[handler(name = "doNothing", private)]
    async fn do_nothing(&self, _ctx: &Context) -> HandlerResult<()> {
        Ok(())
    }

    async fn raw(&self, _ctx: &Context, Raw(bytes): Raw) -> Result<Raw, reveille::HandlerError> {
        Ok(Raw(bytes))
    }
}

struct Account;

#[reveille::object(
    name = "account",
    lazy_state,
    inactivity_timeout = "200ms",
    journal_retention = "1 day",
    retry(
        initial_delay = "10ms",
        delay_max = "1s",
        attempts_max = 3,
        factor = 2.0,
        then = "pause"
    )
)]
impl Account {
    async fn add(&self, ctx: &ObjectContext, amount: i64) -> HandlerResult<i64> {
        let balance = ctx.get::<i64>("balance").await?.unwrap_or(0) + amount;
        ctx.set("balance", &balance);
        Ok(balance)
    }

    #[shared]
    async fn get(&self, ctx: &SharedObjectContext) -> HandlerResult<i64> {
        Ok(ctx.get("balance").await?.unwrap_or(0))
    }

    /// Less than it could have is enough.
    async fn plain(&self, ctx: &Context) -> HandlerResult<String> {
        Ok(ctx.invocation_id().to_owned())
    }
}

struct Release;

#[reveille::workflow]
impl Release {
    #[handler(workflow_retention = "7 days")]
    async fn run(&self, ctx: &WorkflowContext, version: String) -> HandlerResult<String> {
        ctx.set("phase", "waiting");
        let approver = ctx.promise::<String>("approved").await?;
        Ok(format!("{version} by {approver}"))
    }

    #[shared(name = "approve")]
    async fn approved(&self, ctx: &SharedWorkflowContext, who: String) -> HandlerResult<()> {
        ctx.promise("approved").resolve(&who).await?;
        Ok(())
    }
}

#[test]
fn what_is_announced() {
    let abort = |add: Options| add.abort_timeout(Duration::from_secs(9));
    let endpoint = Endpoint::builder()
        .bind(Approval)
        .bind_with(Account, |account| account.handler_options("add", abort))
        .bind(Release)
        .build()
        .expect("valid services");
    let manifest = endpoint.manifest();
    let services = &manifest["services"];
    let table = [
        ("/0/name", r#""Approval""#),
        ("/0/ty", r#""SERVICE""#),
        ("/0/documentation", r#""Approves things.""#),
        ("/0/handlers/0/name", r#""review""#),
        ("/0/handlers/0/documentation", r#""Asks for a review.\n\nIt may take long.""#),
        ("/0/handlers/0/input/contentType", r#""application/json""#),
        ("/0/handlers/0/input/required", "false"),
        ("/0/handlers/0/output/contentType", r#""application/json""#),
        ("/0/handlers/1/name", r#""doNothing""#),
        ("/0/handlers/1/input", "{}"),
        ("/0/handlers/1/output", "{}"),
        ("/0/handlers/1/ingressPrivate", "true"),
        ("/0/handlers/2/input/contentType", r#""*/*""#),
        ("/0/handlers/2/output/contentType", r#""application/octet-stream""#),
        ("/1/name", r#""account""#),
        ("/1/ty", r#""VIRTUAL_OBJECT""#),
        ("/1/enableLazyState", "true"),
        ("/1/inactivityTimeout", "200"),
        ("/1/journalRetention", "86400000"),
        ("/1/retryPolicyInitialInterval", "10"),
        ("/1/retryPolicyMaxInterval", "1000"),
        ("/1/retryPolicyMaxAttempts", "3"),
        ("/1/retryPolicyExponentiationFactor", "2.0"),
        ("/1/retryPolicyOnMaxAttempts", r#""PAUSE""#),
        ("/1/handlers/0/ty", r#""EXCLUSIVE""#),
        ("/1/handlers/0/abortTimeout", "9000"),
        ("/1/handlers/1/ty", r#""SHARED""#),
        ("/2/ty", r#""WORKFLOW""#),
        ("/2/handlers/0/ty", r#""WORKFLOW""#),
        ("/2/handlers/0/workflowCompletionRetention", "604800000"),
        ("/2/handlers/1/name", r#""approve""#),
        ("/2/handlers/1/ty", r#""SHARED""#),
    ];
    for (pointer, expected) in table {
        let actual = services.pointer(pointer).map(ToString::to_string);
        assert_eq!(actual.as_deref(), Some(expected), "{pointer}");
    }
    let schema = services.pointer("/0/handlers/0/input/jsonSchema/properties/text/type");
    assert_eq!(schema.is_some(), cfg!(feature = "schemars"));
}
