//! Writes logs into real folders and reads them again.

use std::fs::{self, File};

use serde_json::json;
use tempfile::TempDir;

use super::*;

fn record(message: &str) -> Record {
    Record::now("p", Level::Info, message, Source::Stderr)
}

fn messages(folder: &TempDir, count: usize) -> Vec<String> {
    let records = read_last(folder.path(), "p", count, &Level::Trace).unwrap();
    records.into_iter().map(|record| record.message).collect()
}

#[tokio::test]
async fn keeps_records_as_they_came() {
    let folder = TempDir::new().unwrap();
    let log = Log::open(folder.path().join("logs")).unwrap();
    let mut one = record("loaded\nmodel");
    one.fields.insert("ms".to_owned(), json!(5));
    log.write(one.clone());
    log.write(Record::now("q", Level::Error, "elsewhere", Source::Log));
    log.flush().await;
    let folder = folder.path().join("logs");
    assert_eq!(read_last(&folder, "p", 50, &Level::Info).unwrap(), [one]);
    let text = fs::read_to_string(folder.join("q.log")).unwrap();
    let line: serde_json::Value = serde_json::from_str(text.trim_end()).unwrap();
    assert_eq!(
        (&line["level"], &line["source"], &line["plugin"]),
        (&json!("error"), &json!("log"), &json!("q"))
    );
    assert!(line["time"].as_str().unwrap().ends_with('Z'));
    assert_eq!(read_last(&folder, "none", 50, &Level::Info).unwrap(), []);
}

#[tokio::test]
async fn reads_the_last_records_of_a_level() {
    let folder = TempDir::new().unwrap();
    let log = Log::open(folder.path().to_owned()).unwrap();
    for n in 0..10 {
        let level = if n % 2 == 0 { Level::Debug } else { Level::Warn };
        log.write(Record { level, ..record(&n.to_string()) });
    }
    log.flush().await;
    assert_eq!(messages(&folder, 2), ["8", "9"]);
    let warnings = read_last(folder.path(), "p", 2, &Level::Info).unwrap();
    assert_eq!(warnings.iter().map(|record| &record.message[..]).collect::<Vec<_>>(), ["7", "9"]);
}

#[tokio::test]
async fn keeps_to_its_size_and_to_the_newest() {
    let folder = TempDir::new().unwrap();
    let log = Log::open(folder.path().to_owned()).unwrap();
    for n in 0..3_000 {
        log.write(record(&format!("{n} {}", "x".repeat(1_000))));
        if n % 100 == 0 {
            log.flush().await;
        }
    }
    log.flush().await;
    let bytes = |path: PathBuf| path.metadata().unwrap().len();
    let total = bytes(folder.path().join("p.log")) + bytes(folder.path().join("p.log.1"));
    assert!((MAX_FILE_BYTES..1_500_000).contains(&total), "{total} bytes");
    let last = messages(&folder, 400);
    assert_eq!(last.len(), 400);
    assert!(last[0].starts_with("2600 ") && last[399].starts_with("2999 "), "{}", &last[0][..5]);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[tokio::test]
async fn counts_and_notes_what_it_drops() {
    let folder = TempDir::new().unwrap();
    let log = Log::open(folder.path().to_owned()).unwrap();
    // While another process holds the folder, nothing is written, and the queue fills.
    let lock = File::open(folder.path()).unwrap();
    lock.lock().unwrap();
    let sent = QUEUE + BATCH + 1 + 500;
    let told = (0..sent).filter(|n| log.write(record(&n.to_string())).as_deref() == Some("p")).count();
    assert!(told >= 500, "who writes is told what is dropped: {told}");
    lock.unlock().unwrap();
    log.flush().await;
    // The note comes with the batch after the one that found the queue full.
    log.write(record("last"));
    log.flush().await;
    let found = messages(&folder, usize::MAX);
    let dropped: usize = found
        .iter()
        .filter(|message| message.contains("records were dropped"))
        .map(|message| message.split(' ').next().unwrap().parse::<usize>().unwrap())
        .sum();
    let kept = found.iter().filter(|message| message.parse::<usize>().is_ok()).count();
    assert!(dropped >= 500, "{dropped} were dropped");
    assert_eq!(kept + dropped, sent);
}

#[tokio::test]
async fn cuts_what_is_too_long_and_skips_broken_lines() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("p.log"), b"{\"time\": \xff\nnot json\n").unwrap();
    let log = Log::open(folder.path().to_owned()).unwrap();
    let mut long = record(&"ü".repeat(20_000));
    long.fields.insert("much".to_owned(), json!("x".repeat(100_000)));
    log.write(long);
    log.flush().await;
    let records = read_last(folder.path(), "p", 50, &Level::Trace).unwrap();
    assert_eq!(records.len(), 1);
    assert!(records[0].message.ends_with("ü… (40000 bytes, cut)") && records[0].message.len() < 17_000);
    assert_eq!(records[0].fields.keys().collect::<Vec<_>>(), ["left_out_bytes"]);
}

