//! Stores in real databases, several processes' worth of handles among them.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use astros_protocol::Extra;
use serde_json::json;
use tempfile::TempDir;

use super::*;

fn file(folder: &TempDir) -> PathBuf {
    folder.path().join("astros.db")
}

fn json_of(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).unwrap()
}

/// A store whose time stands until the test moves it.
struct Clocked {
    store: Store,
    now: Arc<AtomicI64>,
    _folder: TempDir,
}

impl Clocked {
    fn new() -> Clocked {
        let folder = TempDir::new().unwrap();
        let now = Arc::new(AtomicI64::new(1_000));
        let clock = Arc::clone(&now);
        let store = Store::open_with_clock(&file(&folder), move || clock.load(Ordering::SeqCst)).unwrap();
        Clocked { store, now, _folder: folder }
    }

    fn pass(&self, ms: i64) {
        self.now.fetch_add(ms, Ordering::SeqCst);
    }

    async fn set(&self, key: &str, text: &str) -> u64 {
        self.store.set("p", key, json_of(text), None, None).await.unwrap()
    }

    async fn get(&self, key: &str) -> (String, u64) {
        let found = self.store.get("p", key, None).await.unwrap();
        (found.value.get().to_owned(), found.version)
    }
}

fn reason(error: &Error) -> String {
    assert_eq!(error.kind(), "storage_failed");
    error.data.as_ref().unwrap().extra["reason"].as_str().unwrap().to_owned()
}

fn number(error: &Error, member: &str) -> u64 {
    error.data.as_ref().unwrap().extra[member].as_u64().unwrap()
}

