//! `astros audit`: what was granted, revoked, denied and done that cannot be undone.

use std::process::ExitCode;

use astros_protocol::Error;
use serde_json::json;

use super::output::Output;
use crate::control::{Client, api::ControlClient, client::answered};

pub(super) async fn run(lines: usize, daemon: &Client, output: &Output) -> Result<ExitCode, Error> {
    let events = answered(daemon.audit(Some(lines)).await)?;
    if output.json {
        output.print_json(&json!(events));
    } else if events.is_empty() && lines > 0 {
        output.note("nothing was granted, denied or destroyed yet");
    } else {
        events.iter().for_each(|event| output.print(&event.render()));
    }
    Ok(ExitCode::SUCCESS)
}
