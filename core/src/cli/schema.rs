//! `astros schema`: the JSON Schemas of the protocol, and all of it as an OpenRPC document.

use std::process::ExitCode;

use astros_protocol::{Error, ErrorCode, schema};
use serde_json::{Map, Value, json};

use super::output::Output;
use crate::{router::errors::nearest, workflow};

/// The document beside the schemas.
const OPENRPC: &str = "openrpc";
/// The schema of a workflow's file, which is no part of the protocol.
const WORKFLOW: &str = "workflow";

pub(super) fn run(name: Option<&str>, list: bool, output: &Output) -> Result<ExitCode, Error> {
    if list {
        let names: Vec<String> =
            schema::names().into_iter().chain([OPENRPC, WORKFLOW].map(str::to_owned)).collect();
        match output.json {
            true => output.print_json(&json!(names)),
            false => output.print(&names.join("\n")),
        }
        return Ok(ExitCode::SUCCESS);
    }
    let found = match name {
        Some(OPENRPC) => serde_json::from_str(schema::OPENRPC).expect("the document is JSON"),
        Some(WORKFLOW) => workflow::schema(),
        Some(name) => schema::schema(name).ok_or_else(|| unknown(name))?,
        None => all(),
    };
    if output.json {
        output.print_json(&found);
    } else {
        output.print(&format!("{found:#}"));
    }
    Ok(ExitCode::SUCCESS)
}

fn all() -> Value {
    let schemas = schema::names().into_iter();
    Value::Object(
        schemas.filter_map(|name| Some((name.to_string(), schema::schema(&name)?))).collect::<Map<_, _>>(),
    )
}

fn unknown(name: &str) -> Error {
    let names = schema::names();
    let near = nearest(name, names.iter().map(|name| &**name));
    let hint = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`astros schema --list` shows what there is".to_owned(),
    };
    Error::new(ErrorCode::INVALID_PARAMS, format!("there is no schema `{name}`")).with_hint(hint)
}
