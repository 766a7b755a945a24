//! `astros workflow …` as clap reads it.

use std::path::PathBuf;

use clap::{Args, Subcommand};

const NAMED: &str = "The workflow's name, or its file; `astros workflow list` has the names";

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Workflow {
    /// List the workflows: your own, and those that come with plugins
    List,
    /// Show what a workflow takes and does, and who does it
    Show {
        #[arg(help = NAMED)]
        name: String,
    },
    /// Look for what is wrong with a workflow
    Check {
        #[arg(help = NAMED)]
        name: String,
    },
    /// Run a workflow
    #[command(after_help = "Examples:
  astros workflow run review --task \"look for leaks\" --input path=./src
  astros workflow run ./review.yaml --report review.md
  astros workflow run review --resume")]
    Run(RunWorkflow),
    /// List the runs, the newest first
    Runs,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct RunWorkflow {
    #[arg(help = NAMED)]
    pub(in crate::cli) name: String,
    /// What is to be done
    #[arg(long, value_name = "TEXT")]
    pub(in crate::cli) task: Option<String>,
    /// What it takes; repeatable
    #[arg(long = "input", value_name = "NAME=VALUE", value_parser = input)]
    pub(in crate::cli) inputs: Vec<(String, String)>,
    /// The provider of AI models that its parts are to use
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) provider: Option<String>,
    /// Go on with a run that was interrupted or has failed; the newest one where no id is named
    #[arg(long, value_name = "ID", num_args = 0..=1, require_equals = true, conflicts_with_all = ["task", "inputs", "provider"])]
    pub(in crate::cli) resume: Option<Option<String>>,
    /// Write the report to this file, too: Markdown where it ends in `.md`, else JSON
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) report: Option<PathBuf>,
    /// Stop before each step and ask
    #[arg(long)]
    pub(in crate::cli) step: bool,
    /// Keep what each step is given and gives, beside the report
    #[arg(long)]
    pub(in crate::cli) save_intermediate: bool,
    /// Show and report stacks and last words of what fails
    #[arg(long)]
    pub(in crate::cli) traces: bool,
}

fn input(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected a name and a value, such as `depth=3`")?;
    Ok((name.trim().to_owned(), value.to_owned()))
}
