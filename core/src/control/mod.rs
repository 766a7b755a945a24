//! The control API: how commands and programs speak with a running daemon.
//!
//! [`api`] declares it. [`run`] is the daemon that stays and serves it over its socket; [`Embedded`] is the same
//! daemon within one command, served over memory, so that the two cannot differ. [`Client`] speaks with either.

pub mod api;
pub mod client;
mod embedded;
mod failure;
mod http;
mod lifetime;
mod question;
mod request;
mod run;
mod server;
mod service;
mod socket;
mod status;
mod streams;
mod understood;

pub use client::Client;
pub use embedded::Embedded;
pub use failure::{Failure, NO_DAEMON, gone, no_daemon};
pub use run::{Signal, Signals, run};
pub use socket::is_claimed;
pub use streams::Lease;
