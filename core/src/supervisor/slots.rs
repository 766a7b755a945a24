//! The slots of a process: how many requests work in it at once, and who gives theirs back.
//!
//! A request holds its [`Slot`] until the process has answered, also where its caller gave up: the process still works
//! on it. One that waits for a call of its own steps aside and does not count, unless the process takes one at a time.

use std::sync::{
    Arc, Mutex, MutexGuard, OnceLock, PoisonError,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use tokio::sync::{Notify, futures::Notified};

use super::Session;

/// So many requests are open in a process at once, those that stepped aside included.
const MAX_OPEN: usize = 1_024;

/// What works in a process.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    // A std mutex: held for a few moves of memory, never across an await.
    counts: Mutex<Counts>,
    /// Who wants to know that a slot is free; set by the first who waits for one.
    freed: OnceLock<Arc<Notify>>,
    jam: Notify,
}

#[derive(Debug, Default)]
struct Counts {
    open: usize,
    /// Open, and not aside.
    working: usize,
    /// Open, and nobody waits for the answer.
    abandoned: usize,
    closed: bool,
}

impl Slots {
    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// No slot is given from here on.
    pub(super) fn close(&self) {
        self.lock().closed = true;
    }

    pub(super) fn jam_changed(&self) -> Notified<'_> {
        self.jam.notified()
    }

    fn tell_freed(&self) {
        if let Some(freed) = self.freed.get() {
            freed.notify_one();
        }
    }
}

impl Session {
    /// Counts a piece of work until the slot is dropped, beyond the limit as well: what works is not stopped for
    /// idleness, and drains first.
    pub fn begin(self: &Arc<Self>) -> Slot {
        let mut counts = self.work.slots.lock();
        self.open(&mut counts)
    }

    /// A slot, if one is free; none in a process that drains.
    pub fn try_begin(self: &Arc<Self>) -> Option<Slot> {
        let mut counts = self.work.slots.lock();
        let free = counts.working < self.max_in_flight() && counts.open < MAX_OPEN && !counts.closed;
        free.then(|| self.open(&mut counts))
    }

    fn open(self: &Arc<Self>, counts: &mut Counts) -> Slot {
        counts.open += 1;
        counts.working += 1;
        Slot { session: self.clone(), aside: AtomicUsize::new(0), abandoned: AtomicBool::new(false) }
    }

    /// Tells `freed` from now on when a slot is given back.
    pub fn tell_freed(&self, freed: &Arc<Notify>) {
        self.work.slots.freed.get_or_init(|| freed.clone());
    }

    /// So many requests work in it at once.
    pub fn max_in_flight(&self) -> usize {
        self.limits.max_in_flight.map_or(usize::MAX, |max| max as usize)
    }

    /// It works on one request at a time, which keeps its slot while it waits.
    pub fn is_serial(&self) -> bool {
        self.limits.max_in_flight == Some(1)
    }

    /// The requests that somebody waits for.
    pub fn in_flight(&self) -> usize {
        let counts = self.work.slots.lock();
        counts.open - counts.abandoned
    }

    /// Requests that nobody waits for hold every slot.
    pub(crate) fn is_jammed(&self) -> bool {
        self.work.slots.lock().abandoned >= self.max_in_flight()
    }
}

/// A piece of work in a process, for as long as this lives.
pub struct Slot {
    session: Arc<Session>,
    /// What it waits for.
    aside: AtomicUsize,
    abandoned: AtomicBool,
}

impl Slot {
    pub fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// The request waits, for a call of its own or for a person: until as many [`Slot::step_back`], another one may
    /// work in its place.
    pub fn step_aside(&self) {
        let slots = &self.session.work.slots;
        let mut counts = slots.lock();
        if !self.session.is_serial() && self.aside.fetch_add(1, Ordering::Relaxed) == 0 {
            counts.working -= 1;
            drop(counts);
            slots.tell_freed();
        }
    }

    /// It works again; for a moment there may be one more at work than there are slots.
    pub fn step_back(&self) {
        let mut counts = self.session.work.slots.lock();
        if !self.session.is_serial() && self.aside.fetch_sub(1, Ordering::Relaxed) == 1 {
            counts.working += 1;
        }
    }

