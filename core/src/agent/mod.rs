//! The agent: from what a person says to the plugin that does it.

pub mod recognition;
