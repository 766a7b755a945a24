//! The composition root: paths and configuration, and the parts put together.

pub mod config;
pub mod paths;
