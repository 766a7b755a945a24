//! What is generated from the types is in the tree, and current.

#[path = "../examples/generate/exchanges.rs"]
mod exchanges;
#[path = "../examples/generate/files.rs"]
mod files;
#[path = "../examples/generate/openrpc.rs"]
mod openrpc;
#[path = "../examples/generate/reference.rs"]
mod reference;
#[path = "../examples/generate/rules.rs"]
mod rules;

use std::path::Path;

const HINT: &str = "run `cargo run -p astros-protocol --example generate` and commit what it writes";

#[test]
fn generated_files_are_current() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (path, expected) in files::all(&root) {
        let found = std::fs::read_to_string(root.join(&path)).unwrap_or_default();
        assert!(found == expected, "`{}` is not what the types say; {HINT}", path.display());
    }
    assert_eq!(files::stale(&root), Vec::<std::path::PathBuf>::new(), "generated no longer; {HINT}");
}
