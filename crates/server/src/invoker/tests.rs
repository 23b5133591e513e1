//! Attempts and discovery against deployments on real sockets.
//!
//! `support` is the only part that knows the APIs: a deployment whose streams a test drives by
//! hand, and a partition that hands out what it is told. Nothing waits for time to pass, except
//! for the timeouts that are under test.

mod attempts;
mod discovery;
mod failures;
mod http1;
mod pool;
mod support;
mod timeouts;
mod tls;
