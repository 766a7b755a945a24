//! The Python SDK that the daemon carries: unpacked into the data folder, so that plugins find it and never take a
//! package of that name from an index.

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    io,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use crate::supervisor::COMPILED;

/// The files of the package, by their names in it.
const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/python_sdk.rs"));

/// Names the content: another one has another folder.
pub(super) fn fingerprint() -> &'static str {
    // Asked once a plugin, and the same all the time.
    static FINGERPRINT: LazyLock<String> = LazyLock::new(|| {
        let mut hasher = DefaultHasher::new();
        FILES.hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    });
    &FINGERPRINT
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
    let unpacked = write(&aside).and_then(|()| fs::rename(&aside, &folder));
    if unpacked.is_err() {
        // A full disk is not to be filled with halves.
        let _ = fs::remove_dir_all(&aside);
    }
    // Where another command was sooner, its folder is as good.
    if folder.is_dir() { Ok(folder) } else { unpacked.map(|()| folder) }
}

fn write(package: &Path) -> io::Result<()> {
    for (name, content) in FILES {
        let path = package.join(name);
        fs::create_dir_all(path.parent().unwrap_or(package))?;
        fs::write(path, content)?;
    }
    // No file of it changes any more: it may be compiled.
    fs::create_dir(package.join(COMPILED))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_no_half_where_it_cannot_be_unpacked() {
        let data = tempfile::tempdir().unwrap();
        let sdk = data.path().join("python-sdk");
        // A file in the place of the folder: the last step fails.
        fs::create_dir_all(&sdk).unwrap();
        fs::write(sdk.join(fingerprint()), "").unwrap();
        unpack(data.path()).unwrap_err();
        assert_eq!(fs::read_dir(sdk).unwrap().count(), 1, "only the file is there");
    }

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
