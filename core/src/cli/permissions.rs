//! `astros plugins enable`, `grant` and `revoke`: what a plugin may do, shown in words and decided by the person.

use std::{io::IsTerminal, process::ExitCode};

use astros_protocol::{Error, ErrorCode, manifest::Permission};
use serde_json::{Value, json};

use super::{input, output::Output, plugins::done};
use crate::{
    control::{Client, api::ControlClient, client::answered},
    daemon::{Asks, Wish, WishState},
    services::printable::{line, printable},
};

/// What nobody is asked about: whoever runs a command says where, and with what.
const COMMANDS: &str = "Its commands, where it has any, read and change the folder that you run them in, and what you name to them.";

/// Asks whether a plugin that waits shall run, at its first use; it is enabled with just what was shown. False where
/// the person declines.
pub(super) async fn first_use(name: &str, daemon: &Client, output: &Output) -> Result<bool, Error> {
    let asks = answered(daemon.permissions(name.to_owned()).await)?;
    if !agrees(&asks, output).await? {
        return Ok(false);
    }
    let agreed = lines(&asks.wishes, WishState::Missing);
    answered(daemon.enable(name.to_owned(), Some(agreed)).await)?;
    Ok(true)
}

/// Shows what a plugin asks for, and enables it with just that where the person agrees.
pub(super) async fn enable(
    name: String,
    yes: bool,
    daemon: &Client,
    output: &Output,
) -> Result<ExitCode, Error> {
    let asks = answered(daemon.permissions(name.clone()).await)?;
    if !yes && !asks.enabled && !agrees(&asks, output).await? {
        output.note(&format!("`{name}` stays as it was"));
        return Ok(ExitCode::from(1));
    }
    let wishes = asks.wishes;
    let agreed = lines(&wishes, WishState::Missing);
    answered(daemon.enable(name.clone(), Some(agreed.clone())).await)?;
    let members = json!({ "name": name, "enabled": true, "granted": agreed });
    let without: Vec<String> = of(&wishes, WishState::Revoked)
        .iter()
        .map(|wish| {
            let hint = wish.hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default();
            format!("\n  without `{}`{hint}", wish.permission)
        })
        .collect();
    done(&printable(&format!("`{name}` is enabled{}", without.concat())), members, output);
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn grant(
    name: String,
    permissions: Vec<String>,
    daemon: &Client,
    output: &Output,
) -> Result<(), Error> {
    let wishes = answered(daemon.grant(name.clone(), permissions).await)?;
    tell(&name, &wishes, daemon, output).await;
    Ok(())
}

pub(super) async fn revoke(
    name: String,
    permissions: Vec<String>,
    daemon: &Client,
    output: &Output,
) -> Result<(), Error> {
    let wishes = answered(daemon.revoke(name.clone(), Some(permissions)).await)?;
    tell(&name, &wishes, daemon, output).await;
    Ok(())
}

/// What a plugin may do from now on.
async fn tell(name: &str, wishes: &[Wish], daemon: &Client, output: &Output) {
    let granted = of(wishes, WishState::Granted);
    // What cannot be enabled runs no commands either.
    let has_commands = daemon.permissions(name.to_owned()).await.is_ok_and(|asks| asks.commands);
    let may = match granted.is_empty() {
        true => format!("`{name}` has no permissions"),
        false => format!("`{name}` may\n{}", table(&granted)),
    };
    let text: Vec<String> = [may].into_iter().chain(limits(&granted, has_commands)).collect();
    done(&printable(&text.join("\n")), as_json(name, wishes), output);
}

async fn agrees(asks: &Asks, output: &Output) -> Result<bool, Error> {
    let name = &asks.name;
    if output.json || !std::io::stdin().is_terminal() {
        let message = format!("nobody is there to agree to what `{name}` asks for");
        let error = Error::new(ErrorCode::INVALID_PARAMS, message);
        return Err(error.with_hint(format!("`astros plugins enable {name} --yes` agrees")));
    }
    input::agrees(&question(asks)).await
}

/// The name, with version and author where they are known.
fn title(asks: &Asks) -> String {
    let version = Some(&asks.version).filter(|version| !version.is_empty());
    let version = version.map(|version| format!(" {}", line(version))).unwrap_or_default();
    let author = asks.author.as_ref().map(|author| format!(" by {}", line(author))).unwrap_or_default();
    format!("`{}`{version}{author}", asks.name)
}

/// What is new, what it may already, what it will not get, and whether that shall be.
pub(super) fn question(asks: &Asks) -> String {
    let (title, wishes) = (title(asks), &asks.wishes);
    let [missing, granted, withheld] =
        [WishState::Missing, WishState::Granted, WishState::Revoked].map(|state| of(wishes, state));
    let mut parts = Vec::new();
    if missing.is_empty() {
        parts.push(format!(
            "{title} asks for nothing {}",
            if granted.is_empty() { "more than to run" } else { "new" }
        ));
    } else {
        parts.push(format!("{title} wants to\n{}", table(&missing)));
    }
    for (what, list) in [("It may already", &granted), ("It does not get", &withheld)] {
        if !list.is_empty() {
            parts.push(format!("{what}\n{}", table(list)));
        }
    }
    if let Some(before) = &asks.before {
        let before = line(&before.display().to_string());
        parts.push(format!(
            "It gets the secrets, settings and data of the plugin of this name in `{before}`."
        ));
    }
    let all: Vec<&Wish> = missing.into_iter().chain(granted).collect();
    let limits = limits(&all, asks.commands);
    let before_answer = if limits.is_empty() { "\n" } else { "   " };
    parts.extend(limits);
    printable(&format!("{}{before_answer}Allow? [y/N] ", parts.join("\n"))).into_owned()
}

/// What its commands see beside these permissions, and what is kept from it.
fn limits(wishes: &[&Wish], has_commands: bool) -> Vec<String> {
    let granted: Vec<Permission> = wishes.iter().filter_map(|wish| wish.permission.parse().ok()).collect();
    let will = if has_commands { "Beyond that it will" } else { "It will" };
    let kept = Permission::withheld(&granted).map(|withheld| format!("{will} not see {withheld}."));
    has_commands.then(|| COMMANDS.to_owned()).into_iter().chain(kept).collect()
}

/// Two columns, what it does and to what.
fn table(wishes: &[&Wish]) -> String {
    let width = wishes.iter().map(|wish| wish.verb.chars().count()).max().unwrap_or(0);
    let line = |wish: &&Wish| format!("  {:<width$}   {}", wish.verb, line(&wish.what));
    wishes.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn of(wishes: &[Wish], state: WishState) -> Vec<&Wish> {
    wishes.iter().filter(|wish| wish.state == state).collect()
}

fn lines(wishes: &[Wish], state: WishState) -> Vec<String> {
    of(wishes, state).into_iter().map(|wish| wish.permission.clone()).collect()
}

fn as_json(name: &str, wishes: &[Wish]) -> Value {
    let [granted, missing, revoked] =
        [WishState::Granted, WishState::Missing, WishState::Revoked].map(|state| lines(wishes, state));
    json!({ "name": name, "granted": granted, "missing": missing, "revoked": revoked })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(line: &str, state: WishState) -> Wish {
        let permission: Permission = line.parse().unwrap();
        let (verb, what) = permission.phrases().remove(0);
        let (verb, sentence) = (verb.to_owned(), permission.sentence());
        Wish { permission: permission.to_string(), sentence, verb, what, state, hint: None }
    }

    fn asked(name: &str, wishes: &[Wish]) -> String {
        let asks = Asks {
            name: name.to_owned(),
            version: String::new(),
            author: None,
            enabled: false,
            wishes: wishes.to_vec(),
            commands: false,
            before: None,
        };
        question(&asks)
    }

    #[test]
    fn asks_in_words_that_line_up() {
        let wishes =
            [wish("network: api.example.org:443", WishState::Missing), wish("storage", WishState::Missing)];
        let expected = "`weather` 2.0.0 by A. Author wants to\n  reach   api.example.org:443\n  \
                        keep    up to 64 MiB of its own data\n\
                        It will not see your files, other hosts, other plugins.   Allow? [y/N] ";
        let (name, version) = ("weather".to_owned(), "2.0.0".to_owned());
        let author = Some("A. Author".to_owned());
        let wishes = wishes.to_vec();
        let mut asks = Asks { name, version, author, enabled: false, wishes, commands: false, before: None };
        assert_eq!(question(&asks), expected);
        asks.commands = true;
        asks.before = Some("/a/weather".into());
        let more = "\nIt gets the secrets, settings and data of the plugin of this name in `/a/weather`.\n\
                    Its commands, where it has any, read and change the folder that you run them in, and what you \
                    name to them.\nBeyond that it will not see";
        assert_eq!(question(&asks), expected.replace("\nIt will not see", more));
    }

    #[test]
    fn sets_apart_what_is_new_from_what_it_may_already() {
        let wishes = [
            wish("storage", WishState::Granted),
            wish("network", WishState::Missing),
            wish("file_system: write /", WishState::Missing),
            wish("system_control", WishState::Revoked),
        ];
        let expected = "`a` wants to\n  reach             every host of the network\n  \
                        read and change   every file of this machine\n\
                        It may already\n  keep   up to 64 MiB of its own data\n\
                        It does not get\n  control   your desktop and this machine by D-Bus\n\
                        It will not see other plugins.   Allow? [y/N] ";
        assert_eq!(asked("a", &wishes), expected);
        let nothing = "`a` asks for nothing more than to run\n\
                       It will not see your files, the network, other plugins.   Allow? [y/N] ";
        assert_eq!(asked("a", &[]), nothing);
    }
}
