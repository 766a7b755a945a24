//! The task of one plugin: does what its state says, and tells the state machine what happened.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Instant,
};

use astros_protocol::{lifecycle::InitializeResult, manifest::Start};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{sleep_until, timeout},
};

use super::{
    Admission, Crash, Event, Host, Session, Spec,
    command::command,
    handshake::{Unready, ended_early, initialize},
    machine::{self, Ended, Machine},
    program::spawn_failed,
    running::{End, Running},
    session::Work,
    state::{Goal, State},
};

/// The number of the next process: a reload runs two versions of a plugin side by side, each with a task of its own.
static GENERATIONS: AtomicU64 = AtomicU64::new(1);

/// What handles ask of the task.
pub(crate) enum Command {
    /// Somebody waits for a session.
    Wanted,
    Enable,
    Reset,
    /// `done` is dropped when no process is left.
    Stop {
        goal: Goal,
        done: oneshot::Sender<()>,
    },
}

/// What handles see.
pub(crate) struct View {
    pub(crate) state: State,
    pub(crate) since: Instant,
    pub(crate) session: Option<Arc<Session>>,
    pub(crate) pid: Option<u32>,
    pub(crate) restarts: u32,
    /// The end of the last process.
    pub(crate) last: Option<Crash>,
}

pub(crate) struct Task<H> {
    spec: Arc<Spec>,
    plugin: Arc<str>,
    host: Arc<H>,
    inbox: mpsc::UnboundedReceiver<Command>,
    /// Nobody holds a handle any more.
    orphaned: bool,
    machine: Machine,
    view: watch::Sender<View>,
    waiting: Arc<AtomicUsize>,
    /// Those that wait until no process is left.
    stopping: Vec<oneshot::Sender<()>>,
    generation: u64,
}

impl<H: Host> Task<H> {
    pub(crate) fn new(
        spec: Spec,
        plugin: Arc<str>,
        host: Arc<H>,
        inbox: mpsc::UnboundedReceiver<Command>,
        waiting: Arc<AtomicUsize>,
    ) -> (Task<H>, watch::Receiver<View>) {
        let mut machine = Machine::new(spec.supervision.clone(), now());
        let admitted = match spec.admission.clone() {
            Admission::Enabled => machine::Event::Enable,
            Admission::Disabled { reason } => machine::Event::Stop(Goal::Disable { reason }),
            Admission::Blocked { reason, hint } => machine::Event::Stop(Goal::Block { reason, hint }),
        };
        // Before anybody can look: a handle never sees a plugin that is merely discovered.
        machine.on(admitted, now(), 0.0);
        let (view, seen) = watch::channel(View {
            state: machine.state().clone(),
            since: machine.since(),
            session: None,
            pid: None,
            restarts: 0,
            last: None,
        });
        let task = Task {
            spec: Arc::new(spec),
            plugin,
            host,
            inbox,
            orphaned: false,
            machine,
            view,
            waiting,
            stopping: Vec::new(),
            generation: 0,
        };
        (task, seen)
    }

    pub(crate) async fn run(mut self) {
        self.tell_state();
        loop {
            self.stopping.clear();
            match self.machine.state() {
                State::Loading => self.live().await,
                _ if self.orphaned => return,
                _ => self.rest().await,
            }
        }
    }

