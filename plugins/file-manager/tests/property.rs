//! Whatever is in a folder: nothing is lost, undo restores it, and a run stopped anywhere can be undone.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail as tests do")]

mod support;

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use astros_file_manager::operation;
use proptest::prelude::*;
use support::*;
use tempfile::tempdir;

#[derive(Debug, Clone)]
enum Thing {
    File(String, String),
    Folder(String),
    Link(String, String),
}

/// Few names, so that they meet: also those of the folders that files are sorted into.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[aA]{1,2}\\.(jpg|PDF|zip|x)",
        "(Images|Documents|Archives|Other|Small|Medium|2024-07|2024-08)",
        "(Images|Other|Small|2024-07|sub)/[aA]\\.(jpg|pdf|x)",
        "\\PC{1,12}"
            .prop_filter("a plain name", |name| !name.contains(['/', '\0']) && name != "." && name != ".."),
    ]
}

fn thing() -> impl Strategy<Value = Thing> {
    prop_oneof![
        6 => (name(), "[xy]{0,2}").prop_map(|(name, content)| Thing::File(name, content)),
        1 => name().prop_map(Thing::Folder),
        1 => (name(), name()).prop_map(|(name, target)| Thing::Link(name, target)),
    ]
}

/// Makes what can be made; a name that is taken, or is too long, makes nothing.
fn make(root: &Path, things: &[Thing]) {
    for (thing, age) in things.iter().zip(0_u64..) {
        let (Thing::File(name, _) | Thing::Folder(name) | Thing::Link(name, _)) = thing;
        let path = root.join(name);
        let _ = fs::create_dir_all(path.parent().unwrap());
        match thing {
            _ if path.symlink_metadata().is_ok() || !path.parent().unwrap().is_dir() || name.len() > 255 => {}
            Thing::File(_, content) => write(&path, content, age % 3 * 20),
            Thing::Folder(_) => fs::create_dir(&path).unwrap(),
            Thing::Link(_, target) => std::os::unix::fs::symlink(target, &path).unwrap(),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn organizing_loses_nothing_settles_and_is_undone(
        things in prop::collection::vec(thing(), 0..25),
        method in prop_oneof![Just("by_type"), Just("by_date"), Just("by_size")],
        recursive: bool,
        stop_at in 0_u64..30,
    ) {
        let folder = tempdir().unwrap();
        make(folder.path(), &things);
        let (before, all, store) = (picture(folder.path()), contents(folder.path()), Memory::default());
        let plan = || astros_file_manager::organize::plan(folder.path(), &sorter(method), recursive, None).unwrap();

        let stop = move |done, _| if done == stop_at { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        operation::perform(&store, &plan(), stop).unwrap();
        assert_eq!(contents(folder.path()), all, "nothing is lost half way");
        let _ = undo(&store);
        assert_eq!(picture(folder.path()), before, "undone from half way");

        operation::perform(&store, &plan(), on).unwrap();
        assert_eq!(contents(folder.path()), all, "nothing is lost");
        assert_eq!(plan().items(), 0, "a second run has nothing to do");
        let _ = undo(&store);
        assert_eq!(picture(folder.path()), before, "undone");
    }
}
