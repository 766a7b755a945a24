//! What an operation says when it is over: a message for people, data for programs.

use std::path::Path;

use serde_json::{Map, Value, json};

use crate::category::Method;
use crate::list::{Entry, Found};
use crate::operation::TakenBack;
use crate::paths::WirePath;
use crate::plan::{Action, Kind, LeftAlone, NAME_TAKEN, Skipped};
use crate::run::Outcome;
use crate::words::{many, number, plain, shown, was};

/// How many of the things left alone are listed.
const LISTED: usize = 100;
/// How many names a message says.
const NAMED: usize = 20;

/// The answer to a request.
#[derive(Debug)]
pub struct Report {
    pub success: bool,
    pub message: String,
    pub data: Value,
}

/// A change that was made, or only rehearsed.
#[derive(Debug)]
pub struct Change<'a> {
    pub outcome: &'a Outcome,
    pub operation: Option<&'a str>,
    pub dry_run: bool,
}

pub fn organized(change: &Change<'_>, path: &Path, method: Method, left_alone: LeftAlone) -> Report {
    let Change { outcome, dry_run, .. } = *change;
    let categories = categories(outcome);
    let mut message = match (outcome.done, dry_run) {
        (0, _) if outcome.skipped.is_empty() => format!("There is nothing to organize in {}.", shown(path)),
        (0, _) => format!("Nothing was moved in {}.", shown(path)),
        (done, true) => {
            format!("Would organize {} into {}.", many(done, "file"), many(folders(outcome), "folder"))
        }
        (done, false) => {
            format!("Organized {} into {}.", many(done, "file"), many(folders(outcome), "folder"))
        }
    };
    if !categories.is_empty() {
        let counts: Vec<_> =
            categories.iter().map(|(name, n)| format!("{} {}", plain(name), number(*n))).collect();
        message += &format!("\n{}", counts.join(" · "));
    }
    message += &notes(&outcome.skipped, outcome.cancelled);
    let mut data = data(change);
    data.insert("path".into(), json!(WirePath::from(path)));
    data.insert("method".into(), method.name().into());
    data.insert(
        "categories".into(),
        Value::Object(categories.into_iter().map(|(k, n)| (k, n.into())).collect()),
    );
    data.insert("left_alone".into(), json!(left_alone));
    // A name that is taken is the usual end of a second run; that nothing could be moved is a failure.
    let failed = outcome.done == 0 && outcome.skipped.iter().any(|skipped| skipped.reason != NAME_TAKEN);
    Report { success: !outcome.cancelled && !failed, message, data: Value::Object(data) }
}

pub fn transferred(change: &Change<'_>, action: Action, destination: &Path) -> Report {
    let Change { outcome, dry_run, .. } = *change;
    let verb = match (action, dry_run) {
        (Action::Copy, true) => "Would copy",
        (Action::Copy, false) => "Copied",
        (_, true) => "Would move",
        (_, false) => "Moved",
    };
    let nothing = outcome.done == 0 && outcome.folders_created.is_empty();
    let mut message = match outcome.skipped.first() {
        Some(first) if nothing => {
            let (path, reason) = (shown(&first.path.0), &first.reason);
            let what = if action == Action::Copy { "copied" } else { "moved" };
            format!("{path} was not {what}: {reason}")
        }
        _ => format!("{verb} {} to {}.", many(outcome.done, "item"), shown(destination)),
    };
    if !nothing || outcome.skipped.len() > 1 {
        message += &notes(&outcome.skipped, outcome.cancelled);
    }
    let mut data = data(change);
    data.insert("destination".into(), json!(WirePath::from(destination)));
    Report { success: !nothing && !outcome.cancelled, message, data: Value::Object(data) }
}

