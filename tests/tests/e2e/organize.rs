//! The main job: a folder of real files, in plain words, and back again.

use std::{fs, path::Path};

use astros_tests::{Outcome, Tree, World, mixed_files};
use serde_json::json;

fn organize(world: &World, folder: &Path, words: &str) -> Outcome {
    world.ask(&format!("organize the files in {} {words}", folder.display())).succeeds()
}

/// A folder of a few files whose kinds, sizes and dates differ.
fn few_files(world: &World) -> std::path::PathBuf {
    for (name, size) in [("a.jpg", 10), ("b.pdf", 2_000_000), ("c.mp3", 20), ("two words.txt", 30)] {
        world.file(&format!("home/inbox/{name}"), vec![b'.'; size]);
    }
    world.path("home/inbox")
}

#[test]
fn organizes_a_thousand_mixed_files_and_brings_them_back() {
    let world = World::new();
    let folder = world.path("home/a folder of files");
    let before = mixed_files(&folder);
    let files = before.contents().len();
    assert_eq!(files, 985 + 2 + 5 + 5 + 1, "the files of the fixture");

    let organized = organize(&world, &folder, "by type").answered_by("smart-organizer.organize_files");
    // Those in folders and the hidden one stay, and one whose name is taken where it would go.
    assert_eq!(organized.data()["files_processed"], 985 - 1 + 5 + 5, "{organized:?}");
    assert_eq!(organized.data()["skipped_total"], 1);
    let after = Tree::of(&folder);
    assert_eq!(after.contents(), before.contents(), "no file is lost, and none is changed");
    assert_eq!(after.files_in(""), 2, "the hidden file and the one whose name was taken are left");
    for link in ["a link.jpg", "a broken link.txt", "a link to a folder", "already here/report 0.jpg"] {
        assert!(folder.join(link).symlink_metadata().is_ok(), "`{link}` stays where it was");
    }
    assert!(folder.join("Images/report 50.jpg").is_file() && folder.join("Images/the same 4.jpg").is_file());
    assert!(folder.join("Documents/Überweisung März 12.txt").is_file());

    let again = organize(&world, &folder, "by type");
    assert_eq!(again.data()["files_processed"], 0, "{again:?}");
    Tree::of(&folder).is_again(&after);

    let undone = world.ask("undo that").succeeds().answered_by("file-manager.undo");
    assert_eq!(undone.data()["files_restored"], organized.data()["files_processed"]);
    Tree::of(&folder).is_again(&before);
}

#[test]
fn organizes_by_date() {
    let world = World::new();
    let folder = few_files(&world);
    let date = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_709_726_400);
    let old = fs::File::options().write(true).open(folder.join("a.jpg")).unwrap();
    old.set_modified(date).unwrap();
    organize(&world, &folder, "by date").says("Organized 4 files");
    assert!(folder.join("2024-03/a.jpg").is_file(), "{:?}", Tree::of(&folder).paths().collect::<Vec<_>>());
    assert_eq!(Tree::of(&folder).files_in(""), 0);
}

#[test]
fn organizes_by_size() {
    let world = World::new();
    let folder = few_files(&world);
    let organized = organize(&world, &folder, "by size").says("Organized 4 files");
    let folders = organized.data()["folders_created"].as_array().unwrap().len();
    assert_eq!(folders, 2, "the large file is apart: {organized:?}");
    world.ask("undo that").succeeds();
    assert_eq!(Tree::of(&folder).files_in(""), 4);
}

#[test]
fn rehearses_without_touching_a_file() {
    let world = World::new();
    let folder = few_files(&world);
    let before = Tree::of(&folder);
    let params = json!({ "path": folder, "method": "by_type", "dry_run": true });
    let planned =
        world.call("smart-organizer", "organize_files", params).succeeds().says("Would organize 4 files");
    let folders = planned.data()["folders_created"].to_string();
    assert!(folders.contains("Images") && folders.contains("Documents"), "the plan names folders: {folders}");
    Tree::of(&folder).is_again(&before);
}

#[test]
fn never_overwrites_a_file() {
    let world = World::new();
    let folder = few_files(&world);
    world.file("home/inbox/Images/a.jpg", "another picture of that name");
    organize(&world, &folder, "by type").says("Organized 3 files");
    assert_eq!(fs::read(folder.join("a.jpg")).unwrap().len(), 10, "it stays where it was");
    assert_eq!(fs::read_to_string(folder.join("Images/a.jpg")).unwrap(), "another picture of that name");
}

#[test]
fn understands_a_path_relative_to_where_the_person_is() {
    let world = World::new();
    let folder = few_files(&world);
    world
        .astros(["ask", "organize the files in ./home/inbox by type"])
        .run()
        .succeeds()
        .says("Organized 4 files");
    assert!(folder.join("Images/a.jpg").is_file());
    world.astros(["ask", "undo that"]).within(&folder).run().succeeds().says("4 files are back");
}

#[test]
fn says_what_it_did_and_what_could_be_said_next() {
    let world = World::new();
    let folder = few_files(&world);
    let text = format!("organize the files in {} by type", folder.display());
    let told = world
        .astros(["ask", &text])
        .run()
        .succeeds()
        .says("Organized 4 files into 3 folders.")
        .says("Images 1");
    assert!(told.stdout.lines().count() >= 2 && told.stderr.is_empty(), "{told:?}");
}

#[test]
fn names_a_path_that_does_not_exist() {
    let world = World::new();
    let refused =
        world.ask(&format!("organize the files in {} by type", world.path("home/no such").display()));
    let refused = refused.exits(1).says("no such").answered_by("smart-organizer.organize_files");
    assert_eq!(refused.json()["success"], false);
}
