//! `astros workflow`: list, show, check, run, runs.

mod show;
mod watch;

use std::{
    fs::{self, File},
    io,
    path::Path,
    process::ExitCode,
    time::Duration,
};

use astros_protocol::{Error, ErrorCode};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{
    args::{RunWorkflow, Workflow},
    ask::person,
    output::Output,
    plugins::aligned,
    question,
};
use crate::{
    control::{
        Client,
        api::{ControlClient, News, Wanted},
        client::{answered, follow_run},
    },
    daemon::Order,
    services::printable::{indented, line, printable},
    workflow::{Report, RunSummary, Switches},
};
use watch::Watch;

/// The exit code of a workflow that cannot be run as it is.
const WRONG: u8 = 2;

/// What helps is said with `astros` as a person types it here.
pub(super) async fn run(
    command: Workflow,
    astros: &str,
    daemon: &Client,
    output: &Output,
) -> Result<ExitCode, Error> {
    match command {
        Workflow::List => list(daemon, output).await,
        Workflow::Show { name } => {
            let shown = answered(daemon.workflow(name, Some(person(None, None)?)).await)?;
            match output.json {
                true => output.print_json(&json!(shown)),
                false => output.print(&printable(&show::text(&shown))),
            }
            show::problems(&shown, output);
            Ok(exit_code(shown.problems.is_empty()))
        }
        Workflow::Check { name } => {
            let shown = answered(daemon.workflow(name, Some(person(None, None)?)).await)?;
            let is_right = shown.problems.is_empty();
            match output.json {
                true => output.print_json(&json!({ "path": shown.path, "problems": shown.problems })),
                false if is_right => output.print(&format!("`{}` can be run", shown.path.display())),
                false => show::problems(&shown, output),
            }
            Ok(exit_code(is_right))
        }
        Workflow::Run(run) => Box::pin(run_one(run, astros, daemon, output)).await,
        Workflow::Runs => runs(daemon, output).await,
    }
}

fn exit_code(is_right: bool) -> ExitCode {
    if is_right { ExitCode::SUCCESS } else { ExitCode::from(WRONG) }
}

async fn list(daemon: &Client, output: &Output) -> Result<ExitCode, Error> {
    let found = answered(daemon.workflows().await)?;
    if output.json {
        output.print_json(&json!(found));
    } else if found.is_empty() {
        output.print(
            "no workflows; files in the folder `workflows` of your configuration are, and those of plugins",
        );
    } else {
        let mut rows = vec![["WORKFLOW", "OF", "WHAT IT DOES"].map(str::to_owned)];
        rows.extend(found.iter().map(|one| {
            let plugin = one.plugin.clone().unwrap_or_else(|| "–".to_owned());
            [&one.name, &plugin, &one.description].map(|text| line(text))
        }));
        output.print(&aligned(&rows));
        found.iter().filter_map(|one| one.problem.as_ref()).for_each(|problem| output.warning(problem));
    }
    Ok(ExitCode::SUCCESS)
}

async fn runs(daemon: &Client, output: &Output) -> Result<ExitCode, Error> {
    let found = answered(daemon.workflow_runs().await)?;
    if output.json {
        output.print_json(&json!(found));
    } else if found.is_empty() {
        output.print("no workflow was run yet");
    } else {
        let mut rows = vec![["RUN", "WORKFLOW", "STATE", "TASK"].map(str::to_owned)];
        rows.extend(found.iter().map(|RunSummary { id, workflow, state, task, .. }| {
            let task = task.as_str().map_or_else(|| task.to_string(), str::to_owned);
            [id, workflow, state.as_str(), &task].map(|text| printable(text).replace('\n', " "))
        }));
        output.print(&aligned(&rows));
    }
    Ok(ExitCode::SUCCESS)
}

