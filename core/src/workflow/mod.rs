//! Workflows: phases that parts of plugins do, by a file that says which.
//!
//! [`Engine::run`] does one. What became of each step is kept before the next one is decided on, and what is next is
//! a pure function of that ([`plan`]), so that a run that was interrupted at any moment goes on where it was.

mod check;
mod expression;
mod file;
mod input;
mod jinja;
mod news;
mod orchestrate;
mod outcome;
mod parts;
mod phase;
mod place;
mod plan;
mod read;
mod report;
mod run;
mod runs;
mod step;
mod stops;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use astros_protocol::{Error, Extra, manifest::ManifestError, workflow::WorkflowKind};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    router::{Router, tree::Root},
    services::storage::Store,
};

pub use file::{Workflow, schema};
pub use news::Watcher;
pub use outcome::{Failure, PhaseOutcome, StepOutcome};
pub use report::{Evidence, Report};
pub use runs::{RunState, RunSummary};

/// Runs workflows.
pub struct Engine {
    router: Arc<Router>,
    store: Store,
    /// Where each run has a folder.
    folder: PathBuf,
}

/// What a run is given.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Given {
    /// What is to be done.
    pub task: Value,
    pub inputs: Extra,
    /// The provider of AI models that the person wishes.
    #[serde(default)]
    pub provider: Option<String>,
}

/// What a developer wants to see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Switches {
    /// Stops before each step and asks.
    pub step: bool,
    /// Keeps what each step is given and gives.
    pub save_intermediate: bool,
    /// Keeps stacks and last words of what fails.
    pub traces: bool,
}

impl Switches {
    /// What either wants.
    pub fn or(self, other: Switches) -> Switches {
        Switches {
            step: self.step || other.step,
            save_intermediate: self.save_intermediate || other.save_intermediate,
            traces: self.traces || other.traces,
        }
    }
}

/// On whose behalf a run is, and who watches it.
pub struct For {
    pub root: Arc<Root>,
    pub watcher: Watcher,
    pub switches: Switches,
    /// The time that all of it may take, as the workflow's own.
    pub timeout: Option<Duration>,
}

impl Engine {
    /// An engine that keeps a folder for each run in `folder`.
    pub fn new(router: Arc<Router>, store: Store, folder: PathBuf) -> Engine {
        Engine { router, store, folder }
    }
}

impl Workflow {
    /// The inputs of a run: what is given, and defaults. Texts are read as what their inputs are; `absolute` makes a
    /// path so.
    ///
    /// # Errors
    /// One is missing, is not declared, or is something else; all of them are said.
    pub fn inputs(&self, given: Extra, absolute: impl Fn(&str) -> PathBuf) -> Result<Extra, Error> {
        input::resolve(self, given, absolute)
    }

    /// The parts that it names: the phase, the part's kind and name, and who brings it.
    pub fn parts(&self, router: &Router) -> Vec<(String, WorkflowKind, String, Option<String>)> {
        let phases = self.phases.iter().flat_map(|phase| {
            let parts = usize::from(phase.part().is_some()) + phase.agents.len();
            std::iter::repeat_n(&phase.name, parts)
        });
        let named = parts::named(self).into_iter().zip(phases);
        let shown = named.map(|((_, part), phase)| {
            let plugin = part.plugin(router, None).ok().map(|plugin| plugin.to_string());
            (phase.clone(), part.kind, part.name.to_owned(), plugin)
        });
        shown.collect()
    }

    /// The parts that it names and nobody brings, each as an error with its place in the file `path`, whose text
    /// this is.
    pub fn missing_parts(&self, router: &Router, text: &str, path: &Path) -> Vec<ManifestError> {
        let missing = parts::named(self).into_iter().filter_map(|(pointer, part)| {
            let error = part.plugin(router, None).err()?;
            Some((pointer, error))
        });
        read::at_places(text, path, missing)
    }
}

/// One error of several about a file.
pub fn bad_file(errors: &[ManifestError]) -> Error {
    read::bad_file(errors)
}
