//! Moves and copies that a person names, on one disk and between two.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail as tests do")]

mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use astros_file_manager::error::Error;
use astros_file_manager::operation;
use astros_file_manager::plan::{Action, NAME_TAKEN, Plan};
use astros_file_manager::transfer;
use support::*;
use tempfile::tempdir;

fn planned(action: Action, sources: &[PathBuf], destination: &Path) -> Result<Plan, Error> {
    transfer::plan(action, &transfer::pairs(sources, destination)?)
}

#[test]
fn a_destination_is_read_as_a_person_means_it() {
    let folder = tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("a.pdf"), "").unwrap();
    fs::create_dir(at("there")).unwrap();
    let to = |sources: &[&str], destination: &str| {
        let sources: Vec<_> = sources.iter().map(|name| at(name)).collect();
        let pairs = transfer::pairs(&sources, &at(destination)).unwrap();
        pairs[0].to.strip_prefix(folder.path()).unwrap().to_str().unwrap().to_owned()
    };
    assert_eq!(to(&["a.pdf"], "there"), "there/a.pdf");
    assert_eq!(to(&["a.pdf"], "b.pdf"), "b.pdf");
    assert_eq!(to(&["a.pdf"], "new/"), "new/a.pdf");
    assert_eq!(to(&["a.pdf"], "Archive"), "Archive/a.pdf");
    assert_eq!(to(&["there"], "elsewhere"), "elsewhere");
    assert_eq!(to(&["a.pdf", "there"], "new.d"), "new.d/a.pdf");
}

#[test]
fn a_move_between_disks_keeps_bytes_mode_times_and_links() {
    let (here, there) = (tempdir().unwrap(), tempfile::tempdir_in("/dev/shm").unwrap());
    let device = |path: &Path| path.metadata().unwrap().dev();
    assert_ne!(
        device(here.path()),
        device(there.path()),
        "this test needs two file systems: TMPDIR and /dev/shm"
    );
    write(&here.path().join("script.sh"), &"echo\n".repeat(100_000), 5);
    fs::set_permissions(here.path().join("script.sh"), fs::Permissions::from_mode(0o540)).unwrap();
    std::os::unix::fs::symlink("script.sh", here.path().join("link")).unwrap();
    let (before, store) = (picture(here.path()), Memory::default());

    let sources = [here.path().join("script.sh"), here.path().join("link")];
    let plan = planned(Action::Move, &sources, &there.path().join("a/b")).unwrap();
    let (outcome, _) = operation::perform(&store, &plan, on).unwrap();
    assert_eq!((outcome.done, outcome.skipped.len()), (2, 0));
    assert_eq!(picture(&there.path().join("a/b")), before);
    assert_eq!(picture(here.path()).len(), 0);

    undo(&store).unwrap();
    assert_eq!(picture(here.path()), before);
    assert_eq!(picture(there.path()).len(), 0, "folders that it made are gone");
}

#[test]
fn a_folder_stays_whole_where_it_cannot_be_moved_to_another_disk() {
    let (here, there) = (tempdir().unwrap(), tempfile::tempdir_in("/dev/shm").unwrap());
    thousand_files(here.path());
    let before = picture(here.path());
    let plan = planned(Action::Move, &[here.path().join("project")], there.path()).unwrap();
    let (outcome, id) = operation::perform(&Memory::default(), &plan, on).unwrap();
    assert!(outcome.skipped[0].reason.contains("copy it"), "{}", outcome.skipped[0].reason);
    assert_eq!(id, None);
    assert_eq!(picture(here.path()), before);
}

#[test]
fn a_copied_folder_is_the_same_and_undo_removes_only_unchanged_copies() {
    let root = tempdir().unwrap();
    let (from, to) = (root.path().join("from"), root.path().join("to"));
    fs::create_dir(&from).unwrap();
    thousand_files(&from);
    let (before, store) = (picture(&from), Memory::default());
    let plan = planned(Action::Copy, std::slice::from_ref(&from), &to).unwrap();
    assert_eq!(operation::perform(&store, &plan, on).unwrap().0.skipped, []);
    assert_eq!(picture(&to), before);

    write(&to.join("file 6.xyz"), "edited", 9);
    fs::remove_file(from.join("file 12.tar.gz")).unwrap();
    let undone = undo(&store).unwrap().undone;
    let mut reasons: Vec<_> = undone.skipped.iter().map(|skipped| skipped.reason.as_str()).collect();
    reasons.sort_unstable();
    assert_eq!(reasons, ["it was changed since", "its original is gone or was changed since"]);
    let left: Vec<_> = picture(&to).into_keys().collect();
    assert_eq!(left, [Path::new("file 12.tar.gz"), Path::new("file 6.xyz")]);
}

#[test]
fn a_move_within_a_disk_takes_folders_and_comes_back() {
    let root = tempdir().unwrap();
    thousand_files(root.path());
    let (before, store) = (picture(root.path()), Memory::default());
    let plan = planned(Action::Move, &[root.path().join("project")], &root.path().join("old/2024/")).unwrap();
    assert_eq!(operation::perform(&store, &plan, on).unwrap().0.done, 1);
    assert!(root.path().join("old/2024/project/src/main.rs").exists());
    undo(&store).unwrap();
    assert_eq!(picture(root.path()), before);
}

#[test]
fn impossible_moves_are_refused_each_with_its_reason() {
    let root = tempdir().unwrap();
    let at = |name: &str| root.path().join(name);
    fs::create_dir_all(at("folder/sub")).unwrap();
    fs::write(at("a"), "a").unwrap();
    fs::write(at("b"), "b").unwrap();
    let reason = |source: &str, destination: &str| {
        planned(Action::Move, &[at(source)], &at(destination)).unwrap().skipped[0].reason.clone()
    };
    assert_eq!(reason("a", "b"), NAME_TAKEN);
    assert_eq!(reason("a", "a"), "it is there already");
    assert_eq!(reason("a", "."), "it is there already");
    assert_eq!(reason("folder", "folder/sub"), "it cannot be put into itself");
    assert!(reason("a", "b/c").contains("not a folder"));
    let gone = planned(Action::Move, &[at("gone")], &at("b")).unwrap_err();
    assert!(gone.to_string().contains("does not exist"));
    let system = planned(Action::Copy, &[at("a")], Path::new("/etc/a")).unwrap_err();
    assert!(system.to_string().contains("belongs to the system"));
}
