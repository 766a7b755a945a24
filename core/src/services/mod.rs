//! What plugins ask of the daemon, and what it keeps for them.

pub mod storage;
