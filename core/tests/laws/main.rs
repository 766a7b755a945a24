//! The laws of the source: who may import whom, which files stay pure, how long a file may be.
//!
//! `docs/src/architecture.md` states them; here they are held against the files themselves.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod imports;
mod source;

use std::path::Path;

use source::{Source, files};

/// What a module of `core/src` may import of its siblings: what is below it, never what is above.
const BELOW: [(&str, &[&str]); 17] = [
    ("main", &["cli", "launcher"]),
    (
        "cli",
        &[
            "control",
            "daemon",
            "agent",
            "workflow",
            "router",
            "bus",
            "services",
            "observe",
            "supervisor",
            "registry",
            "recording",
            "replay",
        ],
    ),
    (
        "control",
        &["daemon", "agent", "workflow", "router", "bus", "services", "observe", "supervisor", "registry"],
    ),
    (
        "daemon",
        &[
            "agent",
            "workflow",
            "router",
            "bus",
            "services",
            "observe",
            "supervisor",
            "registry",
            "python",
            "recording",
        ],
    ),
    ("agent", &["router", "services", "supervisor"]),
    ("workflow", &["router", "services", "supervisor"]),
    ("router", &["bus", "services", "observe", "proxy", "supervisor"]),
    ("bus", &[]),
    ("services", &[]),
    ("observe", &[]),
    ("supervisor", &["launcher", "proxy", "python", "recording"]),
    ("proxy", &[]),
    ("launcher", &[]),
    ("registry", &["python"]),
    ("python", &[]),
    ("recording", &[]),
    ("replay", &["recording", "supervisor"]),
];

/// What a crate may depend on of ours; its tests may use more.
const CRATES: [(&str, &[&str]); 8] = [
    ("protocol", &[]),
    ("protocol/peer", &["astros-protocol"]),
    ("core", &["astros-protocol", "astros-peer", "astros-conformance"]),
    ("tests/conformance", &["astros-protocol"]),
    ("sdk-rust", &["astros-protocol", "astros-peer"]),
    ("plugins/examples", &["astros-sdk"]),
    ("plugins/file-manager", &["astros-sdk"]),
    ("plugins/notification-manager", &["astros-sdk"]),
];

/// Files and folders without runtime, clock, or input and output.
const PURE: [&str; 20] = [
    "core/src/agent/recognition",
    "core/src/workflow/check.rs",
    "core/src/workflow/expression.rs",
    "core/src/workflow/file.rs",
    "core/src/workflow/plan.rs",
    "core/src/supervisor/state.rs",
    "core/src/supervisor/machine.rs",
    "core/src/supervisor/backoff.rs",
    "core/src/supervisor/level.rs",
    "core/src/supervisor/environment.rs",
    "core/src/router/tree.rs",
    "core/src/router/waits.rs",
    "core/src/bus/subject.rs",
    "core/src/bus/table.rs",
    "core/src/bus/queue.rs",
    "core/src/services/settings",
    "core/src/recording/secrets.rs",
    "core/src/replay/compare.rs",
    "core/src/replay/vary.rs",
    "protocol/src",
];

/// What is neither, in a pure folder: reading manifests and what is beside them.
const IMPURE: [&str; 2] = ["protocol/src/manifest/files.rs", "protocol/src/manifest/folder.rs"];

const FORBIDDEN: [&str; 14] = [
    "tokio",
    "tokio_util",
    "std::env",
    "std::fs",
    "std::io",
    "std::net",
    "std::os",
    "std::process",
    "std::thread",
    "std::time::SystemTime",
    "Instant::now",
    "SystemTime::now",
    "Timestamp::now",
    "Zoned::now",
];

/// A token that is cancelled neither waits nor reads a clock.
const ALLOWED: &str = "tokio_util::sync::CancellationToken";

#[test]
fn modules_import_what_is_below_them_only() {
    let mut broken = Vec::new();
    for source in files("core/src", "rs") {
        let module = source.module();
        let Some(top) = module.first().map_or(Some("main"), |top| Some(top.as_str())) else { continue };
        // `lib.rs` names the modules and imports none of them.
        if source.path.ends_with("lib.rs") {
            continue;
        }
        let (_, below) = BELOW.iter().find(|(name, _)| *name == top).unwrap_or_else(|| {
            panic!(
                "`core/src/{top}` is new: say in this test and in docs/src/architecture.md where it stands"
            )
        });
        for other in imports::top_modules(&source.code, &module) {
            if other != top && BELOW.iter().any(|(name, _)| *name == other) && !below.contains(&&*other) {
                broken.push(format!("{} imports `crate::{other}`", source.path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "who stands below must not import who stands above:\n{}", broken.join("\n"));
}

#[test]
fn crates_depend_on_what_is_below_them_only() {
    for (folder, allowed) in CRATES {
        let manifest = std::fs::read_to_string(source::root().join(folder).join("Cargo.toml")).unwrap();
        for other in imports::own_dependencies(&manifest) {
            assert!(
                allowed.contains(&&*other),
                "`{folder}` depends on `{other}`, expected one of {allowed:?}"
            );
        }
    }
}

#[test]
fn pure_files_know_no_runtime_no_clock_and_no_input_or_output() {
    let mut broken = Vec::new();
    for pure in PURE {
        let sources = source::file_and_folder(pure);
        assert!(!sources.is_empty(), "`{pure}` is gone: correct this test");
        for Source { path, code, .. } in sources {
            if IMPURE.iter().any(|impure| path == Path::new(impure)) {
                continue;
            }
            let named = imports::paths(&code).into_iter().filter(|named| named != ALLOWED);
            for named in named.filter(|named| FORBIDDEN.iter().any(|bad| imports::reaches(named, bad))) {
                broken.push(format!("{} names `{named}`", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "pure files take times and texts as arguments:\n{}", broken.join("\n"));
}

#[test]
fn files_are_short_and_say_what_they_are() {
    const MOST: usize = 500;
    let mut broken = Vec::new();
    for extension in ["rs", "py"] {
        for Source { path, text, .. } in files("", extension) {
            let lines = text.lines().count();
            if lines > MOST {
                broken.push(format!("{} has {lines} lines, expected at most {MOST}", path.display()));
            }
            if extension == "rs" && !text.trim_start().starts_with("//!") {
                broken.push(format!("{} has no `//!` head that says what it is", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}
