//! What was denied lately: the same within a second, or too much of one plugin, is counted and not written.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::Event;

/// How long the same is counted only.
pub(super) const SECOND: Duration = Duration::from_secs(1);
/// So many different denials of a plugin are told in a second; the others count as one.
const EACH: usize = 16;

/// Denials since a second ago, by plugin and by what was wanted; all beyond [`EACH`] under the empty text.
#[derive(Default)]
pub(super) struct Denials(HashMap<String, HashMap<String, Denial>>);

struct Denial {
    since: Instant,
    /// The last one that was not written, with how many there were.
    repeated: Option<Event>,
}

impl Denials {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether an event is to be written now; else it is counted.
    pub(super) fn is_new(&mut self, event: &Event, now: Instant) -> bool {
        let denials = self.0.entry(event.plugin.clone()).or_default();
        let full = denials.len() >= EACH && !denials.contains_key(&event.what);
        let what = if full { "" } else { &*event.what };
        if let Some(denial) = denials.get_mut(what) {
            let count = denial.repeated.as_ref().map_or(0, |before| before.count) + 1;
            denial.repeated = Some(Event { count, ..event.clone() });
            return false;
        }
        denials.insert(what.to_owned(), Denial { since: now, repeated: None });
        true
    }

    /// What was counted a second ago and before, or all of it where no time is given; it is forgotten here.
    pub(super) fn repeated(&mut self, now: Option<Instant>) -> Vec<Event> {
        let is_over = |denial: &Denial| now.is_none_or(|now| now.duration_since(denial.since) >= SECOND);
        let mut told = Vec::new();
        for denials in self.0.values_mut() {
            for (what, denial) in denials.extract_if(|_, denial| is_over(denial)) {
                told.extend(denial.repeated.map(|event| match &*what {
                    "" => Event { what: "different permissions".to_owned(), ..event },
                    _ => event,
                }));
            }
        }
        self.0.retain(|_, denials| !denials.is_empty());
        told
    }
}
