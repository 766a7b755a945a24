//! What a request is told that does not get through, in words for the plugin's author and the person.

use std::fmt;

use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::{
    Response, StatusCode,
    body::Bytes,
    ext::ReasonPhrase,
    header::{CONTENT_TYPE, HeaderValue},
};

use super::{
    Report,
    hosts::{Host, Target},
};

/// A body that is streamed or said here.
pub(super) type Body = BoxBody<Bytes, hyper::Error>;

/// Why a request does not get through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// A permission is missing; `through` is the name that led to an address.
    Denied { target: String, through: Option<String> },
    /// It is granted, and does not answer.
    Unreachable { target: String, why: String },
    /// It is none that a proxy takes.
    Bad(String),
}

impl Refusal {
    pub(super) fn denied(target: &Target) -> Refusal {
        Refusal::Denied { target: target.to_string(), through: None }
    }

    /// The name is granted, and has an address near this machine that is not.
    pub(super) fn near(target: &Target, address: Host) -> Refusal {
        let near = Target { host: address, port: target.port };
        Refusal::Denied { target: near.to_string(), through: Some(target.host.to_string()) }
    }

    pub(super) fn unreachable(target: &Target, why: impl fmt::Display) -> Refusal {
        Refusal::Unreachable { target: target.to_string(), why: why.to_string() }
    }

    /// What is told of it beside the plugin, where it is one.
    pub(super) fn report(&self) -> Option<Report> {
        let Refusal::Denied { target, .. } = self else { return None };
        Some(Report::Denied { target: target.clone() })
    }

    /// What `plugin` is answered; `is_listed` where `astros.yaml` says all that it may do. HTTP clients show the status
    /// line of a CONNECT and not the body: it says the most.
    pub(super) fn response(&self, plugin: &str, is_listed: bool) -> Response<Body> {
        let (status, message, hint) = match self {
            Refusal::Denied { target, through } => {
                let through =
                    through.as_ref().map(|name| format!(", an address of `{name}` near this machine"));
                let message = format!("`{plugin}` may not reach `{target}`{}", through.unwrap_or_default());
                let hint = match is_listed {
                    true => format!(
                        "`network: [\"{target}\"]` in `plugins.{plugin}.permissions` of `astros.yaml` allows it"
                    ),
                    false => format!("`astros plugins grant {plugin} 'network: {target}'` allows it"),
                };
                (StatusCode::FORBIDDEN, message, hint)
            }
            Refusal::Unreachable { target, why } => {
                let hint = "see whether it is up and this machine is connected".to_owned();
                (StatusCode::BAD_GATEWAY, format!("`{target}` cannot be reached: {why}"), hint)
            }
            Refusal::Bad(why) => {
                let hint = "this is an HTTP proxy: ask for `http://host/path`, or CONNECT to `host:port`";
                (StatusCode::BAD_REQUEST, why.clone(), hint.to_owned())
            }
        };
        let text = format!("{message}\n{hint}\n");
        let body = Full::from(text).map_err(|never| match never {}).boxed();
        let mut response = Response::new(body);
        *response.status_mut() = status;
        let plain = HeaderValue::from_static("text/plain; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, plain);
        if let Ok(reason) = ReasonPhrase::try_from(format!("{message}; {hint}").into_bytes()) {
            response.extensions_mut().insert(reason);
        }
        response
    }
}
