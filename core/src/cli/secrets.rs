//! `astros secrets`: keeps keys and passwords for plugins, and never shows one.

use std::{
    io::{self, IsTerminal, Read},
    process::ExitCode,
};

use astros_protocol::{Error, ErrorCode};
use console::Term;
use serde_json::json;

use super::{args, output::Output};
use crate::{
    control::{Client, Embedded, api::ControlClient, client::answered},
    daemon::{Listed, Options},
    router::errors,
    services::{printable::printable, secrets::Secrets},
};

/// The longest secret, in bytes.
const MAX_BYTES: u64 = 64 << 10;

pub(super) async fn run(
    command: args::Secrets,
    options: &Options,
    output: &Output,
) -> Result<ExitCode, Error> {
    let paths = options.paths()?;
    let secrets = Secrets::at(&paths.config, &options.environment);
    let running = Client::connect(&paths.runtime).await?.filter(|client| client.hello().is_of(&paths));
    match command {
        args::Secrets::List => list(&secrets, output)?,
        args::Secrets::Set { plugin, key } => {
            if key.is_empty() {
                return Err(Error::new(ErrorCode::INVALID_PARAMS, "the name of the secret is empty"));
            }
            match plugins(running.as_ref(), options).await {
                Ok(listed) => check(&plugin, &key, &listed, running.is_some(), output)?,
                Err(error) => output.note(&format!("whether `{plugin}` has `{key}` is not known: {error}")),
            }
            let secret = read(&plugin, &key)?;
            let (place, refusal) = secrets.set(&plugin, &key, &secret)?;
            if let Some(refusal) = refusal {
                output.note(&refusal.to_string());
            }
            let text = format!("the secret `{key}` of `{plugin}` is in {}", quoted(&place));
            done(&text, json!({ "plugin": plugin, "key": key, "place": place }), output);
            reload(running.as_ref(), &plugin, output).await;
        }
        args::Secrets::Remove { plugin, key } => {
            if !secrets.remove(&plugin, &key)? {
                let message = format!("no secret `{key}` of `{plugin}` is kept");
                let error = Error::new(ErrorCode::INVALID_PARAMS, message);
                return Err(error.with_hint("`astros secrets list` names those that are"));
            }
            let text = format!("the secret `{key}` of `{plugin}` is forgotten");
            done(&text, json!({ "plugin": plugin, "key": key, "removed": true }), output);
            reload(running.as_ref(), &plugin, output).await;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn list(secrets: &Secrets, output: &Output) -> Result<(), Error> {
    let listed = secrets.list()?;
    if output.json {
        output.print_json(&json!(listed));
    } else if listed.is_empty() {
        output.print("no secrets are kept; `astros secrets set PLUGIN KEY` keeps one");
    }
    for one in listed.iter().filter(|_| !output.json) {
        output.print(&printable(&format!("{} {}  in {}", one.plugin, one.key, quoted(&one.place))));
    }
    Ok(())
}

/// The plugins that there are; none is started.
async fn plugins(running: Option<&Client>, options: &Options) -> Result<Vec<Listed>, Error> {
    if let Some(client) = running {
        return answered(client.list().await);
    }
    let embedded = Embedded::start(options.clone()).await?;
    let listed = answered(embedded.client().list().await);
    embedded.stop().await;
    listed
}

/// Refuses a secret that its plugin would never be given. One that is not there may come, where no daemon runs.
fn check(plugin: &str, key: &str, listed: &[Listed], runs: bool, output: &Output) -> Result<(), Error> {
    let Some(found) = listed.iter().find(|one| one.name == plugin) else {
        let error = errors::plugin_not_found(plugin, listed.iter().map(|one| &*one.name));
        if runs {
            return Err(error);
        }
        output.note(&format!("{error}; it gets the secret when it comes"));
        return Ok(());
    };
    let Some(secrets) = &found.secrets else {
        output.note(&format!(
            "`{plugin}` has no schema of its settings: whether it takes `{key}` is not known"
        ));
        return Ok(());
    };
    if secrets.iter().any(|one| one == key) {
        return Ok(());
    }
    let names: Vec<String> = secrets.iter().map(|name| format!("`{name}`")).collect();
    let message = match &names[..] {
        [] => format!(
            "`{plugin}` has no secret `{key}`: its schema marks no setting as one (`writeOnly: true`)"
        ),
        names => format!("`{plugin}` has no secret `{key}`, its schema has {}", names.join(", ")),
    };
    let error = Error::new(ErrorCode::INVALID_PARAMS, message).with_plugin(plugin);
    Err(match errors::nearest(key, secrets.iter().map(String::as_str)) {
        Some(near) => error.with_hint(format!("did you mean `{near}`?")),
        None => error,
    })
}

/// A running daemon gives it to the plugin now.
async fn reload(running: Option<&Client>, plugin: &str, output: &Output) {
    let Some(client) = running else { return };
    if let Err(error) = answered(client.reload(plugin.to_owned()).await) {
        output.note(&error.message);
    }
}

/// Reads a secret: from a terminal a line that is not shown, else all of standard input without the end of its line.
fn read(plugin: &str, key: &str) -> Result<String, Error> {
    let fail = |what: String| Error::new(ErrorCode::INVALID_PARAMS, format!("the secret {what}"));
    let mut secret = String::new();
    let read = if io::stdin().is_terminal() {
        let terminal = Term::stderr();
        let asked = terminal.write_str(&format!("`{key}` of `{plugin}` (not shown): "));
        asked.and_then(|()| terminal.read_secure_line()).map(|line| secret = line)
    } else {
        io::stdin().take(MAX_BYTES + 1).read_to_string(&mut secret).map(drop)
    };
    read.map_err(|error| fail(format!("cannot be read: {error}")))?;
    let line = secret.strip_suffix('\n').map_or(&*secret, |line| line.strip_suffix('\r').unwrap_or(line));
    match line.len() as u64 {
        0 => Err(fail("is empty".to_owned())),
        1..=MAX_BYTES => Ok(line.to_owned()),
        _ => Err(fail(format!("has more than {MAX_BYTES} bytes"))),
    }
}

fn done(text: &str, json: serde_json::Value, output: &Output) {
    if output.json { output.print_json(&json) } else { output.print(&printable(text)) }
}

/// A file's path in backticks; the keyring is called what it is.
fn quoted(place: &str) -> String {
    if place.starts_with('/') { format!("`{place}`") } else { place.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_no_schema_has_and_names_the_nearest() {
        let listed = |secrets: serde_json::Value| -> Listed {
            serde_json::from_value(json!({
                "name": "weather", "version": "", "state": "idle", "pids": [], "restarts": 0, "in_flight": 0,
                "language": "", "kinds": [], "folder": "", "secrets": secrets,
            }))
            .unwrap()
        };
        let output = Output::new(true, true);
        let check = |plugin: &str, key: &str, secrets, runs| {
            check(plugin, key, &[listed(secrets)], runs, &output).map_err(|error| error.to_string())
        };
        assert_eq!(check("weather", "api_key", json!(["api_key"]), true), Ok(()));
        let error = check("weather", "apikey", json!(["api_key"]), true).unwrap_err();
        assert!(error.contains("`weather` has no secret `apikey`, its schema has `api_key`"), "{error}");
        assert!(check("weather", "k", json!([]), true).unwrap_err().contains("marks no setting"));
        assert_eq!(check("weather", "any", json!(null), true), Ok(()), "nobody knows");
        assert_eq!(check("other", "any", json!(null), false), Ok(()), "it may come");
        assert!(check("wether", "any", json!(null), true).is_err());
    }
}
