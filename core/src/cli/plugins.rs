//! `astros plugins`: list, show, call, disable, restart, reload, reset; the rest is in `logs` and `permissions`.

use std::process::ExitCode;

use astros_protocol::Error;
use console::{Alignment, measure_text_width, pad_str};
use serde_json::{Value, json};

use super::{
    args, ask,
    connect::{Needs, find, warn},
    logs,
    output::Output,
    permissions, setup,
    story::{story, time},
};
use crate::{
    control::{Client, api::ControlClient, client::answered},
    daemon::{Listed, Options, list_on_disk},
    services::printable::{line, printable},
};

pub(super) async fn run(command: args::Plugins, daemon: &Client, output: &Output) -> Result<ExitCode, Error> {
    match command {
        args::Plugins::List => print_list(&answered(daemon.list().await)?, output),
        args::Plugins::Show { name } => show(name, daemon, output).await?,
        args::Plugins::Call { plugin, handler, params, timeout } => {
            return ask::call(plugin, handler, &params, timeout, daemon, output).await;
        }
        args::Plugins::Logs { name, lines, follow: true } => {
            return logs::follow(name, lines, daemon, output).await;
        }
        args::Plugins::Logs { name, lines, .. } => logs::show(name, lines, daemon, output).await?,
        args::Plugins::Enable { name, yes } => return permissions::enable(name, yes, daemon, output).await,
        args::Plugins::Setup { name, yes } => return setup::run(name, yes, daemon, output).await,
        args::Plugins::Grant { name, permissions } => {
            permissions::grant(name, permissions, daemon, output).await?;
        }
        args::Plugins::Revoke { name, permissions } => {
            permissions::revoke(name, permissions, daemon, output).await?;
        }
        args::Plugins::Disable { name } => {
            answered(daemon.disable(name.clone()).await)?;
            done(&format!("`{name}` is disabled"), json!({ "name": name, "enabled": false }), output);
        }
        args::Plugins::Restart { name } => {
            answered(daemon.restart(name.clone()).await)?;
            done(&format!("`{name}` runs anew"), json!({ "name": name, "restarted": true }), output);
        }
        args::Plugins::Reload { name } => {
            answered(daemon.reload(name.clone()).await)?;
            done(&format!("`{name}` runs its new code"), json!({ "name": name, "reloaded": true }), output);
        }
        args::Plugins::Reset { name } => {
            answered(daemon.reset(name.clone()).await)?;
            done(
                &format!("the crashes of `{name}` are forgotten"),
                json!({ "name": name, "reset": true }),
                output,
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Lists what the daemon that runs has; where none runs, what is on disk.
pub(super) async fn list(options: Options, needs: Needs, output: &Output) -> Result<ExitCode, Error> {
    let plugins = match find(&options, needs, output).await? {
        Some(client) => answered(client.list().await)?,
        None => {
            let (plugins, warnings) = list_on_disk(options).await?;
            warn(&warnings, output);
            plugins
        }
    };
    print_list(&plugins, output);
    Ok(ExitCode::SUCCESS)
}

fn print_list(plugins: &[Listed], output: &Output) {
    if output.json {
        output.print_json(&json!(plugins));
    } else if plugins.is_empty() {
        output.print("no plugins; `astros plugins list --plugin-dir DIR` looks into a folder");
    } else {
        output.print(&table(plugins, output));
        for plugin in plugins {
            if let Some(reason) = &plugin.reason {
                let hint = plugin.hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default();
                let reason = without_name(&plugin.name, reason);
                let words = printable(&format!("{reason}{hint}")).replace('\n', "\n    ");
                output.print(&format!("  {}: {words}", plugin.name));
            }
            for problem in &plugin.problems {
                output.print(&format!("  {}: {}", plugin.name, printable(problem).replace('\n', "\n    ")));
            }
        }
    }
}

/// A reason without the name that stands before it.
pub(super) fn without_name<'a>(plugin: &str, reason: &'a str) -> &'a str {
    reason.strip_prefix(&format!("plugin `{plugin}` ")).unwrap_or(reason)
}

fn table(plugins: &[Listed], output: &Output) -> String {
    let header =
        ["PLUGIN", "VERSION", "STATE", "SANDBOX", "RESTARTS", "IN FLIGHT", "P99", "LANGUAGE", "KINDS"];
    let mut rows = vec![header.map(str::to_owned)];
    for plugin in plugins {
        // What a manifest says is the author's, and stays in its cell.
        let style = match &*plugin.state {
            "ready" | "executing" => output.style().green(),
            "blocked" | "error" | "quarantined" | "restarting" => output.style().red(),
            _ => output.style().dim(),
        };
        rows.push([
            line(&plugin.name),
            line(&plugin.version),
            style.apply_to(plugin.shown_state()).to_string(),
            plugin.sandbox.clone().unwrap_or_else(|| "–".to_owned()),
            plugin.restarts.to_string(),
            plugin.in_flight.to_string(),
            plugin.p99_ms.map_or_else(|| "–".to_owned(), time),
            line(&plugin.language),
            line(&plugin.kinds.join(", ")),
        ]);
    }
    without_empty(&rows)
}

/// Aligned, without the columns in which no row says anything: all of them are too wide for a terminal.
fn without_empty<const N: usize>(rows: &[[String; N]]) -> String {
    let says = |column: usize| rows.iter().skip(1).any(|row| !["", "0", "–"].contains(&&*row[column]));
    let kept: Vec<usize> = (0..N).filter(|column| says(*column)).collect();
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| kept.iter().map(|column| row[*column].clone()).collect()).collect();
    aligned(&rows)
}

/// Rows with each column as wide as its widest cell.
pub(super) fn aligned(rows: &[impl AsRef<[String]>]) -> String {
    let width = |column: usize| {
        rows.iter().map(|row| measure_text_width(&row.as_ref()[column])).max().unwrap_or_default()
    };
    let columns = rows.first().map_or(0, |row| row.as_ref().len());
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &[String]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| pad_str(cell, *width, Alignment::Left, None));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(|row| line(row.as_ref())).collect::<Vec<_>>().join("\n")
}

