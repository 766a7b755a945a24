//! Which plugins need which others: in what order they are added, and which cannot run for want of one. Pure.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

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

/// The plugins by name.
pub type Nodes = BTreeMap<String, Node>;

/// All that is lacking, by the names of those that lack it.
pub fn lacks(nodes: &Nodes) -> BTreeMap<String, Vec<Lack>> {
    let mut known = BTreeMap::new();
    for name in nodes.keys() {
        lack(nodes, name, &mut known);
    }
    known.retain(|_, lacks| !lacks.is_empty());
    known
}

/// All names, each after those that it needs, as far as that can be.
pub fn order(nodes: &Nodes) -> Vec<String> {
    let (mut seen, mut ordered) = (BTreeSet::new(), Vec::new());
    for name in nodes.keys() {
        place(nodes, name, &mut seen, &mut ordered);
    }
    ordered
}

fn place<'a>(nodes: &'a Nodes, name: &'a str, seen: &mut BTreeSet<&'a str>, ordered: &mut Vec<String>) {
    let Some(node) = nodes.get(name).filter(|_| seen.insert(name)) else { return };
    for needed in &node.needs {
        place(nodes, needed.name.as_str(), seen, ordered);
    }
    ordered.push(name.to_owned());
}

fn lack(nodes: &Nodes, name: &str, known: &mut BTreeMap<String, Vec<Lack>>) -> Vec<Lack> {
    if let Some(known) = known.get(name) {
        return known.clone();
    }
    let found = match circle(nodes, name) {
        Some(circle) => vec![Lack {
            reason: format!("needs itself: {circle}"),
            hint: "one of them has to do without the next; tell their authors".to_owned(),
        }],
        None => nodes[name].needs.iter().filter_map(|needed| unmet(nodes, needed, known)).collect(),
    };
    known.insert(name.to_owned(), found.clone());
    found
}

fn unmet(nodes: &Nodes, needed: &PluginDependency, known: &mut BTreeMap<String, Vec<Lack>>) -> Option<Lack> {
    let name = needed.name.as_str();
    let wanted = needed.version.as_ref().map(ToString::to_string).unwrap_or_default();
    let lack = |reason: String, hint: String| Some(Lack { reason, hint });
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
    let deeper = self::lack(nodes, name, known).into_iter().next()?;
    lack(format!("needs `{name}`, which {}", deeper.reason), deeper.hint)
}

/// The shortest way from a plugin back to itself.
fn circle(nodes: &Nodes, name: &str) -> Option<String> {
    let mut open = VecDeque::from([vec![name]]);
    let mut seen = BTreeSet::new();
    while let Some(way) = open.pop_front() {
        let last = nodes.get(*way.last()?);
        for needed in last.into_iter().flat_map(|node| &node.needs) {
            let next = needed.name.as_str();
            let way = [&way[..], &[next]].concat();
            if next == name {
                return Some(format!("`{}`", way.join("` → `")));
            }
            if seen.insert(next) {
                open.push_back(way);
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
}
