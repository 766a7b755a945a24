//! A plugin's story in words: what `plugins show` tells of its life and its calls. Pure.

use serde_json::Value;

use crate::observe::{LatencySnapshot, PluginSnapshot};

/// The lines of the story from the facts of `show`: what each is about, and what there is to say. What there is
/// nothing to say of is left out.
pub(super) fn story(shown: &Value) -> Vec<(&'static str, String)> {
    let seen: PluginSnapshot = serde_json::from_value(shown["metrics"].clone()).unwrap_or_default();
    let queued = shown["queued"].as_u64().unwrap_or_default();
    let mut lines = vec![("state", state(shown))];
    let instances = shown["instances"].as_array().into_iter().flatten();
    lines.extend(instances.enumerate().map(|(number, one)| {
        let about = if number == 0 { "processes" } else { "" };
        let reason = one["reason"].as_str().map(|reason| format!(": {reason}")).unwrap_or_default();
        (about, format!("{number}: {}{reason}", state(one)))
    }));
    lines.push(("restarts", restarts(&seen)));
    lines.push(("last exit", shown["last_exit"].as_str().unwrap_or_default().to_owned()));
    let words = shown["last_words"].as_array().into_iter().flatten().filter_map(Value::as_str);
    lines.extend(words.map(|words| ("", format!("  {words}"))));
    lines.push(("calls", calls(&seen, queued)));
    lines.push(("took", seen.latency.as_ref().map(took).unwrap_or_default()));
    let slowest = seen.slowest.iter().filter(|_| seen.slowest.len() > 1);
    lines.extend(slowest.enumerate().map(|(number, one)| {
        let about = if number == 0 { "slowest" } else { "" };
        let times = if one.calls == 1 { "call" } else { "calls" };
        (about, format!("{:<20} p99 {} of {} {times}", one.handler, time(one.latency.p99_ms), one.calls))
    }));
    lines.push(("errors", counts(&seen.errors)));
    lines.push(("refused", counts(&seen.refusals)));
    lines.push(("denied", counts(&seen.denials)));
    lines.push(("odd", odd(&seen)));
    lines.push(("bus", counts(&seen.bus)));
    lines.push(("network", network(&seen)));
    if let Some(error) = &seen.last_error {
        let when = error.time.strftime("%Y-%m-%d %H:%M:%SZ");
        lines.push((
            "last error",
            format!("{when} in `{}`, {}: {}", error.handler, error.kind, error.message),
        ));
    }
    lines.retain(|(_, words)| !words.is_empty());
    lines
}

/// A time in milliseconds as people say it: `0.4 ms`, `12 ms`, `1.2 s`, `3 min`.
pub(super) fn time(millis: f64) -> String {
    match millis {
        ..9.95 => format!("{millis:.1} ms"),
        ..999.5 => format!("{millis:.0} ms"),
        ..9_950.0 => format!("{:.1} s", millis / 1_000.0),
        ..120_000.0 => format!("{:.0} s", millis / 1_000.0),
        ..7_200_000.0 => format!("{:.0} min", millis / 60_000.0),
        ..172_800_000.0 => format!("{:.0} h", millis / 3_600_000.0),
        _ => format!("{:.0} days", millis / 86_400_000.0),
    }
}

fn state(shown: &Value) -> String {
    let (Some(state), Some(since)) = (shown["state"].as_str(), shown["since_ms"].as_f64()) else {
        return String::new();
    };
    let until = shown["until_ms"].as_f64();
    let until = until.map(|until| format!(", at most {} more", time(until))).unwrap_or_default();
    format!("{state} for {}{until}", time(since))
}

fn restarts(seen: &PluginSnapshot) -> String {
    let mut parts = Vec::new();
    if seen.restarts > 0 || !seen.crashes.is_empty() {
        parts.push(seen.restarts.to_string());
    }
    if !seen.crashes.is_empty() {
        parts.push(format!("crashes: {}", counts(&seen.crashes)));
    }
    if seen.kills > 0 {
        parts.push(format!("killed by AstrOS: {}", seen.kills));
    }
    parts.join("; ")
}

