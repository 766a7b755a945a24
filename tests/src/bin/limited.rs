//! Runs a command on a machine that has less: `limited [--no-landlock] [--no-namespaces] command [argument…]`.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "it is there for tests")]

#[path = "../../../core/src/launcher/tests/limited.rs"]
mod limited;

use std::{env, os::unix::process::CommandExt, process::Command};

use limited::Lacks;

fn main() {
    let mut words = env::args_os().skip(1).peekable();
    let mut given = |flag: &str| words.next_if(|word| word == flag).is_some();
    let lacks = Lacks { landlock: given("--no-landlock"), namespaces: given("--no-namespaces") };
    let program = words.next().expect("a command to run");
    limited::limit(lacks);
    let error = Command::new(&program).args(words).exec();
    panic!("`{}` cannot be run: {error}", program.display());
}
