//! Errors on their way: what a plugin may say, and what others may see of it.

use std::{fmt, path::Path, time::Duration};

use astros_protocol::{Error, ErrorCode, MESSAGE_HANDLER, PluginDescription, manifest::Permission};
use serde_json::{Value, json};

use super::{
    Call, Plugin,
    wire::{StepRef, Work},
};

/// An error that a plugin answered with, made safe to believe: it names the plugin and claims nothing of the host's.
pub fn from_plugin(mut error: Error, plugin: &str, handler: &str) -> Error {
    if !error.code.may_come_from_plugins() {
        error.code = ErrorCode::HANDLER_FAILED;
    }
    let kind = error.code.kind();
    // A message is one line; the others are more of it.
    if let Some((first, more)) = error.message.trim().split_once('\n') {
        let (first, more) = (first.trim_end().to_owned(), more.to_owned());
        error.message = first;
        error.data_mut().detail.get_or_insert(more);
    }
    match error.code {
        ErrorCode::HANDLER_FAILED => {
            error.message = format!("plugin `{plugin}` failed in `{handler}`: {}", error.message);
        }
        // Who took it back waits for no answer: the plugin did it by itself, as it was stopped.
        ErrorCode::CANCELLED => {
            error.message = format!("plugin `{plugin}` gave `{handler}` up: {}", error.message);
        }
        // Nobody is to take its words for AstrOS's.
        _ => error.message = format!("plugin `{plugin}` says: {}", error.message),
    }
    let helps = match error.code {
        ErrorCode::HANDLER_FAILED => Some(format!("`astros plugins logs {plugin}` shows more")),
        ErrorCode::INVALID_PARAMS => {
            Some(format!("`astros plugins show {plugin} --json` tells what it takes"))
        }
        _ => None,
    };
    let data = error.data_mut();
    // Nobody is to take its advice for AstrOS's.
    let its_own = data
        .hint
        .take()
        .map(|hint| format!("`{plugin}` says: {}", hint.split_whitespace().collect::<Vec<_>>().join(" ")));
    data.hint = its_own.or(helps);
    data.kind = kind.to_owned();
    data.plugin = Some(plugin.to_owned());
    error
}

/// The member of an error whose detail is about other plugins.
pub const UNASKED: &str = "unasked";

/// Says of plugins that never told what they offer why that is, and what helps; a few of them, a line or two each. What
/// helps with the name itself is said before.
pub fn with_unasked(error: Error, unable: &[(String, Error)]) -> Error {
    let lines: Vec<_> = unable
        .iter()
        .take(3)
        .map(|(plugin, why)| {
            let helps = why.hint().map(|hint| format!("\n  {hint}")).unwrap_or_default();
            format!("`{plugin}` could not be asked: {}{helps}", why.message)
        })
        .collect();
    if lines.is_empty() { error } else { error.with_detail(lines.join("\n")).with(UNASKED, true) }
}

/// What another plugin may see: stacks, last words and hints are for people.
pub fn for_plugins(mut error: Error) -> Error {
    // Made where there is none: its kind belongs on the wire.
    let data = error.data_mut();
    data.detail = None;
    data.hint = None;
    data.extra.remove(UNASKED);
    // A failed start says the last of them for people in its message too.
    if let Some(last) = data
        .extra
        .remove("last_words")
        .and_then(|words| Some(words.as_array()?.last()?.as_str()?.trim().to_owned()))
        && let Some(message) = error.message.strip_suffix(&format!(": {last}"))
    {
        error.message = message.to_owned();
    }
    error
}

/// A plugin was not granted what it wants; `what` goes on after "may not", `granted_in` is that of its spec.
pub fn denied(
    plugin: &str,
    permission: &Permission,
    what: impl fmt::Display,
    granted_in: Option<&Path>,
) -> Error {
    let error = Error::new(ErrorCode::PERMISSION_DENIED, format!("`{plugin}` may not {what}"));
    let error = error.with_plugin(plugin).with("permission", permission.to_string());
    match remedy(plugin, permission, granted_in) {
        Some(remedy) => error.with_hint(remedy),
        None => error,
    }
}

/// What gives a plugin a permission: a command, or where `granted_in` says all that it may do, a line there.
pub fn remedy(plugin: &str, permission: &Permission, granted_in: Option<&Path>) -> Option<String> {
    let line = permission.to_string();
    // Some of it may be of a plugin's choice, and people copy it: it has to mean what it says.
    if line.parse().as_ref() != Ok(permission) || line.contains('`') {
        return None;
    }
    Some(match granted_in {
        None => format!("`astros plugins grant {plugin} '{}'` allows it", line.replace('\'', r"'\''")),
        Some(file) => format!(
            "`{}` says all that `{plugin}` may do: add `{}` to `plugins.{plugin}.permissions` there, then \
             `astros plugins reload {plugin}`",
            file.display(),
            in_a_list(permission)
        ),
    })
}