#[tokio::test]
async fn keeps_values_apart_by_plugin_and_hands_out_defaults() {
    let one = Clocked::new();
    assert_eq!(one.get("k").await, ("null".to_owned(), 0));
    let version = one.set("k", r#"{"a": [1, "ü"]}"#).await;
    assert_eq!(one.get("k").await, (r#"{"a": [1, "ü"]}"#.to_owned(), version));
    let other = one.store.get("q", "k", Some(json_of("7"))).await.unwrap();
    assert_eq!((other.value.get(), other.version), ("7", 0));
    assert!(one.store.delete("p", "k", None).await.unwrap());
    assert!(!one.store.delete("p", "k", None).await.unwrap());
    assert_eq!(one.get("k").await.1, 0);
}

#[tokio::test]
async fn never_repeats_a_version() {
    let folder = TempDir::new().unwrap();
    let mut last = 0;
    for round in 0..3 {
        let store = Store::open(&file(&folder)).unwrap();
        for key in ["a", "b", "a"] {
            let version = store.set("p", key, json_of("1"), None, None).await.unwrap();
            assert!(version > last, "round {round}: {version} came after {last}");
            last = version;
        }
        store.delete("p", "a", None).await.unwrap();
        store.delete("p", "b", None).await.unwrap();
    }
}

#[tokio::test]
async fn writes_only_where_the_version_is_the_expected_one() {
    let one = Clocked::new();
    let set = |if_version| one.store.set("p", "k", json_of("1"), None, Some(if_version));
    let version = set(0).await.unwrap();
    let error = set(0).await.unwrap_err();
    assert_eq!((reason(&error).as_str(), number(&error, "version")), ("conflict", version));
    let newer = set(version).await.unwrap();
    assert_eq!(number(&set(version).await.unwrap_err(), "version"), newer);
    let error = one.store.delete("p", "k", Some(version)).await.unwrap_err();
    assert_eq!(reason(&error), "conflict");
    assert!(one.store.delete("p", "k", Some(newer)).await.unwrap());
    assert_eq!(number(&set(newer).await.unwrap_err(), "version"), 0);
}

#[tokio::test]
async fn forgets_what_has_expired() {
    let one = Clocked::new();
    one.store.set("p", "short", json_of("1"), Some(10), None).await.unwrap();
    one.store.set("p", "long", json_of("2"), Some(1_000_000), None).await.unwrap();
    one.pass(9);
    assert_ne!(one.get("short").await.1, 0);
    one.pass(1);
    assert_eq!(one.get("short").await.1, 0);
    assert_eq!(one.store.list("p", "", None, None).await.unwrap().keys, ["long"]);
    assert!(one.store.set("p", "short", json_of("3"), None, Some(0)).await.is_ok());
    for ttl in [0, -5, i64::MIN] {
        assert_eq!(one.store.set("p", "long", json_of("4"), Some(ttl), None).await.unwrap(), 0);
        assert_eq!(one.get("long").await.1, 0);
    }
    assert!(one.store.set("p", "long", json_of("4"), Some(i64::MAX), None).await.unwrap() > 0);
    assert_ne!(one.get("long").await.1, 0);
}

#[tokio::test]
async fn lists_pages_in_the_order_of_bytes() {
    let one = Clocked::new();
    for key in ["a/2", "b", "a/é", "a/1", "a", "a/%"] {
        one.set(key, "1").await;
    }
    one.store.set("other", "a/0", json_of("1"), None, None).await.unwrap();
    let page = one.store.list("p", "a/", None, Some(2)).await.unwrap();
    assert_eq!((page.keys, page.cursor.as_deref()), (vec!["a/%".into(), "a/1".into()], Some("a/2")));
    let page = one.store.list("p", "a/", Some("a/2"), Some(2)).await.unwrap();
    assert_eq!(page, Page { keys: vec!["a/2".into(), "a/é".into()], cursor: None });
    assert_eq!(one.store.list("p", "", None, Some(0)).await.unwrap().keys.len(), 1);
}

#[tokio::test]
async fn refuses_what_is_beyond_the_quota_and_makes_room_of_the_expired() {
    let one = Clocked::new();
    let eight = || json_of(&format!("\"{}\"", "x".repeat((8 << 20) - 4)));
    for key in ["0", "1", "2", "3", "4", "5", "6"] {
        one.store.set("p", key, eight(), None, None).await.unwrap();
    }
    one.store.set("p", "7", eight(), Some(100), None).await.unwrap();
    let error = one.store.set("p", "8", eight(), None, None).await.unwrap_err();
    assert_eq!(reason(&error), "quota");
    assert_eq!((number(&error, "limit"), number(&error, "used")), (QUOTA_BYTES, QUOTA_BYTES - 8));
    // Replacing counts the difference, a refusal leaves the old value, another plugin has its own room.
    one.set("6", "1").await;
    one.store.set("p", "6", eight(), None, None).await.unwrap();
    let version = one.set("6", "1").await;
    let larger = json_of(&format!("\"{}\"", "x".repeat(9 << 20)));
    assert_eq!(reason(&one.store.set("p", "6", larger, None, None).await.unwrap_err()), "quota");
    assert_eq!(one.get("6").await, ("1".to_owned(), version));
    one.store.set("q", "8", eight(), None, None).await.unwrap();
    one.pass(100);
    one.store.set("p", "8", eight(), None, None).await.unwrap();
}

#[tokio::test]
async fn refuses_keys_and_values_that_are_too_large() {
    let one = Clocked::new();
    let key = "k".repeat(MAX_KEY_BYTES);
    assert!(one.set(&key, "1").await > 0);
    let error = one.store.set("p", &format!("{key}k"), json_of("1"), None, None).await.unwrap_err();
    assert_eq!(reason(&error), "too_large");
    let value = json_of(&format!("\"{}\"", "x".repeat(MAX_VALUE_BYTES)));
    assert_eq!(reason(&one.store.set("p", "k", value, None, None).await.unwrap_err()), "too_large");
}

#[tokio::test]
async fn lets_exactly_one_of_many_racing_writes_win() {
    let folder = TempDir::new().unwrap();
    let stores = [Store::open(&file(&folder)).unwrap(), Store::open(&file(&folder)).unwrap()];
    stores[0].set("p", "n", json_of("0"), None, None).await.unwrap();
    let add_one = |store: Store| async move {
        for _ in 0..25 {
            loop {
                let Stored { value, version } = store.get("p", "n", None).await.unwrap();
                let next = value.get().parse::<u32>().unwrap() + 1;
                match store.set("p", "n", json_of(&next.to_string()), None, Some(version)).await {
                    Ok(_) => break,
                    Err(error) => assert_eq!(reason(&error), "conflict"),
                }
            }
        }
    };
    let tasks: Vec<_> = (0..8).map(|n| tokio::spawn(add_one(stores[n % 2].clone()))).collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(stores[1].get("p", "n", None).await.unwrap().value.get(), "200");
}

#[test]
fn opens_a_new_database_many_times_at_once() {
    let folder = TempDir::new().unwrap();
    std::thread::scope(|scope| {
        let opened: Vec<_> = (0..8).map(|_| scope.spawn(|| Store::open(&file(&folder)).map(drop))).collect();
        opened.into_iter().for_each(|thread| thread.join().unwrap().unwrap());
    });
}

/// The other process of the next test: it writes, says so, and is killed.
#[tokio::test]
#[ignore = "runs as a child of `keeps_every_answered_write_when_the_process_is_killed`"]
async fn writer_that_is_killed() {
    let Some(path) = std::env::var_os("ASTROS_TEST_DATABASE") else { return };
    let store = Store::open(Path::new(&path)).unwrap();
    for n in 0_u64.. {
        let value = json_of(&format!("\"{}\"", "x".repeat(100 + n as usize % 5_000)));
        let version = store.set("p", &format!("k{}", n % 50), value, None, None).await.unwrap();
        println!("wrote k{} {version}", n % 50);
    }
}

#[tokio::test]
async fn keeps_every_answered_write_when_the_process_is_killed() {
    let folder = TempDir::new().unwrap();
    let store = Store::open(&file(&folder)).unwrap();
    for lines in [1, 400, 1_500] {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "services::storage::tests::writer_that_is_killed", "--ignored", "--nocapture"])
            .env("ASTROS_TEST_DATABASE", file(&folder))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let answered = |line: String| {
            let (key, version) = line.split_once("wrote ")?.1.split_once(' ')?;
            Some((key.to_owned(), version.parse::<u64>().unwrap()))
        };
        let mut wrote: Vec<_> = output.by_ref().filter_map(answered).take(lines).collect();
        child.kill().unwrap();
        wrote.extend(output.filter_map(answered));
        child.wait().unwrap();
        assert!(wrote.len() >= lines);
        for (key, version) in wrote {
            // A later write of the same key may have come through unsaid.
            let found = store.get("p", &key, None).await.unwrap();
            assert!(found.version >= version, "{key} had version {version}, {found:?} was found");
        }
        drop(Store::open(&file(&folder)).unwrap());
    }
}

#[tokio::test]
async fn remembers_sessions_enablement_and_descriptions() {
    let one = Clocked::new();
    let store = &one.store;
    let followup = Followup {
        plugin: "p".into(),
        handler: "h".into(),
        context: Extra::from_iter([("a".to_owned(), json!(1))]),
    };
    let lapse = Duration::from_millis(50);
    store.set_followup("s", Some(followup.clone()), lapse).await.unwrap();
    one.pass(49);
    assert_eq!(store.followup("s").await.unwrap(), Some(followup.clone()));
    assert_eq!(store.followup("t").await.unwrap(), None);
    one.pass(1);
    assert_eq!(store.followup("s").await.unwrap(), None);
    store.set_followup("s", Some(followup), Duration::MAX).await.unwrap();
    store.set_followup("s", None, lapse).await.unwrap();
    assert_eq!(store.followup("s").await.unwrap(), None);

    store.set_enabled("a", Some(true)).await.unwrap();
    store.set_enabled("a", Some(false)).await.unwrap();
    store.set_enabled("b", Some(true)).await.unwrap();
    store.set_enabled("b", None).await.unwrap();
    assert_eq!(store.enablement().await.unwrap(), BTreeMap::from([("a".to_owned(), false)]));

    let folder = Path::new("/plugins/a");
    let description = PluginDescription { name: "a".into(), ..Default::default() };
    store.set_description(folder, "f1", &description).await.unwrap();
    store.set_description(folder, "f2", &description).await.unwrap();
    let known = store.descriptions().await.unwrap().remove(folder).unwrap();
    assert_eq!(known.valid("f1"), None);
    assert_eq!(known.valid("f2"), Some(description));
}

fn open_error(path: &Path) -> Error {
    let error = Store::open(path).err().expect("it was opened");
    assert_eq!(error.kind(), "storage_failed");
    assert!(error.message.contains(path.to_str().unwrap()), "{error}");
    error
}

#[tokio::test]
async fn says_what_is_wrong_with_a_file_and_leaves_it_alone() {
    let folder = TempDir::new().unwrap();
    let text = folder.path().join("text.db");
    fs::write(&text, "this is no database, ".repeat(100)).unwrap();
    let error = open_error(&text);
    assert!(error.hint().unwrap().contains("nothing was deleted"), "{error:?}");
    assert_eq!(fs::read(&text).unwrap().len(), 2_100);

    assert!(open_error(folder.path()).message.contains("is a folder"));
    assert!(
        open_error(&folder.path().join("none/astros.db")).hint().unwrap().contains("folder has to exist")
    );

    let newer = folder.path().join("newer.db");
    Connection::open(&newer).unwrap().pragma_update(None, "user_version", 7).unwrap();
    let error = open_error(&newer);
    assert!(error.message.contains("has version 7, this AstrOS knows versions up to "), "{error}");
}

#[tokio::test]
async fn names_the_file_when_its_middle_is_damaged() {
    let folder = TempDir::new().unwrap();
    let path = file(&folder);
    let store = Store::open(&path).unwrap();
    for n in 0..200 {
        let value = json_of(&json!("x".repeat(2_000)).to_string());
        store.set("p", &format!("k{n}"), value, None, None).await.unwrap();
    }
    drop(store);
    // The thread closes the database on its own time.
    let begun = std::time::Instant::now();
    while path.with_extension("db-wal").exists() {
        assert!(begun.elapsed() < Duration::from_secs(10), "the database was not closed");
        std::thread::yield_now();
    }
    let mut bytes = fs::read(&path).unwrap();
    let end = bytes.len();
    bytes[8_192..end].fill(0xee);
    fs::write(&path, &bytes).unwrap();
    let error = match Store::open(&path) {
        Ok(store) => store.list("p", "", None, None).await.unwrap_err(),
        Err(error) => error,
    };
    assert_eq!(reason(&error), "damaged");
    assert!(error.message.contains(path.to_str().unwrap()), "{error}");
    assert!(fs::read(&path).unwrap() == bytes);
}

#[tokio::test]
async fn says_so_where_a_stored_value_is_no_json_and_takes_a_new_one() {
    let folder = TempDir::new().unwrap();
    let store = Store::open(&file(&folder)).unwrap();
    store.set("p", "k", json_of("1"), None, None).await.unwrap();
    let other = Connection::open(file(&folder)).unwrap();
    other.execute("UPDATE entries SET value = '{'", []).unwrap();
    assert_eq!(reason(&store.get("p", "k", None).await.unwrap_err()), "unreadable");
    store.set("p", "k", json_of("2"), None, None).await.unwrap();
    assert_eq!(store.get("p", "k", None).await.unwrap().value.get(), "2");
}

#[tokio::test]
async fn fails_one_request_without_the_others_of_its_batch() {
    let one = Clocked::new();
    let (good, bad, also_good) = tokio::join!(
        one.store.set("p", "a", json_of("1"), None, None),
        one.store.set("p", "b", json_of("2"), None, Some(9)),
        one.store.set("p", "c", json_of("3"), None, None),
    );
    assert!(good.is_ok() && also_good.is_ok());
    assert_eq!(reason(&bad.unwrap_err()), "conflict");
    assert_eq!(one.store.list("p", "", None, None).await.unwrap().keys, ["a", "c"]);
}

#[tokio::test]
async fn opens_and_reads_while_another_process_writes() {
    let folder = TempDir::new().unwrap();
    drop(Store::open(&file(&folder)).unwrap());
    let other = Connection::open(file(&folder)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let store = Store::open(&file(&folder)).unwrap();
    assert_eq!(store.get("p", "k", None).await.unwrap().version, 0);
}

#[test]
fn a_fresh_database_is_opened_by_many_at_once() {
    for _ in 0..20 {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("astros.db");
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| open::open(&path, 0).unwrap());
            }
        });
    }
}
