//! Settings that change while a plugin runs: `settings/changed`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Extra, method::request};

request! {
    /// Host to plugin: the settings are others now.
    /// Only `invalid_settings` refuses, and the host keeps the old ones; a plugin that does not know the method is
    /// restarted with the new ones.
    SettingsChanged: "settings/changed", SettingsChangedParams => (), [INVALID_SETTINGS];
}

/// Params of `settings/changed`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SettingsChangedParams {
    /// All settings as they were.
    pub old: Extra,
    /// All settings as they are now.
    pub new: Extra,
}
