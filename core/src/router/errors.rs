//! Errors on their way: what a plugin may say, and what others may see of it.

use astros_protocol::{Error, ErrorCode};

/// An error that a plugin answered with, made safe to believe: it names the plugin and claims nothing of the host's.
pub fn from_plugin(mut error: Error, plugin: &str, handler: &str) -> Error {
    if !error.code.may_come_from_plugins() {
        error.code = ErrorCode::HANDLER_FAILED;
    }
    let kind = error.code.kind();
    if error.code == ErrorCode::HANDLER_FAILED {
        error.message = format!("plugin `{plugin}` failed in `{handler}`: {}", error.message);
    }
    let helps = match error.code {
        ErrorCode::HANDLER_FAILED => Some(format!("`astros plugins logs {plugin}` shows more")),
        ErrorCode::INVALID_PARAMS => {
            Some(format!("`astros plugins show {plugin} --json` tells what it takes"))
        }
        _ => None,
    };
    let data = error.data_mut();
    data.hint = data.hint.take().or(helps);
    data.kind = kind.to_owned();
    data.plugin = Some(plugin.to_owned());
    error
}

/// What another plugin may see: stacks, last words and hints are for people.
pub fn for_plugins(mut error: Error) -> Error {
    // Made where there is none: its kind belongs on the wire.
    let data = error.data_mut();
    data.detail = None;
    data.hint = None;
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

/// There is no plugin of this name among `names`.
pub fn plugin_not_found<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Error {
    let error = Error::new(ErrorCode::PLUGIN_NOT_FOUND, format!("there is no plugin `{name}`"));
    error.with_hint(match nearest(name, names) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`astros plugins list` shows what there is".to_owned(),
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
    fn keeps_from_plugins_what_is_for_people() {
        let error = Error::new(ErrorCode::PLUGIN_CRASHED, "m: secret").with_hint("h").with_detail("d");
        let error = for_plugins(error.with("last_words", vec!["first", " secret"]));
        let data = error.data.unwrap();
        assert_eq!((data.hint, data.detail, data.extra.len()), (None, None, 0));
        assert_eq!(error.message, "m");
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
