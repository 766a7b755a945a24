//! Speaks to the desktop's notification service over the session bus.

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::timeout;
use zbus::connection::Builder;

use zbus::{Connection, Variant, fdo};

use crate::notification::Notification;

/// How long a desktop may take; a program must not wait for one that hangs.
const PATIENCE: Duration = Duration::from_secs(2);
const NAME: &str = "org.freedesktop.Notifications";
const PATH: &str = "/org/freedesktop/Notifications";

/// What became of a notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// Shown, under the desktop's number for it.
    Shown(u32),
    /// Not shown, and why.
    NotShown(String),
}

/// A connection to one bus, made on first use and made again when it broke.
#[derive(Debug)]
pub struct Notifier {
    address: Option<String>,
    connection: Mutex<Option<Connection>>,
}

impl Notifier {
    /// On the bus at `address`, or, without one, on the person's session bus.
    #[must_use]
    pub fn new(address: Option<String>) -> Self {
        Self { address, connection: Mutex::default() }
    }

    /// Shows it, or says within two seconds why not.
    pub async fn send(&self, notification: &Notification) -> Delivery {
        match timeout(PATIENCE, self.try_send(notification)).await {
            Ok(Ok(id)) => Delivery::Shown(id),
            Ok(Err(error)) => Delivery::NotShown(reason(&error)),
            Err(_) => {
                Delivery::NotShown(format!("the desktop did not answer within {} s", PATIENCE.as_secs()))
            }
        }
    }

    async fn try_send(&self, notification: &Notification) -> zbus::Result<u32> {
        match notify(&self.connect().await?, notification).await {
            // The bus went away since the last time: once more on a new connection.
            Err(zbus::Error::InputOutput(_)) => {
                self.connection.lock().await.take();
                notify(&self.connect().await?, notification).await
            }
            done => done,
        }
    }

    async fn connect(&self) -> zbus::Result<Connection> {
        let mut connection = self.connection.lock().await;
        if let Some(open) = connection.as_ref().filter(|connection| !connection.is_closed()) {
            return Ok(open.clone());
        }
        let builder = self.address.as_deref().map_or_else(Builder::session, Builder::address);
        Ok(connection.insert(builder.build().await?).clone())
    }
}

async fn notify(connection: &Connection, notification: &Notification) -> zbus::Result<u32> {
    let capabilities = connection.call_method(Some(NAME), PATH, Some(NAME), "GetCapabilities", &()).await?;
    let markup = capabilities.body().deserialize::<Vec<String>>()?.iter().any(|can| can == "body-markup");
    let hints = HashMap::from([("urgency", Variant::from(notification.kind.urgency()))]);
    let actions: &[&str] = &[];
    let (summary, body) = (notification.summary(), notification.body(markup));
    let request =
        ("AstrOS", 0_u32, notification.kind.icon(), summary, body, actions, hints, notification.expire());
    let reply = connection.call_method(Some(NAME), PATH, Some(NAME), "Notify", &request).await?;
    reply.body().deserialize()
}

fn reason(error: &zbus::Error) -> String {
    match error {
        zbus::Error::FDO(error)
            if matches!(**error, fdo::Error::ServiceUnknown(_) | fdo::Error::NameHasNoOwner(_)) =>
        {
            format!("no desktop shows notifications: nobody has the name `{NAME}` on the session bus")
        }
        zbus::Error::Address(_) | zbus::Error::Connection(..) => {
            format!("no session bus can be reached: {error}")
        }
        _ => format!("the desktop refused: {error}"),
    }
}
