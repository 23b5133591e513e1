//! A workflow runs by one handler, not by two.

use reveille::{HandlerResult, WorkflowContext};

struct Thing;

#[reveille::workflow]
impl Thing {
    async fn run(&self, _ctx: &WorkflowContext) -> HandlerResult<()> {
        Ok(())
    }

    async fn walk(&self, _ctx: &WorkflowContext) -> HandlerResult<()> {
        Ok(())
    }
}

fn main() {}
