//! A workflow for people to read.

use serde_json::Value;

use crate::{cli::output::Output, daemon::ShownWorkflow, services::printable::line_of};

/// What a workflow takes and does.
pub(super) fn text(shown: &ShownWorkflow) -> String {
    let workflow = &shown.workflow;
    let file = shown.path.file_stem().unwrap_or_default().to_string_lossy();
    let name = workflow["name"].as_str().unwrap_or(&file);
    let mut lines = vec![format!("{name}   {}", shown.path.display())];
    if !word(workflow, "description").is_empty() {
        lines.push(format!("  {}", on_a_line(word(workflow, "description"))));
    }
    for (name, input) in workflow["inputs"].as_object().into_iter().flatten() {
        let default = match &input["default"] {
            Value::Null => "needed".to_owned(),
            value => format!("{value} where it is not said"),
        };
        lines.push(format!(
            "  takes  {name} ({}; {default})  {}",
            word(input, "type"),
            on_a_line(word(input, "description"))
        ));
    }
    for phase in workflow["phases"].as_array().into_iter().flatten() {
        let when =
            phase["when"].as_str().map(|when| format!("  when {}", on_a_line(when))).unwrap_or_default();
        lines.push(
            format!("  {}{when}  {}", word(phase, "name"), on_a_line(word(phase, "description")))
                .trim_end()
                .to_owned(),
        );
        for part in shown.parts.iter().filter(|part| part.phase == word(phase, "name")) {
            let plugin = part.plugin.as_deref().unwrap_or("nobody");
            lines.push(format!("    {} {}  by {plugin}", part.kind, part.name));
        }
    }
    for name in workflow["outputs"].as_object().into_iter().flat_map(|outputs| outputs.keys()) {
        lines.push(format!("  gives  {name}"));
    }
    lines.join("\n")
}

/// What keeps it from being run.
pub(super) fn problems(shown: &ShownWorkflow, output: &Output) {
    if !output.json {
        shown.problems.iter().for_each(|problem| output.problem(problem));
    }
}

/// What may be long, and makes no row of its own.
fn on_a_line(text: &str) -> String {
    line_of(text, 500)
}

fn word<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}
