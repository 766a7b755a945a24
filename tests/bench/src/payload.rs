//! What is sent and comes back: a task as plugins hand them to each other.

use std::sync::Arc;

use serde_json::{json, value::RawValue};

/// An object of about 300 bytes, or with as many records of about 190 bytes as it takes to have `size` bytes.
pub fn payload(size: usize) -> Arc<RawValue> {
    let mut task = json!({
        "task": "organize_files",
        "folder": "/home/ada/Downloads",
        "rule": {"by": "type", "names": "keep", "depth": 2, "hidden": false},
        "weights": [0.72, 1.5, 180],
        "label": "evening – the “big” sweep",
        "origin": {"trace": "4bf92f3577b34da6a3ce929d0e0e4736", "by": "voice", "seq": 123456, "again": false},
    });
    let mut files = Vec::new();
    let mut length = task.to_string().len();
    while length + 200 < size {
        let number = files.len();
        let file = json!({
            "name": format!("report {number}.pdf"),
            "modified": "2025-06-01T12:30:00.125Z",
            "bytes": 20_480 + number * 37,
            "share": (number % 97) as f64 / 8.0,
            "tags": ["work", "2025"],
            "note": "found \"as it was\"\nwithin the folder of last year",
        });
        length += file.to_string().len() + 1;
        files.push(file);
    }
    if !files.is_empty() {
        task["files"] = files.into();
    }
    serde_json::value::to_raw_value(&task).expect("a JSON value is JSON").into()
}

#[cfg(test)]
mod tests {
    #[test]
    fn is_about_as_large_as_asked() {
        for size in [300, 65_536] {
            let found = super::payload(size).get().len();
            assert!(found.abs_diff(size) < 250, "{found} bytes for {size}");
        }
    }
}
