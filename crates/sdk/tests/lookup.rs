//! Handlers that find invocations by what they were requested with: begun before, and known by no id.

use reveille::{
    Context, Endpoint, HandlerResult, SharedWorkflowContext, Target, TerminalError,
    WorkflowContext,
    test::{TestServer, crash_everywhere},
};

struct Signup;

#[reveille::workflow]
impl Signup {
    async fn run(&self, ctx: &WorkflowContext) -> HandlerResult<String> {
        let code = ctx.promise::<String>("code").await?;
        Ok(format!("{} with {code}", ctx.key()))
    }

    #[shared]
    async fn confirm(&self, ctx: &SharedWorkflowContext, code: String) -> HandlerResult<()> {
        Ok(ctx.promise("code").resolve(&code).await?)
    }
}

struct Shop;

#[reveille::service]
impl Shop {
    /// Gives a parcel once it is answered.
    async fn order(&self, ctx: &Context, article: String) -> HandlerResult<String> {
        let paid = ctx.awakeable::<String>().1.await?;
        Ok(format!("{article} for {paid}"))
    }
}

struct Desk;

fn order(key: &str) -> (Target, &str) {
    (Target::service("Shop", "order"), key)
}

#[reveille::service]
impl Desk {
    /// Both results, by workflow and by idempotency key.
    async fn attach(&self, ctx: &Context, key: String) -> HandlerResult<[String; 2]> {
        let run = ctx.workflow_run::<String>("Signup", &*key).attach();
        let (target, key) = order(&key);
        let parcel = ctx.idempotent_invocation::<String>(target, key).attach();
        Ok([run.await?, parcel.await?])
    }

    /// What there is by now.
    async fn output(&self, ctx: &Context, key: String) -> HandlerResult<[Option<String>; 2]> {
        let run = ctx.workflow_run::<String>("Signup", &*key).output();
        let (target, key) = order(&key);
        let parcel = ctx.idempotent_invocation::<String>(target, key).output();
        Ok([run.await?, parcel.await?])
    }
}

fn endpoint() -> Endpoint {
    Endpoint::builder().bind(Signup).bind(Shop).bind(Desk).build().expect("valid services")
}

fn not_found<T>(result: Result<T, TerminalError>) -> bool {
    result.is_err_and(|error| error.to_string() == "not found (404)")
}

/// Attached while both are suspended, and answered after both were killed with everything.
#[tokio::test]
async fn results_are_found_by_workflow_and_by_idempotency_key() {
    let scenario = async |server: &TestServer| {
        let desk = DeskClient::new(server);
        let nothing = desk.attach("ann".into()).call().await;
        let no_output = desk.output("ann".into()).call().await;
        let (signup, shop) = (SignupClient::new(server, "ann"), ShopClient::new(server));
        signup.run().send().await;
        shop.order("tea".into()).idempotency_key("ann").send().await;
        let early = desk.output("ann".into()).call().await;
        let attached = desk.attach("ann".into()).send().await;
        let waiting = attached.output().await;
        server.crash();
        signup.confirm("7".into()).call().await.expect("the first code");
        let wait = server.awakeables().await.remove(0);
        server.resolve(&wait, "5 euros").await;
        let late = desk.output("ann".into()).call().await;
        let unknown = not_found(nothing) && not_found(no_output);
        (unknown, early, waiting.is_none(), attached.result().await, late)
    };
    let both = ["ann with 7", "tea for 5 euros"].map(str::to_owned);
    let expected = (true, Ok([None, None]), true, Ok(both.clone()), Ok(both.map(Some)));
    assert_eq!(crash_everywhere(endpoint, scenario).await, expected);
}
