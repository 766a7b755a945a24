//! The supervisor with real processes.

#![allow(clippy::unwrap_used, reason = "a test may fail there")]

mod crash;
mod harness;
mod instances;
mod life;
mod start;
mod watch;
