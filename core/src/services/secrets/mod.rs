//! Secrets of plugins, beside the daemon's environment: `secrets.yaml` in the configuration folder, and the system's
//! keyring. What is found goes to the plugin whose it is, with its other settings, and nowhere else.
//!
//! A name is looked for in the file first, then in the keyring.

mod file;
mod keyring;

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
};

use astros_protocol::{Error, ErrorCode};
use serde::Serialize;
use serde_json::Value;

use super::settings::Secret;
use file::SecretsFile;
use keyring::Keyring;

/// The file's name, in the configuration folder.
pub const FILE: &str = "secrets.yaml";
/// Where a secret is that is in the keyring.
const KEYRING: &str = "the keyring";

/// The secrets by plugin and name, as they stand in the file.
type All = BTreeMap<String, BTreeMap<String, Value>>;

/// Where a secret is; never what it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Listed {
    pub plugin: String,
    pub key: String,
    /// The file's path, or the keyring.
    pub place: String,
}

/// Why secrets cannot be had or kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretsError {
    /// Others may read it, or change what it says.
    #[error("the secrets in `{}` are not used: {why}", path.display())]
    Exposed { path: PathBuf, why: String, hint: String },
    /// It is there and cannot be used.
    #[error("`{}` cannot be used: {why}", path.display())]
    File { path: PathBuf, why: String },
    /// The keyring does not do what it was asked for.
    #[error("the keyring cannot be used: {0}")]
    Keyring(String),
}

impl SecretsError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            SecretsError::Exposed { hint, .. } => hint.clone(),
            SecretsError::File { .. } => {
                "it holds names of plugins, each with a mapping of settings to secrets".to_owned()
            }
            SecretsError::Keyring(_) => "unlock it, or see whether it runs".to_owned(),
        }
    }
}

impl From<SecretsError> for Error {
    fn from(error: SecretsError) -> Error {
        Error::new(ErrorCode::INVALID_SETTINGS, error.to_string()).with_hint(error.hint())
    }
}

/// Where secrets are kept.
#[derive(Debug)]
pub struct Secrets {
    file: SecretsFile,
    keyring: Option<Keyring>,
}

impl Secrets {
    /// Those of the file in this folder, and of the keyring that the environment leads to, where there is one.
    pub fn at(folder: &Path, environment: &[(OsString, OsString)]) -> Secrets {
        Secrets { file: SecretsFile::new(folder.join(FILE)), keyring: Keyring::find(environment) }
    }

    /// Reads what the file holds now, for [`Reading::of`].
    pub fn read(&self) -> Reading<'_> {
        Reading { file: self.file.read(), path: self.file.path(), keyring: self.keyring.as_ref() }
    }

    /// Keeps a secret: in the keyring where there is one that takes it, else in the file. Says where, and why not in
    /// the keyring. It blocks.
    ///
    /// # Errors
    /// The file cannot be written, or holds what is not to be used.
    pub fn set(
        &self,
        plugin: &str,
        key: &str,
        secret: &str,
    ) -> Result<(String, Option<SecretsError>), SecretsError> {
        let kept = self.keyring.as_ref().map(|keyring| keyring.set(plugin, key, secret));
        if let Some(Ok(())) = kept {
            // What stands in the file would be found first.
            self.file.remove(plugin, key)?;
            return Ok((KEYRING.to_owned(), None));
        }
        self.file.set(plugin, key, secret)?;
        Ok((self.file.path().display().to_string(), kept.and_then(Result::err)))
    }

    /// Forgets a secret wherever it is kept; says whether there was one. It blocks.
    ///
    /// # Errors
    /// The file or the keyring cannot be used.
    pub fn remove(&self, plugin: &str, key: &str) -> Result<bool, SecretsError> {
        let in_file = self.file.remove(plugin, key)?;
        let in_keyring = match &self.keyring {
            Some(keyring) => keyring.remove(plugin, key)?,
            None => false,
        };
        Ok(in_file || in_keyring)
    }

    /// The names of all that are kept. It blocks.
    ///
    /// # Errors
    /// The file or the keyring cannot be used.
    pub fn list(&self) -> Result<Vec<Listed>, SecretsError> {
        let mut listed = Vec::new();
        let place = self.file.path().display().to_string();
        for (plugin, secrets) in self.file.read()? {
            let one = |key| Listed { plugin: plugin.clone(), key, place: place.clone() };
            listed.extend(secrets.into_keys().map(one));
        }
        if let Some(keyring) = &self.keyring {
            let one = |(plugin, key)| Listed { plugin, key, place: KEYRING.to_owned() };
            listed.extend(keyring.list()?.into_iter().map(one));
        }
        listed.sort();
        Ok(listed)
    }
}

/// The file as it was read once, and the keyring.
#[derive(Debug)]
pub struct Reading<'a> {
    file: Result<All, SecretsError>,
    path: &'a Path,
    keyring: Option<&'a Keyring>,
}

impl Reading<'_> {
    /// A plugin's secrets: all that the file has of it, and of these names what the keyring has. It blocks, for as long
    /// as [`keyring::PATIENCE`] at most.
    ///
    /// # Errors
    /// The plugin has secret settings, and the file with them is not to be used. A keyring that does not answer has
    /// none.
    pub fn of(&self, plugin: &str, names: &[String]) -> Result<BTreeMap<String, Secret>, SecretsError> {
        let mut found = BTreeMap::new();
        match &self.file {
            Ok(all) => {
                let place = || self.path.display().to_string();
                let secret = |(name, value): (&String, &Value)| {
                    (name.clone(), Secret { value: value.clone(), place: place() })
                };
                found.extend(all.get(plugin).into_iter().flatten().map(secret));
            }
            Err(error) if !names.is_empty() => return Err(error.clone()),
            Err(_) => {}
        }
        let missing = names.iter().filter(|name| !found.contains_key(*name)).cloned().collect::<Vec<_>>();
        for name in missing {
            let Some(keyring) = self.keyring else { break };
            match keyring.get(plugin, &name) {
                Ok(Some(text)) => {
                    let secret = Secret { value: Value::String(text), place: KEYRING.to_owned() };
                    found.insert(name, secret);
                }
                Ok(None) => {}
                Err(error) => tracing::warn!(plugin, setting = name, "{error}"),
            }
        }
        Ok(found)
    }

    /// The names that the file has of a plugin.
    pub fn in_file(&self, plugin: &str) -> Vec<String> {
        let secrets = self.file.as_ref().ok().and_then(|all| all.get(plugin));
        secrets.into_iter().flat_map(|secrets| secrets.keys().cloned()).collect()
    }

    /// Why the file is not used, where that is so.
    pub fn unused(&self) -> Option<&SecretsError> {
        self.file.as_ref().err()
    }
}
