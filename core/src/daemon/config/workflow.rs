//! The section `workflow`: what a developer of workflows wants to see. It may stand below `development` as well, and
//! in the file `development.yaml` beside `astros.yaml`.

use std::path::Path;

use astros_protocol::manifest::Document;
use serde::Deserialize;

use super::{Config, ConfigError};
use crate::workflow::Switches;

/// The file for development.
const FILE: &str = "development.yaml";

/// `workflow`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(default, expecting = "a mapping")]
pub struct WorkflowSection {
    /// Stops before each step and asks, where somebody is there.
    enable_step_debugging: bool,
    /// Keeps what each step is given and gives.
    save_intermediate_results: bool,
    /// Keeps stacks and last words of what fails.
    detailed_error_traces: bool,
}

/// `development`, as far as it is about workflows.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default, expecting = "a mapping")]
pub struct Development {
    pub workflow: WorkflowSection,
}

impl WorkflowSection {
    pub(super) const NAMES: [&str; 3] =
        ["enable_step_debugging", "save_intermediate_results", "detailed_error_traces"];

    /// What either wants.
    pub(super) fn or(self, other: WorkflowSection) -> WorkflowSection {
        WorkflowSection {
            enable_step_debugging: self.enable_step_debugging || other.enable_step_debugging,
            save_intermediate_results: self.save_intermediate_results || other.save_intermediate_results,
            detailed_error_traces: self.detailed_error_traces || other.detailed_error_traces,
        }
    }
}

impl Config {
    /// What is wanted of every run, by `astros.yaml` and by `development.yaml` beside it, as that is now.
    ///
    /// # Errors
    /// `development.yaml` is there, and cannot be read or understood.
    pub fn switches(&self) -> Result<Switches, ConfigError> {
        let beside = self.path.parent().map(|folder| development(&folder.join(FILE))).transpose()?;
        let WorkflowSection { enable_step_debugging, save_intermediate_results, detailed_error_traces } =
            self.workflow.or(beside.unwrap_or_default());
        Ok(Switches {
            step: enable_step_debugging,
            save_intermediate: save_intermediate_results,
            traces: detailed_error_traces,
        })
    }
}

fn development(path: &Path) -> Result<WorkflowSection, ConfigError> {
    #[derive(Default, Deserialize)]
    #[serde(default, expecting = "a mapping")]
    struct File {
        development: Development,
    }
    let Some(text) = super::text_if_there(path)? else { return Ok(WorkflowSection::default()) };
    let file: File = Document::parse(&text, path)?.read()?;
    Ok(file.development.workflow)
}
