//! The notification manager: shows what plugins have to say on the desktop, where there is one.

pub mod notification;
pub mod notifier;
