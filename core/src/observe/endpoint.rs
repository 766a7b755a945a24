//! `GET /metrics` over HTTP, where it is configured.

use std::{convert::Infallible, fmt, io, net::SocketAddr, sync::Arc, time::Duration};

use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{net::TcpListener, sync::Semaphore, task::JoinSet};

use super::{Metrics, States, exposition};

/// So many connections at once; more wait.
const CONNECTIONS: usize = 16;
/// Who takes longer to say what it wants is sent away.
const HEADERS: Duration = Duration::from_secs(5);

/// Serves the metrics until it is dropped.
#[derive(Debug)]
pub struct Endpoint {
    address: SocketAddr,
    // A set of one: dropping it ends the task, and with that every connection.
    _task: JoinSet<()>,
}

impl Endpoint {
    /// Listens, on the current tokio runtime.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub async fn bind(
        address: SocketAddr,
        metrics: Arc<Metrics>,
        states: impl Fn() -> States + Send + Sync + 'static,
    ) -> io::Result<Endpoint> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let mut task = JoinSet::new();
        task.spawn(serve(listener, Arc::new(move || exposition::text(&metrics, states()))));
        Ok(Endpoint { address, _task: task })
    }

    /// Where it listens: with the port that was found where 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

async fn serve(
    listener: TcpListener,
    page: Arc<impl Fn() -> Result<String, fmt::Error> + Send + Sync + 'static>,
) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    while let Ok(place) = room.clone().acquire_owned().await {
        while connections.try_join_next().is_some() {}
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of descriptors, say: that passes, and a busy loop would not help.
                tracing::warn!(%error, "a connection to the metrics cannot be taken");
                tokio::time::sleep(Duration::from_secs(1)).await;
                continue;
            }
        };
        let page = page.clone();
        connections.spawn(async move {
            let service = service_fn(move |request| {
                let response = answer(&request, &*page);
                async { Ok::<_, Infallible>(response) }
            });
            let mut http = http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(HEADERS);
            if let Err(error) = http.serve_connection(TokioIo::new(stream), service).await {
                tracing::debug!(%error, "a connection to the metrics broke");
            }
            drop(place);
        });
    }
}

fn answer(
    request: &Request<Incoming>,
    page: impl Fn() -> Result<String, fmt::Error>,
) -> Response<Full<Bytes>> {
    let (status, header, body) = match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/metrics") => match page() {
            Ok(text) => (StatusCode::OK, (CONTENT_TYPE, exposition::CONTENT_TYPE), text),
            Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, PLAIN, format!("{error}\n")),
        },
        (_, "/metrics") => (StatusCode::METHOD_NOT_ALLOWED, (ALLOW, "GET, HEAD"), String::new()),
        _ => (StatusCode::NOT_FOUND, PLAIN, "the metrics are at /metrics\n".to_owned()),
    };
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header.0, HeaderValue::from_static(header.1));
    response
}

const PLAIN: (HeaderName, &str) = (CONTENT_TYPE, "text/plain; charset=utf-8");
