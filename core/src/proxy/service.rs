//! One connection of a plugin to its proxy: its requests one after the other, or a tunnel.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use http_body_util::{BodyExt, Empty};
use hyper::{
    Method, Request, Response, body::Incoming, client::conn::http1 as http1_client, http::uri::Authority,
    server::conn::http1, service::service_fn, upgrade::OnUpgrade,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{io::copy_bidirectional, net::TcpStream, task::JoinSet};

use super::{
    Report, Tell,
    connect::Way,
    hosts::Target,
    idle::{Meter, Metered},
    plain,
    refusal::{Body, Refusal},
};

/// A connection over which nothing moves is closed after this.
const IDLE: Duration = Duration::from_secs(15 * 60);
/// Who takes longer to say what it wants is sent away.
const HEADERS: Duration = Duration::from_secs(10);
/// The largest head of a request, and what is held of a connection, in bytes.
pub(super) const BUFFER: usize = 32 << 10;

/// Whose proxy it is.
pub(super) struct Client {
    pub(super) plugin: String,
    /// `astros.yaml` lists all that it may do.
    pub(super) is_listed: bool,
    pub(super) way: Way,
    pub(super) tell: Tell,
}

/// What a connection has beside its requests.
#[derive(Default)]
struct Connection {
    /// The exchange with a host that goes on. A set: dropping it ends that.
    exchange: JoinSet<()>,
    /// What it becomes after this answer.
    tunnel: Option<(OnUpgrade, TcpStream)>,
}

/// Serves one connection to its end.
pub(super) async fn serve(stream: TcpStream, client: Arc<Client>) {
    let meter = Meter::new();
    let _ = stream.set_nodelay(true);
    let metered = Metered { stream, meter: meter.clone() };
    tokio::select! {
        () = exchange(metered, &client) => {}
        () = meter.idle(IDLE) => {}
    }
    let moved = meter.moved();
    (client.tell)(Report::Moved { sent: moved.read, received: moved.written });
}

async fn exchange(stream: Metered<TcpStream>, client: &Arc<Client>) {
    // A std mutex: never held across an await.
    let connection = Arc::new(Mutex::new(Connection::default()));
    let service = service_fn(|request| {
        let (client, connection) = (client.clone(), connection.clone());
        async move { Ok::<_, Infallible>(answer(request, &client, &connection).await) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADERS).max_buf_size(BUFFER);
    let served = http.serve_connection(TokioIo::new(stream), service).with_upgrades().await;
    let tunnel = lock(&connection).tunnel.take();
    match (served, tunnel) {
        (Ok(()), Some((upgrade, mut server))) => {
            if let Ok(upgraded) = upgrade.await {
                // One side's end is told to the other, which may go on.
                let _ = copy_bidirectional(&mut TokioIo::new(upgraded), &mut server).await;
            }
        }
        (Ok(()), None) => {}
        (Err(error), _) => tracing::debug!(plugin = client.plugin, %error, "a connection to the proxy broke"),
    }
}

async fn answer(
    request: Request<Incoming>,
    client: &Client,
    connection: &Mutex<Connection>,
) -> Response<Body> {
    let answered = match *request.method() {
        Method::CONNECT => tunnel(request, client, connection).await,
        _ => forward(request, client, connection).await,
    };
    let refusal = answered.as_ref().err();
    (client.tell)(refusal.and_then(Refusal::report).unwrap_or(Report::Allowed));
    answered.unwrap_or_else(|refusal| refusal.response(&client.plugin, client.is_listed))
}

/// `CONNECT host:port`: what comes after the answer goes to the host as it is.
async fn tunnel(
    request: Request<Incoming>,
    client: &Client,
    connection: &Mutex<Connection>,
) -> Result<Response<Body>, Refusal> {
    let server = client.way.connect(&target(&request, None)?).await?;
    let upgrade = hyper::upgrade::on(request);
    lock(connection).tunnel = Some((upgrade, server));
    Ok(Response::new(Empty::new().map_err(|never| match never {}).boxed()))
}

/// `GET http://host/path`: a new connection to the host for each.
async fn forward(
    request: Request<Incoming>,
    client: &Client,
    connection: &Mutex<Connection>,
) -> Result<Response<Body>, Refusal> {
    let target = match request.uri().scheme_str() {
        Some("http") => target(&request, Some(80))?,
        _ => {
            return Err(Refusal::Bad(format!(
                "`{} {}` cannot be passed on",
                request.method(),
                request.uri()
            )));
        }
    };
    let server = client.way.connect(&target).await?;
    let drive = |exchange: http1_client::Connection<_, _>| {
        let exchanges = &mut lock(connection).exchange;
        while exchanges.try_join_next().is_some() {}
        // How it ends shows in the answer.
        exchanges.spawn(async { drop(exchange.await) });
    };
    plain::exchange(server, request, &target, drive).await
}

fn target(request: &Request<Incoming>, default: Option<u16>) -> Result<Target, Refusal> {
    let authority = request.uri().authority().map_or("", Authority::as_str);
    Target::parse(authority, default)
        .ok_or_else(|| Refusal::Bad(format!("`{authority}` is no host with a port")))
}

fn lock(connection: &Mutex<Connection>) -> MutexGuard<'_, Connection> {
    connection.lock().unwrap_or_else(PoisonError::into_inner)
}
