//! The AstrOS daemon as a library: it recognises what a person wants, picks the plugin that can do it, and runs that
//! plugin in a process of its own.
//!
//! The way of a request, and the order in which modules may import each other:
//! `cli → daemon → agent → router → { services, supervisor } → protocol`; `registry` is read by daemon and cli.

pub mod daemon;
pub mod registry;
pub mod services;
