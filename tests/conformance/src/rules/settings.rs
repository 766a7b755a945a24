//! Settings that change while a plugin runs.

use astros_protocol::ErrorCode;
use serde_json::{Value, json};

use super::messages::GOES_ON;
use crate::{
    outcome::{Checked, skip},
    sample,
    subject::Subject,
};

pub(super) async fn answers_changes(plugin: &Subject<'_>) -> Checked {
    let mut session = plugin.ready().await?;
    let new = schema(plugin).and_then(sample::object).unwrap_or_default();
    let expected = "null, -32011, or -32601";
    let reply = session.call("settings/changed", json!({ "old": {}, "new": new }), expected).await?;
    let codes = [ErrorCode::INVALID_SETTINGS.0, ErrorCode::METHOD_NOT_FOUND.0];
    let refused = reply.code().is_some_and(|code| codes.contains(&code));
    if reply.result != Some(Value::Null) && !refused {
        return session.missed(expected, &reply);
    }
    session.fence(GOES_ON).await
}

pub(super) async fn refuses_what_does_not_fit(plugin: &Subject<'_>) -> Checked {
    let Some(schema) = schema(plugin) else { return skip("it does not describe its settings") };
    let Some(wrong) = sample::misfit(schema) else { return skip("its schema takes all settings") };
    let mut session = plugin.ready().await?;
    let old = sample::object(schema).unwrap_or_default();
    let expected = "-32011, or -32601";
    let reply = session.call("settings/changed", json!({ "old": old, "new": wrong }), expected).await?;
    let codes = [ErrorCode::INVALID_SETTINGS.0, ErrorCode::METHOD_NOT_FOUND.0];
    if !reply.code().is_some_and(|code| codes.contains(&code)) {
        return session.missed(expected, &reply);
    }
    session.fence(GOES_ON).await
}

fn schema<'a>(plugin: &'a Subject<'_>) -> Option<&'a Value> {
    plugin.profile.description.get("settings_schema").filter(|schema| schema.is_object())
}
