//! Writes what is generated from the protocol's types: `protocol/schemas`, `protocol/openrpc.json` and
//! `docs/src/reference.md`.
//!
//! Run it with `cargo run -p astros-protocol --example generate`; a test fails while the tree is not current.

mod exchanges;
mod files;
mod openrpc;
mod reference;
mod rules;

use std::path::Path;

fn main() -> std::io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for path in files::stale(&root) {
        std::fs::remove_file(path)?;
    }
    for (path, text) in files::all(&root) {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().expect("a generated file has a folder"))?;
        std::fs::write(path, text)?;
    }
    Ok(())
}
