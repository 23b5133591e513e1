//! Partitions without sockets: the parts alone, and a driver that is turned by hand.
//!
//! `support` makes drivers, commands and repeatable random numbers.

mod driver;
mod outputs;
mod overlay;
mod support;
mod threads;
mod timers;
