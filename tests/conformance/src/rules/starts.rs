//! How a plugin begins: `initialize`, versions, `describe`, and how it describes itself.

use std::collections::BTreeSet;

use astros_protocol::{ErrorCode, Version};
use serde_json::{Value, json};

use crate::{
    line::Reply,
    outcome::{Checked, Miss, Stop, shown, skip},
    schemas::{self, misfits},
    session::Session,
    subject::{Subject, ask_to_initialize, initialize, initialize_params},
};

pub(super) async fn answers_initialize(plugin: &Subject<'_>) -> Checked {
    let mut session = plugin.start()?;
    let mut result = initialize(&mut session, json!({})).await?;
    let received = shown(result.to_string().as_bytes());
    for member in ["name", "version"] {
        if result["plugin"][member].as_str().is_none_or(str::is_empty) {
            return Err(session.miss(format!("`plugin.{member}`, a text that is not empty"), received));
        }
    }
    // How it describes itself is a rule of its own.
    result["plugin"] = json!({ "name": result["plugin"]["name"], "version": result["plugin"]["version"] });
    match schemas::misfit("initialize.result", &result) {
        Some(why) => Err(session.miss(format!("a result that fits its schema: {why}"), received)),
        None => Ok(()),
    }
}

pub(super) async fn speaks_the_lower_version(plugin: &Subject<'_>) -> Checked {
    // More than anybody speaks: so it says its own.
    let mut session = plugin.start()?;
    let own = spoken(&mut session, &["1.999999"]).await?;
    if own.minor == 999_999 {
        return Err(session.miss("the highest MINOR that it speaks itself", own.to_string()));
    }
    if own.major != 1 {
        return Err(session.miss("a version of MAJOR 1, the only one that the host lists", own.to_string()));
    }
    let expected = own.min(Version { major: 1, minor: 0 });
    for listed in [&["1.0"][..], &["1.0", "998.7"], &["998.7", "1.0"]] {
        let mut session = plugin.start()?;
        let version = spoken(&mut session, listed).await?;
        if version != expected {
            return Err(session.miss(format!("the version {expected}"), version.to_string()));
        }
    }
    Ok(())
}

async fn spoken(session: &mut Session, listed: &[&str]) -> Checked<Version> {
    let result = initialize(session, json!({ "protocol_versions": listed })).await?;
    let version = result["protocol_version"].as_str().and_then(|version| version.parse().ok());
    version.ok_or_else(|| {
        session.miss("`protocol_version`, such as \"1.0\"", shown(result.to_string().as_bytes()))
    })
}

pub(super) async fn refuses_foreign_versions(plugin: &Subject<'_>) -> Checked {
    let mut session = plugin.start()?;
    let reply = ask_to_initialize(&mut session, json!({ "protocol_versions": ["998.7", "999.0"] })).await?;
    match reply.code() {
        Some(code) if code == ErrorCode::UNSUPPORTED_VERSION.0 => Ok(()),
        _ => session.missed("the error -32010", &reply),
    }
}

pub(super) async fn says_nothing_first(plugin: &Subject<'_>) -> Checked {
    // What comes before this is answered was said unasked; the ledger sees it.
    let mut session = plugin.start()?;
    describe(&mut session).await?;
    initialize(&mut session, json!({})).await.map(drop)
}

async fn describe(session: &mut Session) -> Checked<Reply> {
    let params = json!({ "protocol_versions": ["1.0"] });
    session.call("describe", params, "an answer to `describe`, before `initialize`").await
}

pub(super) async fn says_the_same_before(plugin: &Subject<'_>) -> Checked {
    let mut session = plugin.start()?;
    let reply = describe(&mut session).await?;
    let described = match (&reply.result, reply.code()) {
        (Some(result), _) => &result["plugin"],
        (None, Some(code)) if code == ErrorCode::METHOD_NOT_FOUND.0 => {
            return skip("it does not know `describe`");
        }
        _ => return session.missed("a result, or -32601", &reply),
    };
    if let Some(why) = reply.result.as_ref().and_then(|result| schemas::misfit("describe.result", result)) {
        return session.missed(format!("a result that fits its schema: {why}"), &reply);
    }
    let later = initialize(&mut session, json!({})).await?;
    let facts = |description: &Value| {
        let handlers = description["handlers"].as_array().into_iter().flatten();
        let names: BTreeSet<_> = handlers.map(|handler| handler["name"].to_string()).collect();
        format!("{} with {}", description["name"], names.into_iter().collect::<Vec<_>>().join(", "))
    };
    let (before, after) = (facts(described), facts(&later["plugin"]));
    if before != after {
        return Err(session.miss(format!("what `describe` said: {before}"), after));
    }
    Ok(())
}

/// Held against the description of the first session.
pub(super) fn describes_itself(plugin: &Subject<'_>) -> Checked {
    let description = &plugin.profile.description;
    let miss = |expected: String, what: &Value| {
        let received = shown(what.to_string().as_bytes());
        Err(Stop::Missed(Miss { sent: "`initialize`".to_owned(), expected, received }))
    };
    let whole = json!({ "protocol_version": "1.0", "plugin": description });
    if let Some(why) = schemas::misfit("describe.result", &whole) {
        return miss(format!("a description that fits its schema: {why}"), description);
    }
    let mut names = BTreeSet::new();
    for handler in description["handlers"].as_array().into_iter().flatten() {
        let name = handler["name"].as_str().unwrap_or_default();
        if name.is_empty() || name.starts_with('$') {
            return miss(
                "a handler's name that is not empty and does not begin with `$`".to_owned(),
                handler,
            );
        }
        if !names.insert(name) {
            return miss(format!("one handler `{name}`"), handler);
        }
        if let Some(why) = handler.get("parameters").and_then(no_schema) {
            return miss(
                format!("a JSON Schema of an object as `parameters` of `{name}`: {why}"),
                &handler["parameters"],
            );
        }
    }
    match description.get("settings_schema").and_then(no_schema) {
        Some(why) => miss(
            format!("a JSON Schema of an object as `settings_schema`: {why}"),
            &description["settings_schema"],
        ),
        None => Ok(()),
    }
}

/// Why a value is no JSON Schema of objects; null is none at all.
fn no_schema(schema: &Value) -> Option<String> {
    if schema.is_null() {
        return None;
    }
    if !schema.is_object() {
        return Some("it is no object".to_owned());
    }
    if let Err(error) = jsonschema::meta::validate(schema) {
        return Some(error.to_string().chars().take(300).collect());
    }
    match jsonschema::validator_for(schema) {
        Err(error) => Some(error.to_string().chars().take(300).collect()),
        // Anything but an object can never come.
        Ok(validator) => {
            let typed = schema["type"].as_str().is_some_and(|kind| kind != "object");
            typed.then(|| misfits(&validator, &json!({})).unwrap_or_default())
        }
    }
}

pub(super) async fn survives_a_second_initialize(plugin: &Subject<'_>) -> Checked {
    let mut session = plugin.ready().await?;
    let params = initialize_params(&session, json!({}));
    session.call("initialize", params, "an answer to the second `initialize`").await?;
    let (method, params) = plugin.work();
    let reply = session.call(method, params, "what is served goes on: an answer").await?;
    // One that failed before may fail now.
    if reply.error.is_some() && plugin.handler().is_some_and(|handler| !handler.fails) {
        return session.missed("what is served goes on: a result, as before", &reply);
    }
    session.fence("what is served goes on: an answer to `ping`").await
}
