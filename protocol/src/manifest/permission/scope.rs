//! What the items of scopes have to be: hosts, paths, handlers, subjects, names of services.
//!
//! Each function takes an item as it was written, and gives it back as it is compared and kept, or nothing.

use core::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;

/// `host` or `host:port`, the host in lower case; an address of IPv6 in brackets.
pub(in crate::manifest) fn endpoint(text: &str) -> Option<String> {
    let Endpoint { wild, host, port } = Endpoint::parse(text)?;
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    let star = if wild { "*." } else { "" };
    Some(if host.contains(':') { format!("[{host}]{port}") } else { format!("{star}{host}{port}") })
}

/// An absolute path, or one that begins with `~`, without `.`, `..` and what could disturb a terminal.
pub(in crate::manifest) fn path(text: &str) -> Option<String> {
    let place = Place::parse(text).filter(|_| !text.contains(char::is_control))?;
    let root = if place.home { "~" } else { "" };
    let path = place.parts.iter().fold(root.to_owned(), |path, part| format!("{path}/{part}"));
    Some(if path.is_empty() { "/".to_owned() } else { path })
}

/// Whether a path is in a folder that the kernel makes up, and that each plugin has for itself.
pub(in crate::manifest) fn is_own(path: &str) -> bool {
    ["/proc", "/dev"].iter().any(|own| Path::new(path).starts_with(own))
}

/// `plugin.handler` or `plugin.*`.
pub(in crate::manifest) fn handler(text: &str) -> Option<String> {
    let (plugin, handler) = text.split_once('.')?;
    let good = |name: &str| !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control());
    let any = handler == "*" || !handler.contains('*');
    (good(plugin) && good(handler) && any && !plugin.contains('*')).then(|| text.to_owned())
}

/// A subject of the bus, with wildcards where NATS has them.
pub(in crate::manifest) fn subject(text: &str) -> Option<String> {
    let (before, last) = text.rsplit_once('.').map_or((None, text), |(before, last)| (Some(before), last));
    let is_name = |t: &str| !t.is_empty() && t.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c));
    let token = |t: &str| t == "*" || is_name(t);
    (before.is_none_or(|before| before.split('.').all(token)) && (last == ">" || token(last)))
        .then(|| text.to_owned())
}

/// A well-known name of D-Bus, `.*` at the end for all below.
pub(in crate::manifest) fn service(text: &str) -> Option<String> {
    let name = text.strip_suffix(".*").unwrap_or(text);
    let part = |part: &str| {
        let good = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
        part.chars().all(good) && part.starts_with(|c: char| !c.is_ascii_digit() && good(c))
    };
    (text.len() <= 255 && name.contains('.') && name.split('.').all(part)).then(|| text.to_owned())
}

/// A path in `home`, written with `~`; another one as it is.
pub(super) fn at_home(text: &str, home: &Path) -> String {
    match Path::new(text).strip_prefix(home).ok().and_then(Path::to_str) {
        _ if home.parent().is_none() => text.to_owned(),
        Some("") => "~".to_owned(),
        Some(rest) => format!("~/{rest}"),
        None => text.to_owned(),
    }
}

/// A host that is named, and its port.
#[derive(Debug, PartialEq)]
pub(super) struct Endpoint {
    /// Of `*.example.org`.
    pub(super) wild: bool,
    /// In lower case, without brackets, without a dot at its end.
    pub(super) host: String,
    pub(super) port: Option<u16>,
}

impl Endpoint {
    pub(super) fn parse(text: &str) -> Option<Endpoint> {
        let whole = |host: Ipv6Addr, port| Endpoint { wild: false, host: host.to_string(), port };
        if let Ok(address) = text.parse() {
            return Some(whole(address, None));
        }
        if let Some((address, rest)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            let port = if rest.is_empty() { None } else { Some(port(rest.strip_prefix(':')?)?) };
            return Some(whole(address.parse().ok()?, port));
        }
        let (host, port) = match text.split_once(':') {
            Some((host, digits)) => (host, Some(port(digits)?)),
            None => (text, None),
        };
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        let (wild, host) = host.strip_prefix("*.").map_or((false, &*host), |rest| (true, rest));
        is_host(host, wild).then(|| Endpoint { wild, host: host.to_owned(), port })
    }

    pub(super) fn is_address(&self) -> bool {
        self.host.contains(':') || self.host.parse::<Ipv4Addr>().is_ok()
    }
}

fn port(digits: &str) -> Option<u16> {
    digits.parse().ok().filter(|port| *port > 0 && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

/// What ends in a number is an address of IPv4, and only where it is written in full: resolvers read `127.1` too.
fn is_host(host: &str, wild: bool) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    let last = host.rsplit('.').next().unwrap_or_default();
    let numeric = last.starts_with("0x") || last.bytes().all(|byte| byte.is_ascii_digit());
    let labels = host.split('.').all(|label| !label.is_empty() && label.chars().all(good));
    host.len() <= 253 && labels && (!numeric || (!wild && host.parse::<Ipv4Addr>().is_ok()))
}

/// Where a path leads, as far as its text says.
pub(super) struct Place<'a> {
    /// Below the home folder.
    home: bool,
    parts: Vec<&'a str>,
}

impl<'a> Place<'a> {
    pub(super) const HOME: Place<'static> = Place { home: true, parts: Vec::new() };

    /// None for a relative path, or one with `..`.
    pub(super) fn parse(path: &'a str) -> Option<Place<'a>> {
        let (home, rest) = match path.strip_prefix('~') {
            Some(rest) => (true, rest),
            None => (false, path),
        };
        let rooted = rest.starts_with('/') || (home && rest.is_empty());
        if !rooted {
            return None;
        }
        let parts: Vec<_> = rest.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
        (!parts.contains(&"..")).then_some(Place { home, parts })
    }

    /// Whether it is the other or above it; the root is above every home.
    pub(super) fn holds(&self, other: &Place<'_>) -> bool {
        (!self.home && self.parts.is_empty())
            || (self.home == other.home && other.parts.starts_with(&self.parts))
    }

    /// Whether plain `file_system` includes it.
    pub(super) fn is_plain(&self) -> bool {
        self.home && self.parts.first().is_some_and(|first| !first.starts_with('.'))
    }
}
