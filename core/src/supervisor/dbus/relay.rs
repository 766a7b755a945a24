//! Between a plugin and its filtering proxy: who says hello, and nothing more.
//!
//! Many clients send their whole handshake with the first message behind it, which the versions of `xdg-dbus-proxy`
//! before 0.1.6 do not understand, and all name the user that they are, which is another one where a namespace says so.
//! Here each side has its handshake for itself. Descriptors are not passed on.

use std::{io, os::unix::net::UnixListener, path::PathBuf, sync::Arc, time::Duration};

use rustix::process::getuid;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, copy_bidirectional},
    net::UnixStream,
    sync::Semaphore,
    task::{AbortHandle, JoinSet},
    time::{sleep, timeout},
};

use crate::proxy;

/// So many connections of a process to a bus at once; more wait.
const CONNECTIONS: usize = 16;
/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// The longest line of one, in bytes, and the most lines.
const LINE: u64 = 1024;
const LINES: usize = 32;
/// Where descriptors have run out, others have to end first.
const PATIENCE: Duration = Duration::from_millis(200);

/// One socket that is served. Dropped, it ends with its connections.
#[derive(Debug)]
pub(super) struct Relay(AbortHandle);

impl Drop for Relay {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Serves a listener that does not block; `filter` is the proxy's socket.
pub(super) fn serve(listener: UnixListener, filter: PathBuf) -> io::Result<Relay> {
    let runtime = proxy::runtime()?;
    let _entered = runtime.enter();
    let listener = tokio::net::UnixListener::from_std(listener)?;
    Ok(Relay(runtime.spawn(accept(listener, filter.into())).abort_handle()))
}

async fn accept(listener: tokio::net::UnixListener, filter: Arc<std::path::Path>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    while let Ok(place) = room.clone().acquire_owned().await {
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((plugin, _)) => {
                let filter = filter.clone();
                drop(connections.spawn(async move {
                    if let Err(error) = relay(plugin, &filter).await {
                        tracing::debug!(%error, "a connection to D-Bus broke");
                    }
                    drop(place);
                }));
            }
            Err(_) => sleep(PATIENCE).await,
        }
    }
}

async fn relay(plugin: UnixStream, filter: &std::path::Path) -> io::Result<()> {
    // What a buffer holds beyond the handshake is read from it before anything else.
    let mut plugin = BufReader::new(plugin);
    let mut filter = BufReader::new(UnixStream::connect(filter).await?);
    let greeted = timeout(HANDSHAKE, async {
        let bus = introduce(&mut filter).await?;
        greet(&mut plugin, &bus).await
    });
    greeted.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
    copy_bidirectional(&mut plugin, &mut filter).await.map(drop)
}

/// Says who we are; gives the bus's number.
async fn introduce(filter: &mut BufReader<UnixStream>) -> io::Result<String> {
    let user = getuid().as_raw().to_string();
    let user: String = user.bytes().map(|digit| format!("{digit:02x}")).collect();
    filter.write_all(format!("\0AUTH EXTERNAL {user}\r\n").as_bytes()).await?;
    let answer = line(filter).await?;
    let bus =
        answer.strip_prefix("OK ").ok_or_else(|| io::Error::other(format!("the bus says `{answer}`")))?;
    filter.write_all(b"BEGIN\r\n").await?;
    Ok(bus.to_owned())
}

/// Is what a bus is to the plugin, until that begins. Whoever reaches the socket is let in.
async fn greet(plugin: &mut BufReader<UnixStream>, bus: &str) -> io::Result<()> {
    if plugin.read_u8().await? != 0 {
        return Err(io::Error::other("the plugin speaks no D-Bus"));
    }
    let mut known = false;
    for _ in 0..LINES {
        let said = line(plugin).await?;
        let words: Vec<&str> = said.split_whitespace().collect();
        let answer = match words[..] {
            ["BEGIN"] if known => return Ok(()),
            ["AUTH", "EXTERNAL"] => "DATA".to_owned(),
            ["AUTH", "EXTERNAL", _] | ["DATA", ..] => {
                known = true;
                format!("OK {bus}")
            }
            ["AUTH", ..] | ["CANCEL"] => "REJECTED EXTERNAL".to_owned(),
            ["NEGOTIATE_UNIX_FD"] => "ERROR descriptors are not passed on".to_owned(),
            _ => "ERROR not understood".to_owned(),
        };
        plugin.write_all((answer + "\r\n").as_bytes()).await?;
    }
    Err(io::Error::other("the plugin does not begin"))
}

async fn line(stream: &mut BufReader<UnixStream>) -> io::Result<String> {
    let mut line = String::new();
    stream.take(LINE).read_line(&mut line).await?;
    match line.strip_suffix("\r\n") {
        Some(line) => Ok(line.to_owned()),
        None => Err(io::Error::other("a line of a handshake has no end")),
    }
}
