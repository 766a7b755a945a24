//! `astros providers`: who answers for AI models, and how they are.

use std::process::ExitCode;

use astros_protocol::Error;
use futures_util::future::join_all;
use serde_json::json;

use super::{
    args,
    output::Output,
    plugins::{aligned, without_name},
};
use crate::{
    control::{Client, api::ControlClient, client::answered},
    daemon::{Health, OfferedProvider},
    services::printable::line,
};

pub(super) async fn run(
    command: args::Providers,
    daemon: &Client,
    output: &Output,
) -> Result<ExitCode, Error> {
    match command {
        args::Providers::List => list(daemon, output).await,
        args::Providers::Health { names } => health(names, daemon, output).await,
    }
}

async fn list(daemon: &Client, output: &Output) -> Result<ExitCode, Error> {
    let providers = answered(daemon.providers().await)?;
    for one in answered(daemon.list().await)? {
        let brings = one.kinds.iter().any(|kind| kind == "provider") && one.state != "disabled";
        if brings && providers.iter().all(|provider| provider.plugin != one.name) {
            let hint = one.hint.map(|hint| format!("; {hint}")).unwrap_or_default();
            let reason = one.reason.unwrap_or_else(|| format!("is {}", one.state));
            output.warning(&format!("{}: {}{hint}", one.name, without_name(&one.name, &reason)));
        }
    }
    warn_of_default(&providers, daemon, output).await?;
    if output.json {
        output.print_json(&json!(providers));
    } else if providers.is_empty() {
        output.print("no plugin that may run brings a provider of AI models");
    } else {
        let row = |one: &OfferedProvider| {
            let default = if one.default { "default" } else { "" };
            let answers = match one.provider.methods.is_empty() {
                true => "nothing".to_owned(),
                false => one.provider.methods.join(", "),
            };
            [&*one.provider.name, &one.plugin, default, &answers, &one.provider.models.join(", ")].map(line)
        };
        let head = ["PROVIDER", "PLUGIN", "", "ANSWERS", "MODELS"].map(str::to_owned);
        output.print(&aligned(&std::iter::once(head).chain(providers.iter().map(row)).collect::<Vec<_>>()));
    }
    Ok(ExitCode::SUCCESS)
}

/// Says where the one that is to be asked is none of those that are there, and whether it is.
async fn warn_of_default(
    providers: &[OfferedProvider],
    daemon: &Client,
    output: &Output,
) -> Result<bool, Error> {
    let default = answered(daemon.default_provider().await)?;
    let Some(missing) = default.filter(|name| providers.iter().all(|one| one.provider.name != *name)) else {
        return Ok(true);
    };
    output.warning(&format!(
        "`providers.default` in astros.yaml is `{}`, which no plugin that may run brings",
        line(&missing)
    ));
    Ok(false)
}

/// All of them where none is named. Fails where one is not well, or the default is not there.
async fn health(names: Vec<String>, daemon: &Client, output: &Output) -> Result<ExitCode, Error> {
    let mut is_well = true;
    let names = if names.is_empty() {
        let providers = answered(daemon.providers().await)?;
        is_well = warn_of_default(&providers, daemon, output).await?;
        providers.into_iter().map(|one| one.provider.name).collect()
    } else {
        names
    };
    let asked =
        join_all(names.into_iter().map(async |name| answered(daemon.provider_health(name).await))).await;
    let all = asked.into_iter().collect::<Result<Vec<Health>, Error>>()?;
    if output.json {
        output.print_json(&json!(all));
    } else if all.is_empty() {
        output.print("no plugin that may run brings a provider of AI models");
    } else {
        for one in &all {
            output.print(&text(one, output));
        }
    }
    is_well &= all.iter().all(|one| one.health.healthy);
    Ok(ExitCode::from(u8::from(!is_well)))
}

fn text(one: &Health, output: &Output) -> String {
    let mark = match one.health.healthy {
        true => output.style().green().apply_to("✓ healthy"),
        false => output.style().red().apply_to("✗ unhealthy"),
    };
    let models = match one.health.models.len() {
        0 => String::new(),
        1 => ", 1 model".to_owned(),
        count => format!(", {count} models"),
    };
    let why = match one.health.message.is_empty() {
        true => String::new(),
        false => format!("\n  {}", line(&one.health.message)),
    };
    format!("{mark}  {} ({}), {} ms{models}{why}", line(&one.provider), line(&one.plugin), one.took_ms)
}