/// As it stands in a list of YAML.
fn in_a_list(permission: &Permission) -> String {
    let Value::Object(mut members) = json!(permission) else { return permission.to_string() };
    for scope in members.values_mut().filter_map(Value::as_object_mut) {
        scope.retain(|_, paths| paths != &json!([]));
    }
    members.iter().map(|(name, scope)| format!("{name}: {scope}")).collect()
}

/// Where a plugin failed for what a plugin was denied, that is what a person can mend, whatever it calls its failure.
pub fn blame(mut error: Error, denied: Option<&Error>) -> Error {
    if let Some(denied) = denied
        && let Some(why) = &denied.data
        && error.message.contains(&denied.message)
    {
        let data = error.data_mut();
        data.hint = why.hint.clone().or(data.hint.take());
        data.extra.extend(why.extra.clone());
    }
    error
}

/// There is no plugin of this name among `names`.
pub fn plugin_not_found<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Error {
    let error = Error::new(ErrorCode::PLUGIN_NOT_FOUND, format!("there is no plugin `{name}`"));
    error.with_hint(match nearest(name, names) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`astros plugins list` shows what there is; one that came with `--plugin-dir` needs that here, too, \
                 or `ASTROS_PLUGIN_PATH`"
            .to_owned(),
    })
}

/// The name among `names` that is nearest to what was asked for, if one is near.
pub fn nearest<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    names
        .map(|name| (strsim::jaro_winkler(wanted, name), name))
        .filter(|(similarity, _)| *similarity > 0.75)
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .map(|(_, name)| name)
}

/// Whether a plugin offers what is asked of it.
pub(super) fn offered(description: &PluginDescription, plugin: &str, call: &Call<'_>) -> Result<(), Error> {
    match call.work {
        // Direct messages are listed nowhere: the plugin itself says whether it takes them.
        Work::Handler(_) if call.handler == MESSAGE_HANDLER => Ok(()),
        Work::Handler(_) => {
            let names = description.handlers.iter().map(|offered| &*offered.name);
            among(plugin, "handler", call.handler, names)
        }
        Work::Component(drawn) => {
            let names = description.ui_components.iter().map(|offered| &*offered.name);
            among(plugin, "component", drawn.component, names)
        }
        Work::Provider(asked) => {
            let names = description.providers.iter().map(|offered| &*offered.name);
            among(plugin, "provider", asked.provider, names)
        }
        Work::Part(step) => has_part(description, plugin, step),
    }
}

/// Whether the name is among those that a plugin offers.
fn among<'a>(
    plugin: &str,
    what: &str,
    wanted: &str,
    names: impl Iterator<Item = &'a str> + Clone,
) -> Result<(), Error> {
    if names.clone().any(|name| name == wanted) {
        return Ok(());
    }
    let message = format!("the plugin `{plugin}` has no {what} `{wanted}`");
    let error = Error::new(ErrorCode::HANDLER_NOT_FOUND, message).with_plugin(plugin);
    Err(error.with_hint(match nearest(wanted, names.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if names.clone().next().is_none() => "it has none".to_owned(),
        None => format!("it has: {}", names.collect::<Vec<_>>().join(", ")),
    }))
}

fn has_part(description: &PluginDescription, plugin: &str, step: StepRef<'_>) -> Result<(), Error> {
    let parts = &description.workflow_parts;
    if parts.iter().any(|part| part.kind == *step.kind && part.name == step.name) {
        return Ok(());
    }
    let message = format!("the plugin `{plugin}` has no {} `{}`", step.kind, step.name);
    let error = Error::new(ErrorCode::HANDLER_NOT_FOUND, message).with_plugin(plugin);
    let names: Vec<String> = parts.iter().map(|part| format!("{} {}", part.kind, part.name)).collect();
    Err(error.with_hint(match names.is_empty() {
        true => "it has no parts of workflows".to_owned(),
        false => format!("it has: {}", names.join(", ")),
    }))
}

