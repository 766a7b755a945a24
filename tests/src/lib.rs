//! The harness of the end-to-end tests: the real `astros` in a home of its own, with plugins made for the test.
//!
//! ```text
//! let world = World::new().with(adversary("villain"));
//! world.call("villain", "crash", json!({})).fails(5, "plugin_crashed").says("its last words");
//! world.call("villain", "echo", json!({})).succeeds();
//! ```
//! [`Host`] is the same daemon within the test's own process: quicker, and its processes, descriptors and memory can be
//! watched. When a [`World`] is dropped, no process that was started in it may be left.

mod astros;
mod host;
mod outcome;
mod plugins;
pub mod processes;
mod terminal;
pub mod this_process;
mod tree;
mod world;

pub use astros::{Astros, Running, program};
pub use host::{Host, in_both_languages, kind};
pub use outcome::Outcome;
pub use plugins::{Adversary, Language, Plugin, adversary, folder, kinds, notes, python};
pub use terminal::OnTerminal;
pub use tree::{Tree, mixed_files};
pub use world::{World, eventually};
