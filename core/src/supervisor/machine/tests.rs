//! The machine under any sequence of events, and its main ways as sentences.

use proptest::prelude::*;

use super::*;
use crate::supervisor::StateName;

fn limits() -> Supervision {
    Supervision::default()
}

fn crash(in_use: bool) -> Event {
    Event::Ended(Ended::Crashed { reason: "killed by SIGKILL".to_owned(), in_use, failed: true })
}

fn forbidden() -> Event {
    Event::Ended(Ended::Forbidden { reason: "exited with status 78".to_owned() })
}

fn failed_start() -> Event {
    let error = Error::new(astros_protocol::ErrorCode::PLUGIN_UNAVAILABLE, "no");
    Event::Ended(Ended::FailedStart(Box::new(error)))
}

/// A machine with its own time.
struct Life {
    machine: Machine,
    now: Instant,
}

impl Life {
    fn new(limits: Supervision) -> Life {
        let now = Instant::now();
        Life { machine: Machine::new(limits, now), now }
    }

    fn ready(limits: Supervision) -> Life {
        let mut life = Life::new(limits);
        life.all([Event::Enable, Event::Wanted, Event::Spawned, Event::Initialized]);
        life
    }

    fn on(&mut self, event: Event) -> StateName {
        self.machine.on(event, self.now, 0.5);
        self.machine.state().name()
    }

    fn all<const N: usize>(&mut self, events: [Event; N]) -> [StateName; N] {
        events.map(|event| self.on(event))
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    /// What a world without faults does next.
    fn step(&mut self) -> StateName {
        if let Some(until) = self.machine.state().until() {
            self.now = self.now.max(until);
        }
        let event = match self.machine.state().name() {
            StateName::Discovered | StateName::Disabled | StateName::Blocked | StateName::Unloaded => {
                Event::Enable
            }
            StateName::Idle | StateName::Error => Event::Wanted,
            StateName::Loading => Event::Spawned,
            StateName::Initializing => Event::Initialized,
            StateName::Draining => Event::Drained,
            StateName::CleaningUp => Event::Ended(Ended::Finished),
            StateName::Quarantined if self.machine.deadline().is_none() => Event::Reset,
            StateName::Restarting | StateName::Quarantined => Event::Due,
            StateName::Ready | StateName::Executing => Event::Reset,
        };
        self.on(event)
    }
}

fn any_event() -> impl Strategy<Value = Event> {
    let why = || "why".to_owned();
    prop_oneof![
        Just(Event::Enable),
        Just(Event::Wanted),
        Just(Event::Spawned),
        Just(Event::Initialized),
        Just(Event::Drained),
        Just(Event::Due),
        Just(Event::Reset),
        Just(Event::Stop(Goal::Idle)),
        Just(Event::Stop(Goal::Load)),
        Just(Event::Stop(Goal::Unload { reason: why() })),
        Just(Event::Stop(Goal::Disable { reason: why() })),
        Just(Event::Stop(Goal::Block { reason: why(), hint: why() })),
        Just(Event::Ended(Ended::Finished)),
        Just(failed_start()),
        Just(forbidden()),
        any::<bool>().prop_map(crash),
    ]
}

/// What happens to a plugin that nobody looks after: it is used, it starts, it crashes.
fn untended_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        2 => Just(Event::Wanted),
        2 => Just(Event::Spawned),
        2 => Just(Event::Initialized),
        3 => Just(Event::Due),
        3 => any::<bool>().prop_map(crash),
        1 => Just(failed_start()),
    ]
}