fn calls(seen: &PluginSnapshot, queued: u64) -> String {
    let ended = seen.calls;
    match (seen.in_flight, queued) {
        (0, _) if ended == 0 => String::new(),
        (0, _) => ended.to_string(),
        (open, 0) => format!("{ended}, and {open} now"),
        (open, queued) => format!("{ended}, and {open} now, of which {queued} wait"),
    }
}

fn took(latency: &LatencySnapshot) -> String {
    let LatencySnapshot { p50_ms, p90_ms, p99_ms, max_ms } = *latency;
    format!("p50 {} · p90 {} · p99 {} · at most {}", time(p50_ms), time(p90_ms), time(p99_ms), time(max_ms))
}

fn odd(seen: &PluginSnapshot) -> String {
    let lost = seen.dropped_log_lines;
    let lost = (lost > 0).then(|| format!("dropped log lines × {lost}"));
    let parts = [Some(counts(&seen.oddities)).filter(|odd| !odd.is_empty()), lost];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

/// `signal × 2 · exit × 1`.
fn counts(counts: &std::collections::BTreeMap<String, u64>) -> String {
    let parts = counts.iter().map(|(kind, count)| format!("{} × {count}", kind.replace('_', " ")));
    parts.collect::<Vec<_>>().join(" · ")
}

fn network(seen: &PluginSnapshot) -> String {
    if seen.requests == 0 {
        return String::new();
    }
    let kib = |direction: &str| seen.bytes.get(direction).copied().unwrap_or_default().div_ceil(1024);
    format!("{} requests · {} KiB sent · {} KiB received", seen.requests, kib("sent"), kib("received"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tells_the_story_of_a_plugin() {
        let handler = |name: &str, calls: u64, p99_ms: f64| json!({ "handler": name, "calls": calls, "p50_ms": 1.0, "p90_ms": 1.0, "p99_ms": p99_ms, "max_ms": p99_ms });
        let shown = json!({
            "state": "restarting", "since_ms": 1_500, "until_ms": 500, "queued": 2,
            "instances": [
                { "state": "restarting", "since_ms": 1_500, "until_ms": 500 },
                { "state": "quarantined", "since_ms": 2_000, "reason": "it crashed too often" },
            ],
            "last_exit": "killed by SIGSEGV after 1.2 s", "last_words": ["loading", "boom"],
            "metrics": {
                "calls": 9, "in_flight": 3, "restarts": 2, "kills": 1,
                "crashes": { "exit": 1, "signal": 2 }, "errors": { "plugin_crashed": 3 },
                "refusals": { "call_cycle": 1 }, "oddities": { "stray_output": 4 }, "dropped_log_lines": 7,
                "latency": { "p50_ms": 0.42, "p90_ms": 12.3, "p99_ms": 1_234.0, "max_ms": 65_000.0 },
                "slowest": [handler("slow", 1, 1_234.0), handler("quick", 8, 0.5)],
                "last_error": { "time": "2026-01-02T03:04:05Z", "handler": "slow", "kind": "plugin_crashed", "message": "it crashed" },
            },
        });
        let story = story(&shown);
        let lines: Vec<_> = story.iter().map(|(about, words)| format!("{about}: {words}")).collect();
        let expected = [
            "state: restarting for 1.5 s, at most 500 ms more",
            "processes: 0: restarting for 1.5 s, at most 500 ms more",
            ": 1: quarantined for 2.0 s: it crashed too often",
            "restarts: 2; crashes: exit × 1 · signal × 2; killed by AstrOS: 1",
            "last exit: killed by SIGSEGV after 1.2 s",
            ":   loading",
            ":   boom",
            "calls: 9, and 3 now, of which 2 wait",
            "took: p50 0.4 ms · p90 12 ms · p99 1.2 s · at most 65 s",
            "slowest: slow                 p99 1.2 s of 1 call",
            ": quick                p99 0.5 ms of 8 calls",
            "errors: plugin crashed × 3",
            "refused: call cycle × 1",
            "odd: stray output × 4 · dropped log lines × 7",
            "last error: 2026-01-02 03:04:05Z in `slow`, plugin_crashed: it crashed",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn says_nothing_where_nothing_happened() {
        let shown = json!({ "state": "idle", "since_ms": 90_000_000, "metrics": {} });
        assert_eq!(story(&shown), [("state", "idle for 25 h".to_owned())]);
    }
}
