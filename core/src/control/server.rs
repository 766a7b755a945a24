//! Serves the control API on connections: a client's over a socket, or the command's own in memory.

use std::{sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use hyper::{Request, Response};
use jsonrpsee::{
    Methods,
    server::{
        BatchRequestConfig, HttpBody, ServerBuilder, ServerConfig, ServerHandle, StopHandle,
        TowerServiceBuilder, serve_with_graceful_shutdown, stop_channel,
    },
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::UnixStream,
};
use tower::{Service as _, layer::util::Identity, service_fn};

use super::{
    api::{ControlServer, Hello},
    lifetime::Lifetime,
    question::Open,
    service::Service,
    streams::Lent,
};
use crate::daemon::Daemon;

/// What standard input may give a command, 16 MiB, in JSON that escapes every second byte.
pub(super) const MAX_REQUEST: u32 = 32 << 20;
/// A plugin's largest frame, 16 MiB, written anew, and what stands beside it.
pub(super) const MAX_RESPONSE: u32 = 64 << 20;
/// Clients at once; each is a person's command, a chat or a program, and the next is told to try again.
const MAX_CONNECTIONS: u32 = 128;
/// Connections at once that have not asked for anything yet included; more are closed: descriptors are for plugins.
const MAX_SOCKETS: usize = 256;
/// Subscriptions of a connection, one a request: what a plugin cannot take is queued and refused further down.
const MAX_SUBSCRIPTIONS: u32 = 512;
/// Messages that wait for a client to read them; beyond it what tells them waits.
const MAX_WAITING: u32 = 64;
/// Requests in one batch.
const MAX_BATCH: u32 = 32;
/// The end waits so long for answers to be written to clients that may not read.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// Serves one daemon to any number of connections.
pub(super) struct Server {
    pub(super) daemon: Arc<Daemon>,
    pub(super) lifetime: Arc<Lifetime>,
    pub(super) lent: Arc<Lent>,
    methods: Methods,
    builder: TowerServiceBuilder<Identity, Identity>,
    stop: StopHandle,
    handle: ServerHandle,
}

/// What a request is refused with, before its body is read.
pub(super) type Gate = Arc<dyn Fn(&Request<HttpBody>) -> Option<Response<HttpBody>> + Send + Sync>;

impl Server {
    /// `stays` says whether a client may stop it.
    pub(super) fn new(daemon: Arc<Daemon>, stays: bool) -> Server {
        let lifetime = Arc::new(Lifetime::new(stays));
        let hello = Hello::new(&daemon);
        let (lent, questions) = (Arc::<Lent>::default(), Open::default());
        let service = Service {
            daemon: daemon.clone(),
            hello,
            lifetime: lifetime.clone(),
            questions,
            lent: lent.clone(),
        };
        let (stop, handle) = stop_channel();
        let config = ServerConfig::builder()
            .max_request_body_size(MAX_REQUEST)
            .max_response_body_size(MAX_RESPONSE)
            .max_connections(MAX_CONNECTIONS)
            .max_subscriptions_per_connection(MAX_SUBSCRIPTIONS)
            .set_message_buffer_capacity(MAX_WAITING)
            .set_batch_request_config(BatchRequestConfig::Limit(MAX_BATCH));
        let builder = ServerBuilder::with_config(config.build()).to_service_builder();
        Server { daemon, lifetime, lent, methods: service.into_rpc().into(), builder, stop, handle }
    }

    /// Whether there are so many connections that a new one has to be closed.
    pub(super) fn is_full(&self) -> bool {
        self.lifetime.connections() >= MAX_SOCKETS
    }

    /// Serves one connection to its end.
    pub(super) fn serve<S>(&self, stream: S, gate: Option<Gate>) -> impl Future<Output = ()> + Send + use<S>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let service = self.builder.clone().build(self.methods.clone(), self.stop.clone());
        let (open, stopped) = (Arc::new(self.lifetime.connect()), self.stop.clone().shutdown());
        let counted = open.clone();
        let gated = service_fn(move |request: Request<_>| {
            let mut request = request.map(HttpBody::new);
            // A WebSocket outlives the HTTP connection, and keeps what came with its request.
            request.extensions_mut().insert(counted.clone());
            let refused = gate.as_ref().and_then(|gate| gate(&request));
            let mut service = service.clone();
            async move {
                match refused {
                    Some(refusal) => Ok(refusal),
                    None => service.call(request).await,
                }
            }
        });
        serve_with_graceful_shutdown(stream, gated, stopped).map(move |served| {
            drop(open);
            if let Err(error) = served {
                tracing::debug!(error, "a connection ended");
            }
        })
    }

    /// Serves who lends streams, to the end of the connection.
    pub(super) fn serve_streams(&self, stream: UnixStream) -> impl Future<Output = ()> + Send + use<> {
        let (open, lent) = (self.lifetime.connect(), self.lent.clone());
        async move {
            let _open = open;
            if let Err(error) = lent.serve(stream).await {
                tracing::debug!(%error, "streams were not lent");
            }
        }
    }

    /// Takes no new requests, lets those that are open end within what their plugins are given, stops the plugins.
    pub(super) async fn drain(self) {
        self.lifetime.drain();
        self.daemon.stop().await;
        let answers = async {
            self.lifetime.idle().await;
            // What is queued is written before a connection ends.
            let _ = self.handle.stop();
            drop(self.stop);
            self.handle.stopped().await;
        };
        let _ = tokio::time::timeout(LAST_ANSWERS, answers).await;
    }
}
