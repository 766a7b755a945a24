//! The settings of one plugin in a file of its own, `plugins/NAME/NAME.yaml` in the configuration folder.

use std::{collections::BTreeMap, io, path::Path};

use astros_protocol::manifest::Document;
use serde_json::Value;

use super::{ConfigError, text_of, unreadable};
use crate::services::settings::Setting;

/// What the file sets; nothing where it is not there.
pub fn own_settings(path: &Path) -> Result<BTreeMap<String, Setting>, ConfigError> {
    let there = path.symlink_metadata();
    if there.is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        return Ok(BTreeMap::new());
    }
    let text = text_of(path).map_err(|error| unreadable(path, &error))?;
    let document = Document::parse(&text, path)?;
    let Value::Object(members) = document.value() else { return Ok(BTreeMap::new()) };
    let setting = |(name, value): (String, Value)| {
        let line = document.line(&[&name]).unwrap_or(1);
        (name, Setting { value, line })
    };
    Ok(members.into_iter().map(setting).collect())
}
