//! Serves the plugin `notification-manager` to the host that started it.

use std::process::ExitCode;

use astros_notification_manager::notifier::Notifier;

fn main() -> ExitCode {
    astros_notification_manager::plugin(Notifier::new(None)).run()
}
