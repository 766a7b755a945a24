//! AstrOS.
