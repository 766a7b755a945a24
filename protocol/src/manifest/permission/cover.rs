//! Whether what is granted includes what is wanted.

use super::scope::{Endpoint, Place};
use super::{DBus, FilePaths, Permission};
use crate::bus;

impl Permission {
    /// Whether who has this has `wanted` too: the same, the plain one of that name, or a wider scope.
    ///
    /// Paths compare as they are written: see [`Permission::at_home`]. A path to write includes a path to read, and
    /// both all that lies below; plain `file_system` only what lies in the home without hidden folders.
    pub fn covers(&self, wanted: &Self) -> bool {
        wanted.is_covered(std::slice::from_ref(self))
    }

    /// Whether each item of it is included in one of `granted`.
    pub fn is_covered(&self, granted: &[Self]) -> bool {
        let granted: Vec<_> = granted.iter().flat_map(Self::atoms).collect();
        self.atoms().iter().all(|wanted| granted.iter().any(|one| one == wanted || one.includes(wanted)))
    }

    /// Of two that have one item at most.
    fn includes(&self, wanted: &Self) -> bool {
        match (self, wanted) {
            (Self::FileSystem(granted), Self::FileSystem(wanted)) => {
                includes_files(granted.as_ref(), wanted.as_ref())
            }
            (Self::Network(granted), Self::Network(wanted)) => {
                within(granted.as_deref(), wanted.as_deref(), is_server_of)
            }
            (Self::CallPlugin(granted), Self::CallPlugin(wanted)) => {
                within(granted.as_deref(), wanted.as_deref(), |granted, wanted| below(granted, "*", wanted))
            }
            (Self::Bus(granted), Self::Bus(wanted)) => {
                within(granted.as_deref(), wanted.as_deref(), is_subject_of)
            }
            (Self::SystemControl(granted), Self::SystemControl(wanted)) => {
                includes_names(granted.as_ref(), wanted.as_ref())
            }
            _ => false,
        }
    }
}

/// The plain one includes everything.
fn within(granted: Option<&[String]>, wanted: Option<&[String]>, is: fn(&str, &str) -> bool) -> bool {
    match (granted, wanted) {
        (None, _) => true,
        (Some([granted]), Some([wanted])) => granted == wanted || is(granted, wanted),
        _ => false,
    }
}

fn includes_files(granted: Option<&FilePaths>, wanted: Option<&FilePaths>) -> bool {
    match (granted, wanted) {
        (None, None) => true,
        (None, Some(FilePaths { read, write })) => {
            read.iter().chain(write).all(|path| Place::parse(path).is_some_and(|place| place.is_plain()))
        }
        (Some(FilePaths { write, .. }), None) => {
            write.iter().any(|path| Place::parse(path).is_some_and(|place| place.holds(&Place::HOME)))
        }
        (Some(granted), Some(wanted)) => {
            let all: Vec<_> = granted.read.iter().chain(&granted.write).collect();
            let changed: Vec<_> = granted.write.iter().collect();
            wanted.read.iter().all(|path| is_in(path, &all))
                && wanted.write.iter().all(|path| is_in(path, &changed))
        }
    }
}

fn is_in(path: &str, folders: &[&String]) -> bool {
    let Some(place) = Place::parse(path) else { return false };
    folders.iter().any(|folder| Place::parse(folder).is_some_and(|folder| folder.holds(&place)))
}

/// A name with a wildcard never stands for an address, and one without a port for every port.
fn is_server_of(granted: &str, wanted: &str) -> bool {
    let (Some(granted), Some(wanted)) = (Endpoint::parse(granted), Endpoint::parse(wanted)) else {
        return false;
    };
    let port = granted.port.is_none() || granted.port == wanted.port;
    let host = match (granted.wild, wanted.wild) {
        (false, false) => granted.host == wanted.host,
        (false, true) => false,
        (true, true) if granted.host == wanted.host => true,
        (true, _) => {
            let under = wanted.host.strip_suffix(&granted.host);
            under.is_some_and(|under| under.ends_with('.')) && !wanted.is_address()
        }
    };
    port && host
}

/// The subjects of a wildcard are those that it takes in; only `>` takes in another `>`.
fn is_subject_of(granted: &str, wanted: &str) -> bool {
    bus::matches(granted, wanted) && (granted.ends_with('>') || !wanted.ends_with('>'))
}

/// Names of D-Bus differ by case; `a.b.*` includes `a.b` itself.
fn includes_names(granted: Option<&DBus>, wanted: Option<&DBus>) -> bool {
    match (granted, wanted) {
        (None, _) => true,
        (Some(granted), Some(wanted)) => {
            let is = |name: &String| {
                granted
                    .names
                    .iter()
                    .any(|one| one == name || below(one, "*", name) || one.strip_suffix(".*") == Some(name))
            };
            granted.bus == wanted.bus && wanted.names.iter().all(is)
        }
        (Some(_), None) => false,
    }
}

/// Whether `pattern` ends with the wildcard in place of the rest of `name`.
fn below(pattern: &str, wildcard: &str, name: &str) -> bool {
    pattern.strip_suffix(wildcard).is_some_and(|above| above.ends_with('.') && name.starts_with(above))
}

#[cfg(test)]
mod tests;
