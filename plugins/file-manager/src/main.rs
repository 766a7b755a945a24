//! Serves the plugin `file-manager` to the host that started it.

use std::process::ExitCode;

fn main() -> ExitCode {
    astros_file_manager::plugin().run()
}
