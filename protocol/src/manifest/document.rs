//! A YAML file read with its places: what `astros.yaml` needs of the manifest's reader.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::ManifestError;
use super::source::Source;
use super::yaml::{Content, Node};

/// A YAML file that is a mapping, and where its members stand.
pub struct Document<'a> {
    source: Source<'a>,
    root: Node,
}

impl<'a> Document<'a> {
    /// Reads the text of the file `path`; an empty one is an empty mapping.
    ///
    /// # Errors
    /// It is no YAML, or no mapping.
    pub fn parse(text: &'a str, path: &'a Path) -> Result<Self, ManifestError> {
        let source = Source { text, path };
        let mut root = Node::parse(text).map_err(|(at, problem)| source.error(at, problem))?;
        match root.content {
            Content::Map(_) => {}
            Content::Null => root.content = Content::Map(Vec::new()),
            _ => {
                let problem = format!("the file is {}, expected a mapping", root.describe(text));
                return Err(source.error(root.at, problem));
            }
        }
        Ok(Self { source, root })
    }

    /// The file as a `T`; members without a value count as absent.
    ///
    /// # Errors
    /// A member is missing, or not what it has to be: its path, its place, what was found and expected.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, ManifestError> {
        self.source.section(&self.root, "")
    }

    /// The file as it is.
    pub fn value(&self) -> Value {
        self.root.value()
    }

    /// An error about the value that a JSON pointer leads to, or about what holds it where it is not there.
    pub fn error(&self, pointer: &str, problem: String) -> ManifestError {
        let mut place = &self.root;
        for name in pointer.split('/').skip(1) {
            let Some(next) = name.parse().ok().and_then(|at| place.item(at)).or_else(|| place.get(name))
            else {
                break;
            };
            place = next;
        }
        self.source.error(place.at, problem)
    }

    /// The line, from 1, of the value that the names lead to.
    pub fn line(&self, names: &[&str]) -> Option<u64> {
        let node = names.iter().try_fold(&self.root, |node, name| node.get(name))?;
        Some(node.at.line)
    }
}
