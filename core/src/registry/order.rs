//! Which plugins need which others: in what order they are added, and which cannot run for want of one. Pure.

use std::collections::{BTreeMap, BTreeSet};

use astros_protocol::manifest::PluginDependency;

/// What of a plugin matters to those that need it.
#[derive(Debug, Clone, Default)]
pub struct Node {
    pub version: String,
    pub needs: Vec<PluginDependency>,
    /// Why it may not run, and what helps; none where it may.
    pub refusal: Option<(String, String)>,
}

/// Why a plugin cannot run for want of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lack {
    /// `needs `a`, which needs `b`, which is not there`.
    pub reason: String,
    pub hint: String,
}

/// So many of a chain's plugins are named at its beginning.
const MENTIONED: usize = 5;

/// The plugins by name.
pub type Nodes = BTreeMap<String, Node>;

/// What a plugin lacks.
enum Want<'a> {
    Itself(Lack),
    /// `next`, which it needs, lacks something: for want of `last` in the end, so many needs away.
    Through {
        next: &'a str,
        last: &'a str,
        away: usize,
    },
}

type Wants<'a> = BTreeMap<&'a str, Vec<Want<'a>>>;

/// All that is lacking, by the names of those that lack it.
pub fn lacks(nodes: &Nodes) -> BTreeMap<String, Vec<Lack>> {
    let walk = Walk::new(nodes);
    let mut wants = Wants::new();
    for name in walk.ordered {
        let found: Vec<_> = match walk.circles.get(name) {
            Some(circle) => vec![Want::Itself(Lack {
                reason: format!("needs itself: {circle}"),
                hint: "one of them has to do without the next; tell their authors".to_owned(),
            })],
            None => nodes[name].needs.iter().filter_map(|needed| unmet(nodes, needed, &wants)).collect(),
        };
        if !found.is_empty() {
            wants.insert(name, found);
        }
    }
    let told = |all: &Vec<Want<'_>>| all.iter().filter_map(|want| told(&wants, want)).collect();
    wants.iter().map(|(name, all)| ((*name).to_owned(), told(all))).collect()
}

/// All names, each after those that it needs, as far as that can be.
pub fn order(nodes: &Nodes) -> Vec<String> {
    Walk::new(nodes).ordered.into_iter().map(str::to_owned).collect()
}

/// A walk from each plugin to those that it needs.
#[derive(Default)]
struct Walk<'a> {
    /// Each after those that it needs, but for circles.
    ordered: Vec<&'a str>,
    /// Ways from plugins back to themselves.
    circles: BTreeMap<&'a str, String>,
}

