//! The plugin as a host sees it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail as tests do")]

mod support;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use astros_file_manager::paths::WirePath;
use astros_file_manager::plugin;
use astros_protocol::manifest::Manifest;
use astros_sdk::prelude::*;
use astros_sdk::testing::TestHost;
use support::*;
use tempfile::tempdir;

#[tokio::test]
async fn files_are_organized_listed_and_brought_back() {
    let folder = tempdir().unwrap();
    thousand_files(folder.path());
    let before = picture(folder.path());
    let host = TestHost::start(plugin()).await;
    let organize = json!({"path": folder.path(), "method": "type"});

    let mut rehearsal = organize.clone();
    rehearsal["dry_run"] = true.into();
    let response = host.call("organize_files", rehearsal).await.unwrap();
    assert!(
        response.message.starts_with("Would organize 982 files into 7 folders.\n"),
        "{}",
        response.message
    );
    assert_eq!(response.data["folders_created"].as_array().unwrap().len(), 7);
    assert_eq!(picture(folder.path()), before);

    let response = host.call("organize_files", organize.clone()).await.unwrap();
    assert!(response.message.starts_with("Organized 982 files into 7 folders.\n"), "{}", response.message);
    assert_eq!(response.suggested_actions, ["undo that"]);
    assert_eq!(
        (&response.data["files_processed"], &response.data["skipped_total"]),
        (&json!(982), &json!(0))
    );
    assert_eq!(response.data["left_alone"], json!({"hidden": 20, "links": 2, "special": 0}));

    let response = host.call("organize_files", organize).await.unwrap();
    assert!(response.success);
    assert!(response.message.starts_with("There is nothing to organize in `"), "{}", response.message);

    let images = folder.path().join("Images");
    let response = host.call("list_files", json!({"path": images})).await.unwrap();
    assert_eq!(
        response.data["files"].as_array().unwrap().len() as u64,
        response.data["total"].as_u64().unwrap()
    );

    let response = host.call("undo", json!({})).await.unwrap();
    assert_eq!(response.message, "982 files are back where they were.");
    assert_eq!(picture(folder.path()), before);
    let response = host.call("undo", json!({})).await.unwrap();
    assert_eq!((response.success, response.message.as_str()), (false, "there is nothing to undo"));
}

#[tokio::test]
async fn a_cancelled_run_ends_early_and_can_be_undone() {
    let folder = tempdir().unwrap();
    thousand_files(folder.path());
    let before = picture(folder.path());
    let host = TestHost::start(plugin()).await;
    let call = host.begin("organize_files", json!({"path": folder.path()}));
    call.cancel().unwrap();
    let _ = call.await;
    // The turn is the undo's only when the work has ended.
    let _ = host.call("undo", json!({})).await.unwrap();
    assert_eq!(picture(folder.path()), before);
}

#[tokio::test]
async fn moves_copies_searches_and_infos_say_what_they_did() {
    let folder = tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    write(&at("a.pdf"), "a", 1);
    let host = TestHost::start(plugin()).await;
    let copied =
        host.call("copy_files", json!({"source": at("a.pdf"), "destination": at("b.pdf")})).await.unwrap();
    assert_eq!(copied.message, format!("Copied 1 item to `{}`.", at("b.pdf").display()));
    let moves =
        json!({"moves": [{"from": at("b.pdf"), "to": at("x/c.pdf")}, {"from": at("gone"), "to": at("d")}]});
    let moved = host.call("move_files", moves).await.unwrap();
    assert_eq!(moved.data["files_processed"], 1);
    assert!(moved.data["skipped"][0]["reason"].as_str().unwrap().contains("does not exist"));

    let found = host.call("search_files", json!({"query": "C.P", "path": folder.path()})).await.unwrap();
    assert_eq!(found.data["files"][0]["path"], json!(at("x/c.pdf")));
    let info = host.call("file_info", json!({"path": at("a.pdf")})).await.unwrap();
    assert_eq!(
        info.message,
        format!("`{}` is a file of 1 byte, changed 2024-07-04T09:46:40Z.", at("a.pdf").display())
    );
    let taken = json!({"source": at("a.pdf"), "destination": at("x/c.pdf")});
    let taken = host.call("move_files", taken).await.unwrap();
    assert!(!taken.success);
    assert!(
        taken.message.ends_with("was not moved: a file of that name was there already"),
        "{}",
        taken.message
    );
}

