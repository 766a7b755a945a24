//! What plugins ask of the daemon, and what it keeps for them.

pub mod audit;
pub mod log;
pub mod printable;
pub mod schema;
pub mod secrets;
pub mod settings;
pub mod storage;

mod lines;
