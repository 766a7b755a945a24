//! A notification as plugins ask for it, and how a desktop wants it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What to show.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
pub struct Notification {
    /// The line above the message.
    #[serde(default)]
    pub title: String,
    pub message: String,
    #[serde(default, rename = "type")]
    pub kind: Kind,
    /// How long it is shown, in milliseconds; as long as the desktop likes where absent, until closed where 0.
    #[serde(default)]
    pub timeout_ms: Option<u32>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    #[default]
    Info,
    Success,
    #[serde(alias = "warn")]
    Warning,
    Error,
}

impl Notification {
    /// `title: message`, for people without a desktop.
    #[must_use]
    pub fn text(&self) -> String {
        if self.title.is_empty() { self.message.clone() } else { format!("{}: {}", self.title, self.message) }
    }

    /// The title for a desktop, which wants one always.
    pub(crate) fn summary(&self) -> String {
        if self.title.is_empty() { "AstrOS".to_owned() } else { plain(&self.title) }
    }

    /// The message for a desktop; its own `<` and `&` shall be seen, so they are escaped where markup is read.
    pub(crate) fn body(&self, markup: bool) -> String {
        let text = plain(&self.message);
        if markup { text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;") } else { text }
    }

    /// Milliseconds, or -1 where the desktop decides.
    pub(crate) fn expire(&self) -> i32 {
        self.timeout_ms.map_or(-1, |ms| i32::try_from(ms).unwrap_or(i32::MAX))
    }
}

impl Kind {
    /// The urgency of the desktop's specification: 1 normal, 2 critical, which stays until it is closed.
    pub(crate) fn urgency(self) -> u8 {
        if self == Self::Error { 2 } else { 1 }
    }

    pub(crate) fn icon(self) -> &'static str {
        match self {
            Self::Info => "dialog-information",
            Self::Success => "emblem-default",
            Self::Warning => "dialog-warning",
            Self::Error => "dialog-error",
        }
    }
}

/// D-Bus strings hold no NUL.
fn plain(text: &str) -> String {
    text.replace('\0', "")
}
