//! The bus without a plugin: what waits for whom, and for how long.

use serde_json::value::RawValue;

use super::*;

fn message(subject: &str, data: usize) -> Message {
    let data = RawValue::from_string(data.to_string()).unwrap();
    Message { subject: Subject::parse(subject).unwrap(), data, sender: Arc::from("p"), wakes: true }
}

fn pattern(text: &str) -> Pattern {
    Pattern::parse(text).unwrap()
}

fn taken(bus: &Bus, plugin: &Arc<str>) -> Vec<String> {
    std::iter::from_fn(|| bus.take(plugin)).map(|delivery| delivery.message.data.get().to_owned()).collect()
}

#[test]
fn names_a_plugin_that_nobody_delivers_to_once() {
    let (bus, plugin) = (Bus::default(), Arc::from("p"));
    bus.declare(&plugin, [pattern("a.>"), pattern("a.*")]);
    assert_eq!(bus.publish(message("a.b", 1)), std::slice::from_ref(&plugin));
    assert!(bus.publish(message("a.b", 2)).is_empty(), "somebody delivers already");
    assert!(bus.publish(message("b", 3)).is_empty());
    assert_eq!(taken(&bus, &plugin), ["1", "2"]);
    assert_eq!(bus.publish(message("a.b", 4)), std::slice::from_ref(&plugin), "the last one has done so");
}

#[test]
fn discards_what_a_process_that_is_gone_had_asked_for() {
    let (bus, plugin) = (Bus::default(), Arc::from("p"));
    bus.declare(&plugin, [pattern("declared")]);
    assert!(bus.subscribe(&plugin, 1, pattern("asked")) && bus.subscribe(&plugin, 2, pattern("both")));
    assert!(bus.subscribe(&plugin, 1, pattern("both")));
    for (data, subject) in ["asked", "declared", "both"].into_iter().enumerate() {
        let _ = bus.publish(message(subject, data));
    }
    bus.forget(&plugin, 1);
    assert_eq!(taken(&bus, &plugin), ["1", "2"]);
    assert!(bus.unsubscribe(&plugin, 2, &pattern("both")) && !bus.unsubscribe(&plugin, 2, &pattern("both")));
}

#[test]
fn forgets_a_plugin_that_is_gone() {
    let (bus, plugin) = (Bus::default(), Arc::from("p"));
    bus.declare(&plugin, [pattern("a")]);
    assert!(bus.subscribe(&plugin, 1, pattern("a")));
    assert_eq!(bus.publish(message("a", 1)), std::slice::from_ref(&plugin));
    bus.remove(&plugin);
    assert!(taken(&bus, &plugin).is_empty());
    assert!(bus.publish(message("a", 2)).is_empty());
}

#[tokio::test]
async fn streams_what_is_published_and_counts_what_is_missed() {
    let bus = Arc::new(Bus::default());
    let mut stream = bus.stream(pattern("a"));
    let waiting = tokio::spawn(async move {
        let first = stream.next().await.unwrap();
        (first.message.data.get().to_owned(), stream)
    });
    tokio::task::yield_now().await;
    assert!(bus.publish(message("a", 7)).is_empty(), "a stream takes by itself");
    let (first, mut stream) = waiting.await.unwrap();
    assert_eq!(first, "7");
    (0..MAX_MESSAGES + 5).for_each(|data| drop(bus.publish(message("a", data))));
    assert_eq!(stream.next().await.unwrap().dropped, 5);
    drop(stream);
    assert!(bus.lock().mailboxes.is_empty(), "a stream that is gone leaves nothing");
}

#[tokio::test]
async fn ends_a_stream_with_the_bus() {
    let bus = Arc::new(Bus::default());
    let mut stream = bus.stream(pattern(">"));
    let waiting = tokio::spawn(async move { stream.next().await.is_none() });
    tokio::task::yield_now().await;
    drop(bus);
    assert!(waiting.await.unwrap());
}
