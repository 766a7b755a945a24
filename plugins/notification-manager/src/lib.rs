//! The notification manager: shows what plugins have to say on the desktop, where there is one.

mod plugin;

pub mod notification;
pub mod notifier;

pub use plugin::plugin;
