//! The control API: how commands and programs speak with a running daemon.

pub mod api;
mod failure;

pub use failure::{Failure, NO_DAEMON};
