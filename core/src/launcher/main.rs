//! The launcher as a program of its own: being small, it is started in half the time of the whole `astros`.

use std::process::ExitCode;

fn main() -> ExitCode {
    astros_core::launcher::run_if_asked();
    eprintln!("`astros-launcher` is started by `astros`, for each plugin; there is nothing to do by hand");
    ExitCode::from(2)
}