async fn show(name: String, daemon: &Client, output: &Output) -> Result<(), Error> {
    let shown = answered(daemon.show(name).await)?;
    if output.json {
        output.print_json(&shown);
    } else {
        output.print(&printable(&show_text(&shown)));
    }
    Ok(())
}

/// The facts of `show` as lines.
fn show_text(shown: &Value) -> String {
    let text = |name: &str| shown[name].as_str().unwrap_or_default().to_owned();
    let name = line(&format!("{} {}", text("name"), text("version")));
    let mut lines = vec![format!("{}   {}", name.trim_end(), text("state"))];
    let mut fact = |name: &str, value: String| {
        if !value.is_empty() {
            // Much of it is the author's: whatever they wrote makes no row of its own.
            let value = value.trim_end().replace('\n', &format!("\n{:15}", ""));
            lines.push(format!("  {name:<12} {value}"));
        }
    };
    fact("about", line(&text("description")));
    fact("by", line(&text("author")));
    fact("reason", text("reason"));
    fact("help", text("hint"));
    fact("language", line(&text("language")));
    fact("folder", text("folder"));
    fact("runs", text("run"));
    fact("sandbox", text("sandbox"));
    fact("settings", list_of(&shown["settings"]));
    fact("reload", text("reload_error"));
    story(shown).into_iter().for_each(|(about, words)| fact(about, words));
    if shown["commands"].as_array().is_some_and(|commands| !commands.is_empty()) {
        let words = "read and change the folder that its commands are run in, and what is named to them";
        fact("may", words.to_owned());
    }
    for permission in shown["permissions"].as_array().into_iter().flatten() {
        let about = match permission["state"].as_str() {
            Some("missing") => "wants to",
            Some("revoked") => "may not",
            _ => "may",
        };
        let text = |name: &str| permission[name].as_str().unwrap_or_default().to_owned();
        fact(about, format!("{}  ({})", text("sentence"), text("permission")));
    }
    for warning in shown["warnings"].as_array().into_iter().flatten() {
        fact("warning", warning.as_str().unwrap_or_default().to_owned());
    }
    for problem in shown["problems"].as_array().into_iter().flatten() {
        fact("problem", problem.as_str().unwrap_or_default().to_owned());
    }
    for command in shown["commands"].as_array().into_iter().flatten() {
        fact("command", offered(command, command["name"].as_str().unwrap_or_default()));
    }
    for (about, members) in [("component", "components"), ("provider", "providers")] {
        for one in shown[members].as_array().into_iter().flatten() {
            fact(about, offered(one, one["name"].as_str().unwrap_or_default()));
        }
    }
    for part in shown["workflow_parts"].as_array().into_iter().flatten() {
        let [kind, name] = ["kind", "name"].map(|member| part[member].as_str().unwrap_or_default());
        fact("part", offered(part, &format!("{kind} {name}")));
    }
    for handler in shown["handlers"].as_array().into_iter().flatten() {
        fact("does", offered(handler, handler["name"].as_str().unwrap_or_default()));
        for example in handler["examples"].as_array().into_iter().flatten().take(3) {
            fact("", format!("{:<20} \"{}\"", "", example.as_str().unwrap_or_default()));
        }
    }
    lines.join("\n")
}

/// A name, and what its description begins with.
fn offered(one: &Value, name: &str) -> String {
    let about = one["description"].as_str().unwrap_or_default().lines().next().unwrap_or_default();
    format!("{name:<20} {}", line(about))
}

fn list_of(members: &Value) -> String {
    let members = members.as_object().into_iter().flatten();
    members.map(|(name, value)| format!("{name} = {value}")).collect::<Vec<_>>().join(" · ")
}

pub(super) fn done(text: &str, members: Value, output: &Output) {
    match output.json {
        true => output.print_json(&members),
        false => output.print(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lets_no_author_make_a_row() {
        let shown = json!({
            "name": "evil", "version": "1.0", "state": "idle",
            "description": "nice\n  may          nothing at all", "author": "A\n  may          nothing",
            "reason": "because\n  may          nothing", "language": "py\n  may          nothing",
            "warnings": ["w\n  may          nothing"],
            "handlers": [{ "name": "do\n  may          nothing", "description": "d", "examples": ["e\n  may   n"] }],
            "components": [{ "name": "draw\n  may          nothing" }],
            "workflow_parts": [{ "kind": "agent", "name": "part", "description": "Works.\n  may    nothing" }],
            "permissions": [{ "state": "granted", "sentence": "read ~", "permission": "file_system: read ~" }],
        });
        let text = show_text(&shown);
        let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("  may")).collect();
        assert_eq!(rows, ["  may          read ~  (file_system: read ~)"], "{text}");
        assert!(text.contains("  part         agent part           Works.\n"), "{text}");
        assert!(text.contains("  about        nice may nothing at all\n"), "{text}");
    }
}
