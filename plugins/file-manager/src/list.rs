//! Looks at files: listing, searching, and all about one.

use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::ops::ControlFlow;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};
use jiff::Timestamp;
use serde::Serialize;
use walkdir::{DirEntry, WalkDir};

use crate::error::Error;
use crate::paths::{self, WirePath, hidden};
use crate::plan::Kind;

/// One file, folder or link.
#[derive(Debug, Serialize)]
pub struct Entry {
    pub name: WirePath,
    pub path: WirePath,
    /// Bytes.
    pub size: u64,
    /// RFC 3339; `null` where the date is beyond the calendar.
    pub modified: Option<Timestamp>,
    pub kind: Kind,
    /// In lower case, without the dot; `null` where there is none.
    pub extension: Option<String>,
}

/// What a walk found.
#[derive(Debug, Default, Serialize)]
pub struct Found {
    pub files: Vec<Entry>,
    /// How many there are; more than `files` where `truncated`.
    pub total: u64,
    pub truncated: bool,
    /// Folders that could not be read.
    pub unreadable: u64,
}

/// Which of a folder's entries are wanted.
#[derive(Debug)]
pub struct Filter {
    pub matcher: Matcher,
    pub recursive: bool,
    pub hidden: bool,
    pub limit: usize,
}

/// Tells whether a name is meant.
#[derive(Debug)]
pub enum Matcher {
    Any,
    Glob(GlobMatcher),
    /// A part of the name, in lower case.
    Part(String),
}

/// Words around a name that are seldom of it.
const FILLERS: &[&str] = &["a", "all", "any", "every", "file", "files", "my", "the"];

impl Matcher {
    /// A pattern such as `*.pdf`; case matters only for letters of the pattern that are capitals.
    pub fn glob(pattern: &str) -> Result<Self, Error> {
        let capital = pattern.chars().any(char::is_uppercase);
        let glob = GlobBuilder::new(pattern).case_insensitive(!capital).build().map_err(|error| {
            Error::BadPattern { pattern: pattern.to_owned(), reason: error.kind().to_string() }
        })?;
        Ok(Self::Glob(glob.compile_matcher()))
    }

    /// A pattern where it has `*`, `?` or `[`, else a part of a name whose case does not matter.
    pub fn query(query: &str) -> Result<Self, Error> {
        if query.contains(['*', '?', '[']) {
            Self::glob(query)
        } else {
            Ok(Self::Part(query.trim().to_lowercase()))
        }
    }

    /// What a person may mean where nothing is called so: "all pdfs" and "pdf files" are about `pdf`.
    pub fn spoken(query: &str) -> Option<Self> {
        let query = query.trim().to_lowercase();
        let words =
            query.split_whitespace().filter(|word| !FILLERS.contains(word)).collect::<Vec<_>>().join(" ");
        let singular = words.strip_suffix('s').filter(|rest| rest.len() >= 3).unwrap_or(&words);
        (!singular.is_empty() && singular != query).then(|| Self::Part(singular.to_owned()))
    }

    fn matches(&self, name: &OsStr) -> bool {
        match self {
            Self::Any => true,
            Self::Glob(glob) => glob.is_match(name),
            Self::Part(part) => name.to_string_lossy().to_lowercase().contains(part),
        }
    }
}

/// What is in a folder, by name; links are named, not followed.
pub fn list(
    path: &Path,
    filter: &Filter,
    mut go_on: impl FnMut() -> ControlFlow<()>,
) -> Result<Found, Error> {
    paths::folder(path)?;
    let depth = if filter.recursive { usize::MAX } else { 1 };
    // A link to a folder is followed where it is the folder itself that was asked for.
    let walk = WalkDir::new(path).min_depth(1).max_depth(depth).sort_by_file_name().into_iter();
    let mut found = Found::default();
    for entry in walk.filter_entry(|entry| entry.depth() == 0 || filter.hidden || !hidden(entry.file_name()))
    {
        if go_on().is_break() {
            return Err(Error::Cancelled);
        }
        match entry {
            Err(_) => found.unreadable += 1,
            Ok(entry) if filter.matcher.matches(entry.file_name()) => found.add(&entry, filter.limit),
            Ok(_) => {}
        }
    }
    Ok(found)
}

impl Found {
    fn add(&mut self, entry: &DirEntry, limit: usize) {
        self.total += 1;
        if self.files.len() == limit {
            self.truncated = true;
        } else if let Ok(metadata) = entry.path().symlink_metadata() {
            self.files.push(Entry::new(entry.path(), &metadata));
        } else {
            // Deleted since the folder was read.
            self.total -= 1;
        }
    }
}

impl Entry {
    fn new(path: &Path, metadata: &Metadata) -> Self {
        let extension = path.extension().and_then(OsStr::to_str).map(str::to_lowercase);
        Self {
            name: WirePath(path.file_name().map_or_else(|| path.to_path_buf(), PathBuf::from)),
            path: path.into(),
            size: metadata.len(),
            modified: Timestamp::new(metadata.mtime(), i32::try_from(metadata.mtime_nsec()).unwrap_or(0))
                .ok(),
            kind: Kind::of(metadata),
            extension: extension.filter(|_| metadata.is_file()),
        }
    }
}

/// All about one file, folder or link.
#[derive(Debug, Serialize)]
pub struct Info {
    #[serde(flatten)]
    pub entry: Entry,
    /// Mode bits as people write them, `644`.
    pub permissions: String,
    pub owner: u32,
    pub group: u32,
    pub hard_links: u64,
    pub hidden: bool,
    /// Where a link points.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<WirePath>,
    /// How many things are directly in a folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entries: Option<u64>,
}

/// Looks at `path` itself, not at what a link points to.
pub fn info(path: &Path) -> Result<Info, Error> {
    let metadata = paths::absolute(path)?.symlink_metadata().map_err(|error| Error::of(path, error))?;
    Ok(Info {
        permissions: format!("{:03o}", metadata.permissions().mode() & 0o7777),
        owner: metadata.uid(),
        group: metadata.gid(),
        hard_links: metadata.nlink(),
        hidden: path.file_name().is_some_and(hidden),
        target: fs::read_link(path).ok().map(WirePath),
        entries: path.read_dir().ok().filter(|_| metadata.is_dir()).map(|entries| entries.count() as u64),
        entry: Entry::new(path, &metadata),
    })
}