async fn run_one(
    run: RunWorkflow,
    astros: &str,
    daemon: &Client,
    output: &Output,
) -> Result<ExitCode, Error> {
    if let Some(file) = &run.report {
        // Told before the run, which may take long, not after it.
        can_be_written(file).map_err(|error| {
            unwritten(file, &error).with_hint("nothing was run; name a file in a folder that is there")
        })?;
    }
    let order = Order {
        workflow: run.name.clone(),
        task: run.task.map(Value::String),
        inputs: run.inputs.into_iter().map(|(name, value)| (name, value.into())).collect(),
        provider: run.provider,
        resume: run.resume.is_some(),
        run: run.resume.flatten(),
        switches: Switches { step: run.step, save_intermediate: run.save_intermediate, traces: run.traces },
    };
    let watch = Watch::start(&run.name, astros, output);
    let wanted = Wanted { progress: !output.json, understood: false, questions: question::can_ask(output) };
    let (asked, mut questions) = mpsc::unbounded_channel();
    let hear = |news| match news {
        News::Progress(value) => watch.hear(&value),
        News::Question(question) => drop(asked.send(question)),
        _ => {}
    };
    let asking = async {
        while let Some(question) = questions.recv().await {
            watch.pause();
            let asked = question::ask(&question, None, daemon, output).await;
            watch.resume();
            asked?;
        }
        std::future::pending().await
    };
    let begun = daemon.run_workflow(order, Some(person(None, None)?), Some(wanted)).await;
    let ended = tokio::select! {
        outcome = follow_run(begun, hear) => outcome,
        taken_back = asking => taken_back,
    };
    // It says how to go on with the run, where the error does not.
    let says = |error: &Error| error.hint().is_some_and(|hint| hint.contains("--resume"));
    if ended.as_ref().map_or_else(says, |_| true) {
        watch.end();
    }
    let report = ended.map_err(|error| typed(error, astros))?;
    if let Some(file) = &run.report {
        write(&report, file)?;
    }
    match output.json {
        true => output.print_json(&json!(report)),
        false => output.print(&text(&report, run.report.as_deref(), astros, output)),
    }
    Ok(ExitCode::from(u8::from(!report.success)))
}

/// The daemon knows no options of the command.
fn typed(error: Error, astros: &str) -> Error {
    match error.hint().map(|hint| hint.replace("`astros ", &format!("`{astros} "))) {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}

fn write(report: &Report, file: &Path) -> Result<(), Error> {
    let markdown = file.extension().is_some_and(|end| end == "md" || end == "markdown");
    let text = if markdown { report.to_markdown() } else { report.to_json() };
    let hint = || format!("it is in `{}` as well", report.files.json.display());
    fs::write(file, text).map_err(|error| unwritten(file, &error).with_hint(hint()))
}

/// Leaves the file as it is, whether it is there or not.
fn can_be_written(file: &Path) -> io::Result<()> {
    match File::create_new(file) {
        Ok(_) => fs::remove_file(file),
        // What is no file, such as a pipe, is opened once only.
        Err(_) if file.is_file() || file.is_dir() => File::options().append(true).open(file).map(drop),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

fn unwritten(file: &Path, error: &io::Error) -> Error {
    let message = format!("the report cannot be written to `{}`: {error}", file.display());
    Error::new(ErrorCode::INVALID_PARAMS, message)
}

/// What came of a run, in a few lines.
fn text(report: &Report, file: Option<&Path>, astros: &str, output: &Output) -> String {
    let took = humantime::format_duration(Duration::from_millis(report.elapsed_ms));
    let Report { workflow, workflow_id, .. } = report;
    let mut lines = match &report.error {
        None => vec![format!("`{workflow}` done in {took}")],
        Some(error) => {
            let not_done = output.style().yellow().apply_to("not done:");
            let mut lines = vec![format!("{not_done} {}", indented(&error.message))];
            lines.extend(error.hint.as_ref().map(|hint| format!("  {}", indented(hint))));
            let resume = format!(
                "  `{astros} workflow run {workflow} --resume={workflow_id}` tries what failed again"
            );
            lines.push(resume);
            lines
        }
    };
    for (name, value) in &report.outputs {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        lines.push(format!("{name}: {}", indented(&value)));
    }
    let kept = file.unwrap_or(&report.files.markdown);
    lines.push(output.style().dim().apply_to(format!("report: {}", kept.display())).to_string());
    lines.join("\n")
}
