//! The bench of AstrOS: what a call to a plugin costs, beside the least that a machine can do and beside peers.
//!
//! A row is a host program that is run as `HOST [--quick] -- CHILD ARGS…` and prints its [`Figures`] as one JSON
//! object; `run.py` runs the rows and compares them. A host implements [`Row`] and calls [`measure`]; the limit has
//! loops of its own.

mod figures;
mod lines;
mod one_core;
mod payload;
mod row;

pub use figures::{Clock, Effort, Figures, SIZES, Size, Turn, arguments, print};
pub use lines::{Lines, Message};
pub use one_core::OneCore;
pub use payload::payload;
pub use row::{Row, measure};
