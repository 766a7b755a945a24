//! The Python SDK that the daemon carries: unpacked into the data folder, so that plugins find it and never take a
//! package of that name from an index.

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    io,
    path::{Path, PathBuf},
};

/// The files of the package, by their names in it.
const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/python_sdk.rs"));

/// Names the content: another one has another folder.
pub(super) fn fingerprint() -> String {
    let mut hasher = DefaultHasher::new();
    FILES.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// The folder for PYTHONPATH; unpacked where it is not there yet.
///
/// # Errors
/// A file cannot be written.
pub(super) fn unpack(data: &Path) -> io::Result<PathBuf> {
    let folder = data.join("python-sdk").join(fingerprint());
    if folder.is_dir() {
        return Ok(folder);
    }
    // Made aside and moved at once: another command may be doing the same, and half a package is worse than none.
    let aside = data.join("python-sdk").join(format!(".{}-{}", fingerprint(), std::process::id()));
    for (name, content) in FILES {
        let path = aside.join(name);
        fs::create_dir_all(path.parent().unwrap_or(&aside))?;
        fs::write(path, content)?;
    }
    match fs::rename(&aside, &folder) {
        Err(_) if folder.is_dir() => fs::remove_dir_all(&aside)?,
        moved => moved?,
    }
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unpacks_the_whole_package_once() {
        let data = tempfile::tempdir().unwrap();
        let folder = unpack(data.path()).unwrap();
        assert!(folder.join("astros/plugin.py").is_file(), "the SDK's entry is there");
        fs::write(folder.join("mark"), "").unwrap();
        assert_eq!(unpack(data.path()).unwrap(), folder);
        assert!(folder.join("mark").is_file(), "it was not unpacked again");
        assert_eq!(fs::read_dir(data.path().join("python-sdk")).unwrap().count(), 1, "nothing is left aside");
    }
}
