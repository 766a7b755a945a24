//! Looking at real folders.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail as tests do")]

mod support;

use std::ffi::OsStr;
use std::fs;
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt as _;

use astros_file_manager::error::Error;
use astros_file_manager::list::{Filter, Found, Matcher, info, list};
use astros_file_manager::paths::WirePath;
use serde_json::json;
use tempfile::{TempDir, tempdir};

use support::write;

fn folder() -> TempDir {
    let folder = tempdir().unwrap();
    fs::create_dir_all(folder.path().join("sub/.git")).unwrap();
    for name in ["b.PDF", "a.txt", "sub/Report 2024.pdf", "sub/.git/report", ".hidden"] {
        write(&folder.path().join(name), "text", 1);
    }
    std::os::unix::fs::symlink("a.txt", folder.path().join("link")).unwrap();
    folder
}

fn names(folder: &TempDir, matcher: Matcher, recursive: bool) -> (Vec<String>, Found) {
    let filter = Filter { matcher, recursive, hidden: false, limit: 100 };
    let found = list(folder.path(), &filter, || ControlFlow::Continue(())).unwrap();
    (found.files.iter().map(|file| file.name.0.to_str().unwrap().to_owned()).collect(), found)
}

#[test]
fn a_listing_names_what_is_there_in_order() {
    let folder = folder();
    let (names, found) = names(&folder, Matcher::Any, false);
    assert_eq!(names, ["a.txt", "b.PDF", "link", "sub"]);
    let file = serde_json::to_value(&found.files[1]).unwrap();
    let expected = json!({
        "name": "b.PDF",
        "path": folder.path().join("b.PDF"),
        "size": 4,
        "modified": "2024-07-04T09:46:40.123456789Z",
        "kind": "file",
        "extension": "pdf",
    });
    assert_eq!(file, expected);
    assert_eq!(serde_json::to_value(&found.files[2]).unwrap()["kind"], "symlink");
}

#[test]
fn a_search_finds_parts_and_patterns_but_not_in_hidden_folders() {
    let folder = folder();
    assert_eq!(names(&folder, Matcher::query("report").unwrap(), true).0, ["Report 2024.pdf"]);
    assert_eq!(names(&folder, Matcher::query("*.pdf").unwrap(), true).0, ["b.PDF", "Report 2024.pdf"]);
    assert_eq!(names(&folder, Matcher::query("*.PDF").unwrap(), true).0, ["b.PDF"]);
    assert!(Matcher::query("[a").unwrap_err().to_string().starts_with("`[a` is not a pattern"));
}

#[test]
fn a_limit_cuts_the_list_and_not_the_count() {
    let folder = folder();
    let filter = Filter { matcher: Matcher::Any, recursive: false, hidden: true, limit: 2 };
    let found = list(folder.path(), &filter, || ControlFlow::Continue(())).unwrap();
    assert_eq!((found.files.len(), found.total, found.truncated), (2, 5, true));
    let stopped = list(folder.path(), &filter, || ControlFlow::Break(()));
    assert!(matches!(stopped, Err(Error::Cancelled)));
}

#[test]
fn a_name_that_is_not_utf8_travels_as_bytes() {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join(OsStr::from_bytes(b"\xff.txt")), "").unwrap();
    let filter = Filter { matcher: Matcher::Any, recursive: false, hidden: false, limit: 9 };
    let found = list(folder.path(), &filter, || ControlFlow::Continue(())).unwrap();
    assert_eq!(serde_json::to_value(&found.files[0].name).unwrap(), json!({"base64": "/y50eHQ="}));
    let back: WirePath = serde_json::from_value(json!({"base64": "/y50eHQ="})).unwrap();
    assert_eq!(back, found.files[0].name);
}

#[test]
fn info_tells_a_link_from_its_target() {
    let folder = folder();
    let link = serde_json::to_value(info(&folder.path().join("link")).unwrap()).unwrap();
    assert_eq!((&link["kind"], &link["target"]), (&json!("symlink"), &json!("a.txt")));
    let sub = serde_json::to_value(info(&folder.path().join("sub")).unwrap()).unwrap();
    assert_eq!((&sub["kind"], &sub["entries"]), (&json!("folder"), &json!(2)));
    assert!(info(&folder.path().join("gone")).unwrap_err().to_string().contains("does not exist"));
}
