//! The symmetric JSON-RPC connection of AstrOS, on any `AsyncRead` and `AsyncWrite`.
//!
//! [`connect`] gives a [`Peer`], the handle that asks, and a [`Connection`], the future that moves the bytes and
//! hands what the other side asks to a [`Service`]. Host and SDK use the same code.
//!
//! What it promises: frames are bounded and an oversized one costs no more memory than its limit; reading never
//! waits for writing; every request has exactly one outcome, whatever happens to its handler or to the other side;
//! a dropped [`Call`] is cancelled there too.

mod connection;
mod incoming;
mod outgoing;

mod dispatch;
pub mod frame;
mod queue;
mod salvage;
mod shared;

pub use connection::{Connection, Options, connect};
pub use incoming::{Incoming, Oddity, Responder, Service, Ticket};
pub use outgoing::{Call, Failure, Held, Peer, ProgressStream};
