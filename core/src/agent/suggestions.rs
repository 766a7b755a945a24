//! What could be said next: a plugin suggests handler names or sentences, people get sentences.

use std::sync::Arc;

use crate::router::Plugin;

/// Each suggestion as a sentence to say: a handler's name becomes its first example without slots, or its words.
pub(super) fn sentences(suggested: &[String], plugin: &str, plugins: &[Arc<Plugin>]) -> Vec<String> {
    suggested.iter().map(|suggestion| sentence(suggestion, plugin, plugins)).collect()
}

fn sentence(suggestion: &str, plugin: &str, plugins: &[Arc<Plugin>]) -> String {
    // The plugin's own handlers first: another may have one of that name.
    let own = plugins.iter().filter(|one| *one.name == *plugin);
    let others = plugins.iter().filter(|one| *one.name != *plugin);
    own.chain(others)
        .filter_map(|one| one.description())
        .find_map(|description| {
            let handler = description.handlers.iter().find(|handler| handler.name == suggestion)?;
            handler.examples.iter().find(|example| !example.contains('{')).cloned()
        })
        .unwrap_or_else(|| suggestion.replace('_', " "))
}
