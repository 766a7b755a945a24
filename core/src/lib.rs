//! AstrOS.

pub mod services;
