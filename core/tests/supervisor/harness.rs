//! A folder with the plugin in it, a host that writes down what it is told, and waits with a bound.

use std::{
    fs,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use astros_core::supervisor::{Event, Host, Launch, LogLine, Session, Spec, StateName, Supervisor};
use astros_peer::{Failure, Incoming, Service};
use serde_json::{Value, json, value::RawValue};
use tempfile::TempDir;
use tokio::{sync::Notify, time::timeout};

/// No test waits longer for anything.
const PATIENCE: Duration = Duration::from_secs(15);

/// The variable that all processes of a plugin have: its folder.
const MARK: &str = "ASTROS_TEST_FOLDER";

/// Refuses what plugins ask.
pub(crate) struct NoService;

impl Service for NoService {
    type Params<'a> = &'a RawValue;

    fn request(&self, request: Incoming<'_, &RawValue>) {
        request.responder.result(&());
    }
}

/// Writes events down.
#[derive(Default)]
pub(crate) struct Notes {
    events: Mutex<Vec<Event>>,
    changed: Notify,
}

impl Host for Notes {
    type Service = NoService;

    fn service(&self, _: &str, _: u64) -> NoService {
        NoService
    }

    fn event(&self, event: Event) {
        self.events.lock().unwrap().push(event);
        self.changed.notify_waiters();
    }
}

impl Notes {
    pub(crate) fn states(&self) -> Vec<StateName> {
        self.collect(|event| match event {
            Event::StateChanged { state, .. } => Some(*state),
            _ => None,
        })
    }

    pub(crate) fn lines(&self) -> Vec<LogLine> {
        self.collect(|event| match event {
            Event::Line { line, .. } => Some(line.clone()),
            _ => None,
        })
    }

    pub(crate) fn exits(&self) -> Vec<String> {
        self.collect(|event| match event {
            Event::Ended { exit, .. } => Some(exit.clone()),
            _ => None,
        })
    }

    pub(crate) fn collect<T>(&self, pick: impl FnMut(&Event) -> Option<T>) -> Vec<T> {
        self.events.lock().unwrap().iter().filter_map(pick).collect()
    }

    /// Waits until the last state is this one.
    pub(crate) async fn reaches(&self, wanted: StateName) {
        let reached = async {
            loop {
                let changed = self.changed.notified();
                if self.states().last() == Some(&wanted) {
                    return;
                }
                changed.await;
            }
        };
        timeout(PATIENCE, reached).await.unwrap_or_else(|_| panic!("never {wanted}: {:?}", self.states()));
    }
}

/// A supervised plugin.
pub(crate) struct Test {
    pub(crate) folder: TempDir,
    pub(crate) notes: Arc<Notes>,
    pub(crate) supervisor: Supervisor,
}

/// The plugin in Python, with these arguments.
pub(crate) fn plugin(modes: &[&str], adjust: impl FnOnce(&mut Spec)) -> Test {
    let words = ["python3", "plugin.py"].iter().chain(modes).map(|word| (*word).to_owned()).collect();
    launched(Launch::Command(words), |folder, spec| {
        fs::write(folder.join("plugin.py"), include_str!("plugin.py")).unwrap();
        adjust(spec);
    })
}

/// Any program, in a folder of its own.
pub(crate) fn launched(launch: Launch, adjust: impl FnOnce(&Path, &mut Spec)) -> Test {
    let folder = TempDir::new().unwrap();
    let mut spec = Spec::new("test", folder.path(), launch);
    fs::create_dir(folder.path().join("data")).unwrap();
    spec.directories.data = folder.path().join("data").display().to_string();
    spec.supervision.backoff_initial = Duration::from_millis(20);
    spec.supervision.stop_grace = Duration::from_secs(1);
    Arc::make_mut(&mut spec.environment).push((MARK.into(), folder.path().into()));
    adjust(folder.path(), &mut spec);
    let notes = Arc::new(Notes::default());
    let supervisor = Supervisor::start(spec, notes.clone());
    Test { folder, notes, supervisor }
}

impl Test {
    /// Waits until none of the plugin's processes is left; their ids in its namespace would say nothing here.
    pub(crate) async fn leaves_nobody(&self) {
        let wanted = format!("{MARK}={}", self.folder.path().display()).into_bytes();
        let is_marked = |path: &Path| {
            let environment = fs::read(path.join("environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|variable| variable == wanted)
        };
        for _ in 0..200 {
            if !fs::read_dir("/proc").unwrap().flatten().any(|entry| is_marked(&entry.path())) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("a process of the plugin is still there");
    }

    pub(crate) async fn ready(&self) -> Arc<Session> {
        let ready = timeout(PATIENCE, self.supervisor.ready()).await.expect("ready in time");
        ready.unwrap_or_else(|error| panic!("{error}: {:?}", error.data))
    }

    /// Waits for what no event of the plugin's tells: it is looked at again and again.
    pub(crate) async fn until(&self, holds: impl Fn() -> bool) {
        for _ in 0..2_000 {
            if holds() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("it does not come to that: {:?}", self.supervisor.status());
    }

    /// Why it does not get ready.
    pub(crate) async fn refusal(&self) -> astros_protocol::Error {
        let ready = timeout(PATIENCE, self.supervisor.ready()).await.expect("refused in time");
        ready.err().expect("it gets ready")
    }
}

/// Asks, counted as work.
pub(crate) async fn ask(session: &Arc<Session>, method: &str, params: Value) -> Result<Value, Failure> {
    let _working = session.begin();
    let answer = timeout(PATIENCE, session.peer.call(method, &params)).await.expect("an outcome in time")?;
    Ok(serde_json::from_str(answer.get()).unwrap())
}

/// Asks for what ends the process, and gives the error of that end.
pub(crate) async fn ask_for_death(
    session: &Arc<Session>,
    method: &str,
    params: Value,
) -> astros_protocol::Error {
    assert_eq!(ask(session, method, params).await, Err(Failure::Closed));
    session.crashed().await
}

pub(crate) async fn echoes(session: &Arc<Session>) {
    assert_eq!(ask(session, "echo", json!({ "a": 1 })).await, Ok(json!({ "a": 1 })));
}

/// Waits until no process has this id; zombies are gone soon too. There is no event for a stranger's end.
pub(crate) async fn gone(pid: u32) {
    let alive = || match fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => !stat.contains(") Z "),
        Err(_) => false,
    };
    for _ in 0..200 {
        if !alive() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("process {pid} is still there");
}
