//! `astros status`: how the running daemon and its plugins are.

use std::{process::ExitCode, time::Duration};

use astros_protocol::Error;
use jiff::Timestamp;
use serde_json::json;

use super::{output::Output, plugins::without_name};
use crate::{
    control::{
        Client,
        api::{ControlClient, Problem, Status},
        client::answered,
    },
    daemon::Learning,
    services::printable::printable,
};

pub(super) async fn run(daemon: &Client, output: &Output) -> Result<ExitCode, Error> {
    let status = answered(daemon.status().await)?;
    match output.json {
        true => output.print_json(&json!(status)),
        false => output.print(&text(&status, output)),
    }
    Ok(ExitCode::SUCCESS)
}

/// Problems first, then the facts.
fn text(status: &Status, output: &Output) -> String {
    let mut lines: Vec<String> = status.problems.iter().map(|problem| told(problem, output)).collect();
    let hello = &status.hello;
    let doing = if status.draining { "is stopping" } else { "runs" };
    let up = Timestamp::now().duration_since(hello.since).as_secs();
    let up = humantime::format_duration(Duration::from_secs(up.try_into().unwrap_or_default()));
    let since = hello.since.strftime("%Y-%m-%d %H:%M:%SZ");
    lines.push(format!("astros {} {doing}   pid {}   since {since} ({up})", hello.version, hello.pid));
    let mut fact = |name: &str, value: String| lines.push(format!("  {name:<12} {}", printable(&value)));
    fact("data", hello.home.display().to_string());
    for folder in &hello.plugin_dirs {
        fact("plugins of", folder.display().to_string());
    }
    let states = status.plugins.iter().map(|(state, count)| format!("{count} {}", state.replace('_', " ")));
    fact("plugins", states.collect::<Vec<_>>().join(" · "));
    if let Some(Learning { told, of }) = status.learning {
        fact("learning", format!("what plugins offer: {told} of {of} asked"));
    }
    for Problem { plugin, what, hint, .. } in &status.needs_setup {
        let hint = hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default();
        fact("needs setup", format!("`{}` {what}{hint}", plugin.as_deref().unwrap_or_default()));
    }
    fact("in flight", status.in_flight.to_string());
    fact("clients", status.connections.to_string());
    for (name, count) in status.counters.iter().filter(|(_, count)| **count > 0) {
        fact(name, count.to_string());
    }
    lines.join("\n")
}

fn told(problem: &Problem, output: &Output) -> String {
    let style = output.style().red();
    let (subject, what) = match (&problem.plugin, &problem.state) {
        (Some(plugin), Some(state)) => {
            let is = if state == "error" { "is in" } else { "is" };
            let subject = format!("`{}` {is} {}: ", printable(plugin), style.apply_to(state));
            (subject, without_name(plugin, &problem.what))
        }
        _ => (String::new(), &*problem.what),
    };
    let hint = problem.hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default();
    format!("{subject}{}", printable(&format!("{what}{hint}")))
}
