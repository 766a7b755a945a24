//! The task of one instance of a plugin: does what its state says, and tells the state machine what happened.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use tokio::{
    sync::{mpsc, oneshot, watch},
    time::sleep_until,
};

use super::{
    Admission, Crash, Event, Host, Kill, Spec,
    command::command,
    handshake::{Unready, ended_early, initialize},
    machine::{self, Ended, Machine},
    program::spawn_failed,
    running::{End, Running},
    state::{Goal, State},
    view::{Last, Shared, View, lead},
};

/// The number of the next process: a reload runs two versions of a plugin side by side, each with tasks of its own.
static GENERATIONS: AtomicU64 = AtomicU64::new(1);

pub(super) fn next_generation() -> u64 {
    GENERATIONS.fetch_add(1, Ordering::Relaxed)
}

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

pub(crate) struct Task<H> {
    pub(super) instance: u32,
    pub(super) shared: Arc<Shared>,
    host: Arc<H>,
    inbox: mpsc::UnboundedReceiver<Command>,
    /// Nobody holds a handle any more.
    orphaned: bool,
    pub(super) machine: Machine,
    pub(super) views: watch::Sender<Vec<View>>,
    /// Those that wait until no process is left.
    stopping: Vec<oneshot::Sender<()>>,
    pub(super) generation: u64,
}

impl<H: Host> Task<H> {
    pub(crate) fn new(
        instance: u32,
        shared: Arc<Shared>,
        host: Arc<H>,
        inbox: mpsc::UnboundedReceiver<Command>,
        views: watch::Sender<Vec<View>>,
    ) -> Task<H> {
        let spec = shared.spec();
        let mut machine = Machine::new(spec.supervision.clone(), now());
        let admitted = match spec.admission.clone() {
            Admission::Enabled => machine::Event::Enable,
            Admission::Disabled { reason } => machine::Event::Stop(Goal::Disable { reason }),
            Admission::Blocked { reason, hint } => machine::Event::Stop(Goal::Block { reason, hint }),
        };
        // Before anybody can look: a handle never sees a plugin that is merely discovered.
        machine.on(admitted, now(), 0.0);
        let (state, since) = (machine.state().clone(), machine.since());
        let view = View { state, since, session: None, pid: None, restarts: 0, last: None };
        views.send_modify(|views| views.push(view));
        let (stopping, generation) = (Vec::new(), 0);
        Task { instance, shared, host, inbox, orphaned: false, machine, views, stopping, generation }
    }

    pub(crate) async fn run(mut self) {
        if self.instance == 0 {
            self.shared.tell_state(self.machine.state());
        }
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
        self.generation = next_generation();
        let spec = self.shared.spec();
        let Some(mut running) = self.launch(&spec).await else {
            // Where it was to be stopped meanwhile: there is nothing to stop.
            return self.on(machine::Event::Ended(Ended::Finished));
        };
        self.change(|view| view.pid = Some(running.process.pid()));
        self.on(machine::Event::Spawned);
        match self.during(initialize(&spec, self.instance, &mut running)).await {
            Some(Ok(answer)) => self.serve(&spec, running, answer).await,
            Some(Err(Unready::Ended)) => {
                let end = running.end().await;
                let ended = ended_early(&spec, &end, self.is_awaited());
                self.ended(end, ended, None);
            }
            Some(Err(Unready::Refused(error))) => {
                // It runs, and may hold something: it can go by itself.
                let grace = spec.supervision.stop_grace;
                running.stop("it could not be started", grace, false).await;
                let end = running.end().await;
                self.ended(end, Ended::FailedStart(error), Some(Kill::StopForced));
            }
            None => self.clean_up(running, false, None).await,
        }
    }

