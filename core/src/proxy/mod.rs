//! A plugin's way to the hosts that it was granted: an HTTP proxy of the daemon's, plain HTTP and CONNECT.
//!
//! The plugin's network holds nothing but the listener that is given to [`serve`]. For each request the proxy looks up
//! the host itself, checks every address that it has, and connects to one that it checked: what a name server answers
//! a second time changes nothing. It reads no answer and follows no redirect.
//!
//! Proxies run on a thread of their own: what plugins move over the network keeps no call waiting.

mod address;
mod connect;
mod hosts;
mod idle;
mod plain;
mod refusal;
mod service;

#[cfg(test)]
mod tests;

use std::{
    future, io,
    net::TcpListener,
    sync::{Arc, LazyLock, Mutex, PoisonError},
    thread,
    time::Duration,
};

use rustix::process::{Resource, getrlimit};
use tokio::{
    runtime::{Builder, Handle},
    sync::Semaphore,
    task::{AbortHandle, JoinSet},
};

use connect::Way;
use hosts::Hosts;

/// So many connections of a plugin at once, or one of [`PART`] of all that there may be; more wait.
const CONNECTIONS: usize = 256;
/// No plugin holds more than one of so many of the connections of all.
const PART: usize = 4;
/// All plugins together use at most one of so many of the descriptors that this process may have, two a connection.
const SHARE: u64 = 4;
/// Where descriptors have run out, others have to end first.
const PATIENCE: Duration = Duration::from_millis(200);

/// What a proxy tells of a plugin's requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// One was let through.
    Allowed,
    /// One was refused for want of a permission.
    Denied {
        /// What would have to be granted: `api.example.org:443`.
        target: String,
    },
    /// A connection ended that moved so many bytes, from the plugin and to it.
    Moved { sent: u64, received: u64 },
}

/// A proxy that serves. Dropped, it ends with all of its connections.
#[derive(Debug)]
pub(crate) struct Proxy(AbortHandle);

impl Drop for Proxy {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Serves `plugin` on its listener; `hosts` are those of its permission `network`, and `is_listed` says whether
/// `astros.yaml` has all its permissions. `tell` is called on the proxies' thread and must not block.
///
/// # Errors
/// The system's, about the listener or the thread.
pub(crate) fn serve(
    listener: TcpListener,
    plugin: &str,
    hosts: &[String],
    is_listed: bool,
    tell: impl Fn(Report) + Send + Sync + 'static,
) -> io::Result<Proxy> {
    static ROOM: LazyLock<Room> = LazyLock::new(|| Room::of(room()));
    let way = Way::new(Hosts::parse(hosts), connect::look_up);
    let client = service::Client { plugin: plugin.to_owned(), is_listed, way, tell: Box::new(tell) };
    serve_by(client, ROOM.clone(), listener)
}

type Tell = Box<dyn Fn(Report) + Send + Sync>;

fn serve_by(client: service::Client, room: Room, listener: TcpListener) -> io::Result<Proxy> {
    let runtime = runtime()?;
    listener.set_nonblocking(true)?;
    let _entered = runtime.enter();
    let listener = tokio::net::TcpListener::from_std(listener)?;
    Ok(Proxy(runtime.spawn(accept(listener, room, Arc::new(client))).abort_handle()))
}

async fn accept(listener: tokio::net::TcpListener, room: Room, client: Arc<service::Client>) {
    let own = Arc::new(Semaphore::new(room.each));
    let mut connections = JoinSet::new();
    loop {
        let (Ok(one), Ok(of_all)) =
            (own.clone().acquire_owned().await, room.all.clone().acquire_owned().await)
        else {
            return;
        };
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                let served = service::serve(stream, client.clone());
                drop(connections.spawn(async move {
                    served.await;
                    drop((one, of_all));
                }));
            }
            Err(error) => {
                tracing::warn!(plugin = client.plugin, %error, "a connection to the proxy cannot be taken");
                tokio::time::sleep(PATIENCE).await;
            }
        }
    }
}

/// How many connections there may be.
#[derive(Clone, Debug)]
struct Room {
    /// Of all plugins.
    all: Arc<Semaphore>,
    /// Of one.
    each: usize,
}

impl Room {
    fn of(all: usize) -> Room {
        Room { all: Arc::new(Semaphore::new(all)), each: CONNECTIONS.min(all / PART) }
    }
}

/// How many connections there may be of all plugins.
fn room() -> usize {
    let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::from(u16::MAX));
    usize::try_from(descriptors / SHARE).unwrap_or(CONNECTIONS).clamp(16, 4096)
}

/// The runtime of all proxies, on a thread of its own; started with the first.
pub(crate) fn runtime() -> io::Result<Handle> {
    // A std mutex: held while the first is started, never across an await.
    static RUNTIME: Mutex<Option<Handle>> = Mutex::new(None);
    let mut started = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(handle) = &*started {
        return Ok(handle.clone());
    }
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    thread::Builder::new()
        .name("astros-proxies".to_owned())
        .spawn(move || runtime.block_on(future::pending::<()>()))?;
    Ok(started.insert(handle).clone())
}
