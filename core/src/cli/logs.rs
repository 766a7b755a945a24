//! `astros plugins logs`: what a plugin wrote, and what it goes on to write.

use std::{pin::pin, process::ExitCode};

use astros_protocol::Error;
use serde_json::json;

use super::output::Output;
use crate::{
    control::{
        Client,
        api::{ControlClient, Logged},
        client::answered,
        gone,
    },
    services::log::Record,
};

pub(super) async fn show(name: String, lines: usize, daemon: &Client, output: &Output) -> Result<(), Error> {
    let records = answered(daemon.logs(name.clone(), Some(lines)).await)?;
    if output.json {
        output.print_json(&json!(records));
    } else if records.is_empty() && lines > 0 {
        output.note(&format!("`{name}` has not written anything to its log"));
    } else {
        records.iter().for_each(|record| output.print(&record.render()));
    }
    Ok(())
}

/// Goes on until it is interrupted, nobody reads it, or the daemon went away; one record a line.
pub(super) async fn follow(
    name: String,
    lines: usize,
    daemon: &Client,
    output: &Output,
) -> Result<ExitCode, Error> {
    let mut items = answered(daemon.follow_logs(name, Some(lines)).await)?;
    let print = |record: &Record| match output.json {
        true => output.print_json(&json!(record)),
        false => output.print(&record.render()),
    };
    let mut interrupted = pin!(super::interrupted());
    while !output.is_alone() {
        let item = tokio::select! {
            item = items.next() => item,
            // That is how one ends it: nothing to be told of.
            _ = &mut interrupted => return Ok(ExitCode::from(130)),
        };
        match item {
            Some(Ok(Logged::Record(record))) => print(&record),
            Some(Ok(Logged::Missed(count))) => {
                output.note(&format!("{count} records came faster than they were shown; the log has them"));
            }
            Some(Err(error)) => return answered(Err(error.into())),
            None => return Err(gone("the log ended")),
        }
    }
    Ok(ExitCode::SUCCESS)
}
