//! What a plugin holds from `initialize` to `shutdown`: what the host gave, settings, and the author's state.

use std::{
    any::{Any, TypeId, type_name},
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use astros_protocol::{Error as WireError, ErrorCode, Extra, lifecycle::InitializeParams};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{Error, Result, params};

type Anything = Arc<dyn Any + Send + Sync>;

/// What the author shares between handlers, by type.
pub(crate) type State = HashMap<TypeId, Anything>;

pub(crate) struct Session {
    pub(crate) given: InitializeParams,
    pub(crate) state: Arc<State>,
    // A std lock: held for a clone of an `Arc`, never across an await.
    settings: RwLock<Settings>,
}

#[derive(Clone)]
struct Settings {
    raw: Arc<Extra>,
    /// Of the type that the plugin declared.
    typed: Option<Anything>,
}

impl Session {
    pub(crate) fn new(
        given: InitializeParams,
        state: Arc<State>,
        kind: Option<&SettingsKind>,
    ) -> std::result::Result<Session, WireError> {
        let settings = Settings::read(given.settings.clone(), kind)?;
        Ok(Session { given, state, settings: RwLock::new(settings) })
    }

    /// Takes new settings, unless they do not fit.
    pub(crate) fn change_settings(
        &self,
        new: Extra,
        kind: Option<&SettingsKind>,
    ) -> std::result::Result<(), WireError> {
        let settings = Settings::read(new, kind)?;
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = settings;
        Ok(())
    }

    pub(crate) fn settings<T: DeserializeOwned + Send + Sync + 'static>(&self) -> Result<Arc<T>> {
        let Settings { raw, typed } = self.settings.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(typed) = typed.and_then(|typed| typed.downcast().ok()) {
            return Ok(typed);
        }
        let settings = T::deserialize(Value::Object(Extra::clone(&raw)));
        Ok(Arc::new(
            settings.map_err(|error| {
                Error::msg(format!("the settings are no `{}`: {error}", type_name::<T>()))
            })?,
        ))
    }

    pub(crate) fn state<T: Send + Sync + 'static>(&self) -> Result<&T> {
        let state = self.state.get(&TypeId::of::<T>()).and_then(|state| state.downcast_ref());
        state.ok_or_else(|| {
            let name = type_name::<T>();
            Error::msg(format!("the plugin has no state of type `{name}`"))
                .with_hint("`Plugin::state` adds it")
        })
    }
}

impl Settings {
    fn read(raw: Extra, kind: Option<&SettingsKind>) -> std::result::Result<Settings, WireError> {
        let typed = kind.map(|kind| (kind.read)(&raw)).transpose()?;
        Ok(Settings { raw: Arc::new(raw), typed })
    }
}

/// The type of a plugin's settings.
pub(crate) struct SettingsKind {
    pub(crate) schema: Option<Value>,
    read: fn(&Extra) -> std::result::Result<Anything, WireError>,
}

impl SettingsKind {
    pub(crate) fn of<T: DeserializeOwned + JsonSchema + Send + Sync + 'static>() -> SettingsKind {
        SettingsKind { schema: params::schema::<T>(), read: read_settings::<T> }
    }
}

/// Fails with `invalid_settings`: where and why.
fn read_settings<T: DeserializeOwned + Send + Sync + 'static>(
    raw: &Extra,
) -> std::result::Result<Anything, WireError> {
    let settings: std::result::Result<T, _> = serde_path_to_error::deserialize(Value::Object(raw.clone()));
    settings.map(|settings| Arc::new(settings) as Anything).map_err(|error| {
        let pointer = pointer(error.path());
        let reason = error.into_inner().to_string();
        let place = if pointer.is_empty() { String::new() } else { format!(" at `{pointer}`") };
        WireError::new(ErrorCode::INVALID_SETTINGS, format!("the settings do not fit{place}: {reason}"))
            .with("errors", json!([{ "pointer": pointer, "reason": reason }]))
    })
}

/// A JSON pointer.
fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter()
        .filter_map(|segment| match segment {
            Segment::Seq { index } => Some(format!("/{index}")),
            Segment::Map { key } => Some(format!("/{}", key.replace('~', "~0").replace('/', "~1"))),
            Segment::Enum { .. } | Segment::Unknown => None,
        })
        .collect()
}
