//! What a plugin says when its sandbox kept something from it that nobody sees from outside: the words of the system
//! tell what it was, and the person is told what would allow it.

use std::path::Path;

use astros_protocol::{
    Error,
    manifest::{FilePaths, Permission},
};

use super::{Plugin, Router, errors, tree::Root};
use crate::supervisor::{FileAccess, Sandboxed};

/// How programs say that they have no network: those of Python, Node, Rust, Go and curl.
const OFFLINE: [&str; 17] = [
    "name resolution",
    "gaierror",
    "getaddrinfo",
    "eai_again",
    "enetunreach",
    "network is unreachable",
    "urlopen error",
    "newconnectionerror",
    "connecterror",
    "cannot connect to host",
    "lookup address information",
    "dial tcp",
    "dial udp",
    "connect eperm",
    "fetch failed",
    "could not resolve host",
    "error sending request",
];
/// How they say that the folder above is not theirs to change, or that something lies in a mount of its own.
const FIXED: [&str; 11] = [
    "read-only file system",
    "disk can only be read",
    "another disk",
    "cross-device",
    "device or resource busy",
    "erofs",
    "exdev",
    "os error 30",
    "os error 18",
    "errno 30",
    "errno 18",
];

impl Router {
    /// The permission that a plugin seems to lack by what it says of a failure, as an error that names it and what
    /// allows it.
    pub fn seems_to_lack(&self, plugin: &str, said: &str, root: &Root) -> Option<Error> {
        // It may have that from one that it called.
        if said.contains("plugin `") {
            return None;
        }
        let plugin = self.plugin(plugin).ok()?;
        let said = said.to_lowercase();
        let (permission, why) = if is_offline(&said) && lacks_network(&plugin) {
            (Permission::Network(None), String::new())
        } else if FIXED.iter().any(|sign| said.contains(sign)) && names_in_home(&plugin, root) {
            let home = FilePaths { read: Vec::new(), write: vec!["~".to_owned()] };
            let why = ", and nothing is made directly in your home or moved between its folders without it";
            (Permission::FileSystem(Some(home)), why.to_owned())
        } else {
            return None;
        };
        let error = errors::denied(&plugin.name, &permission, "", self.granted_in(&plugin.name).as_deref());
        let hint = error.hint().unwrap_or_default();
        let hint = format!("`{}` has no permission `{permission}`{why}; {hint}", plugin.name);
        Some(error.with_hint(hint))
    }
}

fn is_offline(said: &str) -> bool {
    let denied = said.contains("operation not permitted") || said.contains("eperm");
    OFFLINE.iter().any(|sign| said.contains(sign)) || denied && said.contains("socket")
}

fn lacks_network(plugin: &Plugin) -> bool {
    let confined = plugin.supervisor().spec().sandboxed != Sandboxed::Off;
    confined && !plugin.is_granted(|granted| granted.iter().any(|one| matches!(one, Permission::Network(_))))
}

/// Whether the person named something in a home that the plugin has entry by entry.
fn names_in_home(plugin: &Plugin, root: &Root) -> bool {
    let supervisor = plugin.supervisor();
    let Some(home) = FileAccess::of(&supervisor.spec()).and_then(|reach| reach.listed_home()) else {
        return false;
    };
    let lies_there = |path: &Path| {
        let real = path.parent().and_then(|parent| parent.canonicalize().ok());
        real.is_some_and(|real| real.starts_with(&home))
    };
    root.named.get().is_some_and(|named| named.iter().any(|path| lies_there(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_words_of_who_has_no_network() {
        for said in [
            "URLError: <urlopen error [Errno 1] Operation not permitted>",
            "gaierror: [Errno -3] Temporary failure in name resolution",
            "OSError: [Errno 101] Network is unreachable",
            "connect EPERM 93.184.216.34:443 - Local (undefined:undefined)",
            "getaddrinfo EAI_AGAIN api.example.org",
            "dial tcp: lookup api.example.org: socket: operation not permitted",
            "PermissionError: [Errno 1] Operation not permitted\n  File \"/usr/lib/python3/socket.py\"",
        ] {
            assert!(is_offline(&said.to_lowercase()), "{said}");
        }
        for said in ["PermissionError: [Errno 1] Operation not permitted: '/x'", "KeyError: 'a'", "HTTP 404"]
        {
            assert!(!is_offline(&said.to_lowercase()), "{said}");
        }
    }
}
