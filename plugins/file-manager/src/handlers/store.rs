//! The journal's home: the plugin's storage, kept by the host.

use crate::error::Error;
use crate::journal::Store;
use astros_sdk::Context;
use serde_json::Value;

pub(super) struct HostStorage<'a>(pub(super) &'a Context);

impl Store for HostStorage<'_> {
    fn get(&self, key: &str) -> Result<Option<Value>, Error> {
        self.0.block_on(self.0.storage().get(key)).map_err(lost)
    }

    fn set(&self, key: &str, value: Value) -> Result<(), Error> {
        self.0.block_on(self.0.storage().set(key, value)).map_err(lost).map(|_| ())
    }

    fn delete(&self, key: &str) -> Result<(), Error> {
        self.0.block_on(self.0.storage().delete(key)).map_err(lost).map(|_| ())
    }

    fn keys(&self, prefix: &str) -> Result<Vec<String>, Error> {
        self.0.block_on(self.0.storage().list(prefix)).map_err(lost)
    }
}

fn lost(error: astros_sdk::Error) -> Error {
    Error::Journal(error.to_string())
}
