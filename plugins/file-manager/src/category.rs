//! How files are sorted, and the folder that each one belongs in.

use std::ffi::OsStr;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;

use jiff::{Timestamp, tz::TimeZone};

use crate::error::Error;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Type,
    Date,
    Size,
}

impl Method {
    /// Understands `by_type`, `by type`, `type`, `kind` and the like.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let word = text.trim().to_lowercase().replace(['_', '-'], " ");
        match word.strip_prefix("by ").unwrap_or(&word).trim() {
            "type" | "file type" | "kind" | "extension" | "category" => Ok(Self::Type),
            "date" | "month" | "time" | "modified" | "age" => Ok(Self::Date),
            "size" | "file size" => Ok(Self::Size),
            _ => Err(Error::UnknownMethod(text.to_owned())),
        }
    }

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Type => "by_type",
            Self::Date => "by_date",
            Self::Size => "by_size",
        }
    }
}

/// Sorts files by one method, with the person's own folders before the built-in ones.
#[derive(Debug, Clone)]
pub struct Sorter {
    pub method: Method,
    folders: Vec<(String, Vec<String>)>,
}

impl Sorter {
    /// `folders` maps a folder's name to the extensions that belong in it; case and a leading dot do not matter.
    pub fn new(
        method: Method,
        folders: impl IntoIterator<Item = (String, Vec<String>)>,
    ) -> Result<Self, Error> {
        let folders = folders.into_iter().map(|(name, extensions)| {
            let extensions = extensions.iter().map(|e| e.trim_start_matches('.').to_lowercase()).collect();
            Ok((folder_name(&name)?, extensions))
        });
        Ok(Self { method, folders: folders.collect::<Result<_, Error>>()? })
    }

    /// The folder for a file; `None` where its date is beyond any calendar.
    #[must_use]
    pub fn folder(&self, name: &OsStr, metadata: &Metadata) -> Option<String> {
        match self.method {
            Method::Type => Some(self.by_type(name).to_owned()),
            Method::Date => month(metadata.mtime()),
            Method::Size => Some(by_size(metadata.len()).to_owned()),
        }
    }

    /// Whether a folder of this name is one that this method sorts into.
    #[must_use]
    pub fn is_destination(&self, name: &OsStr) -> bool {
        let Some(name) = name.to_str() else { return false };
        match self.method {
            Method::Type => {
                name == OTHER
                    || BUILT_IN.iter().any(|(folder, _)| *folder == name)
                    || self.folders.iter().any(|(folder, _)| folder == name)
            }
            Method::Date => {
                name.split_once('-').is_some_and(|(year, month)| digits(year, 4) && digits(month, 2))
            }
            Method::Size => SIZES.iter().any(|(folder, _)| *folder == name),
        }
    }

    fn by_type(&self, name: &OsStr) -> &str {
        let name = name.to_string_lossy().to_lowercase();
        // `report.tar.gz` has the endings `tar.gz` and `gz`: the longest that somebody named wins.
        let endings = || name.match_indices('.').filter(|(at, _)| *at > 0).map(|(at, _)| &name[at + 1..]);
        let own = endings().find_map(|ending| {
            self.folders
                .iter()
                .find(|(_, extensions)| extensions.iter().any(|e| e == ending))
                .map(|(f, _)| f.as_str())
        });
        let built_in = || {
            let last = endings().next_back()?;
            BUILT_IN.iter().find(|(_, extensions)| extensions.contains(&last)).map(|(folder, _)| *folder)
        };
        own.or_else(built_in).unwrap_or(OTHER)
    }
}

fn by_size(bytes: u64) -> &'static str {
    SIZES.iter().find(|(_, below)| bytes < *below).map_or(LARGE, |(folder, _)| folder)
}

/// `2026-11` of a time in seconds since 1970, in the person's time zone.
fn month(seconds: i64) -> Option<String> {
    let time = Timestamp::from_second(seconds).ok()?.to_zoned(TimeZone::system());
    (time.year() >= 0).then(|| time.strftime("%Y-%m").to_string())
}

fn digits(text: &str, count: usize) -> bool {
    text.len() == count && text.bytes().all(|b| b.is_ascii_digit())
}

