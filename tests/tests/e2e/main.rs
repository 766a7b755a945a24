//! The end-to-end tests: the real command, real plugins, real processes.

mod bad_input;
mod bus;
mod command;
mod commands;
mod conformance;
mod control;
mod crash;
mod daemon;
mod doctor;
mod examples;
mod exchanges;
mod guide;
mod interrupt;
mod load;
mod organize;
mod permissions;
mod plugins;
mod providers;
mod session;
mod settings;
mod shell;
mod terminal;
mod tree;
mod ui;
mod wire;