proptest! {
    #[test]
    fn every_state_has_a_way_to_ready(events in prop::collection::vec((any_event(), 0_u64..100_000), 0..60)) {
        let mut life = Life::new(limits());
        for (event, ms) in events {
            life.pass(Duration::from_millis(ms));
            life.on(event);
        }
        let steps: Vec<_> = (0..8).map(|_| life.step()).collect();
        prop_assert!(steps.contains(&StateName::Ready), "{steps:?}");
    }

    #[test]
    fn the_intensity_is_respected(
        events in prop::collection::vec((untended_event(), 0_u64..8_000), 0..400),
        max_restarts in 0_u32..6,
    ) {
        let limits = Supervision { max_restarts, ..limits() };
        let mut life = Life::new(limits.clone());
        life.on(Event::Enable);
        let mut granted = Vec::new();
        for (event, ms) in events {
            life.pass(Duration::from_millis(ms));
            let crashes = matches!(event, Event::Ended(Ended::Crashed { .. }))
                && matches!(life.machine.state(), State::Loading | State::Initializing | State::Ready);
            if life.on(event) != StateName::Quarantined && crashes {
                granted.push(life.now);
            }
        }
        for first in &granted {
            let window = |time: &&Instant| *time >= first && **time - *first < limits.restart_window;
            prop_assert!(granted.iter().filter(window).count() <= max_restarts as usize);
        }
    }

    #[test]
    fn the_wait_is_bounded(crashes in 1_usize..80, random in 0.0_f64..=1.0) {
        let limits = limits();
        let mut backoff = Backoff::default();
        for number in 0..crashes {
            let wait = backoff.wait(&limits, random);
            let doubled = limits.backoff_initial * 2_u32.pow(number.min(20) as u32);
            let middle = doubled.min(limits.backoff_max);
            prop_assert!(wait >= middle.mul_f64(0.799) && wait <= middle.mul_f64(1.201), "{wait:?}");
        }
    }
}

#[test]
fn a_crash_in_use_restarts_after_a_wait_that_doubles() {
    let mut life = Life::ready(limits());
    let mut waits = Vec::new();
    for _ in 0..5 {
        assert_eq!(life.on(crash(true)), StateName::Restarting);
        let until = life.machine.deadline().unwrap();
        waits.push((until - life.now).as_millis());
        assert_eq!(life.on(Event::Due), StateName::Restarting, "it is not time yet");
        life.now = until;
        assert_eq!(life.on(Event::Due), StateName::Loading);
        life.all([Event::Spawned, Event::Initialized]);
    }
    assert_eq!(waits, [250, 500, 1000, 2000, 4000]);
    assert_eq!(life.machine.restarts(), 5);
    assert_eq!(life.on(crash(true)), StateName::Quarantined);
    assert_eq!(
        life.machine.state().reason(),
        Some("killed by SIGKILL; it was restarted 5 times within 60 s")
    );
    assert_eq!(life.on(Event::Wanted), StateName::Quarantined);
    assert_eq!(life.on(Event::Reset), StateName::Idle);
    assert_eq!(life.all([Event::Wanted, Event::Spawned, Event::Initialized])[2], StateName::Ready);
}

#[test]
fn a_long_wait_does_not_keep_a_crash_loop_below_the_limit() {
    let long = Duration::from_secs(50);
    let mut life = Life::ready(Supervision { backoff_initial: long, backoff_max: long, ..limits() });
    let mut crashes = 0;
    while life.on(crash(true)) == StateName::Restarting {
        crashes += 1;
        life.step();
        life.all([Event::Spawned, Event::Initialized]);
    }
    assert_eq!((crashes, life.machine.state().name()), (5, StateName::Quarantined));
}

#[test]
fn a_steady_minute_brings_the_first_wait_back() {
    let mut life = Life::ready(limits());
    for _ in 0..4 {
        life.on(crash(true));
        life.step();
        life.all([Event::Spawned, Event::Initialized]);
    }
    life.pass(Duration::from_secs(61));
    life.on(crash(true));
    assert_eq!(life.machine.deadline().unwrap() - life.now, Duration::from_millis(250));
    assert_eq!(life.machine.outlook(life.now), "restart 1 of 5 in 250 ms");
}

#[test]
fn a_crash_out_of_use_waits_for_the_next_use() {
    let mut life = Life::ready(limits());
    assert_eq!(life.on(crash(false)), StateName::Idle);
    assert_eq!(life.machine.deadline(), None);
    assert_eq!(life.on(Event::Wanted), StateName::Restarting);
    let mut life = Life::ready(limits());
    life.on(crash(false));
    life.pass(Duration::from_secs(1));
    assert_eq!(life.on(Event::Wanted), StateName::Loading);
}

