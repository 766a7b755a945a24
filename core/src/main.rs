//! The `astros` command.

use std::process::ExitCode;

use astros_core::{cli, launcher};

fn main() -> ExitCode {
    launcher::run_if_asked();
    launcher::adopt_orphans();
    cli::main()
}
