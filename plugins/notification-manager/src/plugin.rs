//! The plugin and its one handler.

use crate::notification::Notification;
use crate::notifier::{Delivery, Notifier};
use astros_sdk::prelude::*;

/// Without a desktop the message is the answer's, so that the person sees it all the same.
async fn send_notification(ctx: Context, notification: Notification) -> Result<Response> {
    let data = match ctx.state::<Notifier>()?.send(&notification).await {
        Delivery::Shown(id) => json!({ "delivered": true, "id": id }),
        Delivery::NotShown(reason) => json!({ "delivered": false, "reason": reason }),
    };
    Ok(Response::message(notification.text()).with_data(data))
}

/// The plugin `notification-manager`, which shows what it is given through `notifier`.
#[must_use]
pub fn plugin(notifier: Notifier) -> Plugin {
    Plugin::new("notification-manager", env!("CARGO_PKG_VERSION"))
        .description(env!("CARGO_PKG_DESCRIPTION"))
        .handles(["notifications"])
        .state(notifier)
        .handler(
            handler("send_notification", send_notification)
                .description("Show a notification on the desktop")
                .examples([
                    "notify me that {message}",
                    "show a notification saying {message}",
                    "send a notification saying {message}",
                    "remind me to {message}",
                    "tell me that {message}",
                ]),
        )
}
