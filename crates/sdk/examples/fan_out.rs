//! Fan-out and fan-in: many handlers at the same time, and one result.

use reveille::{Context, Endpoint, HandlerResult, TerminalError, all};

/// Serves on the port that the guide uses.
#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    Endpoint::builder().bind(Words).build()?.listen("127.0.0.1:9080").await?;
    Ok(())
}

/// Counts words.
pub struct Words;

#[reveille::service]
impl Words {
    /// Counts the words of all texts, each by an invocation of its own.
    pub async fn count_all(&self, ctx: &Context, texts: Vec<String>) -> HandlerResult<usize> {
        let words = WordsClient::new(ctx);
        // The calls are made here, and run at the same time, wherever there is room.
        let counts = texts.into_iter().map(|text| words.count(text).call());
        Ok(all(counts).await?.into_iter().sum())
    }

    /// Counts the words of one text.
    pub async fn count(&self, _ctx: &Context, text: String) -> HandlerResult<usize> {
        if text.is_empty() {
            return Err(TerminalError::new("an empty text").code(400).into());
        }
        Ok(text.split_whitespace().count())
    }
}
