//! The section `workflow`: what a developer of workflows wants to see of every run. `development.yaml` has it too.

use serde::Deserialize;

use crate::workflow::Switches;

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

impl WorkflowSection {
    pub(in crate::daemon) const NAMES: [&str; 3] =
        ["enable_step_debugging", "save_intermediate_results", "detailed_error_traces"];
}

impl From<WorkflowSection> for Switches {
    fn from(section: WorkflowSection) -> Switches {
        Switches {
            step: section.enable_step_debugging,
            save_intermediate: section.save_intermediate_results,
            traces: section.detailed_error_traces,
        }
    }
}
