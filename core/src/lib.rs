//! AstrOS.

pub mod supervisor;
