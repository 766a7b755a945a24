//! Who may come in by `--listen`: whoever knows the token, and no page of a browser.
//!
//! It listens on loopback only. Each request has to name a loopback host with the port (so that no other name can
//! be bound to it), come from no other origin, and bear the token that stands in a file of the owner's alone.

use std::{
    fs::{self, OpenOptions},
    io::{self, Read, Write},
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::Arc,
};

use astros_protocol::{Error, ErrorCode};
use hyper::{HeaderMap, Request, Response, StatusCode, header, http::uri::Authority};
use jsonrpsee::server::HttpBody;
use serde_json::json;
use tokio::net::TcpListener;

use super::server::Gate;

/// Of the token, beside the socket.
pub(super) const TOKEN_FILE: &str = "token";

/// Listens on loopback.
pub(super) async fn listen(address: SocketAddr) -> Result<TcpListener, Error> {
    if !address.ip().is_loopback() {
        let message =
            format!("`--listen {address}` is no loopback address, expected such as `127.0.0.1:7777`");
        let error = Error::new(ErrorCode::INVALID_PARAMS, message);
        return Err(error.with_hint(
            "whoever reaches the control API can do what you can, and it is not encrypted: forward the port by SSH",
        ));
    }
    TcpListener::bind(address).await.map_err(|error| {
        Error::new(ErrorCode::INVALID_PARAMS, format!("`--listen {address}` cannot be had: {error}"))
    })
}

/// Makes the token of this run, for its owner's eyes.
pub(super) fn make_token(path: &Path) -> Result<String, Error> {
    let made = || -> io::Result<String> {
        let mut secret = [0_u8; 32];
        fs::File::open("/dev/urandom")?.read_exact(&mut secret)?;
        let token: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        // Made anew: the mode of a file that is there would stay.
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(token.as_bytes()).map(|()| token)
    };
    made().map_err(|error| {
        let message = format!("the token `{}` cannot be written: {error}", path.display());
        Error::new(ErrorCode::INTERNAL_ERROR, message)
    })
}

/// Lets requests in that name this port, come from nowhere else, and bear the token.
pub(super) fn gate(token: String, port: u16) -> Gate {
    Arc::new(move |request: &Request<HttpBody>| {
        let checked = check_host(request, port)
            .and_then(|()| check_origin(request.headers(), port))
            .and_then(|()| check_token(request.headers(), &token));
        checked.err().map(|(status, message)| refusal(status, &message))
    })
}

type Refusal = (StatusCode, String);

fn check_host(request: &Request<HttpBody>, port: u16) -> Result<(), Refusal> {
    let in_header = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let host = in_header.or_else(|| request.uri().authority().map(Authority::as_str));
    if host.is_some_and(|host| is_loopback(host, port)) {
        return Ok(());
    }
    let found = host.map_or_else(|| "none".to_owned(), |host| format!("`{host}`"));
    Err((StatusCode::FORBIDDEN, format!("the header `Host` is {found}, expected `localhost:{port}`")))
}

fn check_origin(headers: &HeaderMap, port: u16) -> Result<(), Refusal> {
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
    let origin = origin.to_str().unwrap_or("no text");
    match origin.strip_prefix("http://") {
        Some(host) if is_loopback(host, port) => Ok(()),
        _ => {
            let message =
                format!("the header `Origin` is `{origin}`, expected none or `http://localhost:{port}`");
            Err((StatusCode::FORBIDDEN, message))
        }
    }
}

fn check_token(headers: &HeaderMap, token: &str) -> Result<(), Refusal> {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = given
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    match given {
        Some((_, given)) if same(given.trim().as_bytes(), token.as_bytes()) => Ok(()),
        Some(_) => Err((
            StatusCode::UNAUTHORIZED,
            format!(
                "the token is not that of this daemon: it is in the file `{TOKEN_FILE}` beside the socket"
            ),
        )),
        None => Err((
            StatusCode::UNAUTHORIZED,
            format!(
                "no token was given, expected `Authorization: Bearer …` with that of the file `{TOKEN_FILE}`"
            ),
        )),
    }
}

/// A loopback name with this port; a browser leaves out the one that HTTP has by default.
fn is_loopback(host: &str, port: u16) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, digits)) if digits.parse() == Ok(port) => name,
        _ if port == 80 => host,
        _ => return false,
    };
    matches!(&*name.to_ascii_lowercase(), "localhost" | "127.0.0.1" | "[::1]")
}

/// Takes as long for a token that is nearly right as for one that is not.
fn same(given: &[u8], token: &[u8]) -> bool {
    given.len() == token.len()
        && given.iter().zip(token).fold(0, |all, (one, other)| all | (one ^ other)) == 0
}

fn refusal(status: StatusCode, message: &str) -> Response<HttpBody> {
    let code = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ErrorCode::PERMISSION_DENIED,
        _ => ErrorCode::INVALID_REQUEST,
    };
    let error = json!({ "code": code, "message": message, "data": { "kind": code.kind() } });
    let body = json!({ "jsonrpc": "2.0", "id": null, "error": error });
    let mut response = Response::new(HttpBody::from(body.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_loopback_with_the_port_from_anything_else() {
        for good in ["localhost:7777", "LOCALHOST:7777", "127.0.0.1:7777", "[::1]:7777"] {
            assert!(is_loopback(good, 7777), "{good}");
        }
        for bad in
            ["localhost", "localhost:80", "evil.example:7777", "127.0.0.1.evil.example:7777", ":7777", ""]
        {
            assert!(!is_loopback(bad, 7777), "{bad}");
        }
        assert!(is_loopback("localhost", 80));
    }

    #[test]
    fn takes_the_whole_token_and_nothing_less() {
        assert!(same(b"abc", b"abc"));
        for wrong in [&b"ab"[..], b"abd", b"abcd", b""] {
            assert!(!same(wrong, b"abc"));
        }
    }
}
