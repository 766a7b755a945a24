//! How a permission is told to a person.

use super::{BusKind, DBus, FilePaths, Permission};

impl Permission {
    /// What it lets a plugin do, to go on after "wants to": "reach api.example.org:443".
    pub fn sentence(&self) -> String {
        let parts = self.phrases().into_iter().map(|(verb, what)| format!("{verb} {what}"));
        parts.collect::<Vec<_>>().join("; ")
    }

    /// The same in two columns, what it does and to what: "reach", "api.example.org:443".
    pub fn phrases(&self) -> Vec<(&'static str, String)> {
        let one = |verb, what: &str| vec![(verb, what.to_owned())];
        match self {
            Self::FileSystem(None) => one("read and change", "your files, except hidden folders and secrets"),
            Self::FileSystem(Some(FilePaths { read, write })) => {
                let both = [("read", read), ("read and change", write)];
                let said = both.into_iter().filter(|(_, paths)| !paths.is_empty());
                said.map(|(verb, paths)| (verb, and(paths.iter().map(|path| place(path))))).collect()
            }
            Self::Network(None) => one("reach", "every host of the network"),
            Self::Network(Some(hosts)) => vec![("reach", and(hosts.iter().map(|host| server(host))))],
            Self::SystemControl(None) => one("control", "your desktop and this machine by D-Bus"),
            Self::SystemControl(Some(DBus { bus, names })) => {
                let whose = match bus {
                    BusKind::Session => "on your desktop",
                    BusKind::System => "of this machine",
                };
                vec![("talk to", format!("{} {whose}", and(names.iter().cloned())))]
            }
            Self::Ai => one("ask", "the AI models that you have set up"),
            Self::Storage => one("keep", "up to 64 MiB of its own data"),
            Self::CallPlugin(None) => one("use", "every other plugin"),
            Self::CallPlugin(Some(handlers)) => vec![("use", and(handlers.iter().cloned()))],
            Self::Bus(None) => one("read and send", "messages of other plugins"),
            Self::Bus(Some(subjects)) => {
                vec![("read and send", format!("messages on {}", and(subjects.iter().cloned())))]
            }
        }
    }

    /// What these permissions keep from a plugin, to go on after "it will not see": "your files, other hosts".
    /// Nothing where they keep nothing of that kind from it.
    pub fn withheld(granted: &[Self]) -> Option<String> {
        let files = withheld_files(granted);
        let network = granted.iter().filter(|one| matches!(one, Self::Network(_)));
        let network = match (network.clone().count(), network.clone().any(|one| *one == Self::Network(None)))
        {
            (0, _) => Some("the network"),
            (_, false) => Some("other hosts"),
            (_, true) => None,
        };
        let plugins = (!granted.contains(&Self::CallPlugin(None))).then_some("other plugins");
        let kept: Vec<_> = [files, network, plugins].into_iter().flatten().collect();
        (!kept.is_empty()).then(|| kept.join(", "))
    }
}

fn withheld_files(granted: &[Permission]) -> Option<&'static str> {
    let all_of = |path: &str| {
        Permission::FileSystem(Some(FilePaths { read: vec![path.to_owned()], write: Vec::new() }))
    };
    let (machine, home) = (all_of("/"), all_of("~"));
    let files: Vec<_> = granted.iter().filter(|one| matches!(one, Permission::FileSystem(_))).collect();
    match &files[..] {
        [] => Some("your files"),
        all if all.iter().any(|one| one.covers(&machine)) => None,
        all if all.iter().any(|one| one.covers(&home)) => Some("files outside of your home"),
        all if all.contains(&&Permission::FileSystem(None)) => Some("hidden folders"),
        _ => Some("other files"),
    }
}

fn place(path: &str) -> String {
    match path {
        "/" => "every file of this machine".to_owned(),
        "~" => "your whole home folder, hidden folders and secrets among it".to_owned(),
        path => path.to_owned(),
    }
}

fn server(host: &str) -> String {
    match host.strip_prefix("*.") {
        Some(domain) => format!("every host of {domain}"),
        None => host.to_owned(),
    }
}

fn and(items: impl Iterator<Item = String>) -> String {
    match &items.collect::<Vec<_>>()[..] {
        [] => "nothing".to_owned(),
        [only] => only.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}