pub(super) fn deadline_exceeded(plugin: &Plugin, handler: &str, own: Duration) -> Error {
    let within = match u64::try_from(own.as_millis()) {
        Ok(0) => "none was left".to_owned(),
        millis => {
            // A little of it has passed when the plugin is asked.
            let millis = millis.unwrap_or(u64::MAX);
            let unit = if millis >= 1_000 { 100 } else { 1 };
            let shown = Duration::from_millis(millis.div_ceil(unit).saturating_mul(unit));
            format!("at most {}", humantime::format_duration(shown))
        }
    };
    let message = format!("plugin `{}` did not finish `{handler}` within its time ({within})", plugin.name);
    let hint = format!("`--timeout` gives it more; `astros plugins logs {}` shows what it did", plugin.name);
    Error::new(ErrorCode::DEADLINE_EXCEEDED, message).with_plugin(&*plugin.name).with_hint(hint).retryable()
}

pub(super) fn no_object(plugin: &Plugin, handler: &str) -> Error {
    let message = format!("plugin `{}` answered `{handler}` with no response object", plugin.name);
    let hint = format!("its author has to mend it; `astros plugins logs {}` shows more", plugin.name);
    Error::new(ErrorCode::BAD_RESPONSE, message).with_plugin(&*plugin.name).with_hint(hint)
}

/// What the host itself has to say of an exchange: it could not ask, or what came cannot be read.
pub(super) fn failed_here(mut error: Error, plugin: &Plugin, handler: &str) -> Error {
    error.message = format!("the call of `{}.{handler}` failed: {}", plugin.name, error.message);
    error.with_plugin(&*plugin.name)
}

pub(super) fn crashed(mut error: Error, plugin: &Plugin, handler: &str) -> Error {
    let what = if error.code == ErrorCode::PLUGIN_CRASHED { "crashed" } else { "ended" };
    error.message =
        format!("plugin `{}` {what} while it handled `{handler}`: {}", plugin.name, error.message);
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn believes_no_claim_that_is_the_hosts_to_make() {
        let claim = Error::new(ErrorCode::PERMISSION_DENIED, "m").with_plugin("somebody-else");
        let error = from_plugin(claim, "liar", "fib");
        let data = error.data.as_ref().unwrap();
        assert_eq!((error.code, data.plugin.as_deref()), (ErrorCode::HANDLER_FAILED, Some("liar")));
        assert_eq!(data.kind, "handler_failed");
        assert_eq!(error.message, "plugin `liar` failed in `fib`: m");
        assert_eq!(data.hint.as_deref(), Some("`astros plugins logs liar` shows more"));
    }

    #[test]
    fn says_in_one_line_what_a_plugin_says_and_keeps_the_others() {
        let error = from_plugin(Error::new(ErrorCode::HANDLER_FAILED, "m\nmore"), "p", "h");
        assert_eq!(error.message, "plugin `p` failed in `h`: m");
        assert_eq!(error.data.unwrap().detail.as_deref(), Some("more"));
        let error = from_plugin(Error::new(ErrorCode::CANCELLED, "it stops"), "p", "h");
        assert_eq!(error.message, "plugin `p` gave `h` up: it stops");
    }

    #[test]
    fn keeps_from_plugins_what_is_for_people() {
        let error = Error::new(ErrorCode::PLUGIN_CRASHED, "m: secret").with_hint("h").with_detail("d");
        let error = for_plugins(error.with("last_words", vec!["first", " secret"]));
        let data = error.data.unwrap();
        assert_eq!((data.hint, data.detail, data.extra.len()), (None, None, 0));
        assert_eq!(error.message, "m");
    }

    #[test]
    fn says_what_can_be_typed_or_written_as_it_stands() {
        let remedy = |line: &str, file| remedy("p", &line.parse().unwrap(), file).unwrap_or_default();
        let told = "`astros plugins grant p 'file_system: read /srv/o'\\''dd dir'` allows it";
        assert_eq!(remedy("file_system: read /srv/o'dd dir", None), told);
        assert_eq!(remedy("file_system: read /srv/`x`", None), "");
        let file = Some(Path::new("/c/astros.yaml"));
        let told = "`/c/astros.yaml` says all that `p` may do: add `file_system: {\"write\":[\"~/x\"]}` to \
                    `plugins.p.permissions` there, then `astros plugins reload p`";
        assert_eq!(remedy("file_system: write ~/x", file), told);
        assert!(remedy("network: *.a.org", file).contains("add `network: [\"*.a.org\"]` to"));
        assert!(remedy("ai", file).contains("add `ai` to"));
    }

    #[test]
    fn names_the_kind_of_every_error() {
        let error = for_plugins(Error::new(ErrorCode::INVALID_PARAMS, "m"));
        assert_eq!(error.data.unwrap().kind, "invalid_params");
    }

    #[test]
    fn names_the_nearest_only_where_it_is_near() {
        let names = ["list_files", "organize_files"];
        assert_eq!(nearest("list_file", names.into_iter()), Some("list_files"));
        assert_eq!(nearest("zzz", names.into_iter()), None);
    }
}
