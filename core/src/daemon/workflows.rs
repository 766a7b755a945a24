//! Workflows: which files there are, what is in them, and their runs.

use std::{
    io,
    path::{Path, PathBuf},
};

use astros_protocol::{Error, ErrorCode, Extra, manifest::Folder, workflow::WorkflowKind};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Daemon, internal};
use crate::{
    agent::{Person, recognition},
    router::{Offer, errors::nearest},
    supervisor::Admission,
    workflow::{For, Given, Report, RunSummary, Switches, Watcher, Workflow, bad_file},
};

/// One workflow, as it is listed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ListedWorkflow {
    pub name: String,
    pub description: String,
    /// The plugin that it comes with; none where it is the person's own.
    pub plugin: Option<String>,
    pub path: PathBuf,
    /// Why it cannot be run.
    pub problem: Option<String>,
}

/// A workflow with all that it names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShownWorkflow {
    pub path: PathBuf,
    /// With every default filled in, as its JSON Schema says.
    pub workflow: Value,
    pub parts: Vec<ShownPart>,
    /// What keeps it from being run, one sentence each.
    pub problems: Vec<String>,
}

/// A part that a workflow names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShownPart {
    pub phase: String,
    pub kind: WorkflowKind,
    pub name: String,
    /// Who brings it; none where nobody does, or several.
    pub plugin: Option<String>,
}

/// A run that somebody wants.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Order {
    /// The workflow's name, or its file.
    pub workflow: String,
    pub task: Option<Value>,
    /// Texts are read as what the inputs are.
    pub inputs: Extra,
    pub provider: Option<String>,
    /// Takes up a run that was interrupted or has failed; task and inputs are its own.
    pub resume: bool,
    /// That run; the newest one where it is not said.
    pub run: Option<String>,
    pub switches: Switches,
}

impl Daemon {
    /// All workflows, by name: the person's own, and those that come with plugins.
    pub async fn workflows(&self) -> Result<Vec<ListedWorkflow>, Error> {
        let setup = self.setup();
        let wanted =
            setup.plugins.values().filter(|one| !matches!(one.spec.admission, Admission::Disabled { .. }));
        let plugins: Vec<(String, PathBuf)> =
            wanted.map(|one| (one.entry.name.clone(), one.entry.folder.clone())).collect();
        let own = self.base.paths.workflows();
        let read = move || {
            let of_plugins = plugins.iter().flat_map(|(plugin, folder)| {
                let read = |path: PathBuf| listed(Some(plugin), path, Some(folder));
                files_of_plugin(folder).into_iter().map(read)
            });
            let own = std::fs::read_dir(own).into_iter().flatten().flatten().map(|entry| entry.path());
            own.filter(|path| is_workflow(path))
                .map(|path| listed(None, path, None))
                .chain(of_plugins)
                .collect()
        };
        let mut found: Vec<ListedWorkflow> = tokio::task::spawn_blocking(read).await.map_err(internal)?;
        found.sort_by(|one, other| (&one.name, &one.plugin).cmp(&(&other.name, &other.plugin)));
        Ok(found)
    }

    /// A workflow and the parts that it names; plugins that were never asked what they offer are asked.
    ///
    /// # Errors
    /// There is no such workflow. What is wrong with its file is told in `problems`.
    pub async fn workflow(&self, named: &str, person: &Person) -> Result<ShownWorkflow, Error> {
        let (path, within) = self.workflow_file(named, person).await?;
        let (workflow, text) = match Workflow::read(&path, within.as_deref()) {
            Ok(read) => read,
            Err(errors) => {
                let problems = errors.iter().map(ToString::to_string).collect();
                return Ok(ShownWorkflow { path, workflow: Value::Null, parts: Vec::new(), problems });
            }
        };
        self.learn().await;
        let parts = workflow.parts(&self.router);
        let parts =
            parts.into_iter().map(|(phase, kind, name, plugin)| ShownPart { phase, kind, name, plugin });
        let missing = workflow.missing_parts(&self.router, &text, &path);
        Ok(ShownWorkflow {
            parts: parts.collect(),
            problems: missing.iter().map(ToString::to_string).collect(),
            workflow: json!(workflow),
            path,
        })
    }