/// A person's name for a folder, each word with a capital: `tax papers` is `Tax Papers`.
fn folder_name(name: &str) -> Result<String, Error> {
    let trimmed = name.trim();
    if trimmed.is_empty() || trimmed.len() > 255 || trimmed.starts_with('.') || trimmed.contains(['/', '\0'])
    {
        return Err(Error::BadCategory(name.to_owned()));
    }
    let mut start = true;
    let mut title = String::new();
    for c in trimmed.chars() {
        if start {
            title.extend(c.to_uppercase())
        } else {
            title.push(c)
        }
        start = c.is_whitespace();
    }
    Ok(title)
}

const OTHER: &str = "Other";
const LARGE: &str = "Large";

/// Folders by size and the bytes that a file in them stays below.
const SIZES: &[(&str, u64)] = &[("Small", 1 << 20), ("Medium", 100 << 20), (LARGE, u64::MAX)];

const BUILT_IN: &[(&str, &[&str])] = &[
    (
        "Images",
        &[
            "jpg", "jpeg", "png", "gif", "bmp", "tif", "tiff", "webp", "svg", "ico", "heic", "heif", "avif",
            "jxl", "psd", "xcf", "raw", "cr2", "nef", "arw", "dng", "eps", "ai",
        ],
    ),
    (
        "Documents",
        &[
            "pdf", "doc", "docx", "txt", "odt", "rtf", "md", "rst", "tex", "log", "csv", "tsv", "xls",
            "xlsx", "ods", "ppt", "pptx", "odp", "epub", "mobi", "djvu", "ps", "pages", "numbers", "key",
            "ics", "vcf", "eml",
        ],
    ),
    (
        "Videos",
        &[
            "mp4", "avi", "mkv", "mov", "wmv", "flv", "webm", "m4v", "mpg", "mpeg", "ogv", "3gp", "vob",
            "mts", "m2ts",
        ],
    ),
    (
        "Audio",
        &[
            "mp3", "wav", "flac", "aac", "ogg", "oga", "m4a", "opus", "wma", "aif", "aiff", "mid", "midi",
            "m3u", "m3u8",
        ],
    ),
    (
        "Archives",
        &[
            "zip", "rar", "7z", "tar", "gz", "bz2", "xz", "zst", "lz", "lz4", "lzma", "tgz", "tbz2", "txz",
            "cab", "jar", "deb", "rpm", "iso", "dmg",
        ],
    ),
    (
        "Code",
        &[
            "py", "rs", "js", "mjs", "ts", "jsx", "tsx", "c", "h", "cc", "cpp", "cxx", "hpp", "cs", "go",
            "java", "kt", "swift", "rb", "php", "pl", "lua", "r", "jl", "hs", "scala", "sh", "bash", "zsh",
            "fish", "ps1", "bat", "sql", "html", "htm", "css", "scss", "json", "jsonl", "xml", "yaml", "yml",
            "toml", "ini", "ipynb", "vue", "diff", "patch",
        ],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn by_type(folders: &[(&str, &[&str])], name: &str) -> String {
        let own = folders.iter().map(|(f, e)| ((*f).to_owned(), e.iter().map(|e| (*e).to_owned()).collect()));
        Sorter::new(Method::Type, own).unwrap().by_type(name.as_ref()).to_owned()
    }

    #[test]
    fn an_extension_decides_whatever_its_case() {
        for (name, folder) in [
            ("photo.JPG", "Images"),
            ("backup.tar.gz", "Archives"),
            ("no extension", "Other"),
            ("dot.", "Other"),
            (".pdf", "Other"),
            ("report.pdf.exe", "Other"),
            ("Ünï cödé.Mp3", "Audio"),
        ] {
            assert_eq!(by_type(&[], name), folder, "{name}");
        }
    }

    #[test]
    fn own_folders_come_first_and_the_longest_ending_wins() {
        let own: &[(&str, &[&str])] = &[("backups", &[".tar.gz"]), ("tax papers", &["PDF"])];
        assert_eq!(by_type(own, "a.tar.gz"), "Backups");
        assert_eq!(by_type(own, "a.gz"), "Archives");
        assert_eq!(by_type(own, "2025.pdf"), "Tax Papers");
    }

    #[test]
    fn a_folder_name_that_leads_elsewhere_is_refused() {
        for name in ["", " ", "..", "../up", "a/b", ".hidden", "nul\0"] {
            assert!(Sorter::new(Method::Type, [(name.to_owned(), vec![])]).is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_method_is_understood_in_the_forms_people_use() {
        for text in ["by_type", "type", "By Type", "kind", "by-type"] {
            assert_eq!(Method::parse(text).unwrap(), Method::Type);
        }
        assert!(Method::parse("by_content").unwrap_err().to_string().contains("`by_content` is unknown"));
    }
}
