//! What the traffic of all sessions came to: of each rule the miss of the first session, by the order of rules.

use std::collections::{BTreeMap, BTreeSet};

use crate::{ledger::Ledger, outcome::Miss};

#[derive(Debug, Default)]
pub(crate) struct Findings {
    misses: BTreeMap<&'static str, (&'static str, Miss)>,
    /// Methods of requests that the plugin made, in any session.
    pub(crate) asked: BTreeSet<String>,
    pub(crate) streamed: bool,
}

impl Findings {
    /// Adds what a session found; `rule` is what it was held for.
    pub(crate) fn add(&mut self, rule: &'static str, ledger: &mut Ledger) {
        self.asked.append(&mut ledger.asked);
        self.streamed |= ledger.streamed;
        for (broken, miss) in std::mem::take(&mut ledger.faults) {
            // Sessions run side by side: which one is first must not depend on time.
            let entry = self.misses.entry(broken).or_insert_with(|| (rule, miss.clone()));
            if rule < entry.0 {
                *entry = (rule, miss);
            }
        }
    }

    pub(crate) fn miss(&self, rule: &str) -> Option<Miss> {
        self.misses.get(rule).map(|(_, miss)| miss.clone())
    }
}
