//! News of a run: on the bus as `astros.workflow.…`, and to who watches it.

use std::sync::Arc;

use serde_json::{Map, Value, json, value::RawValue};
use tokio::sync::mpsc;

use crate::router::{Publisher, Router};

/// Where the news of a run go that a person watches: values of progress.
pub type Watcher = Option<mpsc::Sender<Box<RawValue>>>;

/// Tells the news of one run.
pub(super) struct Teller {
    router: Arc<Router>,
    pub(super) watcher: Watcher,
    /// What all news say.
    head: Map<String, Value>,
}

impl Teller {
    pub(super) fn new(router: Arc<Router>, watcher: Watcher, id: &str, name: &str, task: &Value) -> Teller {
        let head = json!({ "workflow_id": id, "name": name, "task": task });
        let head = if let Value::Object(head) = head { head } else { Map::new() };
        Teller { router, watcher, head }
    }

    /// Tells everybody.
    pub(super) async fn tell(&self, event: &str, members: Value) {
        let data = self.data(event, members);
        self.publish(event, &data);
        self.show(data).await;
    }

    /// Tells who watches.
    pub(super) async fn show_only(&self, event: &str, members: Value) {
        if self.watcher.is_some() {
            self.show(self.data(event, members)).await;
        }
    }

    /// Tells the bus, without waiting.
    pub(super) fn publish_only(&self, event: &str) {
        self.publish(event, &self.data(event, json!({})));
    }

    fn data(&self, event: &str, members: Value) -> Value {
        let mut data = self.head.clone();
        data.insert("event".to_owned(), event.into());
        if let Value::Object(members) = members {
            data.extend(members);
        }
        Value::Object(data)
    }

    fn publish(&self, event: &str, data: &Value) {
        // Where a run is dropped with its runtime, nobody is left to hear of it.
        if tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        let published = RawValue::from_string(data.to_string()).map(|data| {
            self.router.publish_message(Publisher::Host, &format!("astros.workflow.{event}"), data)
        });
        if let Ok(Err(error)) = published {
            tracing::debug!(%error, "news of a workflow were not published");
        }
    }

    async fn show(&self, data: Value) {
        let Some(watcher) = &self.watcher else { return };
        if let Ok(value) = serde_json::value::to_raw_value(&json!({ "data": data })) {
            // Who stopped watching misses it; the run goes on.
            let _ = watcher.send(value).await;
        }
    }
}
