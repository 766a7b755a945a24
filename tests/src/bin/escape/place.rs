//! Where everything is that a plugin could want.

use std::{
    io::Read,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::Value;

use crate::{Outcome, calls::denied};

/// The context of a call.
pub(crate) struct Place(Value);

impl Place {
    pub(crate) fn new(context: &Value) -> Place {
        let places = context["places"].as_str().and_then(|places| serde_json::from_str(places).ok());
        Place(places.unwrap_or_default())
    }

    pub(crate) fn text(&self, name: &str) -> &str {
        self.0[name].as_str().unwrap_or_else(|| panic!("the context has no text `{name}`"))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.text(name).into()
    }

    pub(crate) fn number(&self, name: &str) -> i64 {
        self.0[name].as_i64().unwrap_or_else(|| panic!("the context has no number `{name}`"))
    }

    pub(crate) fn port(&self, name: &str) -> u16 {
        u16::try_from(self.number(name)).expect("a port")
    }

    pub(crate) fn pid(&self, of: &str) -> Option<i32> {
        self.0["pids"][of].as_i64().and_then(|pid| i32::try_from(pid).ok())
    }

    /// The kind and the bytes of the handle of a file.
    pub(crate) fn handle(&self) -> (u32, Vec<u8>) {
        let kind = self.0["handle"][0].as_u64().and_then(|kind| u32::try_from(kind).ok()).unwrap_or(0);
        let text = self.0["handle"][1].as_str().unwrap_or_default();
        let byte = |index| u8::from_str_radix(text.get(index..index + 2)?, 16).ok();
        (kind, (0..text.len()).step_by(2).filter_map(byte).collect())
    }

    /// A path in the home that is this plugin's to plant.
    pub(crate) fn planted(&self, kind: &str) -> PathBuf {
        self.path("home").join(format!("planted-{kind}-{}", self.text("me")))
    }

    /// A path in the granted folder that nobody else uses.
    pub(crate) fn here(&self, kind: &str) -> PathBuf {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        self.path("granted").join(format!("{kind}-{now}"))
    }
}

/// Something of a file's content.
pub(crate) fn see(path: impl AsRef<Path>) -> Outcome {
    let mut content = Vec::new();
    std::fs::File::open(&path)?.take(40).read_to_end(&mut content)?;
    if content.is_empty() {
        return Err(denied("it is empty"));
    }
    Ok(format!("{} says {}", path.as_ref().display(), String::from_utf8_lossy(&content)))
}
