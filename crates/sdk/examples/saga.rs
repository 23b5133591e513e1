//! A saga: what was done is undone when a later part fails for good, or when the whole is cancelled.

use reveille::{Context, Endpoint, HandlerResult, TerminalError};
use serde::{Deserialize, Serialize};

/// Serves on the port that the guide uses.
#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    Endpoint::builder().bind(Travel).build()?.listen("127.0.0.1:9080").await?;
    Ok(())
}

/// A trip to book.
#[derive(Serialize, Deserialize, Clone, Debug)]
pub struct Trip {
    /// Where to.
    pub destination: String,
    /// How much there is to spend.
    pub budget: u32,
}

/// What can be booked, and given back.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Debug)]
pub enum Part {
    /// A seat.
    Flight,
    /// A room.
    Hotel,
    /// Wheels.
    Car,
}

/// Books trips.
pub struct Travel;

#[reveille::service]
impl Travel {
    /// Books all parts of a trip, or none of them.
    pub async fn book(&self, ctx: &Context, trip: Trip) -> HandlerResult<Vec<String>> {
        let mut booked = Vec::new();
        let mut tickets = Vec::new();
        for part in [Part::Flight, Part::Hotel, Part::Car] {
            // Undone even if it is unknown whether it was done: undoing has to be harmless then.
            booked.push(part);
            let name = format!("book {part:?}");
            match ctx.run(name, async || reserve(&trip, part).await).await {
                Ok(ticket) => tickets.push(ticket),
                Err(error) => {
                    for part in booked.into_iter().rev() {
                        let name = format!("undo {part:?}");
                        ctx.run(name, async || give_back(&trip, part).await).await?;
                    }
                    return Err(error.into());
                }
            }
        }
        Ok(tickets)
    }
}

/// Stands for a request to somebody who sells such things.
async fn reserve(trip: &Trip, part: Part) -> HandlerResult<String> {
    if part == Part::Car && trip.budget < 500 {
        return Err(TerminalError::new("the car is too expensive").code(409).into());
    }
    Ok(format!("{part:?} in {}", trip.destination))
}

/// Stands for the opposite request.
async fn give_back(trip: &Trip, part: Part) -> HandlerResult<()> {
    println!("no {part:?} in {}", trip.destination);
    Ok(())
}
