//! How a text was understood, as clients are told.

use super::api::{Candidate, Explained, Understood};
use crate::agent::{
    Person, Thresholds, Understanding,
    recognition::{Decision, Match},
};

impl Understood {
    pub(super) fn new(understanding: &Understanding, person: &Person, thresholds: Thresholds) -> Understood {
        let (chosen, candidates) = match &understanding.decision {
            Decision::Try(candidates) => (candidates.first(), candidates),
            Decision::Nobody(candidates) => (None, candidates),
        };
        Understood {
            chosen: chosen.map(candidate),
            followup: understanding.followup.as_ref().map(|followup| followup.plugin.clone()),
            threshold: thresholds.threshold,
            margin: thresholds.margin,
            candidates: candidates.iter().map(|found| explained(found, person)).collect(),
        }
    }
}

fn explained(found: &Match, person: &Person) -> Explained {
    let slots = found.slots.iter();
    Explained {
        candidate: candidate(found),
        priority: found.priority,
        context: slots.map(|(name, slot)| (name.clone(), slot.value(&person.cwd, &person.home))).collect(),
        template: found.why.template.clone(),
        words: found.why.words.clone(),
        nearest: found.why.nearest.clone(),
    }
}

fn candidate(found: &Match) -> Candidate {
    Candidate {
        plugin: found.plugin.clone(),
        handler: found.handler.clone(),
        confidence: (found.confidence * 1000.0).round() / 1000.0,
    }
}
