//! The `astros` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    astros_core::cli::main()
}
