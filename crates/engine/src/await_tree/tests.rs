//! Await tree tests.