    /// Does a workflow, or takes a run of it up again; `watcher` is told how it goes.
    ///
    /// # Errors
    /// It cannot be begun or brought to an end. That a part failed is said by the report.
    pub async fn run_workflow(
        &self,
        order: Order,
        person: &Person,
        watcher: Watcher,
    ) -> Result<Report, Error> {
        let root = person.root();
        let switches = self.switches(&order, person);
        let on = For { root, watcher, switches, timeout: person.timeout };
        if order.resume {
            self.learn().await;
            let file = absolute(&order.workflow, person);
            let named = if is_file(&order.workflow) {
                file.to_string_lossy()
            } else {
                order.workflow.as_str().into()
            };
            return self.engine.resume(&named, order.run.as_deref(), on).await;
        }
        let (path, within) = self.workflow_file(&order.workflow, person).await?;
        let read = Workflow::read(&path, within.as_deref());
        let (workflow, text) = read.map_err(|errors| bad_file(&errors))?;
        let inputs = workflow.inputs(order.inputs, |typed| absolute(typed, person))?;
        self.learn().await;
        let missing = workflow.missing_parts(&self.router, &text, &path);
        if !missing.is_empty() {
            return Err(bad_file(&missing));
        }
        if let Some(provider) = &order.provider {
            self.router.offering(Offer::Provider, provider, None).await?;
        }
        let given = Given { task: order.task.unwrap_or_else(|| "".into()), inputs, provider: order.provider };
        self.engine.run(workflow, Some(path), given, on).await
    }

    /// The runs that are kept, the newest first.
    pub async fn workflow_runs(&self) -> Result<Vec<RunSummary>, Error> {
        self.engine.runs().await
    }

    /// What is wanted of this run, and of every run. Nobody is asked before each step where nobody is there, unless
    /// this run is to be so.
    fn switches(&self, order: &Order, person: &Person) -> Switches {
        let mut always = self.base.options.development.workflow.or(self.setup().config.workflow.into());
        always.step &= person.questions.is_some();
        order.switches.or(always)
    }

    /// The file of a workflow, and the plugin's folder that it has to be in; a person's own goes before those of plugins.
    async fn workflow_file(&self, named: &str, person: &Person) -> Result<(PathBuf, Option<PathBuf>), Error> {
        if is_file(named) {
            return Ok((absolute(named, person), None));
        }
        let folder = |one: &ListedWorkflow| {
            let setup = self.setup();
            one.plugin.as_ref().and_then(|name| Some(setup.plugins.get(name)?.entry.folder.clone()))
        };
        let all = self.workflows().await?;
        let found: Vec<&ListedWorkflow> = all.iter().filter(|one| one.name == named).collect();
        match (found.iter().find(|one| one.plugin.is_none()), &found[..]) {
            (Some(one), _) | (None, [one]) => Ok((one.path.clone(), folder(one))),
            (None, []) => Err(self.no_workflow(named, &all)),
            (None, several) => {
                let paths: Vec<String> =
                    several.iter().map(|one| format!("`{}`", one.path.display())).collect();
                let message = format!("several plugins have a workflow `{named}`: {}", paths.join(", "));
                Err(Error::new(ErrorCode::INVALID_PARAMS, message).with_hint("name the file instead"))
            }
        }
    }

    fn no_workflow(&self, named: &str, all: &[ListedWorkflow]) -> Error {
        let error = Error::new(ErrorCode::INVALID_PARAMS, format!("there is no workflow `{named}`"));
        let own = self.base.paths.workflows();
        error.with_hint(match nearest(named, all.iter().map(|one| &*one.name)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!(
                "workflows are files in `{}`, or come with plugins; a path names any other",
                own.display()
            ),
        })
    }
}

/// The files of a plugin's workflows; their folder where it cannot be looked into: to read that says why.
fn files_of_plugin(folder: &Path) -> Vec<PathBuf> {
    let place = folder.join("workflows");
    match Folder::open(folder).and_then(|opened| opened.names("workflows")) {
        Ok(names) => names.iter().map(|name| place.join(name)).filter(|path| is_workflow(path)).collect(),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Vec::new()
        }
        Err(_) => vec![place],
    }
}

fn is_workflow(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == "yaml" || end == "yml")
}

fn listed(plugin: Option<&str>, path: PathBuf, within: Option<&Path>) -> ListedWorkflow {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let (name, description, problem) = match Workflow::read(&path, within) {
        Ok((workflow, _)) => (workflow.name, workflow.description, None),
        Err(errors) => (stem, String::new(), errors.first().map(ToString::to_string)),
    };
    ListedWorkflow { name, description, plugin: plugin.map(str::to_owned), path, problem }
}

/// Whether a file is named, not a workflow.
fn is_file(named: &str) -> bool {
    named.contains('/') || named.ends_with(".yaml") || named.ends_with(".yml")
}

fn absolute(typed: &str, person: &Person) -> PathBuf {
    recognition::resolve(typed, &person.cwd, &person.home)
}