#[tokio::test]
async fn survives_a_folder_that_cannot_be_written() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let log = Log::open(file.join("logs")).unwrap();
    log.write(record("lost"));
    log.flush().await;
    assert!(read_last(&file, "p", 1, &Level::Trace).is_err());
}

#[test]
fn shows_records_without_obeying_them() {
    let mut one = record("red \u{1b}[31m\nsecond line\n");
    one.time = "2026-01-02T03:04:05.678Z".parse().unwrap();
    one.fields.insert("path".to_owned(), json!("a\nb"));
    one.fields.insert("n".to_owned(), json!([1]));
    assert_eq!(
        one.render(),
        "2026-01-02 03:04:05.678Z info  red \\u{1b}[31m\n    second line path=a\\nb n=[1]"
    );
    one = Record { message: "hello".to_owned(), source: Source::Stdout, fields: Extra::new(), ..one };
    assert_eq!(one.render(), "2026-01-02 03:04:05.678Z info  [stdout] hello", "a line that went astray");
}

#[tokio::test]
async fn follows_through_rotation() {
    let folder = TempDir::new().unwrap();
    let log = Log::open(folder.path().to_owned()).unwrap();
    log.write(record("before"));
    let mut followed = log.follow();
    let long = "x".repeat(10_000);
    for n in 0..100 {
        log.write(record(&format!("{n} {long}")));
        let heard = followed.recv().await.unwrap().message;
        assert!(heard.starts_with(&format!("{n} ")), "{}", &heard[..5]);
        // Each in a batch of its own, so that the file is moved aside on the way.
        log.flush().await;
    }
    assert!(folder.path().join("p.log.1").exists(), "it was rotated");
}

#[tokio::test]
async fn keeps_to_its_size_with_two_processes_at_it() {
    let folder = TempDir::new().unwrap();
    // Each has its own thread and its own handle on the folder's lock, as two processes have.
    let logs = [0, 1].map(|_| Log::open(folder.path().to_owned()).unwrap());
    for n in 0..1_000 {
        for (side, log) in logs.iter().enumerate() {
            log.write(record(&format!("{side} {n} {}", "x".repeat(1_000))));
        }
        if n % 50 == 0 {
            logs[0].flush().await;
            logs[1].flush().await;
        }
    }
    for log in &logs {
        log.flush().await;
    }
    let bytes = |path: PathBuf| path.metadata().unwrap().len();
    let total = bytes(folder.path().join("p.log")) + bytes(folder.path().join("p.log.1"));
    assert!((MAX_FILE_BYTES..1_700_000).contains(&total), "{total} bytes");
    let last = messages(&folder, 200);
    let of = |side: &str| -> Vec<usize> {
        let own = last.iter().filter_map(|message| message.strip_prefix(side)?.trim().split(' ').next());
        own.map(|number| number.parse().unwrap()).collect()
    };
    for side in ["0 ", "1 "] {
        let numbers = of(side);
        assert_eq!(numbers.last(), Some(&999), "nobody's last record is lost");
        assert!(numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]), "none is missing: {numbers:?}");
    }
    assert_eq!(last.len(), 200, "no line is broken");
}