#[tokio::test]
async fn a_path_that_is_not_utf8_is_served() {
    let folder = tempdir().unwrap();
    let odd = folder.path().join(OsStr::from_bytes(b"odd \xff"));
    fs::create_dir(&odd).unwrap();
    write(&odd.join("a.jpg"), "a", 1);
    let host = TestHost::start(plugin()).await;
    let response = host.call("organize_files", json!({"path": WirePath(odd.clone())})).await.unwrap();
    assert_eq!(response.data["files_processed"], 1);
    assert!(odd.join("Images/a.jpg").exists());
    host.call("undo", json!({})).await.unwrap();
    assert!(odd.join("a.jpg").exists());
}

#[tokio::test]
async fn requests_that_lack_something_say_what() {
    let host = TestHost::start(plugin()).await;
    for (handler, params, says) in [
        ("list_files", json!({}), "nothing says which folder; give `path`"),
        (
            "list_files",
            json!({"path": "Downloads"}),
            "`Downloads` is not an absolute path; say it from `/` on",
        ),
        ("list_files", json!({"path": "/no/such"}), "`/no/such` does not exist; check how it is spelled"),
        ("search_files", json!({"query": " "}), "nothing says what to look for; give `query`"),
        ("organize_files", json!({"path": "/tmp", "method": "by_content"}), "method `by_content` is unknown"),
        ("organize_files", json!({"path": "/usr"}), "`/usr` belongs to the system"),
        ("move_files", json!({"source": "/a"}), "nothing says where to; give `destination`"),
        (
            "copy_files",
            json!({"sources": [], "destination": "/a"}),
            "nothing says what to put there; give `source`",
        ),
        ("file_info", json!({"path": "/no\nsuch"}), "`/no\\nsuch` does not exist"),
    ] {
        let response = host.call(handler, params).await.unwrap();
        assert!(!response.success, "{handler}");
        assert!(response.message.starts_with(says), "{handler}: {}", response.message);
    }
}

#[tokio::test]
async fn examples_have_the_slots_that_handlers_take() {
    let host = TestHost::start(plugin()).await;
    for handler in &host.description().handlers {
        for example in &handler.examples {
            for slot in example.split('{').skip(1).map(|rest| rest.split('}').next().unwrap()) {
                let parameters = handler.parameters.as_ref().unwrap();
                assert!(parameters["properties"].get(slot).is_some(), "{}: {slot}", handler.name);
            }
        }
    }
}

#[tokio::test]
async fn the_manifest_and_the_code_agree() {
    let manifest = Manifest::read(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap().unwrap();
    assert_eq!(manifest.warnings, [""; 0]);
    let host = TestHost::start(plugin()).await;
    let described = host.description();
    assert_eq!(described.name, manifest.metadata.name.as_str());
    assert_eq!(described.handles, manifest.capabilities.handles);
    assert_eq!(described.version, env!("CARGO_PKG_VERSION"));
}

#[tokio::test]
async fn a_listing_says_the_names_and_how_many_more_there_are() {
    let folder = tempdir().unwrap();
    fs::create_dir(folder.path().join("album")).unwrap();
    (0..30).for_each(|n| fs::write(folder.path().join(format!("file {n:02}")), "x").unwrap());
    let host = TestHost::start(plugin()).await;
    let params = json!({"path": folder.path()});
    let message = host.call("list_files", params).await.unwrap().message;
    let lines: Vec<_> = message.lines().collect();
    assert_eq!(lines[0], format!("31 entries in `{}`.", folder.path().display()));
    assert_eq!((lines[1], lines[20]), ("  album/", "  file 18"));
    assert_eq!(lines[21..], ["and 11 more; `--json` lists all"]);
}

#[tokio::test]
async fn a_param_of_the_wrong_type_is_named_with_what_was_expected() {
    let host = TestHost::start(plugin()).await;
    let error = host.call("list_files", json!({"path": 5})).await.unwrap_err();
    assert!(error.to_string().contains("`path`: expected a path: a string, or"), "{error}");
}

#[tokio::test]
async fn what_people_call_files_is_found_where_no_name_is_like_it() {
    let folder = tempdir().unwrap();
    for name in ["bill.pdf", "all pdfs.txt", "notes.md"] {
        fs::write(folder.path().join(name), "x").unwrap();
    }
    let host = TestHost::start(plugin()).await;
    for (query, total) in [("all pdfs", 1), ("PDF files", 2), ("my bills", 1), ("*.pdf", 1), ("all files", 0)]
    {
        let response =
            host.call("search_files", json!({"query": query, "path": folder.path()})).await.unwrap();
        assert_eq!(response.data["total"], total, "{query}");
    }
}
