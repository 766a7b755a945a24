//! Lines on stdout, well formed or not.

use std::io::{Write, stdout};

use serde_json::{Value, json};

/// The host's end of the pipe.
pub(crate) struct Wire;

impl Wire {
    /// Writes bytes as they are. A host that is gone hears nothing.
    pub(crate) fn raw(&self, bytes: &[u8]) {
        let mut out = stdout().lock();
        let _ = out.write_all(bytes).and_then(|()| out.flush());
    }

    pub(crate) fn line(&self, text: &str) {
        self.raw(format!("{text}\n").as_bytes());
    }

    pub(crate) fn answer(&self, id: &Value, outcome: Result<Value, Value>) {
        let (name, value) = match outcome {
            Ok(result) => ("result", result),
            Err(error) => ("error", error),
        };
        self.line(&json!({ "jsonrpc": "2.0", "id": id, name: value }).to_string());
    }

    pub(crate) fn request(&self, id: u64, method: &str, params: Value) {
        self.line(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string());
    }

    pub(crate) fn notify(&self, method: &str, params: Value) {
        self.line(&json!({ "jsonrpc": "2.0", "method": method, "params": params }).to_string());
    }
}
