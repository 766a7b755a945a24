//! Settings: put together of several places and held against a schema, whatever stands in any of them.

use std::{collections::BTreeMap, path::Path};

use arbitrary::{Result, Unstructured};
use astros_core::services::settings::{Claims, Setting, SettingsError, Sources, overrides, resolve};
use astros_protocol::{Error, manifest::Configuration};
use serde_json::{Map, Value};

use super::json;

pub(super) fn run(data: &[u8]) {
    // Who has no more bytes has said all.
    let _ = resolves(&mut Unstructured::new(data));
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    (0..32_u8).map(|seed| fastrand::Rng::with_seed(seed.into()).choose_multiple(0..=255, 250)).collect()
}

fn resolves(u: &mut Unstructured<'_>) -> Result<()> {
    let schema = if u.arbitrary()? { Some(json::schema(u)?) } else { None };
    let configuration = Configuration {
        settings: json::members(u, json::value)?,
        user_configurable: json::list(u, |u| Ok(json::name(u)?.to_owned()))?,
        required_settings: json::list(u, |u| Ok(json::name(u)?.to_owned()))?,
        ..Configuration::default()
    };
    let configured: BTreeMap<_, _> = json::members(u, json::value)?
        .into_iter()
        .map(|(name, value)| (name, Setting { value, line: 7 }))
        .collect();
    let variables = json::list(u, |u| {
        let prefix = u.choose(&["ASTROS_P_", "LOCALAGENT_P_", "ASTROS_P_Q_", "ASTROS_"])?;
        Ok((format!("{prefix}{}", json::name(u)?.to_uppercase().replace('-', "_")), json::text(u)?))
    })?;
    let mut environment = overrides(["p", "p-q"], &Claims::new(), variables);
    let environment = environment.of.remove("p").unwrap_or_default();
    let commands: BTreeMap<_, _> = json::members(u, json::value)?.into_iter().collect();
    let sources = Sources {
        plugin: "p",
        configuration: &configuration,
        schema: schema.as_ref().map(|schema| (schema, "plugin.yaml")),
        defaults: &Map::new(),
        requires_config: u.arbitrary()?,
        own_file: (Path::new("/h/p.yaml"), &BTreeMap::new()),
        configured: &configured,
        file: Path::new("/h/astros.yaml"),
        commands: &commands,
        secrets: &BTreeMap::new(),
        environment: &environment,
    };
    let resolved = resolve(&sources);
    match (&resolved, resolve(&sources)) {
        // Of several things that are wrong with a schema, any one is named.
        (Err(SettingsError::BadSchema { .. }), Err(SettingsError::BadSchema { .. })) => {}
        (once, twice) => assert_eq!(*once, twice, "twice the same"),
    }
    match resolved {
        Ok(settled) => hold(&Value::Object(settled.settings), &sources),
        Err(error) => explains_itself(error),
    }
    Ok(())
}

/// What was resolved fits, lacks nothing, and has what the person said.
fn hold(settings: &Value, sources: &Sources<'_>) {
    if let Some((schema, _)) = sources.schema {
        let validator = jsonschema::validator_for(schema).expect("it was a schema before");
        assert!(validator.is_valid(settings), "{settings} does not fit {schema}");
    }
    for name in &sources.configuration.required_settings {
        assert!(!settings[name].is_null(), "`{name}` is required");
    }
    let set_by_variable = |name: &str| {
        let upper = name.to_uppercase().replace('-', "_");
        sources.environment.iter().any(|one| one.key == upper || one.key.to_lowercase() == name)
    };
    for (name, setting) in sources.configured {
        assert!(
            set_by_variable(name) || sources.commands.contains_key(name) || settings[name] == setting.value,
            "`{name}` was set to {:?}",
            setting.value
        );
    }
    for (name, default) in &sources.configuration.settings {
        assert!(
            set_by_variable(name)
                || sources.commands.contains_key(name)
                || sources.configured.contains_key(name)
                || settings[name] == *default,
            "`{name}` has a default"
        );
    }
}

fn explains_itself(error: SettingsError) {
    match &error {
        SettingsError::Missing { .. } => {}
        SettingsError::Invalid { problems, .. } => {
            assert!(!problems.is_empty());
            assert!(
                problems.iter().all(|problem| problem.pointer.is_empty() || problem.pointer.starts_with('/'))
            );
        }
        SettingsError::BadSchema { reason, .. }
        | SettingsError::Secrets { reason, .. }
        | SettingsError::File { reason, .. } => {
            assert!(!reason.is_empty())
        }
    }
    assert!(!error.hint().is_empty() && !error.to_string().is_empty());
    let wire = Error::from(error);
    assert_eq!(wire.kind(), "invalid_settings");
    serde_json::to_string(&wire).expect("an error is JSON");
}