#[test]
fn a_failed_start_is_tried_again_only_by_a_later_use() {
    let mut life = Life::new(limits());
    life.all([Event::Enable, Event::Wanted]);
    assert_eq!(life.on(failed_start()), StateName::Error);
    assert_eq!(life.all([Event::Due, Event::Wanted]), [StateName::Error; 2]);
    life.pass(Duration::from_millis(300));
    assert_eq!(life.on(Event::Wanted), StateName::Loading);
    life.on(failed_start());
    assert_eq!(life.on(Event::Reset), StateName::Idle);
}

#[test]
fn a_use_while_it_goes_idle_starts_it_again() {
    let mut life = Life::ready(limits());
    assert_eq!(
        life.all([Event::Stop(Goal::Idle), Event::Drained]),
        [StateName::Draining, StateName::CleaningUp]
    );
    life.on(Event::Wanted);
    assert_eq!(life.on(Event::Ended(Ended::Finished)), StateName::Loading);
}

#[test]
fn a_stop_holds_against_uses() {
    let mut life = Life::ready(limits());
    let stop = || Event::Stop(Goal::Unload { reason: "bye".to_owned() });
    life.all([Event::Stop(Goal::Idle), Event::Wanted, stop(), Event::Wanted, Event::Drained, Event::Wanted]);
    assert_eq!(life.on(crash(true)), StateName::Unloaded);
    assert_eq!(life.all([Event::Wanted, Event::Enable]), [StateName::Unloaded, StateName::Idle]);
}

#[test]
fn a_restart_is_no_way_around_what_forbids_to_run() {
    let forbids = [
        Goal::Disable { reason: "why".to_owned() },
        Goal::Block { reason: "why".to_owned(), hint: "how".to_owned() },
    ];
    for forbids in forbids {
        let mut life = Life::ready(limits());
        life.on(Event::Stop(forbids));
        life.all([Event::Stop(Goal::Load), Event::Drained, Event::Stop(Goal::Load)]);
        let there = life.on(Event::Ended(Ended::Finished));
        assert!(matches!(there, StateName::Disabled | StateName::Blocked), "{there}");
        assert_eq!(life.on(Event::Stop(Goal::Load)), there);
        assert_eq!(life.on(Event::Enable), StateName::Idle);
    }
}

#[test]
fn an_end_that_forbids_a_restart_holds_until_a_person_says_otherwise() {
    for ways_out in [[Event::Reset, Event::Wanted], [Event::Stop(Goal::Load), Event::Wanted]] {
        let mut life = Life::ready(Supervision { restart: Restart::Permanent, ..limits() });
        assert_eq!(life.on(forbidden()), StateName::Quarantined);
        assert_eq!(
            life.machine.state().reason(),
            Some("exited with status 78; `supervision.no_restart_on` forbids a restart after that")
        );
        life.pass(Duration::from_secs(1_000_000));
        assert_eq!(life.all([Event::Due, Event::Wanted]), [StateName::Quarantined; 2]);
        assert_eq!(life.all(ways_out)[1], StateName::Loading);
    }
}

#[test]
fn the_restart_types_differ() {
    let after = |restart, failed| {
        let mut life = Life::ready(Supervision { restart, ..limits() });
        let reason = "exited with status 0".to_owned();
        life.on(Event::Ended(Ended::Crashed { reason, in_use: true, failed }))
    };
    use StateName::{Idle, Restarting};
    assert_eq!([after(Restart::Permanent, false), after(Restart::Permanent, true)], [Restarting, Restarting]);
    assert_eq!([after(Restart::Transient, false), after(Restart::Transient, true)], [Idle, Restarting]);
    assert_eq!([after(Restart::Temporary, false), after(Restart::Temporary, true)], [Idle, Idle]);
}

#[test]
fn an_eager_plugin_starts_with_the_daemon() {
    let mut life = Life::new(Supervision { start: Start::Eager, ..limits() });
    assert_eq!(life.on(Event::Enable), StateName::Loading);
}

#[test]
fn a_wait_beyond_all_clocks_is_no_panic() {
    let limits = Supervision { backoff_initial: Duration::MAX, backoff_max: Duration::MAX, ..limits() };
    let mut life = Life::ready(limits);
    assert_eq!(life.on(crash(true)), StateName::Restarting);
}
