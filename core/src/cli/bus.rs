//! `astros bus`: what plugins tell each other, to be watched and joined.

use std::{pin::pin, process::ExitCode};

use astros_protocol::Error;
use serde_json::json;

use super::{args, input, output::Output};
use crate::{
    control::{Client, api::ControlClient, client::answered, gone},
    services::printable::printable,
};

pub(super) async fn run(command: args::Bus, daemon: &Client, output: &Output) -> Result<ExitCode, Error> {
    match command {
        args::Bus::Tail { subject } => tail(subject, daemon, output).await,
        args::Bus::Publish { subject, data } => {
            answered(daemon.publish(subject.clone(), input::json(&data)?).await)?;
            if output.json {
                output.print_json(&json!({ "subject": subject, "published": true }));
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// One message a line, until it is interrupted, nobody reads it, or the daemon went away.
async fn tail(subject: String, daemon: &Client, output: &Output) -> Result<ExitCode, Error> {
    let mut messages = answered(daemon.tail(subject).await)?;
    let mut interrupted = pin!(super::interrupted());
    while !output.is_alone() {
        let message = tokio::select! {
            message = messages.next() => message,
            _ = &mut interrupted => return Ok(ExitCode::from(130)),
        };
        let Some(message) = message else { return Err(gone("the bus ended")) };
        let message = answered(message.map_err(Into::into))?;
        if output.json {
            output.print_json(&json!(message));
            continue;
        }
        if message.dropped > 0 {
            output.note(&format!("{} messages came faster than they were shown", message.dropped));
        }
        let line = format!("{} {} {}", message.subject, message.sender, message.data.get());
        output.print(&printable(&line));
    }
    Ok(ExitCode::SUCCESS)
}
