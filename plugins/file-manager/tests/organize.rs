//! Organizing real folders.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail as tests do")]

mod support;

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use astros_file_manager::category::{Method, Sorter};
use astros_file_manager::plan::{NAME_TAKEN, Step};
use astros_file_manager::report::{self, Change};
use astros_file_manager::run::rehearse;
use astros_file_manager::{operation, organize};
use support::*;
use tempfile::tempdir;

#[test]
fn a_thousand_files_are_organized_once_and_undone_to_the_byte() {
    for method in ["by_type", "by_date", "by_size"] {
        let folder = tempdir().unwrap();
        thousand_files(folder.path());
        let (before, store) = (picture(folder.path()), Memory::default());

        let outcome = organize(&store, folder.path(), method);
        assert_eq!((outcome.done, outcome.skipped.len()), (982, 0), "{method}");
        assert!(folder.path().join("soft link.jpg").is_symlink(), "links stay");
        assert!(folder.path().join(".hidden 3.jpg").exists(), "hidden files stay");
        assert!(folder.path().join("project/src/main.rs").exists(), "folders stay");
        let after = picture(folder.path());

        let again = organize(&store, folder.path(), method);
        assert_eq!((again.done, again.skipped.len()), (0, 0));
        assert_eq!(picture(folder.path()), after, "a second run changes nothing");

        let back = undo(&store).unwrap();
        assert_eq!((back.undone.restored, back.undone.skipped.len()), (982, 0));
        assert_eq!(picture(folder.path()), before);
        assert_eq!(undo(&store).unwrap_err().to_string(), "there is nothing to undo");
    }
}

#[test]
fn ten_thousand_files_take_about_a_second() {
    let folder = tempdir().unwrap();
    for n in 0..10_000 {
        fs::write(folder.path().join(format!("{n}.{}", ["jpg", "pdf", "zip", "x"][n % 4])), "").unwrap();
    }
    let (store, start) = (Memory::default(), Instant::now());
    let outcome = organize(&store, folder.path(), "by_type");
    let (organized, start) = (start.elapsed(), Instant::now());
    assert_eq!(outcome.done, 10_000);
    assert_eq!(undo(&store).unwrap().undone.restored, 10_000);
    println!("10,000 files: organized in {organized:?}, undone in {:?}", start.elapsed());
    assert!(organized < Duration::from_secs(5), "{organized:?}");
}

#[test]
fn a_name_that_is_taken_is_left_alone_and_told() {
    let folder = tempdir().unwrap();
    fs::create_dir(folder.path().join("Images")).unwrap();
    write(&folder.path().join("Images/a.jpg"), "old", 1);
    write(&folder.path().join("a.jpg"), "new", 2);
    write(&folder.path().join("b.jpg"), "b", 3);
    let plan = plan(folder.path(), "type");
    let left_alone = plan.left_alone;
    let (outcome, id) = operation::perform(&Memory::default(), &plan, on).unwrap();
    assert_eq!(fs::read(folder.path().join("Images/a.jpg")).unwrap(), b"old");
    assert_eq!(fs::read(folder.path().join("a.jpg")).unwrap(), b"new");

    let change = Change { outcome: &outcome, operation: id.as_deref(), dry_run: false };
    let report = report::organized(&change, folder.path(), Method::Type, left_alone);
    assert_eq!(
        report.message,
        "Organized 1 file into 1 folder.\nImages 1\n1 file was left alone: a file of that name was there already."
    );
    assert_eq!(report.data["skipped"][0]["reason"], NAME_TAKEN);
    assert_eq!(report.data["folders_created"], serde_json::json!([]));
}

#[test]
fn a_file_that_has_a_folders_name_blocks_only_that_folder() {
    let folder = tempdir().unwrap();
    for name in ["Images", "Other", "a.jpg", "b.pdf"] {
        write(&folder.path().join(name), name, 1);
    }
    let store = Memory::default();
    let outcome = organize(&store, folder.path(), "type");
    assert_eq!((outcome.done, outcome.skipped.len()), (1, 3));
    let after = picture(folder.path());
    assert_eq!(organize(&store, folder.path(), "type").done, 0);
    assert_eq!(picture(folder.path()), after);
}

