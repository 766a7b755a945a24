//! The hosts that a plugin was granted, and the one that a request means.

use std::{fmt, net::IpAddr};

use super::address::is_public;

/// A name in lower case, or an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Host {
    Name(String),
    Address(IpAddr),
}

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) host: Host,
    pub(super) port: u16,
}

/// What the permission `network` lists.
#[derive(Clone, Debug, Default)]
pub(super) struct Hosts(Vec<Granted>);

#[derive(Clone, Debug)]
struct Granted {
    host: Host,
    /// Not the host itself, but all below it.
    below: bool,
    /// None: every one.
    port: Option<u16>,
}

impl Host {
    /// Reads a host as it stands in a URL. A name that some program might take for a number is none.
    pub(super) fn parse(text: &str) -> Option<Host> {
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
        if let Some(bare) = bare {
            let address = IpAddr::V6(bare.parse().ok()?);
            // One way to say it: what is mapped is a v4 address.
            return Some(Host::Address(address.to_canonical()));
        }
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        if let Ok(address) = name.parse() {
            return Some(Host::Address(IpAddr::V4(address)));
        }
        let good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let label = |label: &str| (1..64).contains(&label.len()) && label.bytes().all(good);
        let last = name.rsplit('.').next().unwrap_or_default();
        let number = last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x");
        (name.len() < 254 && name.split('.').all(label) && !number).then_some(Host::Name(name))
    }
}

impl Target {
    /// Reads `host:port` as it stands in a URL or after CONNECT; without a port it is `default`.
    pub(super) fn parse(authority: &str, default: Option<u16>) -> Option<Target> {
        let (host, port) = split(authority);
        let port = match port {
            Some(port) => number(port),
            None => default,
        };
        Some(Target { host: Host::parse(host)?, port: port.filter(|port| *port > 0)? })
    }
}

impl Hosts {
    /// Reads the items of the permission; one that is no host grants nothing.
    pub(super) fn parse(items: &[String]) -> Hosts {
        let granted = |item: &String| {
            if let Ok(IpAddr::V6(address)) = item.parse() {
                let host = Host::Address(IpAddr::V6(address).to_canonical());
                return Some(Granted { host, below: false, port: None });
            }
            let (below, rest) = item.strip_prefix("*.").map_or((false, &**item), |rest| (true, rest));
            let (host, port) = split(rest);
            let port = match port {
                Some(port) => Some(number(port)?),
                None => None,
            };
            let host = Host::parse(host)?;
            (!below || matches!(host, Host::Name(_))).then_some(Granted { host, below, port })
        };
        Hosts(items.iter().filter_map(granted).collect())
    }

    /// Whether a request may ask for it.
    pub(super) fn allow(&self, target: &Target) -> bool {
        match &target.host {
            Host::Name(_) => self.0.iter().any(|granted| granted.names(target)),
            Host::Address(address) => self.allow_address(*address, target.port),
        }
    }

    /// Whether an address may be connected to that a name was found to have: one of the internet, or a granted one.
    pub(super) fn reach(&self, address: IpAddr, port: u16) -> bool {
        is_public(address) || self.allow_address(address, port)
    }

    fn allow_address(&self, address: IpAddr, port: u16) -> bool {
        let address = address.to_canonical();
        let meant = |host: &Host| match host {
            Host::Address(granted) => *granted == address,
            Host::Name(name) => name == "localhost" && address.is_loopback(),
        };
        self.0.iter().any(|granted| !granted.below && granted.opens(port) && meant(&granted.host))
    }
}

impl Granted {
    fn names(&self, target: &Target) -> bool {
        let (Host::Name(own), Host::Name(name)) = (&self.host, &target.host) else { return false };
        let meant = match self.below {
            true => name.strip_suffix(own.as_str()).is_some_and(|above| above.ends_with('.')),
            false => name == own,
        };
        meant && self.opens(target.port)
    }

