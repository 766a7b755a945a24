//! A subscription of the host's own, or of somebody who watches from outside: what `astros bus tail` shows.

use std::sync::{Arc, Weak};

use tokio::sync::Notify;

use super::{Bus, Delivery, Subscriber};

/// The messages of one subscription. Who is too slow misses the oldest, and is told how many. Dropped, it ends.
#[derive(Debug)]
pub struct Stream {
    pub(super) bus: Weak<Bus>,
    pub(super) subscriber: Subscriber,
    pub(super) news: Arc<Notify>,
}

impl Stream {
    /// The next message; `None` when the bus is gone. Nothing is lost where it is dropped while it waits.
    pub async fn next(&mut self) -> Option<Delivery> {
        loop {
            // Made before the look, so that no news is missed between the two.
            let news = self.news.notified();
            if let Some(delivery) = self.bus.upgrade()?.pop(&self.subscriber) {
                return Some(delivery);
            }
            news.await;
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let Some(bus) = self.bus.upgrade() {
            bus.end(&self.subscriber);
        }
    }
}
