//! `secrets.yaml`: read where its owner alone can read it, written whole and put in its place at once.
//!
//! ```yaml
//! weather:
//!   api_key: 3f8a…
//! ```

use std::{
    fs::{self, File, Permissions},
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use astros_protocol::manifest::Document;
use rustix::process::geteuid;
use serde_json::{Value, json};

use super::{All, SecretsError};

/// The largest that is read, in bytes.
const MAX_BYTES: u64 = 1 << 20;
const HEAD: &str = "# Secrets of plugins; `astros secrets set PLUGIN KEY` writes them. For nobody else to read: mode 0600.\n";

#[derive(Debug)]
pub(super) struct SecretsFile(PathBuf);

impl SecretsFile {
    pub(super) fn new(path: PathBuf) -> SecretsFile {
        SecretsFile(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Everything in it; nothing where it is not there.
    pub(super) fn read(&self) -> Result<All, SecretsError> {
        let file = match File::open(&self.0) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(All::new()),
            Err(error) => return Err(self.broken(error)),
        };
        self.check(&file)?;
        let mut text = String::new();
        file.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(|error| self.broken(error))?;
        if text.len() as u64 > MAX_BYTES {
            return Err(self.broken(format!("it has more than {MAX_BYTES} bytes")));
        }
        if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
            return Ok(All::new());
        }
        // Not with the reader's own words, which may show what stands there.
        let shape = |_| self.broken("it is no YAML of the shape `plugin: {key: secret}`");
        let document = Document::parse(&text, &self.0).map_err(shape)?;
        document.read().map_err(shape)
    }

    /// The file that was opened is the one that is looked at.
    fn check(&self, file: &File) -> Result<(), SecretsError> {
        let about = file.metadata().map_err(|error| self.broken(error))?;
        let path = self.0.display();
        let exposed = |why, hint| Err(SecretsError::Exposed { path: self.0.clone(), why, hint });
        let (owner, own, mode) = (about.uid(), geteuid().as_raw(), about.mode() & 0o777);
        if !about.is_file() {
            return Err(self.broken("it is no regular file"));
        }
        if owner != own {
            let why = format!("it belongs to the user {owner}, expected {own}");
            return exposed(why, format!("`chown {own} '{path}'` makes it yours"));
        }
        if mode & 0o077 != 0 {
            let why = format!("its mode is {mode:04o}, expected 0600: others may reach it");
            return exposed(why, format!("`chmod 600 '{path}'` keeps it from them"));
        }
        Ok(())
    }

    pub(super) fn set(&self, plugin: &str, key: &str, secret: &str) -> Result<(), SecretsError> {
        let mut all = self.read()?;
        all.entry(plugin.to_owned()).or_default().insert(key.to_owned(), Value::String(secret.to_owned()));
        self.write(&all)
    }

    /// Says whether it was there.
    pub(super) fn remove(&self, plugin: &str, key: &str) -> Result<bool, SecretsError> {
        let mut all = self.read()?;
        let Some(secrets) = all.get_mut(plugin) else { return Ok(false) };
        let removed = secrets.remove(key).is_some();
        all.retain(|_, secrets| !secrets.is_empty());
        if removed {
            self.write(&all)?;
        }
        Ok(removed)
    }

    fn write(&self, all: &All) -> Result<(), SecretsError> {
        let mut text = HEAD.to_owned();
        for (plugin, secrets) in all {
            // What JSON says, YAML says as well.
            text.push_str(&format!("{}:\n", json!(plugin)));
            secrets.iter().for_each(|(key, secret)| text.push_str(&format!("  {}: {secret}\n", json!(key))));
        }
        self.replace(&text).map_err(|error| self.broken(error))
    }

    fn replace(&self, text: &str) -> io::Result<()> {
        // Where it is a link, the file that it leads to.
        let path = fs::canonicalize(&self.0).unwrap_or_else(|_| self.0.clone());
        let folder = path.parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(folder)?;
        let mode = Permissions::from_mode(0o600);
        let mut fresh = tempfile::Builder::new().prefix(".secrets-").permissions(mode).tempfile_in(folder)?;
        fresh.write_all(text.as_bytes())?;
        fresh.as_file().sync_all()?;
        fresh.persist(&path).map(drop).map_err(|error| error.error)
    }

    fn broken(&self, why: impl ToString) -> SecretsError {
        SecretsError::File { path: self.0.clone(), why: why.to_string() }
    }
}
