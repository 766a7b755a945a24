//! The rules of both sides, as the reference shows them, each with an anchor.

use std::fmt::Write;

use astros_protocol::rules::{self, Group, Rule};

use crate::reference::method_link;

/// The two lists.
pub(crate) fn sections() -> String {
    let sides = [
        ("What a plugin keeps", rules::PLUGIN),
        ("What a host keeps, and a plugin may rely on", rules::HOST),
    ];
    let mut text = "## Rules\n\n\
        Each rule has a number for good: one that is given up leaves its number, a new one takes the next.\n\
        [`astros conformance`](conformance.md) holds a plugin to its rules, one by one, and another host [can be held](conformance.md#the-hosts-duties) to its own; reports name them by these numbers.\n\n\
        | group | what it is about |\n| --- | --- |\n"
        .to_owned();
    for group in Group::ALL {
        writeln!(text, "| {} | {} |", group.name(), about(group)).expect("a String");
    }
    text.push('\n');
    for (title, rules) in sides {
        writeln!(text, "### {title}\n").expect("a String");
        text.extend(rules.iter().map(rule));
    }
    text
}

/// Links to the rules that concern a method.
pub(crate) fn of_method(name: &str) -> String {
    let concerned = rules::PLUGIN.iter().chain(rules::HOST).filter(|rule| rule.methods.contains(&name));
    let links: Vec<_> =
        concerned.map(|rule| format!("[{} {}](#{})", rule.id, rule.title, anchor(rule))).collect();
    match links.is_empty() {
        true => String::new(),
        false => format!("Rules: {}.\n\n", links.join(" · ")),
    }
}

fn rule(rule: &Rule) -> String {
    let Rule { id, group, title, text, methods } = rule;
    let methods: Vec<_> = methods.iter().map(|name| method_link(name)).collect();
    let concerned = if methods.is_empty() { String::new() } else { format!(" · {}", methods.join(" ")) };
    format!(
        "<a id=\"{}\"></a>\n\n#### {id} {title}\n\n*{}*{concerned}\n\n{text}\n\n",
        anchor(rule),
        group.name()
    )
}

fn anchor(rule: &Rule) -> String {
    rule.id.to_lowercase()
}

fn about(group: Group) -> &'static str {
    match group {
        Group::Core => "every plugin keeps it; a loop of \"read a line, answer a line\" can",
        Group::Robustness => "what holds when things go wrong or get many",
        Group::Services => "requests of the plugin's own; only of who makes some",
        Group::Streams => "`$/progress`; only of who sends some",
    }
}
