//! The daemon that stays: takes its place, serves clients until it is asked to stop, and drains.

use std::{io, net::SocketAddr, path::PathBuf, pin::pin, sync::Arc, time::Duration};

use astros_protocol::{Error, ErrorCode};
use futures_util::FutureExt as _;
use tokio::{
    net::{TcpListener, UnixListener, UnixStream},
    sync::{Semaphore, mpsc},
};

use super::{
    http,
    server::{Gate, Server},
    socket::{self, Place},
};
use crate::daemon::{Daemon, Options, service};

/// Connections by TCP at once.
const MAX_TCP: usize = 64;
/// Where descriptors have run out, others have to end first.
const PATIENCE: Duration = Duration::from_millis(100);

/// What the process is told from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Drain and stop; told once more: stop at once.
    Stop,
    /// Read the configuration anew.
    Reload,
}

/// Signals, in their order.
pub type Signals = mpsc::Receiver<Signal>;

/// Runs a daemon until it is told to stop, and stops it; `listen` is for HTTP and WebSocket on loopback.
///
/// # Errors
/// One runs already, its place or `listen` cannot be had, those of [`Daemon::start`]; `cancelled` where it was told
/// to stop at once.
pub async fn run(options: Options, listen: Option<SocketAddr>, mut signals: Signals) -> Result<(), Error> {
    let place = Place::claim(&options.paths()?.runtime)?;
    let daemon = Arc::new(Daemon::start(options).await?);
    daemon.warnings().iter().for_each(|warning| tracing::warn!("{warning}"));
    let _metrics = daemon.serve_metrics().await?;
    let server = Server::new(daemon.clone(), true);
    let tcp = match listen {
        Some(address) => Some(Tcp::listen(address, &place).await?),
        None => None,
    };
    let (streams, socket) = (place.listen_for_streams()?, place.listen()?);
    let hello = super::api::Hello::new(&daemon);
    tracing::info!(pid = hello.pid, home = %hello.home.display(), socket = %place.socket().display(), "ready");
    service::ready();
    let (mut stays, mut watchdog) = (pin!(daemon.stay()), pin!(service::watchdog()));
    loop {
        tokio::select! {
            () = &mut stays => {}
            () = &mut watchdog => {}
            () = accept_local(&socket, &server, |stream| drop(tokio::spawn(server.serve(stream, None)))) => {}
            () = accept_local(&streams, &server, |stream| drop(tokio::spawn(server.serve_streams(stream)))) => {}
            () = accept_tcp(tcp.as_ref(), &server) => {}
            () = server.lifetime.asked_to_stop() => break,
            signal = signals.recv() => match signal {
                Some(Signal::Reload) => drop(tokio::spawn(reload(daemon.clone()))),
                Some(Signal::Stop) | None => break,
            },
        }
    }
    // From here on nobody finds it; who is connected is served to the end.
    drop((socket, streams, tcp));
    tracing::info!("stopping: what is in flight ends first");
    service::stopping();
    let mut drained = pin!(server.drain());
    loop {
        tokio::select! {
            () = &mut drained => break,
            () = &mut watchdog => {}
            Some(signal) = signals.recv() => if signal == Signal::Stop {
                return Err(Error::new(ErrorCode::CANCELLED, "stopped at once: what was in flight is lost"));
            },
        }
    }
    drop(place);
    tracing::info!("stopped");
    Ok(())
}

/// Reads configuration and plugins anew; where that fails, everything stays as it was.
async fn reload(daemon: Arc<Daemon>) {
    service::reloading();
    match daemon.reload_all().await {
        Ok(()) => tracing::info!("configuration and plugins were read anew"),
        Err(error) => tracing::error!("not everything was read anew: {error}"),
    }
    service::ready();
}

async fn accept_local(listener: &UnixListener, server: &Server, serve: impl FnOnce(UnixStream)) {
    let stream = match listener.accept().await {
        Ok((stream, _)) => stream,
        Err(error) => return not_accepted(&error).await,
    };
    match socket::check_peer(&stream) {
        Ok(()) if server.is_full() => refuse_one_more(),
        Ok(()) => serve(stream),
        Err(error) => tracing::warn!(%error, "a client was refused"),
    }
}

/// The listener of `--listen`, and who may come in.
struct Tcp {
    listener: TcpListener,
    gate: Gate,
    /// Whoever is on this machine can connect: those who only sit there leave room for the socket's clients.
    room: Arc<Semaphore>,
}

impl Tcp {
    async fn listen(address: SocketAddr, place: &Place) -> Result<Tcp, Error> {
        let listener = http::listen(address).await?;
        let bound = listener.local_addr().unwrap_or(address);
        let file: PathBuf = place.file(http::TOKEN_FILE);
        let token = http::make_token(&file)?;
        tracing::info!(address = %bound, token = %file.display(), "listening for HTTP and WebSocket");
        let room = Arc::new(Semaphore::new(MAX_TCP));
        Ok(Tcp { listener, gate: http::gate(token, bound.port()), room })
    }
}

/// Takes a connection by TCP; waits for ever where there is no listener.
async fn accept_tcp(tcp: Option<&Tcp>, server: &Server) {
    let Some(Tcp { listener, gate, room }) = tcp else { return std::future::pending().await };
    match (listener.accept().await, room.clone().try_acquire_owned()) {
        (Ok((stream, _)), Ok(place)) if !server.is_full() => {
            // Small answers shall not wait for more.
            let _ = stream.set_nodelay(true);
            let served = server.serve(stream, Some(gate.clone()));
            drop(tokio::spawn(served.map(|()| drop(place))));
        }
        (Ok(_), _) => refuse_one_more(),
        (Err(error), _) => not_accepted(&error).await,
    }
}

/// It is closed as it is dropped.
fn refuse_one_more() {
    tracing::warn!("a connection was closed: there are too many");
}

async fn not_accepted(error: &io::Error) {
    tracing::warn!(%error, "a connection could not be taken");
    tokio::time::sleep(PATIENCE).await;
}