pub fn taken_back(TakenBack { id, action, base, undone }: &TakenBack) -> Report {
    let (n, copied) = (undone.restored, *action == Action::Copy);
    let mut message = match (n, copied) {
        (0, _) if undone.folders_removed.is_empty() => "Nothing could be put back.".to_owned(),
        (n, true) => format!("{} {} removed.", many(n, "copy").replace("copys", "copies"), was(n)),
        (1, false) => "1 file is back where it was.".to_owned(),
        (n, false) => format!("{} are back where they were.", many(n, "file")),
    };
    message += &notes(&undone.skipped, false);
    if undone.cancelled {
        message += "\nIt was stopped before its end; \"undo that\" goes on.";
    }
    let data = json!({
        "operation": id,
        "action": action,
        "path": WirePath::from(base.as_path()),
        "files_restored": n,
        "folders_removed": undone.folders_removed.iter().map(|f| WirePath::from(f.as_path())).collect::<Vec<_>>(),
        "skipped": &undone.skipped[..undone.skipped.len().min(LISTED)],
        "skipped_total": undone.skipped.len(),
        "cancelled": undone.cancelled,
    });
    let success = !undone.cancelled && (n > 0 || undone.skipped.is_empty());
    Report { success, message, data }
}

/// The names below `folder`; `what` names what was looked at or for, in backticks.
pub fn found(found: &Found, folder: &Path, what: &str, mut data: Map<String, Value>) -> Report {
    let mut message = match found.total {
        0 => format!("Nothing {what}."),
        1 => format!("1 entry {what}."),
        n => format!("{} entries {what}.", number(n)),
    };
    let named = &found.files[..found.files.len().min(NAMED)];
    for Entry { path, kind, .. } in named {
        let name = path.0.strip_prefix(folder).unwrap_or(&path.0).to_string_lossy();
        message += &format!("\n  {}{}", plain(&name), if *kind == Kind::Folder { "/" } else { "" });
    }
    let more = found.total.saturating_sub(named.len() as u64);
    if more > 0 {
        let listed = if found.truncated { number(found.files.len() as u64) } else { "all".to_owned() };
        message += &format!("\nand {} more; `--json` lists {listed}", number(more));
    }
    if found.unreadable > 0 {
        message += &format!("\n{} could not be read.", many(found.unreadable, "folder"));
    }
    if let Ok(Value::Object(more)) = serde_json::to_value(found) {
        data.extend(more);
    }
    Report { success: true, message, data: Value::Object(data) }
}

fn data(Change { outcome, operation, dry_run }: &Change<'_>) -> Map<String, Value> {
    let created: Vec<_> = outcome.folders_created.iter().map(|f| WirePath::from(f.as_path())).collect();
    let names: Vec<_> =
        outcome.folders_created.iter().filter_map(|f| Some(WirePath(f.file_name()?.into()))).collect();
    Map::from_iter([
        ("files_processed".into(), outcome.done.into()),
        ("folders_created".into(), json!(names)),
        ("folder_paths".into(), json!(created)),
        ("skipped".into(), json!(outcome.skipped[..outcome.skipped.len().min(LISTED)])),
        ("skipped_total".into(), outcome.skipped.len().into()),
        ("dry_run".into(), (*dry_run).into()),
        ("cancelled".into(), outcome.cancelled.into()),
        ("operation".into(), json!(operation)),
    ])
}

/// Folder names and how many files went there, the fullest first.
fn categories(outcome: &Outcome) -> Vec<(String, u64)> {
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut counts: Vec<_> = outcome.folders.iter().map(|(path, n)| (name(path), *n)).collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    counts
}

fn folders(outcome: &Outcome) -> u64 {
    outcome.folders.len() as u64
}

/// A line for each thing that a person should know beside the result.
fn notes(skipped: &[Skipped], cancelled: bool) -> String {
    let taken = skipped.iter().filter(|skipped| skipped.reason == NAME_TAKEN).count() as u64;
    let mut notes = String::new();
    if taken > 0 {
        notes += &format!("\n{} {} left alone: {NAME_TAKEN}.", many(taken, "file"), was(taken));
    }
    let others: Vec<_> = skipped.iter().filter(|skipped| skipped.reason != NAME_TAKEN).collect();
    for Skipped { path, reason } in others.iter().take(3) {
        notes += &format!("\n{} was left alone: {reason}.", shown(&path.0));
    }
    if let Some(more) = others.len().checked_sub(3).filter(|more| *more > 0) {
        notes +=
            &format!("\n{} more {} left alone; `--json` lists them.", number(more as u64), was(more as u64));
    }
    if cancelled {
        notes += "\nIt was stopped before its end; \"undo that\" takes back what was done.";
    }
    notes
}
