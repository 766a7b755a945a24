//! The section `providers` of `astros.yaml`: which provider of AI is asked, and what each is to know.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

/// The providers of AI models, whoever brings them.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, expecting = "a mapping")]
pub struct Providers {
    /// The one that is asked where nobody says which.
    pub default: Option<String>,
    /// What each is configured with, by its name.
    #[serde(flatten)]
    pub configured: BTreeMap<String, Map<String, Value>>,
}