    /// Starts the process; where that fails, the state says so already.
    async fn launch(&mut self, spec: &Spec) -> Option<Running> {
        let shared = self.shared.clone();
        let launched = match self.during(command(spec)).await? {
            Err(error) => Err(error),
            Ok(prepared) => {
                let service = self.host.service(&shared.plugin, self.generation);
                let (host, plugin) = (self.host.clone(), shared.plugin.clone());
                let tell = move |line| host.event(Event::Line { plugin: plugin.clone(), line });
                let (host, plugin) = (self.host.clone(), shared.plugin.clone());
                let generation = self.generation;
                let network = move |report| host.network(&plugin, generation, report);
                let program = prepared.policy.program.clone();
                // Not to be given up half-way: it is short, and bounded.
                Running::start(spec, prepared, service, tell, network)
                    .await
                    .map_err(|error| spawn_failed(spec, program.as_ref(), &error))
            }
        };
        launched.map_err(|error| self.on(machine::Event::Ended(Ended::FailedStart(Box::new(error))))).ok()
    }

    /// Ends a process that was asked to; `session` learns of it.
    pub(super) async fn clean_up(
        &mut self,
        mut running: Running,
        initialized: bool,
        session: Option<watch::Sender<Option<Crash>>>,
    ) {
        let reason = match self.machine.state() {
            State::CleaningUp { goal } => goal.reason().to_owned(),
            _ => String::new(),
        };
        let grace = self.shared.spec().supervision.stop_grace;
        self.during(running.stop(&reason, grace, initialized)).await;
        let mut end = running.end().await;
        end.crash.asked = Some(reason);
        let crash = self.ended(end, Ended::Finished, Some(Kill::StopForced));
        if let Some(session) = session {
            session.send_replace(Some(crash));
        }
    }

    /// There is no process any more. `kill`: why the host killed it, if it did.
    pub(super) fn ended(&mut self, end: End, how: Ended, kill: Option<Kill>) -> Crash {
        let End { mut crash, pid, exit, kill: known } = end;
        self.shared.tell(Event::Ended {
            plugin: self.shared.plugin.clone(),
            instance: self.instance,
            generation: self.generation,
            pid,
            exit: crash.exit.clone(),
            ran: crash.ran,
            asked: crash.asked.is_some(),
            killed: known.or(kill).filter(|_| exit.is_none()),
        });
        self.change(|view| {
            view.session = None;
            view.pid = None;
            view.last = Some(Last { crash: crash.clone(), at: now() });
        });
        let forbidden = exit.is_some_and(|exit| self.shared.spec().supervision.no_restart_on.contains(&exit));
        self.on(machine::Event::Ended(match (forbidden, how) {
            (true, Ended::Finished | Ended::FailedStart(_)) => Ended::Forbidden { reason: crash.story() },
            (true, Ended::Crashed { reason, .. }) => Ended::Forbidden { reason },
            (_, how) => how,
        }));
        crash.outlook = self.machine.outlook(now());
        crash
    }

    pub(super) fn is_awaited(&self) -> bool {
        self.shared.waiting.load(Ordering::Relaxed) > 0
    }

    /// Waits for something while commands are taken; `None` as soon as they lead to another state.
    pub(super) async fn during<T>(&mut self, future: impl Future<Output = T>) -> Option<T> {
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

    pub(super) fn on(&mut self, event: machine::Event) {
        let restarts = self.machine.restarts();
        if !self.machine.on(event, now(), fastrand::f64()) {
            return;
        }
        let (machine, instance) = (&self.machine, self.instance as usize);
        let mut news = None;
        self.views.send_modify(|views| {
            let before = lead(views).state.clone();
            let view = &mut views[instance];
            view.state = machine.state().clone();
            view.since = machine.since();
            view.restarts = machine.restarts();
            news = Some(lead(views).state.clone()).filter(|state| *state != before);
        });
        if self.machine.restarts() > restarts {
            let (plugin, restarts) = (self.shared.plugin.clone(), self.machine.restarts());
            self.shared.tell(Event::Restarted { plugin, instance: self.instance, restarts });
        }
        match (news, self.machine.state()) {
            (Some(state), _) => self.shared.tell_state(&state),
            // The others serve on; who looks at the plugin is to know all the same.
            (None, State::Quarantined { reason, .. }) => {
                let text = format!("its process {} is quarantined: {reason}", self.instance);
                self.shared.tell(Event::Oddity { plugin: self.shared.plugin.clone(), text });
            }
            (None, _) => {}
        }
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut View)) {
        self.views.send_modify(|views| change(&mut views[self.instance as usize]));
    }
}

/// By tokio's clock, which tests can pause.
pub(super) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
