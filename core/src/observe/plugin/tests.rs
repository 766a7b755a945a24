//! Counts calls as they come: well, badly, refused, cancelled, of names that nobody offers.

use super::*;

fn plugin(handlers: &[&str]) -> PluginMetrics {
    let plugin = PluginMetrics::new(Arc::from("p"));
    plugin.offers(handlers.iter().copied());
    plugin
}

fn fail(plugin: &PluginMetrics, handler: &str, error: Error) {
    plugin.begin(handler).end(Some(&error));
}

#[test]
fn counts_outcomes_by_handler() {
    let plugin = plugin(&["one", "two"]);
    for _ in 0..3 {
        plugin.begin("one").end(None);
    }
    fail(&plugin, "two", Error::new(ErrorCode::HANDLER_FAILED, "m"));
    let shown = plugin.snapshot();
    assert_eq!((shown.calls, shown.in_flight), (4, 0));
    assert_eq!(shown.errors, BTreeMap::from([("handler_failed".to_owned(), 1)]));
    let counted: Vec<_> = shown.slowest.iter().map(|one| (&*one.handler, one.calls)).collect();
    assert!(counted.contains(&("one", 3)) && counted.contains(&("two", 1)), "{counted:?}");
    let error = shown.last_error.unwrap();
    assert_eq!((&*error.handler, &*error.kind, &*error.message), ("two", "handler_failed", "m"));
}

#[test]
fn counts_a_call_that_is_dropped_as_cancelled() {
    let plugin = plugin(&["one"]);
    let timer = plugin.begin("one");
    assert_eq!(plugin.snapshot().in_flight, 1);
    drop(timer);
    let shown = plugin.snapshot();
    assert_eq!((shown.in_flight, shown.errors["cancelled"]), (0, 1));
    assert_eq!((shown.latency, shown.last_error), (None, None), "nobody waited for it");
}

#[test]
fn tells_a_refusal_from_a_failure() {
    let plugin = plugin(&["one"]);
    fail(&plugin, "one", Error::new(ErrorCode::CALL_CYCLE, "m"));
    fail(&plugin, "one", Error::new(ErrorCode::PLUGIN_UNAVAILABLE, "m").with("state", "quarantined"));
    fail(&plugin, "one", Error::new(ErrorCode::PLUGIN_UNAVAILABLE, "m").with("state", "made up"));
    let shown = plugin.snapshot();
    let expected = [("call_cycle", 1), ("quarantined", 1)].map(|(name, count)| (name.to_owned(), count));
    assert_eq!(shown.refusals, BTreeMap::from(expected));
    assert_eq!(shown.errors["plugin_unavailable"], 2);
}

#[test]
fn keeps_the_number_of_handlers_bounded() {
    let plugin = plugin(&["real"]);
    for number in 0..1_000 {
        fail(&plugin, &format!("invented{number}"), Error::new(ErrorCode::HANDLER_NOT_FOUND, "m"));
    }
    plugin.begin("real").end(None);
    let names: Vec<_> = plugin.read().handlers.into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["other", "real"]);

    let many: Vec<String> = (0..1_000).map(|number| format!("h{number}")).collect();
    plugin.offers(many.iter().map(String::as_str));
    for name in &many {
        plugin.begin(name).end(None);
    }
    assert_eq!(plugin.read().handlers.len(), MAX_HANDLERS + 1);
    assert_eq!(plugin.snapshot().calls, 2_001);
}

#[test]
fn makes_room_for_what_a_new_version_offers() {
    let plugin = plugin(&["used", "unused"]);
    plugin.begin("used").end(None);
    plugin.offers(["new"].into_iter());
    let mut names: Vec<_> = plugin.numbers().handlers.keys().map(|name| name.to_string()).collect();
    names.sort();
    assert_eq!(names, ["new", "used"]);
}
