//! The small launcher, as it stands beside `astros` where that is installed: `astros-host` finds it here.

fn main() {
    astros_core::launcher::run_if_asked();
}
