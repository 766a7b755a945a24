//! Who waits for whom, across chains of calls: whether a wait for a slot would ever end. Pure.
//!
//! A plugin that works on one request at a time keeps its slot while that request waits for a call of its own. So a
//! holder of a slot is stuck while a call below it waits for a plugin that is stuck, and a plugin is stuck while every
//! holder of its slots is. What is left when all that can move has moved is a deadlock.

use std::sync::Arc;

use super::tree::Link;

/// A call that waits for a slot of a plugin.
#[derive(Clone, Debug)]
pub(super) struct Wait {
    /// The plugin's number.
    pub(super) plugin: usize,
    pub(super) link: Arc<Link>,
}

/// Whether the last of `waits` would never end; then one of those who stand in its way. `holders` are the requests
/// that hold the slots of a plugin.
pub(super) fn deadlock<'a>(
    waits: &[Wait],
    holders: impl Fn(usize) -> Vec<&'a Arc<Link>>,
) -> Option<&'a Arc<Link>> {
    let plugin = waits.last()?.plugin;
    let mut stuck: Vec<usize> = Vec::new();
    for wait in waits {
        if !stuck.contains(&wait.plugin) {
            stuck.push(wait.plugin);
        }
    }
    let is_stuck = |holder: &Arc<Link>, stuck: &[usize]| {
        waits.iter().any(|wait| stuck.contains(&wait.plugin) && wait.link.is_below(holder))
    };
    loop {
        let before = stuck.len();
        let still: Vec<usize> = stuck
            .iter()
            .copied()
            .filter(|plugin| {
                let holders = holders(*plugin);
                !holders.is_empty() && holders.iter().all(|holder| is_stuck(holder, &stuck))
            })
            .collect();
        stuck = still;
        if !stuck.contains(&plugin) {
            return None;
        }
        if stuck.len() == before {
            return holders(plugin).first().copied();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn link(parent: Option<&Arc<Link>>, plugin: usize) -> Arc<Link> {
        // Every handler is another one, so that only slots matter.
        let handler = fastrand::u64(..).to_string();
        Link::extend(parent, &Arc::from(plugin.to_string()), &handler).unwrap()
    }

    /// Whether the last wait is a deadlock, where plugin `n` has these holders.
    fn is_deadlock(holders: &[Vec<Arc<Link>>], waits: &[(usize, &Arc<Link>)]) -> bool {
        let waits: Vec<Wait> = waits
            .iter()
            .map(|(plugin, parent)| Wait { plugin: *plugin, link: link(Some(parent), *plugin) })
            .collect();
        deadlock(&waits, |plugin| holders[plugin].iter().collect()).is_some()
    }

    #[test]
    fn finds_a_circle_within_a_chain_and_across_chains() {
        let (a, b) = (link(None, 0), link(None, 1));
        let below = link(Some(&a), 2);
        let holders = [vec![a.clone()], vec![b.clone()], vec![below.clone()]];
        assert!(is_deadlock(&holders, &[(0, &below)]), "a waits for what waits for a");
        assert!(!is_deadlock(&holders, &[(1, &below)]), "b works");
        assert!(is_deadlock(&holders, &[(1, &a), (0, &b)]), "a waits for b, b waits for a");
        assert!(!is_deadlock(&holders, &[(2, &b), (1, &a)]), "it only waits for who can go on");
    }

    #[test]
    fn waits_where_another_instance_can_go_on() {
        let (first, second, other) = (link(None, 0), link(None, 0), link(None, 1));
        let holders = [vec![first.clone(), second.clone()], vec![other.clone()]];
        assert!(!is_deadlock(&holders, &[(0, &first)]), "the second instance answers some day");
        assert!(is_deadlock(&holders, &[(0, &second), (0, &first)]), "both wait for each other's slot");
        assert!(is_deadlock(&holders, &[(0, &other), (1, &second), (0, &first)]), "through another plugin");
        assert!(!is_deadlock(&holders, &[(1, &second), (0, &first)]), "the other one works");
    }

    /// Plays on until nothing moves: who waits for nothing ends, and its slot goes to one that waits.
    fn plays_out(mut holders: Vec<Vec<Arc<Link>>>, mut waits: Vec<Wait>) -> bool {
        loop {
            let ends = holders.iter().enumerate().find_map(|(plugin, holding)| {
                let free =
                    holding.iter().position(|holder| !waits.iter().any(|wait| wait.link.is_below(holder)))?;
                Some((plugin, free))
            });
            let Some((plugin, free)) = ends else { return holders.iter().all(Vec::is_empty) };
            holders[plugin].swap_remove(free);
            if let Some(next) = waits.iter().position(|wait| wait.plugin == plugin) {
                holders[plugin].push(waits.swap_remove(next).link);
            }
        }
    }

    proptest! {
        /// Calls at random between plugins of one or two slots: what is refused would never have ended, and what is
        /// let wait ends.
        #[test]
        fn refuses_what_would_never_end_and_nothing_else(
            slots in prop::collection::vec(1usize..=2, 2..5),
            calls in prop::collection::vec((0usize..100, 0usize..100, any::<bool>()), 1..40),
        ) {
            let mut holders: Vec<Vec<Arc<Link>>> = vec![Vec::new(); slots.len()];
            let mut waits: Vec<Wait> = Vec::new();
            for (caller, callee, nested) in calls {
                let working: Vec<Arc<Link>> = holders.iter().flatten().cloned().collect();
                let parent = (nested && !working.is_empty()).then(|| working[caller % working.len()].clone());
                if parent.as_ref().is_some_and(|parent| parent.depth == super::super::tree::MAX_DEPTH) {
                    continue;
                }
                let plugin = callee % slots.len();
                let call = link(parent.as_ref(), plugin);
                if holders[plugin].len() < slots[plugin] {
                    holders[plugin].push(call);
                    continue;
                }
                waits.push(Wait { plugin, link: call });
                let refused = deadlock(&waits, |plugin| holders[plugin].iter().collect()).is_some();
                prop_assert_eq!(refused, !plays_out(holders.clone(), waits.clone()));
                if refused {
                    waits.pop();
                }
            }
        }
    }
}
