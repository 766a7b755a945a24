//! Storage in memory or in a folder, and pictures of file trees to compare.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use astros_file_manager::category::{Method, Sorter};
use astros_file_manager::error::Error;
use astros_file_manager::journal::Store;
use astros_file_manager::operation::{self, TakenBack};
use astros_file_manager::organize;
use astros_file_manager::plan::Plan;
use astros_file_manager::run::Outcome;
use serde_json::Value;

/// What a path is: kind and mode, content or target, time of its last change (not for folders, which change with
/// what is in them).
pub type Picture = BTreeMap<PathBuf, (u32, Vec<u8>, Option<(i64, i64)>)>;

pub fn picture(root: &Path) -> Picture {
    let entries = walkdir::WalkDir::new(root).min_depth(1).into_iter().map(Result::unwrap);
    let look = |entry: walkdir::DirEntry| {
        let metadata = entry.path().symlink_metadata().unwrap();
        let content = if metadata.is_symlink() {
            fs::read_link(entry.path()).unwrap().as_os_str().as_bytes().to_vec()
        } else if metadata.is_file() {
            fs::read(entry.path()).unwrap()
        } else {
            vec![]
        };
        let modified = (!metadata.is_dir()).then(|| (metadata.mtime(), metadata.mtime_nsec()));
        (entry.path().strip_prefix(root).unwrap().to_path_buf(), (metadata.mode(), content, modified))
    };
    entries.map(look).collect()
}

/// What is in the files, wherever they are: nothing may be lost.
pub fn contents(root: &Path) -> Vec<Vec<u8>> {
    let mut all: Vec<_> =
        picture(root).into_values().filter(|(.., m)| m.is_some()).map(|(_, c, _)| c).collect();
    all.sort();
    all
}

pub fn on(_: u64, _: u64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

pub fn sorter(method: &str) -> Sorter {
    Sorter::new(Method::parse(method).unwrap(), []).unwrap()
}

pub fn plan(path: &Path, method: &str) -> Plan {
    organize::plan(path, &sorter(method), false, None).unwrap()
}

pub fn organize(store: &impl Store, path: &Path, method: &str) -> Outcome {
    operation::perform(store, &plan(path, method), on).unwrap().0
}

pub fn undo(store: &impl Store) -> Result<TakenBack, Error> {
    operation::undo(store, on)
}

/// A thousand files such as people have: spaces, Unicode, names equal but for case, bytes that are not UTF-8, empty
/// ones, ones that may only be read, hidden ones, links of both kinds, folders.
pub fn thousand_files(root: &Path) {
    let endings = ["jpg", "PDF", "mp4", "flac", "tar.gz", "rs", "xyz", ""];
    for n in 0..960_u64 {
        let ending = endings[n as usize % endings.len()];
        let name = match n % 6 {
            0 => format!("file {n}.{ending}"),
            1 => format!("Übung {n} — 文件 🦀.{ending}"),
            2 => format!("line\nbreak 'quote' \"{n}\".{ending}"),
            3 => format!("-{n}.{ending}"),
            4 => format!("Same{}.{ending}", n / 24),
            _ => format!("same{}.{ending}", n / 24),
        };
        write(&root.join(name.trim_end_matches('.')), &"x".repeat((n % 7 * 100) as usize), n);
    }
    for n in 0..20_u64 {
        write(
            &root.join(OsStr::from_bytes(&[b'\xff', b'\xfe', b'a' + n as u8, b'.', b'p', b'n', b'g'])),
            "raw",
            n,
        );
        write(&root.join(format!(".hidden {n}.jpg")), "secret", n);
    }
    write(&root.join(format!("{}.txt", "l".repeat(251))), "long", 1);
    fs::set_permissions(root.join("file 0.jpg"), fs::Permissions::from_mode(0o400)).unwrap();
    fs::hard_link(root.join("file 0.jpg"), root.join("hard link.jpg")).unwrap();
    std::os::unix::fs::symlink("file 0.jpg", root.join("soft link.jpg")).unwrap();
    std::os::unix::fs::symlink("nowhere", root.join("broken link.pdf")).unwrap();
    fs::create_dir_all(root.join("project/src")).unwrap();
    write(&root.join("project/src/main.rs"), "fn main() {}", 2);
}

/// A file whose last change was `age` days after some day in 2024.
pub fn write(path: &Path, content: &str, age: u64) {
    fs::write(path, content).unwrap();
    let day = std::time::Duration::new(1_720_000_000 + age * 86_400, 123_456_789);
    fs::File::options().append(true).open(path).unwrap().set_modified(std::time::UNIX_EPOCH + day).unwrap();
}

#[derive(Default)]
pub struct Memory(pub Mutex<BTreeMap<String, Value>>);

impl Store for Memory {
    fn get(&self, key: &str) -> Result<Option<Value>, Error> {
        Ok(self.0.lock().unwrap().get(key).cloned())
    }

    fn set(&self, key: &str, value: Value) -> Result<(), Error> {
        assert!(value.to_string().len() < 256 << 10, "a value stays below 256 KiB");
        self.0.lock().unwrap().insert(key.to_owned(), value);
        Ok(())
    }

    fn delete(&self, key: &str) -> Result<(), Error> {
        self.0.lock().unwrap().remove(key);
        Ok(())
    }

    fn keys(&self, prefix: &str) -> Result<Vec<String>, Error> {
        Ok(self.0.lock().unwrap().keys().filter(|key| key.starts_with(prefix)).cloned().collect())
    }
}

/// Values as files, so that another process reads what a killed one wrote.
pub struct InFolder(pub PathBuf);

impl InFolder {
    fn file(&self, key: &str) -> PathBuf {
        self.0.join(key.replace('/', "+"))
    }
}

impl Store for InFolder {
    fn get(&self, key: &str) -> Result<Option<Value>, Error> {
        Ok(fs::read(self.file(key)).ok().map(|bytes| serde_json::from_slice(&bytes).unwrap()))
    }

    fn set(&self, key: &str, value: Value) -> Result<(), Error> {
        fs::write(self.file(key), value.to_string()).unwrap();
        Ok(())
    }

    fn delete(&self, key: &str) -> Result<(), Error> {
        let _ = fs::remove_file(self.file(key));
        Ok(())
    }

    fn keys(&self, prefix: &str) -> Result<Vec<String>, Error> {
        let names = fs::read_dir(&self.0).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
        Ok(names.map(|name| name.replace('+', "/")).filter(|key| key.starts_with(prefix)).collect())
    }
}
