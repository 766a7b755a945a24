//! The daemon itself, with real plugins on a real disk: what changes while it runs, and what outlives it.

#![allow(clippy::unwrap_used)]

mod change;
mod dev;
mod discovery;
mod grants;
mod harness;
mod needs;
mod settings;

mod state;
