//! Lists the files of the Python SDK, so that the daemon carries them and a change of theirs rebuilds it.

use std::{env, fmt::Write, fs, io, path::Path};

fn main() -> io::Result<()> {
    let sdk = Path::new(&variable("CARGO_MANIFEST_DIR")).join("../sdk-python/src/astros");
    println!("cargo::rerun-if-changed={}", sdk.display());
    let mut files = Vec::new();
    python_files(&sdk, "astros", &mut files)?;
    files.sort();
    let mut list = String::from("&[\n");
    for (name, path) in files {
        writeln!(list, "    ({name:?}, include_bytes!({path:?})),").expect("writing to a string does not fail");
    }
    list.push(']');
    fs::write(Path::new(&variable("OUT_DIR")).join("python_sdk.rs"), list)
}

fn variable(name: &str) -> String {
    env::var(name).expect("cargo sets it")
}

/// Collects `(name in the package, path)` of what belongs to the package.
fn python_files(folder: &Path, name: &str, files: &mut Vec<(String, String)>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (path, own) = (entry.path(), entry.file_name());
        let name = format!("{name}/{}", own.to_string_lossy());
        if path.is_dir() && own != "__pycache__" {
            python_files(&path, &name, files)?;
        } else if path.extension().is_some_and(|extension| extension == "py") || own == "py.typed" {
            files.push((name, path.canonicalize()?.display().to_string()));
        }
    }
    Ok(())
}