    /// No process: waits for a command, or until it is time.
    async fn rest(&mut self) {
        let due = self.machine.deadline();
        let time = async {
            match due {
                Some(due) => sleep_until(due.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            command = self.inbox.recv() => self.command(command),
            () = time => self.on(machine::Event::Due),
        }
    }

    /// One process, from its start to its end.
    async fn live(&mut self) {
        self.generation = GENERATIONS.fetch_add(1, Ordering::Relaxed);
        let spec = self.spec.clone();
        let Some(mut running) = self.launch(&spec).await else {
            // Where it was to be stopped meanwhile: there is nothing to stop.
            return self.on(machine::Event::Ended(Ended::Finished));
        };
        self.view.send_modify(|view| view.pid = Some(running.process.pid()));
        self.on(machine::Event::Spawned);
        match self.during(initialize(&spec, &mut running)).await {
            Some(Ok(answer)) => self.serve(&spec, running, answer).await,
            Some(Err(Unready::Ended)) => {
                let end = running.end().await;
                let ended = ended_early(&spec, &end, self.is_awaited());
                self.ended(end, ended, None);
            }
            Some(Err(Unready::Refused(error))) => {
                // It runs, and may hold something: it can go by itself.
                running.stop("it could not be started", spec.supervision.stop_grace, false).await;
                let end = running.end().await;
                self.ended(end, Ended::FailedStart(error), None);
            }
            None => self.clean_up(&spec, running, false, None).await,
        }
    }

    /// Starts the process; where that fails, the state says so already.
    async fn launch(&mut self, spec: &Spec) -> Option<Running> {
        let launched = match self.during(command(spec)).await? {
            Err(error) => Err(error),
            Ok(policy) => {
                let service = self.host.service(&self.plugin, self.generation);
                let (host, plugin) = (self.host.clone(), self.plugin.clone());
                let tell = move |line| host.event(Event::Line { plugin: plugin.clone(), line });
                // Not to be given up half-way: it is short, and bounded.
                Running::start(&policy, spec.launcher.as_deref(), service, tell)
                    .await
                    .map_err(|error| spawn_failed(spec, policy.program.as_ref(), &error))
            }
        };
        launched.map_err(|error| self.on(machine::Event::Ended(Ended::FailedStart(Box::new(error))))).ok()
    }

    /// The process is ready: until it is over, idle, or to be stopped.
    async fn serve(&mut self, spec: &Spec, mut running: Running, answer: InitializeResult) {
        let (ended, session) = self.session(spec, &running, answer);
        self.view.send_modify(|view| view.session = Some(session.clone()));
        self.on(machine::Event::Initialized);
        let eager = spec.supervision.start == Start::Eager;
        let over = self.during(async {
            tokio::select! {
                () = running.over() => Over::Ended,
                what = session.failed() => Over::Failed(what),
                () = session.idle(spec.supervision.idle_stop), if !eager => Over::Idle,
            }
        });
        let over = over.await;
        if over == Some(Over::Idle) {
            self.on(machine::Event::Stop(Goal::Idle));
        }
        if matches!(self.machine.state(), State::Draining { .. }) {
            let grace = spec.supervision.stop_grace;
            self.during(async {
                tokio::select! {
                    _ = timeout(grace, session.drained()) => {}
                    () = running.over() => {}
                }
            })
            .await;
            self.on(machine::Event::Drained);
            return self.clean_up(spec, running, true, Some(ended)).await;
        }
        // Who comes now is to wait for the next process.
        self.view.send_modify(|view| view.session = None);
        let mut end = running.end().await;
        if let Some(Over::Failed(what)) = over {
            end.crash.exit = format!("{what} and was killed");
        }
        let in_use = session.in_flight() > 0 || self.is_awaited() || eager;
        let how = if end.success && !in_use {
            Ended::Finished
        } else {
            Ended::Crashed { reason: end.crash.story(), in_use, failed: !end.success }
        };
        self.ended(end, how, Some(ended));
    }

    /// Ends a process that was asked to.
    async fn clean_up(
        &mut self,
        spec: &Spec,
        mut running: Running,
        initialized: bool,
        ended: Option<watch::Sender<Option<Crash>>>,
    ) {
        let reason = match self.machine.state() {
            State::CleaningUp { goal } => goal.reason().to_owned(),
            _ => String::new(),
        };
        self.during(running.stop(&reason, spec.supervision.stop_grace, initialized)).await;
        let mut end = running.end().await;
        end.crash.asked = Some(reason);
        self.ended(end, Ended::Finished, ended);
    }

    /// There is no process any more.
    fn ended(&mut self, end: End, how: Ended, session: Option<watch::Sender<Option<Crash>>>) {
        let End { mut crash, pid, .. } = end;
        self.host.event(Event::Ended {
            plugin: self.plugin.clone(),
            pid,
            exit: crash.exit.clone(),
            ran: crash.ran,
            asked: crash.asked.is_some(),
        });
        self.view.send_modify(|view| {
            view.session = None;
            view.pid = None;
            view.last = Some(crash.clone());
        });
        self.on(machine::Event::Ended(how));
        crash.outlook = self.machine.outlook(now());
        if let Some(session) = session {
            session.send_replace(Some(crash));
        }
    }

    fn session(
        &self,
        spec: &Spec,
        running: &Running,
        answer: InitializeResult,
    ) -> (watch::Sender<Option<Crash>>, Arc<Session>) {
        let mut description = answer.plugin;
        if description.name != spec.name {
            let said = std::mem::replace(&mut description.name, spec.name.clone());
            if !said.is_empty() {
                let text =
                    format!("its code says that its name is `{said}`, its manifest `{}` holds", spec.name);
                self.host.event(Event::Oddity { plugin: self.plugin.clone(), text });
            }
        }
        let description = Arc::new(description);
        self.host.event(Event::Described { plugin: self.plugin.clone(), description: description.clone() });
        let mut limits = answer.limits;
        let ours = spec.supervision.max_in_flight.get();
        limits.max_in_flight = Some(limits.max_in_flight.map_or(ours, |theirs| theirs.clamp(1, ours)));
        let (ended, seen) = watch::channel(None);
        let session = Session {
            plugin: self.plugin.clone(),
            peer: running.peer.clone(),
            description,
            version: answer.protocol_version,
            features: answer.features,
            limits,
            pid: running.process.pid(),
            containment: running.process.containment(),
            generation: self.generation,
            work: Arc::new(Work::new()),
            ended: seen,
        };
        (ended, Arc::new(session))
    }

    fn is_awaited(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    /// Waits for something while commands are taken; `None` as soon as they lead to another state.
    async fn during<T>(&mut self, future: impl Future<Output = T>) -> Option<T> {
        tokio::pin!(future);
        let name = self.machine.state().name();
        loop {
            tokio::select! {
                biased;
                done = &mut future => return Some(done),
                command = self.inbox.recv(), if !self.orphaned => self.command(command),
            }
            if self.machine.state().name() != name {
                return None;
            }
        }
    }

    fn command(&mut self, command: Option<Command>) {
        match command {
            Some(Command::Wanted) => self.on(machine::Event::Wanted),
            Some(Command::Enable) => self.on(machine::Event::Enable),
            Some(Command::Reset) => self.on(machine::Event::Reset),
            Some(Command::Stop { goal, done }) => {
                self.stopping.push(done);
                self.on(machine::Event::Stop(goal));
            }
            None => {
                self.orphaned = true;
                let reason = "the daemon stops".to_owned();
                self.on(machine::Event::Stop(Goal::Unload { reason }));
            }
        }
    }

    fn on(&mut self, event: machine::Event) {
        if self.machine.on(event, now(), fastrand::f64()) {
            let machine = &self.machine;
            self.view.send_modify(|view| {
                view.state = machine.state().clone();
                view.since = machine.since();
                view.restarts = machine.restarts();
                if *machine.state() != State::Ready {
                    view.session = None;
                }
            });
            self.tell_state();
        }
    }

    fn tell_state(&self) {
        let state = self.machine.state();
        self.host.event(Event::StateChanged {
            plugin: self.plugin.clone(),
            state: state.name(),
            reason: state.reason().map(str::to_owned),
        });
    }
}

/// Why a ready process is looked at.
#[derive(PartialEq)]
enum Over {
    Ended,
    Failed(String),
    Idle,
}

/// By tokio's clock, which tests can pause.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
