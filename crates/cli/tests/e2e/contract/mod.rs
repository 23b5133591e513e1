//! What requests are answered, against the real binary.
//!
//! - [`scripts`]: the contract, case by case; needs no SDK.
//! - The others: what a script cannot say, with the real SDK behind it or over a bare connection.

mod admin;
mod ids;
mod raw;
mod scripts;

use super::harness::{Cluster, Mode, Setup};

const JSON: (&str, &[u8]) = ("content-type", b"application/json");

async fn cluster() -> Cluster {
    Cluster::start(Setup::new(Mode::Bidi, 7)).await
}
