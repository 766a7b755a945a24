//! Folders of real files: made, and remembered byte for byte.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::{self, File, FileTimes},
    os::unix::{
        ffi::OsStringExt,
        fs::{MetadataExt, symlink},
    },
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

/// A folder as it is: every entry below it with all that must come back.
#[derive(Debug, PartialEq, Eq)]
pub struct Tree(BTreeMap<PathBuf, Entry>);

#[derive(Debug, PartialEq, Eq)]
enum Entry {
    Folder { mode: u32 },
    File { bytes: Vec<u8>, mode: u32, modified: (i64, i64), inode: u64 },
    Link { to: PathBuf },
}

impl Tree {
    pub fn of(folder: &Path) -> Tree {
        let mut tree = Tree(BTreeMap::new());
        tree.walk(folder, folder);
        tree
    }

    /// The entries, relative to the folder.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.0.keys().map(PathBuf::as_path)
    }

    /// How many files are directly in this folder, `""` for the top.
    pub fn files_in(&self, folder: &str) -> usize {
        let is_in = |path: &Path| path.parent() == Some(Path::new(folder));
        self.0.iter().filter(|(path, entry)| matches!(entry, Entry::File { .. }) && is_in(path)).count()
    }

    /// The contents of all files with their times, wherever they lie, in an order that does not depend on that.
    pub fn contents(&self) -> Vec<(&[u8], (i64, i64))> {
        let mut contents: Vec<_> = self.0.values().filter_map(Entry::content).collect();
        contents.sort();
        contents
    }

    /// What differs, briefly.
    #[track_caller]
    pub fn is_again(&self, before: &Tree) {
        let differing = |one: &Tree, other: &Tree| {
            let differs = one.0.iter().filter(|(path, entry)| other.0.get(*path) != Some(entry));
            differs.map(|(path, _)| path.clone()).take(10).collect::<Vec<_>>()
        };
        assert!(
            self == before,
            "the folder is not as it was\nnow: {:?}\nbefore: {:?}",
            differing(self, before),
            differing(before, self)
        );
    }

    fn walk(&mut self, base: &Path, folder: &Path) {
        for child in fs::read_dir(folder).expect("a folder").flatten() {
            let path = child.path();
            let about = path.symlink_metadata().expect("an entry");
            let entry = if about.is_dir() {
                self.walk(base, &path);
                Entry::Folder { mode: about.mode() }
            } else if about.is_symlink() {
                Entry::Link { to: fs::read_link(&path).expect("a link") }
            } else {
                Entry::File {
                    bytes: fs::read(&path).expect("a file"),
                    mode: about.mode(),
                    modified: (about.mtime(), about.mtime_nsec()),
                    inode: about.ino(),
                }
            };
            self.0.insert(path.strip_prefix(base).expect("below the folder").to_owned(), entry);
        }
    }
}

impl Entry {
    fn content(&self) -> Option<(&[u8], (i64, i64))> {
        match self {
            Entry::File { bytes, modified, .. } => Some((bytes, *modified)),
            _ => None,
        }
    }
}

const EXTENSIONS: [&str; 10] = ["jpg", "PDF", "txt", "mp3", "mkv", "zip", "tar.gz", "docx", "xyz", ""];
const STEMS: [&str; 5] = ["report", "my holiday photo", "Überweisung März", "日本語 ノート", "-rf *"];

/// A thousand files of many kinds, with folders, hard and symbolic links, and names that are no UTF-8.
pub fn mixed_files(folder: &Path) -> Tree {
    let sub = folder.join("already here");
    fs::create_dir_all(&sub).expect("a folder");
    for number in 0..985_u64 {
        let (stem, extension) = (STEMS[number as usize % 5], EXTENSIONS[number as usize / 5 % 10]);
        let dot = if extension.is_empty() { "" } else { "." };
        write(&folder.join(format!("{stem} {number}{dot}{extension}")), number);
    }
    // The same names below as above, and in the folder that they are going to.
    write(&sub.join("report 0.jpg"), 10_000);
    fs::create_dir_all(folder.join("Images")).expect("a folder");
    write(&folder.join("Images").join("report 0.jpg"), 10_001);
    for number in 0..5 {
        let name =
            OsString::from_vec([b"caf\xe9 ".as_slice(), number.to_string().as_bytes(), b".txt"].concat());
        write(&folder.join(name), 20_000 + number);
    }
    for number in 0..5 {
        fs::hard_link(folder.join("report 50.jpg"), folder.join(format!("the same {number}.jpg")))
            .expect("a hard link");
    }
    symlink("report 50.jpg", folder.join("a link.jpg")).expect("a link");
    symlink("nowhere", folder.join("a broken link.txt")).expect("a link");
    symlink("already here", folder.join("a link to a folder")).expect("a link");
    write(&folder.join(".hidden.txt"), 30_000);
    Tree::of(folder)
}

/// A file whose content and time only it has.
fn write(path: &Path, number: u64) {
    let size = usize::try_from(number * 37 % 3_000).unwrap_or_default();
    let mut content = format!("file {number}\n").into_bytes();
    content.resize(content.len() + size, b'.');
    fs::write(path, content).expect("a file");
    let modified = SystemTime::UNIX_EPOCH + Duration::new(1_500_000_000 + number * 40_000, 123_456_789);
    let file = File::options().write(true).open(path).expect("a file");
    file.set_times(FileTimes::new().set_modified(modified)).expect("its time");
}
