//! What can be told of Python's interpreters and packages by their files: none is started.

mod environment;
mod offered;
mod packages;

pub use environment::Environment;
pub use offered::{About, Distribution, Offer, offers};
pub use packages::{Installed, Requirement, Unmet, normalised};