impl<'a> Walk<'a> {
    fn new(nodes: &'a Nodes) -> Walk<'a> {
        let mut walk = Walk::default();
        let mut seen = BTreeSet::new();
        // Where on the way each is, while it is on it.
        let mut places = BTreeMap::new();
        for name in nodes.keys() {
            let mut way = Vec::new();
            let mut entered = Some(name.as_str());
            loop {
                if let Some((name, node)) = entered.take().and_then(|name| nodes.get_key_value(name))
                    && seen.insert(name.as_str())
                {
                    places.insert(name.as_str(), way.len());
                    way.push((name.as_str(), node.needs.iter()));
                }
                let Some((name, needs)) = way.last_mut() else { break };
                match needs.next().map(|needed| needed.name.as_str()) {
                    Some(needed) => match places.get(needed) {
                        Some(place) => walk.note_circle(&way[*place..]),
                        None => entered = Some(needed),
                    },
                    None => {
                        places.remove(name);
                        walk.ordered.push(name);
                        way.pop();
                    }
                }
            }
        }
        walk
    }

    fn note_circle<T>(&mut self, circle: &[(&'a str, T)]) {
        for (place, (name, _)) in circle.iter().enumerate() {
            self.circles.entry(name).or_insert_with(|| {
                let all = circle[place..].iter().chain(&circle[..place]);
                let shown = all.take(MENTIONED).map(|(name, _)| format!("`{name}` → "));
                let more = circle.len().checked_sub(MENTIONED).filter(|more| *more > 0);
                let more = more.map(|more| format!("{more} more → ")).unwrap_or_default();
                format!("{}{more}`{name}`", shown.collect::<String>())
            });
        }
    }
}

fn unmet<'a>(nodes: &Nodes, needed: &'a PluginDependency, wants: &Wants<'a>) -> Option<Want<'a>> {
    let name = needed.name.as_str();
    let wanted = needed.version.as_ref().map(ToString::to_string).unwrap_or_default();
    let lack = |reason: String, hint: String| Some(Want::Itself(Lack { reason, hint }));
    let Some(node) = nodes.get(name) else {
        let hint = format!("put the plugin `{name}` where plugins are looked for");
        return lack(format!("needs `{name}{wanted}`, which is not there"), hint);
    };
    if needed.version.as_ref().is_some_and(|wanted| !wanted.matches(&node.version)) {
        let found = if node.version.is_empty() { "no version" } else { &node.version };
        let hint = format!("put a version of `{name}` in its place that fits");
        return lack(format!("needs `{name}{wanted}`, found {found}"), hint);
    }
    if let Some((reason, hint)) = &node.refusal {
        return lack(format!("needs `{name}`, which is {reason}"), hint.clone());
    }
    Some(match wants.get(name)?.first()? {
        Want::Itself(_) => Want::Through { next: name, last: name, away: 1 },
        Want::Through { last, away, .. } => Want::Through { next: name, last, away: away + 1 },
    })
}

/// The chain to what is missing in the end; of a long one the beginning and the end.
fn told<'a>(wants: &'a Wants<'a>, mut want: &'a Want<'a>) -> Option<Lack> {
    let first = |name: &str| wants.get(name)?.first();
    let mut chain = String::new();
    for mentioned in 1.. {
        match want {
            Want::Itself(Lack { reason, hint }) => {
                return Some(Lack { reason: chain + reason, hint: hint.clone() });
            }
            Want::Through { last, away, .. } if mentioned == MENTIONED && *away > 1 => {
                chain += &format!("needs by way of {} more `{last}`, which ", away - 1);
                want = first(last)?;
            }
            Want::Through { next, .. } => {
                chain += &format!("needs `{next}`, which ");
                want = first(next)?;
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(all: &[(&str, &str, &[&str])]) -> Nodes {
        let node = |(name, version, needs): &(&str, &str, &[&str])| {
            let needs =
                needs.iter().map(|text| PluginDependency::try_from(text.to_string()).unwrap()).collect();
            (name.to_string(), Node { version: version.to_string(), needs, refusal: None })
        };
        all.iter().map(node).collect()
    }

    fn reason(nodes: &Nodes, name: &str) -> String {
        let lacks = lacks(nodes).remove(name).unwrap_or_default();
        lacks.into_iter().map(|lack| lack.reason).collect::<Vec<_>>().join(", and ")
    }

    #[test]
    fn puts_each_after_what_it_needs() {
        let nodes =
            nodes(&[("a", "1", &["c", "b"]), ("b", "1", &["d"]), ("c", "1", &["b"]), ("d", "1", &[])]);
        assert_eq!(order(&nodes), ["d", "b", "c", "a"]);
        assert!(lacks(&nodes).is_empty());
    }

    #[test]
    fn names_the_chain_to_what_is_missing_too_old_or_not_allowed() {
        let mut nodes = nodes(&[
            ("a", "1", &["b"]),
            ("b", "1", &["c>=2.0"]),
            ("c", "2.1", &["gone"]),
            ("old", "1", &["c>=3,<4", "none"]),
            ("off", "1", &[]),
            ("fine", "1", &["off"]),
        ]);
        assert_eq!(reason(&nodes, "a"), "needs `b`, which needs `c`, which needs `gone`, which is not there");
        assert_eq!(reason(&nodes, "old"), "needs `c>=3,<4`, found 2.1, and needs `none`, which is not there");
        assert_eq!(reason(&nodes, "fine"), "");
        nodes.get_mut("off").unwrap().refusal = Some(("disabled: by command".into(), "enable it".into()));
        let lack = lacks(&nodes).remove("fine").unwrap().remove(0);
        assert_eq!(
            (lack.reason.as_str(), lack.hint.as_str()),
            ("needs `off`, which is disabled: by command", "enable it")
        );
    }

    #[test]
    fn tells_circles_apart_from_what_leads_into_them() {
        let nodes = nodes(&[("a", "1", &["b"]), ("b", "1", &["c"]), ("c", "1", &["b"]), ("d", "1", &["d"])]);
        assert_eq!(reason(&nodes, "b"), "needs itself: `b` → `c` → `b`");
        assert_eq!(reason(&nodes, "a"), "needs `b`, which needs itself: `b` → `c` → `b`");
        assert_eq!(reason(&nodes, "d"), "needs itself: `d` → `d`");
        assert_eq!(order(&nodes).len(), 4);
    }

    #[test]
    fn says_of_long_chains_and_circles_how_they_begin_and_end() {
        const LENGTH: usize = 100_000;
        let chain = |last: &str| -> Nodes {
            let needed = |number| if number == LENGTH { last.to_owned() } else { format!("p{}", number + 1) };
            let node = |number| {
                let needs = vec![PluginDependency::try_from(needed(number)).unwrap()];
                (format!("p{number}"), Node { needs, ..Node::default() })
            };
            (1..=LENGTH).map(node).collect()
        };
        let open = chain("gone");
        assert_eq!(order(&open)[0], format!("p{LENGTH}"));
        let found = lacks(&open);
        assert_eq!(found.len(), LENGTH);
        assert_eq!(
            found["p1"][0].reason,
            "needs `p2`, which needs `p3`, which needs `p4`, which needs `p5`, which needs by way of 99994 more \
             `p100000`, which needs `gone`, which is not there"
        );
        let closed = lacks(&chain("p1"));
        assert_eq!(
            closed["p7"][0].reason,
            "needs itself: `p7` → `p8` → `p9` → `p10` → `p11` → 99995 more → `p7`"
        );
        assert!(closed.values().all(|lacks| lacks[0].reason.len() < 200));
    }
}
