//! A home with the plugin `parts`, and a daemon there that runs workflows.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use astros_core::{
    agent::Person,
    daemon::{Daemon, Options, Order},
    router::Asked,
    workflow::{Report, StepOutcome, Watcher},
};
use astros_protocol::Error;
use serde_json::{Value, json};
use tempfile::TempDir;

/// No test waits longer for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Home {
    folder: TempDir,
}

impl Home {
    pub(crate) fn new() -> Home {
        let home = Home { folder: TempDir::new().unwrap() };
        home.plugin("parts", &[]);
        home
    }

    /// With a plugin that brings these agents beside those that all bring.
    pub(crate) fn plugin(&self, name: &str, agents: &[&str]) {
        let words: Vec<&str> = ["python3", "code.py"].iter().chain(agents).copied().collect();
        let manifest = format!(
            "metadata: {{name: {name}}}\nplugin_types: [workflow]\npermissions: [ai]\nrun: {{command: {}}}\n",
            json!(words)
        );
        self.write(&format!("plugins/{name}/plugin.yaml"), &manifest);
        self.write(&format!("plugins/{name}/code.py"), include_str!("plugin.py"));
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// What the parts noted.
    pub(crate) fn noted(&self) -> Vec<String> {
        let text = fs::read_to_string(self.data("noted")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// A file in the plugin's own folder.
    pub(crate) fn data(&self, name: &str) -> PathBuf {
        self.path("home/data/plugin-data/parts").join(name)
    }

    pub(crate) fn options(&self) -> Options {
        Options { plugin_dirs: vec![self.path("plugins")], ..Options::at(self.path("home")) }
    }

    pub(crate) async fn start(&self) -> Arc<Daemon> {
        Arc::new(Daemon::start(self.options()).await.unwrap())
    }

    pub(crate) fn person(&self) -> Person {
        Person {
            user_id: "ada".to_owned(),
            session_id: "s".to_owned(),
            cwd: self.path(""),
            home: self.path(""),
            locale: None,
            timeout: None,
            questions: None,
        }
    }

    /// Writes a workflow, and runs it in a daemon of its own.
    pub(crate) async fn run(&self, file: &str) -> Result<Report, Error> {
        self.run_with(file, Order { task: Some("t".into()), ..Order::default() }).await
    }

    pub(crate) async fn run_with(&self, file: &str, order: Order) -> Result<Report, Error> {
        self.write("flow.yaml", file);
        self.order(order, None, None).await
    }

    /// Runs `flow.yaml` where the order names none.
    pub(crate) async fn order(
        &self,
        mut order: Order,
        watcher: Watcher,
        questions: Option<Asked>,
    ) -> Result<Report, Error> {
        if order.workflow.is_empty() {
            order.workflow = "./flow.yaml".to_owned();
        }
        let daemon = self.start().await;
        let person = Person { questions, ..self.person() };
        let ended = daemon.run_workflow(order, &person, watcher).await;
        daemon.stop().await;
        ended
    }
}

/// The command, with the plugins of a home.
pub(crate) fn astros(home: &Home) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_astros"));
    command.env("ASTROS_HOME", home.path("home")).env("HOME", home.path(""));
    command.args(["--plugin-dir", home.path("plugins").to_str().unwrap()]).current_dir(home.path(""));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

/// A step of a report.
pub(crate) fn step<'a>(report: &'a Report, phase: &str, step: &str) -> &'a StepOutcome {
    let found = report.phases.iter().find(|one| one.phase == phase).expect("the phase was run");
    found.steps.iter().find(|one| one.step == step).expect("the step was run")
}

/// What a report says of its phases: the name, and whether it is `done`, `failed` or `skipped`.
pub(crate) fn phases(report: &Report) -> Value {
    let outcome = |success, skipped| match (success, skipped) {
        (_, true) => "skipped",
        (true, _) => "done",
        (false, _) => "failed",
    };
    report.phases.iter().map(|phase| json!([phase.phase, outcome(phase.success, phase.skipped)])).collect()
}

/// Waits for what no event tells.
pub(crate) async fn until(what: &str, done: impl Fn() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
