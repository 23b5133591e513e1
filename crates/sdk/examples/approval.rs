//! A handler waits for a person, who answers with a `curl`.
//!
//! The wait is an awakeable: an id that is given away in a step, and an answer that may take weeks.

use reveille::{Context, Endpoint, HandlerResult};

/// Serves on the port that the guide uses.
#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    Endpoint::builder().bind(Approval).build()?.listen("127.0.0.1:9080").await?;
    Ok(())
}

/// Asks people.
pub struct Approval;

#[reveille::service]
impl Approval {
    /// Asks whether something may be published, and returns the answer.
    pub async fn ask(&self, ctx: &Context, what: String) -> HandlerResult<String> {
        let (id, answer) = ctx.awakeable::<String>();
        let ask = async || {
            println!("May {what} be published? Answer with");
            println!("curl localhost:8080/restate/awakeables/{id}/resolve --json '\"yes\"'");
            Ok(())
        };
        ctx.run("ask", ask).await?;
        Ok(format!("{what}: {}", answer.await?))
    }
}
