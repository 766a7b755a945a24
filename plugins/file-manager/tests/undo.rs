//! Undo touches only what is still as the operation left it, and mends what a kill cut in half.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail as tests do")]

mod support;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use astros_file_manager::error::Error;
use astros_file_manager::journal::{self, Store};
use astros_file_manager::operation;
use astros_file_manager::place::unfinished_prefix;
use serde_json::Value;
use support::*;
use tempfile::tempdir;

#[test]
fn files_that_a_person_touched_since_stay_and_are_told() {
    let folder = tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for name in ["changed.jpg", "deleted.jpg", "renewed.jpg", "same.jpg"] {
        write(&at(name), name, 1);
    }
    let store = Memory::default();
    organize(&store, folder.path(), "type");
    write(&at("Images/changed.jpg"), "edited", 2);
    fs::remove_file(at("Images/deleted.jpg")).unwrap();
    write(&at("renewed.jpg"), "a new one", 3);

    let undone = undo(&store).unwrap().undone;
    assert_eq!(undone.restored, 1);
    let mut reasons: Vec<_> = undone.skipped.iter().map(|skipped| skipped.reason.as_str()).collect();
    reasons.sort_unstable();
    assert_eq!(
        reasons,
        ["another file has its old name", "it was changed since", "it was moved or deleted since"]
    );
    assert_eq!(fs::read(at("Images/changed.jpg")).unwrap(), b"edited");
    assert_eq!(fs::read(at("Images/renewed.jpg")).unwrap(), b"renewed.jpg");
    assert_eq!(fs::read(at("renewed.jpg")).unwrap(), b"a new one");
    assert_eq!(fs::read(at("same.jpg")).unwrap(), b"same.jpg");
}

#[test]
fn each_undo_takes_back_the_operation_before() {
    let folder = tempdir().unwrap();
    let store = Memory::default();
    write(&folder.path().join("a.jpg"), "a", 1);
    let first = picture(folder.path());
    organize(&store, folder.path(), "type");
    write(&folder.path().join("b.pdf"), "b", 1);
    let second = picture(folder.path());
    organize(&store, folder.path(), "type");
    undo(&store).unwrap();
    assert_eq!(picture(folder.path()), second);
    fs::remove_file(folder.path().join("b.pdf")).unwrap();
    undo(&store).unwrap();
    assert_eq!(picture(folder.path()), first);
}

#[test]
fn only_the_last_twenty_operations_are_kept() {
    let store = Memory::default();
    for n in 0..25 {
        let folder = tempdir().unwrap();
        write(&folder.path().join("a.jpg"), "a", n);
        organize(&store, folder.path(), "type");
    }
    assert_eq!(store.0.lock().unwrap().keys().filter(|key| key.matches('/').count() == 1).count(), 20);
}

/// Takes one value and no more, as a storage that is full.
struct Full(Memory);

impl Store for Full {
    fn get(&self, key: &str) -> Result<Option<Value>, Error> {
        self.0.get(key)
    }

    fn set(&self, key: &str, value: Value) -> Result<(), Error> {
        match self.0.keys("")?.len() {
            0 => self.0.set(key, value),
            _ => Err(Error::Journal("full".into())),
        }
    }

    fn delete(&self, key: &str) -> Result<(), Error> {
        self.0.delete(key)
    }

    fn keys(&self, prefix: &str) -> Result<Vec<String>, Error> {
        self.0.keys(prefix)
    }
}

#[test]
fn nothing_is_begun_that_cannot_be_written_down() {
    let folder = tempdir().unwrap();
    write(&folder.path().join("a.jpg"), "a", 1);
    let (before, store) = (picture(folder.path()), Full(Memory::default()));
    let error = operation::perform(&store, &plan(folder.path(), "type"), on).unwrap_err();
    assert!(error.to_string().contains("nothing was changed: full"), "{error}");
    assert_eq!(picture(folder.path()), before);
    assert_eq!(store.keys("").unwrap(), [""; 0], "half a journal is swept");
}

#[test]
fn a_move_cut_between_its_two_names_is_mended() {
    let folder = tempdir().unwrap();
    let store = Memory::default();
    for name in ["linked.jpg", "copied.jpg", "waiting.jpg"] {
        write(&folder.path().join(name), name, 1);
    }
    let before = picture(folder.path());
    let id = journal::begin(&store, &plan(folder.path(), "type")).unwrap();
    // What a kill leaves after the second name was made, after a copy was finished, and within a copy.
    let images = folder.path().join("Images");
    fs::create_dir(&images).unwrap();
    fs::hard_link(folder.path().join("linked.jpg"), images.join("linked.jpg")).unwrap();
    write(&images.join("copied.jpg"), "copied.jpg", 1);
    fs::write(images.join(format!("{}x", unfinished_prefix(&id))), "wait").unwrap();

    assert_eq!(undo(&store).unwrap().undone.skipped, []);
    assert_eq!(picture(folder.path()), before);
}

#[test]
fn an_undo_that_was_stopped_goes_on() {
    let folder = tempdir().unwrap();
    thousand_files(folder.path());
    let (before, store) = (picture(folder.path()), Memory::default());
    organize(&store, folder.path(), "date");
    let stop = |done, _| if done == 300 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
    assert!(operation::undo(&store, stop).unwrap().undone.cancelled);
    undo(&store).unwrap();
    assert_eq!(picture(folder.path()), before);
}

const KILLED_IN: &str = "ASTROS_TEST_KILLED_IN";

/// Not a test by itself: the process that the next one kills.
#[test]
fn child_that_organizes_until_it_is_killed() {
    let Some(root) = std::env::var_os(KILLED_IN).map(PathBuf::from) else { return };
    let tell = |done, _| {
        if done == 400 {
            println!("\nhalf way");
            loop {
                std::thread::park();
            }
        }
        ControlFlow::Continue(())
    };
    let store = InFolder(root.join("store"));
    operation::perform(&store, &plan(&root.join("files"), "type"), tell).unwrap();
}

#[test]
fn a_process_killed_while_it_organizes_is_undone_by_the_next() {
    let root = tempdir().unwrap();
    let (files, store) = (root.path().join("files"), root.path().join("store"));
    fs::create_dir(&files).unwrap();
    fs::create_dir(&store).unwrap();
    thousand_files(&files);
    let before = picture(&files);

    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_that_organizes_until_it_is_killed", "--nocapture"])
        .env(KILLED_IN, root.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "half way"));
    child.kill().unwrap();
    child.wait().unwrap();

    let back = undo(&InFolder(store)).unwrap();
    assert_eq!(back.undone.restored, 400);
    assert_eq!(back.undone.skipped, []);
    assert_eq!(picture(&files), before);
}
