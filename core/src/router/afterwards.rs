//! What a plugin says when its sandbox kept something from it that nobody sees from outside: the words of the system
//! tell what it was, and the person is told what would allow it.

use std::path::Path;

use astros_protocol::{
    Error,
    manifest::{FilePaths, Permission},
};

use super::{Plugin, Router, errors, tree::Root};
use crate::supervisor::Sandboxed;

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
        let whole = FilePaths { read: Vec::new(), write: vec!["~".to_owned()] };
        let whole = Permission::FileSystem(Some(whole));
        let (permission, why) = if is_offline(&said) && lacks_network(&plugin) {
            (Permission::Network(None), ", which may name hosts (`network: HOST`)")
        } else if FIXED.iter().any(|sign| said.contains(sign)) && has_entries_of_home(&plugin, &whole, root) {
            let why = ": without it nothing is made directly in your home or moved between its folders, with it the \
                       plugin has hidden folders and secrets, too";
            (whole, why)
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

/// Whether the person named something in the home of a plugin that has it entry by entry.
fn has_entries_of_home(plugin: &Plugin, whole: &Permission, root: &Root) -> bool {
    let supervisor = plugin.supervisor();
    let spec = supervisor.spec();
    let home = spec.environment.iter().find(|(name, _)| name == "HOME").map(|(_, home)| Path::new(home));
    let plain = spec.granted.contains(&Permission::FileSystem(None)) && !whole.is_covered(&spec.granted);
    let lies_there =
        |home: &Path| root.named.get().is_some_and(|named| named.iter().any(|path| path.starts_with(home)));
    spec.sandboxed != Sandboxed::Off && plain && home.is_some_and(lies_there)
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