#[test]
fn names_taken_between_plan_and_move_are_not_overwritten() {
    let folder = tempdir().unwrap();
    write(&folder.path().join("a.jpg"), "mine", 1);
    let plan = plan(folder.path(), "type");
    fs::create_dir(folder.path().join("Images")).unwrap();
    write(&folder.path().join("Images/a.jpg"), "theirs", 2);
    let before = picture(folder.path());
    let (outcome, id) = operation::perform(&Memory::default(), &plan, on).unwrap();
    assert_eq!(outcome.skipped[0].reason, NAME_TAKEN);
    assert_eq!(id, None, "nothing was changed, so there is nothing to undo");
    assert_eq!(picture(folder.path()), before);
}

#[test]
fn a_rehearsal_names_the_folders_and_touches_nothing() {
    let folder = tempdir().unwrap();
    thousand_files(folder.path());
    let before = picture(folder.path());
    let outcome = rehearse(&plan(folder.path(), "type"));
    assert_eq!(outcome.done, 982);
    let mut names: Vec<_> = outcome.folders_created.iter().map(|f| f.file_name().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["Archives", "Audio", "Code", "Documents", "Images", "Other", "Videos"]);
    assert_eq!(picture(folder.path()), before);
}

#[test]
fn recursion_takes_files_from_folders_but_not_from_its_own_or_hidden_ones() {
    let folder = tempdir().unwrap();
    for sub in ["a/b", "c", "Images", ".git"] {
        fs::create_dir_all(folder.path().join(sub)).unwrap();
        write(&folder.path().join(sub).join("x.pdf"), sub, 1);
    }
    let (before, store) = (picture(folder.path()), Memory::default());
    let plan = || organize::plan(folder.path(), &sorter("type"), true, None).unwrap();
    let (outcome, _) = operation::perform(&store, &plan(), on).unwrap();
    assert_eq!((outcome.done, outcome.skipped.len()), (1, 1), "two of one name: the second stays");
    assert!(folder.path().join("Images/x.pdf").exists());
    assert!(folder.path().join(".git/x.pdf").exists());
    assert_eq!(plan().items(), 0);
    undo(&store).unwrap();
    assert_eq!(picture(folder.path()), before);
}

#[test]
fn a_stopped_run_can_be_undone() {
    let folder = tempdir().unwrap();
    thousand_files(folder.path());
    let (before, store) = (picture(folder.path()), Memory::default());
    let stop = |done, _| if done == 500 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
    let (outcome, _) = operation::perform(&store, &plan(folder.path(), "type"), stop).unwrap();
    assert!(outcome.cancelled);
    assert_eq!(outcome.done, 500);
    assert_eq!(undo(&store).unwrap().undone.restored, 500);
    assert_eq!(picture(folder.path()), before);
}

#[test]
fn own_folders_decide_before_the_built_in_ones() {
    let folder = tempdir().unwrap();
    write(&folder.path().join("2025.PDF"), "", 1);
    let own = Sorter::new(Method::Type, [("tax papers".to_owned(), vec!["pdf".to_owned()])]).unwrap();
    let plan = organize::plan(folder.path(), &own, false, None).unwrap();
    assert_eq!(plan.steps[0], Step::Folder(folder.path().join("Tax Papers")));
}

#[test]
fn what_cannot_be_organized_is_refused_with_its_reason() {
    let folder = tempdir().unwrap();
    let (home, file) = (folder.path(), folder.path().join("file"));
    fs::write(&file, "").unwrap();
    std::os::unix::fs::symlink("/usr", folder.path().join("link")).unwrap();
    let refusal = |path: &Path, recursive| {
        organize::plan(path, &sorter("type"), recursive, Some(home)).map(|_| ()).unwrap_err().to_string()
    };
    let gone = folder.path().join("gone");
    assert_eq!(
        refusal(&gone, false),
        format!("`{}` does not exist; check how it is spelled", gone.display())
    );
    assert!(refusal(&file, false).contains("is not a folder"));
    assert!(refusal(Path::new("Downloads"), false).starts_with("`Downloads` is not an absolute path"));
    for path in ["/", "/usr/lib", "/etc", "/home/../etc"] {
        assert!(refusal(Path::new(path), false).contains("belongs to the system"), "{path}");
    }
    assert!(refusal(&folder.path().join("link"), false).contains("belongs to the system"));
    assert!(refusal(home, true).contains("is your home folder"));
}
