//! Calls with real processes: how many work at once, who waits for whom, what is sent again, and who ends with whom.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod access;
mod harness;
mod questions;
mod repeat;
mod slots;
mod streams;
mod tree;
