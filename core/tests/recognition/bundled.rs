//! What the bundled plugins and the plugins of the guides say about their handlers.

use std::collections::BTreeMap;

use astros_core::agent::recognition::{HandlerDoc, Slot};
use serde_json::{Value, json};

fn doc(
    plugin: &str,
    about: &str,
    handles: &[&str],
    handler: &str,
    description: &str,
    examples: &[&str],
) -> HandlerDoc {
    HandlerDoc {
        plugin: plugin.into(),
        handler: handler.into(),
        examples: examples.iter().map(|&example| example.into()).collect(),
        description: description.into(),
        handles: handles.iter().map(|&category| category.into()).collect(),
        plugin_description: about.into(),
        ..HandlerDoc::default()
    }
}

/// The four bundled plugins.
pub(crate) fn bundled() -> Vec<HandlerDoc> {
    let hello = |handler, description, examples: &[&str]| {
        let about = "Responds to greetings with friendly messages";
        doc("hello-world", about, &["greetings", "introductions"], handler, description, examples)
    };
    let files = |handler, description, examples: &[&str]| {
        let about = "Lists, finds, copies, moves and organizes files";
        doc("file-manager", about, &["file_management"], handler, description, examples)
    };
    let smart = |handler, description, examples: &[&str]| {
        let about = "Organize files by type, date or size";
        let handles = ["file_organization", "file_management", "smart_sorting"];
        doc("smart-organizer", about, &handles, handler, description, examples)
    };
    let organize = ["organize the files in {path} by {method}", "sort {path} by {method}", "tidy up {path}"];
    vec![
        hello("say_hello", "Handle greeting requests.", &[]),
        hello("introduce_astros", "Introduce AstrOS capabilities.", &[]),
        files(
            "list_files",
            "List what is in a folder.",
            &["list the files in {path}", "show me what is in {path}", "what files are in {path}"],
        ),
        files(
            "search_files",
            "Find files by name or content.",
            &["find {query} in {path}", "search {path} for {query}"],
        ),
        HandlerDoc {
            parameters: json!({"properties": {"path": {"type": "string"}, "method": {"$ref": "#/$defs/Method"}},
                "$defs": {"Method": {"enum": ["type", "date", "size"]}}}),
            ..files("organize_files", "Put the files of a folder into folders.", &organize)
        },
        files("move_files", "Move files to a folder.", &["move {source} to {destination}"]),
        files("copy_files", "Copy files to a folder.", &["copy {source} to {destination}"]),
        files("file_info", "Tell what a file is.", &["what is {path}", "how big is {path}"]),
        files(
            "undo",
            "Take back the last operation that changed something.",
            &["undo that", "undo the last operation"],
        ),
        HandlerDoc { priority: 10, ..smart("organize_files", "Main file organization handler.", &organize) },
        doc(
            "notification-manager",
            "Shows notifications on the desktop",
            &["notifications"],
            "send_notification",
            "Send a desktop notification.",
            &["notify me that {message}", "remind me that {message}", "send a notification saying {message}"],
        ),
    ]
}

/// Plugins of the guides, whose handlers declare no examples and no parameters.
pub(crate) fn guides() -> Vec<HandlerDoc> {
    let about = "AI-powered file organization and management";
    let handles = ["file_organization", "file_management", "smart_sorting"];
    vec![
        doc(
            "hello-world",
            "Responds to greetings with friendly messages",
            &["greetings", "introductions"],
            "say_hello",
            "Handle greeting requests.",
            &[],
        ),
        doc(
            "hello-world",
            "Responds to greetings with friendly messages",
            &["greetings", "introductions"],
            "introduce_astros",
            "Introduce AstrOS capabilities.",
            &[],
        ),
        doc("smart-organizer", about, &handles, "organize_files", "Main file organization handler.", &[]),
        doc("stateful", "", &[], "remember_preference", "Store user preferences.", &[]),
        doc("coordinator", "", &[], "coordinate_action", "Coordinate with other plugins.", &[]),
    ]
}

/// `{slot: value}` as JSON, paths as typed.
pub(crate) fn typed(slots: &BTreeMap<String, Slot>) -> Value {
    let value = |slot: &Slot| match slot {
        Slot::Path(path) => json!({ "path": path }),
        Slot::Value(value) => value.clone(),
    };
    slots.iter().map(|(name, slot)| (name.clone(), value(slot))).collect()
}
