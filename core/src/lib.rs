//! The AstrOS daemon as a library: it recognises what a person wants, picks the plugin that can do it, and runs that
//! plugin in a process of its own.
//!
//! The way of a request, and the order in which modules may import each other:
//! `cli → control → daemon → agent → router → { bus, services, observe, supervisor → launcher } → protocol`; `registry`
//! is read by daemon and cli, `recording`, `proxy` and `python` are below the supervisor, `replay` between it and cli.

pub mod agent;
pub mod bus;
pub mod cli;
pub mod control;
pub mod daemon;
pub mod launcher;
pub mod observe;
pub mod proxy;
pub mod python;
pub mod recording;
pub mod registry;
pub mod replay;
pub mod router;
pub mod services;
pub mod supervisor;
pub mod workflow;
