//! A workflow runs by one handler.

use reveille::{HandlerResult, SharedWorkflowContext};

struct Thing;

#[reveille::workflow]
impl Thing {
    #[shared]
    async fn get(&self, _ctx: &SharedWorkflowContext) -> HandlerResult<()> {
        Ok(())
    }
}

fn main() {}