    fn opens(&self, port: u16) -> bool {
        self.port.is_none_or(|own| own == port)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) => f.write_str(name),
            Host::Address(IpAddr::V4(address)) => address.fmt(f),
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// The host, and the digits after it.
fn split(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

fn number(port: &str) -> Option<u16> {
    port.bytes().all(|byte| byte.is_ascii_digit()).then(|| port.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(items: &[&str]) -> Hosts {
        Hosts::parse(&items.iter().map(|item| (*item).to_owned()).collect::<Vec<_>>())
    }

    fn allows(hosts: &Hosts, authority: &str) -> bool {
        Target::parse(authority, Some(80)).is_some_and(|target| hosts.allow(&target))
    }

    #[test]
    fn takes_a_name_on_every_port_or_on_the_one_that_is_named() {
        let granted = hosts(&["api.example.org", "db.example.org:5432"]);
        for good in ["api.example.org", "API.Example.ORG.:8443", "api.example.org:443", "db.example.org:5432"]
        {
            assert!(allows(&granted, good), "{good}");
        }
        for bad in [
            "example.org",
            "a.api.example.org",
            "api.example.org.evil.net",
            "xapi.example.org",
            "db.example.org",
            "db.example.org:443",
            "",
            "*.example.org",
        ] {
            assert!(!allows(&granted, bad), "{bad}");
        }
    }

    #[test]
    fn takes_all_below_a_name_and_not_the_name_itself() {
        let granted = hosts(&["*.example.org:443"]);
        assert!(allows(&granted, "a.example.org:443") && allows(&granted, "a.b.example.org:443"));
        for bad in ["example.org:443", "a.example.org:80", "aexample.org:443", ".example.org:443"] {
            assert!(!allows(&granted, bad), "{bad}");
        }
        assert!(!allows(&hosts(&["*.0.0.1", "*"]), "127.0.0.1"));
    }

    #[test]
    fn reads_no_address_in_disguise() {
        let granted = hosts(&["2130706433", "0x7f.1", "127.1", "0177.0.0.1", "1.2.3.4.5"]);
        assert!(granted.0.is_empty(), "{granted:?}");
        for bad in [
            "2130706433",
            "0x7f000001",
            "0x7f.0.0.1",
            "127.1",
            "0177.0.0.1",
            "017700000001",
            "1.2.3.4.5",
            "a.0x1",
            "a.1",
            "a..b",
            "a b",
            "a%2eb",
            "user@a",
            "a:b@c:80",
            "a\\b",
            "[::1",
            "::1",
            "[fe80::1%lo]",
            "[::1]x:80",
            "b\u{fc}cher.example",
            "\u{2488}example",
            "a:",
            "a:0",
            "a:65536",
            "a:+80",
            "a:80:80",
        ] {
            assert_eq!(Target::parse(bad, Some(80)), None, "{bad}");
        }
    }

    #[test]
    fn takes_an_address_however_it_is_written_where_it_is_granted() {
        let granted = hosts(&["192.168.1.5:8080", "[fd00::5]:80", "fd00::6", "10.0.0.1"]);
        for good in [
            "192.168.1.5:8080",
            "192.168.1.5.:8080",
            "[::ffff:192.168.1.5]:8080",
            "[FD00:0::5]",
            "[fd00::6]:9",
            "10.0.0.1:1",
        ] {
            assert!(allows(&granted, good), "{good}");
        }
        for bad in ["192.168.1.5", "[fd00::5]:81", "192.168.1.6:8080", "localhost:8080", "127.0.0.1"] {
            assert!(!allows(&granted, bad), "{bad}");
        }
        let local = hosts(&["localhost:5432"]);
        for good in ["localhost:5432", "127.0.0.1:5432", "[::1]:5432", "[::ffff:127.0.0.1]:5432"] {
            assert!(allows(&local, good), "{good}");
        }
        assert!(!allows(&local, "localhost:80") && !allows(&local, "[::1]:80"));
    }

    #[test]
    fn reaches_what_is_near_only_where_that_address_is_granted() {
        let reaches = |hosts: &Hosts, address: &str| hosts.reach(address.parse().unwrap(), 80);
        let named = hosts(&["nas.example", "*.example"]);
        assert!(reaches(&named, "8.8.8.8") && !reaches(&named, "192.168.1.5"));
        let both = hosts(&["nas.example", "192.168.1.5"]);
        assert!(reaches(&both, "192.168.1.5") && reaches(&both, "::ffff:192.168.1.5"));
        assert!(!reaches(&both, "192.168.1.6") && !reaches(&both, "127.0.0.1"));
        assert!(reaches(&hosts(&["localhost"]), "127.0.0.1") && !reaches(&hosts(&["*.localhost"]), "::1"));
    }
}
