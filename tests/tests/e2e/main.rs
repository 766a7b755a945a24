//! The end-to-end tests: the real command, real plugins, real processes.

mod organize;
mod crash;
mod guide;
mod command;
mod plugins;
mod session;
mod tree;
mod wire;
mod bad_input;
mod settings;
mod interrupt;
