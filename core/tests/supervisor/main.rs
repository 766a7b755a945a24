//! The supervisor with real processes.

mod crash;
mod harness;
mod life;
mod start;
