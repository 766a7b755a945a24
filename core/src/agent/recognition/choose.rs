//! Which handlers to try, in order, or that nobody can do it.

use super::Match;

/// Below this confidence a handler is not tried.
pub const THRESHOLD: f64 = 0.55;

/// Handlers this close in confidence are told apart by priority.
pub const MARGIN: f64 = 0.05;

/// What to do with a ranked text.
#[derive(Debug, Clone)]
pub enum Decision {
    /// Try these in order until one does not decline; never empty.
    Try(Vec<Match>),
    /// Nobody can do this; the nearest that could, at most three, the most likely first.
    Nobody(Vec<Match>),
}

/// Decide by confidence, and among handlers within `margin` of the most likely one by priority.
pub fn choose(mut matches: Vec<Match>, threshold: f64, margin: f64) -> Decision {
    matches.sort_by(by_confidence);
    let able = matches.iter().take_while(|one| one.confidence >= threshold).count();
    if able == 0 {
        matches.truncate(3);
        return Decision::Nobody(matches);
    }
    matches.truncate(able);
    let mut rest = &mut matches[..];
    while let Some(best) = rest.first() {
        let floor = best.confidence - margin - f64::EPSILON;
        let close = rest.iter().take_while(|one| one.confidence >= floor).count();
        let (group, farther) = rest.split_at_mut(close);
        group.sort_by(|a, b| b.priority.cmp(&a.priority).then_with(|| by_confidence(a, b)));
        rest = farther;
    }
    Decision::Try(matches)
}

/// The most likely first, ties by name so that the order never depends on who was loaded first.
pub(super) fn by_confidence(a: &Match, b: &Match) -> std::cmp::Ordering {
    b.confidence.total_cmp(&a.confidence).then_with(|| (&a.plugin, &a.handler).cmp(&(&b.plugin, &b.handler)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::recognition::Explanation;

    fn one(plugin: &str, confidence: f64, priority: i32) -> Match {
        Match {
            plugin: plugin.into(),
            handler: "h".into(),
            confidence,
            priority,
            slots: Default::default(),
            why: Explanation::default(),
        }
    }

    fn order(matches: Vec<Match>) -> Vec<String> {
        match choose(matches, THRESHOLD, MARGIN) {
            Decision::Try(all) => all.into_iter().map(|one| one.plugin).collect(),
            Decision::Nobody(_) => Vec::new(),
        }
    }

    #[test]
    fn priority_decides_within_the_margin_only() {
        assert_eq!(order(vec![one("a", 0.90, 0), one("b", 0.86, 5), one("c", 0.84, 9)]), ["b", "a", "c"]);
        assert_eq!(order(vec![one("a", 0.90, 0), one("b", 0.85, 5)]), ["b", "a"]);
        assert_eq!(order(vec![one("b", 0.7, 0), one("a", 0.7, 0)]), ["a", "b"]);
    }

    #[test]
    fn nobody_names_the_nearest() {
        let all = vec![one("a", 0.1, 9), one("b", 0.5, 0), one("c", 0.2, 0), one("d", 0.05, 0)];
        let Decision::Nobody(nearest) = choose(all, THRESHOLD, MARGIN) else { panic!("somebody was found") };
        assert_eq!(nearest.iter().map(|one| &one.plugin[..]).collect::<Vec<_>>(), ["b", "c", "a"]);
        assert!(matches!(choose(vec![], THRESHOLD, MARGIN), Decision::Nobody(none) if none.is_empty()));
    }
}
