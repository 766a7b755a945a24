//! Several plugins in one folder: each class that the manifest's entry points name is one, with a process of its own.

use astros_protocol::manifest::{EntryPoint, Kind, PluginName, Program, PythonTarget};

use super::{Entry, Status};

/// A class, the name of its first entry point, and the kinds of all of them.
struct Part<'a> {
    class: &'a str,
    name: &'a str,
    kinds: Vec<Kind>,
}

/// The plugins of a folder: itself, or one a class where there are several and the manifest says nothing else.
pub(super) fn split(mut entry: Entry) -> Vec<Entry> {
    let Some(manifest) = &entry.manifest else { return vec![entry] };
    let parts = parts(&manifest.entry_points);
    if parts.len() < 2 || manifest.run.program.is_some() {
        if let Some(Program::Python(_)) = &entry.run.program {
            entry.run.args.extend(providers(&manifest.entry_points));
        }
        return vec![entry];
    }
    parts.iter().map(|part| part.of(&entry)).collect()
}

/// The providers of a plugin in Python as its SDK is told them, `NAME=module:Class`: their modules may be imported by
/// nothing else.
fn providers(points: &[EntryPoint]) -> impl Iterator<Item = String> {
    let listed = points.iter().filter(|point| point.kind == Kind::Provider && point.class.contains(':'));
    listed.map(|EntryPoint { name, class, .. }| format!("{name}={class}"))
}

fn parts(points: &[EntryPoint]) -> Vec<Part<'_>> {
    let mut parts: Vec<Part<'_>> = Vec::new();
    for EntryPoint { kind, name, class } in points {
        match parts.iter_mut().find(|part| part.class == class) {
            Some(part) => part.kinds.push(*kind),
            None => parts.push(Part { class, name, kinds: vec![*kind] }),
        }
    }
    parts
}

impl Part<'_> {
    fn of(&self, whole: &Entry) -> Entry {
        let mut entry =
            Entry { kinds: self.kinds.clone(), part: Some(self.name.to_owned()), ..whole.clone() };
        match PythonTarget::parse(self.class) {
            Some(target) => entry.run.program = Some(Program::Python(target)),
            None => {
                let reason =
                    format!("`entry_points` names the class `{}`, expected `module:Class`", self.class);
                entry.block(reason, "correct it in its manifest");
            }
        }
        entry.set_name(self.name);
        entry
    }
}

impl Entry {
    /// The name of an entry point, which may be written in more ways than a plugin's.
    pub(super) fn set_name(&mut self, name: &str) {
        self.name = name.to_lowercase().replace([' ', '.'], "-");
        if let Err(rule) = PluginName::try_from(self.name.clone()) {
            let reason = format!("the entry point `{name}` is no name of a plugin: {rule}");
            self.block(reason, "its author has to name it otherwise");
        }
    }

    pub(super) fn block(&mut self, reason: String, hint: &str) {
        self.status = Status::Blocked { reason, hint: hint.to_owned() };
    }
}
