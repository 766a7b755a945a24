//! What stands in the audit log, and what does not.

use std::os::unix::fs::PermissionsExt;

use super::*;

fn denied(plugin: &str, what: &str) -> Event {
    Event::now(Kind::Denied, plugin, what)
}

#[tokio::test]
async fn writes_each_event_as_a_line_for_its_owner() {
    let folder = tempfile::tempdir().unwrap();
    let audit = Audit::open(folder.path().join("logs")).unwrap();
    let event = Event::now(Kind::Destructive, "files", "files.delete").by("ada").in_request("c-1");
    audit.record(event.clone());
    audit.record(Event::now(Kind::Granted, "weather", "network: a.org"));
    audit.flush().await;
    let path = folder.path().join("logs/audit.jsonl");
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(&path).unwrap();
    let first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    let expected = serde_json::json!({
        "time": event.time, "event": "destructive", "plugin": "files", "what": "files.delete", "who": "ada",
        "correlation_id": "c-1",
    });
    assert_eq!(first, expected);
    let read = read_last(path.parent().unwrap(), 1).unwrap();
    assert_eq!((read.len(), &*read[0].what), (1, "network: a.org"));
}

#[tokio::test]
async fn counts_what_is_denied_again_and_again() {
    let folder = tempfile::tempdir().unwrap();
    let audit = Audit::open(folder.path().to_owned()).unwrap();
    for _ in 0..5_000 {
        audit.record(denied("weather", "network: a.org"));
    }
    for host in 0..5_000 {
        audit.record(denied("scan", &format!("network: h{host}.org")));
    }
    audit.record(denied("other", "network: a.org"));
    audit.flush().await;
    let events = read_last(folder.path(), usize::MAX).unwrap();
    let of = |plugin: &str| events.iter().filter(|event| event.plugin == plugin).collect::<Vec<_>>();
    for (plugin, most) in [("weather", 10), ("scan", 200), ("other", 1)] {
        assert!(of(plugin).len() <= most, "{plugin}: {} lines", of(plugin).len());
    }
    assert_eq!(of("weather").iter().map(|event| event.count).sum::<u64>(), 5_000);
    assert_eq!(of("scan").iter().map(|event| event.count).sum::<u64>(), 5_000);
}

#[tokio::test]
async fn denials_push_out_nothing_that_was_granted() {
    let folder = tempfile::tempdir().unwrap();
    let audit = Audit::open(folder.path().to_owned()).unwrap();
    // As if a plugin had been at it for minutes.
    for name in [DENIALS, "denials.jsonl.1"] {
        std::fs::write(folder.path().join(name), vec![b'x'; 4 << 20]).unwrap();
    }
    audit.record(Event::now(Kind::Granted, "weather", "network: a.org"));
    let long = "ä".repeat(MAX_DENIED + 1);
    audit.record(denied("weather", &long));
    audit.flush().await;
    audit.record(Event::now(Kind::Revoked, "weather", "network: a.org"));
    audit.flush().await;
    let events = read_last(folder.path(), usize::MAX).unwrap();
    let told: Vec<_> = events.iter().map(|event| (event.event, &*event.what)).collect();
    let short = format!("{}…", "ä".repeat(MAX_DENIED));
    let network = "network: a.org";
    assert_eq!(told, [(Kind::Granted, network), (Kind::Denied, &short), (Kind::Revoked, network)]);
    assert_eq!(read_last(folder.path(), 2).unwrap(), events[1..]);

    let path = folder.path().join(DENIALS);
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert!(path.metadata().unwrap().len() < 1 << 10, "the file that was full is moved aside");
    let kept = std::fs::read_to_string(folder.path().join(FILE)).unwrap();
    assert!(kept.lines().count() == 2 && !kept.contains("denied"), "{kept}");
}

#[test]
fn tells_the_same_again_after_a_second() {
    let (mut denials, begin) = (Denials::default(), Instant::now());
    let event = denied("weather", "network");
    assert!(denials.is_new(&event, begin));
    assert!(!denials.is_new(&event, begin) && !denials.is_new(&event, begin));
    assert!(denials.is_new(&denied("weather", "ai"), begin));
    assert!(denials.repeated(Some(begin)).is_empty());
    let told = denials.repeated(Some(begin + SECOND));
    assert_eq!(told.iter().map(|event| (&*event.what, event.count)).collect::<Vec<_>>(), [("network", 2)]);
    assert!(denials.is_empty() && denials.is_new(&event, begin + SECOND));
}

#[test]
fn shows_nothing_that_would_disturb_a_terminal() {
    let event = denied("weather", "network: \u{1b}[2J\nx").by("ada");
    let shown = event.render();
    assert!(shown.ends_with("by ada") && !shown.contains(['\u{1b}', '\n']), "{shown:?}");
}
