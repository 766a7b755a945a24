//! What a program needs to run: itself, the interpreter behind it, and the installation that this belongs to.

use std::{
    collections::BTreeSet,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use crate::supervisor::{Launch, Spec, program};

/// The first line of a script is no longer.
const FIRST_LINE: u64 = 256;

/// Files and folders to read; what is in the system's folders is there anyway.
pub(super) fn needs(spec: &Spec, program: &Path, home: Option<&Path>) -> Vec<PathBuf> {
    let mut needed = Vec::new();
    let is_interpreter = !matches!(spec.launch, Launch::Executable(_));
    add(&mut needed, spec, program, is_interpreter, home);
    for interpreter in named_in(spec, program) {
        add(&mut needed, spec, &interpreter, true, home);
    }
    needed
}

fn add(needed: &mut Vec<PathBuf>, spec: &Spec, program: &Path, is_interpreter: bool, home: Option<&Path>) {
    needed.push(program.to_owned());
    if !is_interpreter {
        return;
    }
    // Where it is reached through links, each may be where an environment begins.
    let real = program.canonicalize().ok();
    let installations = [Some(program.to_owned()), real].into_iter().flatten();
    let installations: BTreeSet<_> =
        installations.filter_map(|path| installation(&path, spec, home)).collect();
    needed.extend(installations);
}

/// The folder that an interpreter's `bin` is in, where that is an installation and not somebody's files.
fn installation(program: &Path, spec: &Spec, home: Option<&Path>) -> Option<PathBuf> {
    let bin = program.parent().filter(|folder| folder.ends_with("bin"))?;
    let prefix = bin.parent()?;
    let holds = |path: &Path| path.starts_with(prefix);
    let is_somebodys = home.is_some_and(|home| holds(home) || prefix == home.join(".local"))
        || spec.hidden.iter().any(|folder| holds(folder))
        || prefix.parent().is_none();
    (!is_somebodys).then(|| prefix.to_owned())
}

/// The programs that a script's first line names.
fn named_in(spec: &Spec, script: &Path) -> Vec<PathBuf> {
    let mut start = Vec::new();
    let read = File::open(script).and_then(|file| file.take(FIRST_LINE).read_to_end(&mut start));
    let line = start.strip_prefix(b"#!").filter(|_| read.is_ok()).unwrap_or_default();
    let line =
        String::from_utf8_lossy(line.split(|byte| *byte == b'\n').next().unwrap_or_default()).into_owned();
    let words = line.split_whitespace().filter(|word| !word.starts_with('-'));
    let paths = words.filter_map(|word| match word.contains('/') {
        true => Some(PathBuf::from(word)).filter(|path| path.is_absolute()),
        // What `env` looks up.
        false => program::on_path(spec, Path::new(word)),
    });
    paths.take(2).collect()
}
