//! `astros settings`: what plugins are set to, and what a person sets by command.

use std::process::ExitCode;

use astros_protocol::Error;
use serde_json::json;

use super::{
    args,
    output::{Output, exit_code},
    plugins::{aligned, done},
};
use crate::{
    control::{Client, api::ControlClient, client::answered},
    daemon::{PluginSettings, ShownSetting},
    services::printable::printable,
};

pub(super) async fn run(
    command: args::Settings,
    daemon: &Client,
    output: &Output,
) -> Result<ExitCode, Error> {
    match command {
        args::Settings::Show { name } => show(&answered(daemon.settings(name).await)?, output),
        args::Settings::Set { name, key, value } => {
            let settings = answered(daemon.set_setting(name, key.clone(), Some(value)).await)?;
            tell(&settings, &key, output);
        }
        args::Settings::Unset { name, key } => {
            let settings = answered(daemon.set_setting(name, key.clone(), None).await)?;
            tell(&settings, &key, output);
        }
        args::Settings::Check { name } => {
            return Ok(check(&answered(daemon.check_settings(name).await)?, output));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn show(all: &[PluginSettings], output: &Output) {
    if output.json {
        return output.print_json(&json!(all));
    }
    if all.is_empty() {
        output.print("no settings");
    }
    for (number, one) in all.iter().enumerate() {
        let gap = if number > 0 { "\n" } else { "" };
        let rows: Vec<_> = one.settings.iter().map(row).collect();
        let table = aligned(&rows);
        let table = table.lines().map(|line| format!("\n  {line}")).collect::<String>();
        let none = if rows.is_empty() && one.problem.is_none() { " has no settings" } else { "" };
        output.print(&printable(&format!("{gap}{}{none}{table}{}", one.plugin, problem(one))));
    }
}

fn row(one: &ShownSetting) -> [String; 3] {
    let value = if one.source.is_none() { "–".to_owned() } else { one.value.to_string() };
    let value = if one.secret { value.trim_matches('"').to_owned() } else { value };
    let fixed = if one.configurable { "" } else { " (fixed)" };
    let source = one.source.as_deref().unwrap_or("not set");
    [one.name.clone(), value, format!("{source}{fixed}")]
}

fn problem(one: &PluginSettings) -> String {
    let hint = one.hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default();
    one.problem.as_ref().map(|problem| format!("\n  {problem}{hint}")).unwrap_or_default()
}

/// What a setting is now: the environment may be stronger than a command.
fn tell(all: &PluginSettings, key: &str, output: &Output) {
    let plugin = &all.plugin;
    if let Some(problem) = all.problem.as_ref().filter(|_| !output.json) {
        let hint = all.hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default();
        output.warning(&format!("{plugin}: {problem}{hint}"));
    }
    let Some(one) = all.settings.iter().find(|one| one.name == key) else {
        let members =
            json!({ "plugin": plugin, "name": key, "value": null, "source": null, "problem": all.problem });
        return done(&printable(&format!("`{key}` of `{plugin}` is not set")), members, output);
    };
    let [_, value, source] = row(one);
    let text = match one.source {
        Some(_) => format!("`{key}` of `{plugin}` is {value}, from {source}"),
        None => format!("`{key}` of `{plugin}` is not set"),
    };
    let source = &one.source;
    let members = json!({ "plugin": plugin, "name": key, "value": one.value, "source": source, "problem": all.problem });
    done(&printable(&text), members, output);
}

fn check(misfits: &[PluginSettings], output: &Output) -> ExitCode {
    if output.json {
        output.print_json(&json!(misfits));
    } else if misfits.is_empty() {
        output.print("all settings fit");
    } else {
        misfits.iter().for_each(|one| output.print(&printable(&format!("{}{}", one.plugin, problem(one)))));
    }
    match misfits.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(exit_code(astros_protocol::ErrorCode::INVALID_SETTINGS)),
    }
}