    /// Nobody waits for the answer any more.
    pub fn abandon(&self) {
        let work = &self.session.work;
        let mut counts = work.slots.lock();
        // The end of the process takes nothing back: see `drop`.
        if self.session.peer.is_closed() || self.abandoned.swap(true, Ordering::Relaxed) {
            return;
        }
        counts.abandoned += 1;
        let (jammed, over) =
            (counts.abandoned == self.session.max_in_flight(), counts.abandoned == counts.open);
        drop(counts);
        if jammed {
            work.slots.jam.notify_one();
        }
        if over {
            work.ended();
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let work = &self.session.work;
        // What the end of the process cut short stays counted: so the supervisor sees that it was in use.
        if self.session.peer.is_closed() {
            return work.slots.tell_freed();
        }
        let abandoned = *self.abandoned.get_mut();
        let mut counts = work.slots.lock();
        counts.open -= 1;
        counts.working -= usize::from(*self.aside.get_mut() == 0);
        let unjammed = abandoned && counts.abandoned == self.session.max_in_flight();
        counts.abandoned -= usize::from(abandoned);
        let over = counts.open == counts.abandoned;
        drop(counts);
        if unjammed {
            work.slots.jam.notify_one();
        }
        if over && !abandoned {
            work.ended();
        }
        work.slots.tell_freed();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use astros_peer::{Incoming, Options, Service, connect};
    use astros_protocol::{
        PluginDescription, Version,
        lifecycle::{Limits, Sandbox},
    };
    use serde_json::value::RawValue;
    use tokio::{
        sync::watch,
        time::{Instant, timeout},
    };

    use super::*;
    use crate::supervisor::{Containment, session::Work};

    struct Nothing;

    impl Service for Nothing {
        type Params<'a> = &'a RawValue;

        fn request(&self, _: Incoming<'_, &RawValue>) {}
    }

    /// A session without a process.
    fn session(max_in_flight: u32) -> Arc<Session> {
        let (peer, _) = connect(tokio::io::empty(), tokio::io::sink(), Nothing, Options::default());
        Arc::new(Session {
            plugin: Arc::from("any"),
            peer,
            description: Arc::new(PluginDescription::default()),
            version: Version { major: 1, minor: 0 },
            features: Vec::new(),
            limits: Limits { max_in_flight: Some(max_in_flight), ..Limits::default() },
            pid: 0,
            containment: Containment::Group,
            sandbox: Sandbox::None,
            files: None,
            generation: 1,
            work: Arc::new(Work::new()),
            ended: watch::channel(None).1,
        })
    }

    #[tokio::test]
    async fn gives_as_many_slots_as_there_are() {
        let session = session(2);
        let first = session.try_begin().unwrap();
        let second = session.try_begin().unwrap();
        assert!(session.try_begin().is_none());
        drop(first);
        assert!(session.try_begin().is_some());
        session.work.slots.close();
        assert!(session.try_begin().is_none(), "it drains");
        drop(second);
        assert_eq!(session.in_flight(), 0);
    }

    #[tokio::test]
    async fn counts_what_waits_only_against_what_may_be_open() {
        let session = session(2);
        let aside: Vec<Slot> = std::iter::from_fn(|| session.try_begin().inspect(Slot::step_aside)).collect();
        assert_eq!(aside.len(), MAX_OPEN);
        // Two children each: the last of them counts.
        for slot in &aside[..3] {
            slot.step_aside();
            slot.step_back();
        }
        drop(aside);
        let (_first, _second) = (session.try_begin().unwrap(), session.try_begin().unwrap());
        assert!(session.try_begin().is_none(), "as many as before");
    }

    #[tokio::test]
    async fn keeps_the_slot_of_a_serial_process_that_waits() {
        let session = session(1);
        let slot = session.try_begin().unwrap();
        slot.step_aside();
        assert!(session.try_begin().is_none());
        slot.step_back();
        drop(slot);
        assert!(session.try_begin().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn fails_a_process_whose_slots_are_all_held_by_what_nobody_waits_for() {
        let session = session(2);
        let (first, second) = (session.try_begin().unwrap(), session.try_begin().unwrap());
        let failed = session.failed();
        tokio::pin!(failed);
        let mut still_well = async |time| timeout(Duration::from_secs(time), &mut failed).await.is_err();
        first.abandon();
        assert!(still_well(100).await, "the other slot works");
        second.abandon();
        assert!(still_well(9).await);
        drop(first);
        let first = session.try_begin().unwrap();
        assert!(still_well(100).await, "it has answered one of them");
        first.abandon();
        let begun = Instant::now();
        assert_eq!(failed.await, "answered none of 2 cancelled requests for 10 s");
        assert_eq!(begun.elapsed().as_secs(), 10);
    }
}
