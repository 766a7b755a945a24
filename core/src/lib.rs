//! AstrOS.

pub mod agent;
