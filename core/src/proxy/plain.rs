//! Plain HTTP: a request that names a whole URL goes on to the URL's host, without what was meant for the proxy.

use hyper::{
    HeaderMap, Request, Response, Uri, Version,
    body::Incoming,
    client::conn::http1,
    header::{
        CONNECTION, CONTENT_LENGTH, HOST, HeaderName, HeaderValue, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION,
        TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
    },
    http::uri::PathAndQuery,
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::{
    hosts::Target,
    refusal::{Body, Refusal},
    service::BUFFER,
};

/// What a message says to the next one on its way only, beside what `Connection` names.
const HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Sends the request; `drive` is given what has to run for the exchange to go on.
pub(super) async fn exchange(
    server: TcpStream,
    request: Request<Incoming>,
    target: &Target,
    drive: impl FnOnce(http1::Connection<TokioIo<TcpStream>, Incoming>),
) -> Result<Response<Body>, Refusal> {
    let broke = |error: hyper::Error| Refusal::unreachable(target, error);
    let request = onward(request, target)?;
    let mut http = http1::Builder::new();
    let (mut sender, connection) =
        http.max_buf_size(BUFFER).handshake(TokioIo::new(server)).await.map_err(broke)?;
    drive(connection);
    let mut response = sender.send_request(request).await.map_err(broke)?;
    strip(response.headers_mut());
    *response.version_mut() = Version::HTTP_11;
    Ok(response.map(http_body_util::BodyExt::boxed))
}

/// The request as the host gets it. Whatever its `Host` said: the URL says where it goes.
fn onward(request: Request<Incoming>, target: &Target) -> Result<Request<Incoming>, Refusal> {
    let (mut parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    parts.uri = Uri::from(path);
    parts.version = Version::HTTP_11;
    parts.extensions.clear();
    let headers = &mut parts.headers;
    strip(headers);
    // Said again from how much there is: there must not be two opinions of it.
    headers.remove(CONTENT_LENGTH);
    let host = if target.port == 80 { target.host.to_string() } else { target.to_string() };
    let host = HeaderValue::try_from(host).map_err(|error| Refusal::Bad(error.to_string()))?;
    headers.insert(HOST, host);
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    Ok(Request::from_parts(parts, body))
}

fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    named.iter().chain(&HOP_BY_HOP).for_each(|name| drop(headers.remove(name)));
}
