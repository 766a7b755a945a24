//! Workflows, with a plugin that brings parts and a daemon that runs them.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod command;
mod events;
mod failures;
mod files;
mod harness;
mod kill;
mod limits;
mod orchestrators;
mod resume;
mod runs;
mod switches;
