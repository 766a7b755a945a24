//! Who a plugin is: the section `metadata`.

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;

use super::version::PluginVersion;

/// Who the plugin is: `metadata` in `plugin.yaml`, the top level in `plugin-manifest.yaml`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(expecting = "a mapping")]
pub struct Metadata {
    /// Its name: lowercase letters, digits, `_` and `-`, up to 64 of them.
    pub name: PluginName,
    /// Its version, for example `1.2.0`.
    #[serde(default)]
    pub version: PluginVersion,
    /// One sentence for people.
    #[serde(default)]
    pub description: String,
    /// Its author, for example `Ada Lovelace <ada@example.org>`.
    pub author: Option<String>,
    /// Its licence, as an SPDX expression.
    pub license: Option<String>,
    /// Its page on the web.
    pub homepage: Option<String>,
}

/// A plugin's name: `[a-z0-9][a-z0-9_-]{0,63}`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
pub struct PluginName(#[schemars(regex(pattern = r"^[a-z0-9][a-z0-9_-]{0,63}$"))] String);

impl PluginName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PluginName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for PluginName {
    type Error = String;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
        let good = name.len() <= 64
            && name.chars().all(allowed)
            && !name.is_empty()
            && !name.starts_with(['_', '-']);
        if good {
            return Ok(Self(name));
        }
        let rule = "expected up to 64 lowercase letters, digits, `_` and `-`, a letter or digit first";
        let joined = name.to_lowercase().replace([' ', '.'], "-");
        match Self::try_from_clean(&joined) {
            Some(better) => Err(format!("{rule}, for example `{better}`")),
            None => Err(rule.to_owned()),
        }
    }
}

impl PluginName {
    /// What an invalid name could be instead: its allowed characters, where enough of them are left.
    fn try_from_clean(name: &str) -> Option<String> {
        let kept: String =
            name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-' || *c == '_').collect();
        let kept = kept.trim_matches(['-', '_']);
        (!kept.is_empty() && kept.len() <= 64).then(|| kept.to_owned())
    }
}
