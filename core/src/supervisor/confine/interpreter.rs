//! What a program needs to run: itself, the interpreter behind it, and the installation that this belongs to.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::Read,
    os::unix::fs::PermissionsExt,
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
    // A plugin chooses what it names: only what can be started is given, never a folder or somebody's file.
    if !is_program(program) {
        return;
    }
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

fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
}

/// The folder that an interpreter's `bin` is in, where that is an installation and not somebody's files.
fn installation(program: &Path, spec: &Spec, home: Option<&Path>) -> Option<PathBuf> {
    let bin = program.parent().filter(|folder| folder.ends_with("bin"))?;
    let prefix = bin.parent()?;
    let holds = |path: &Path| path.starts_with(prefix);
    let is_somebodys = home.is_some_and(|home| holds(home) || prefix == home.join(".local"))
        || spec.hidden.iter().any(|folder| holds(folder))
        || prefix.parent().is_none();
    let is_in_home = home.is_some_and(|home| prefix.starts_with(home));
    (!is_somebodys && (!is_in_home || is_installation(prefix))).then(|| prefix.to_owned())
}

/// A `bin` in a home may be anywhere: what has an interpreter's library beside it is an installation.
pub(super) fn is_installation(prefix: &Path) -> bool {
    let libraries = fs::read_dir(prefix.join("lib")).into_iter().flatten().flatten();
    let mut libraries = libraries.map(|entry| entry.file_name());
    prefix.join("pyvenv.cfg").is_file()
        || libraries.any(|name| {
            let name = name.to_string_lossy();
            name == "node_modules" || name.starts_with("python3")
        })
}

/// The programs that a script's first line names, as the kernel reads it: one path, then one argument.
fn named_in(spec: &Spec, script: &Path) -> Vec<PathBuf> {
    let mut start = Vec::new();
    if !is_program(script) {
        return Vec::new();
    }
    let read = File::open(script).and_then(|file| file.take(FIRST_LINE).read_to_end(&mut start));
    let line = start.strip_prefix(b"#!").filter(|_| read.is_ok()).unwrap_or_default();
    let line =
        String::from_utf8_lossy(line.split(|byte| *byte == b'\n').next().unwrap_or_default()).into_owned();
    let mut words = line.split_whitespace();
    let Some(first) = words.next().map(PathBuf::from).filter(|path| path.is_absolute()) else {
        return Vec::new();
    };
    // `env` looks a name up on PATH; a path would be the plugin's to choose.
    let looks_up = first.file_name().is_some_and(|name| name == "env");
    let name = words.find(|word| !word.starts_with('-') && !word.contains('=')).filter(|_| looks_up);
    let found = name.and_then(|name| program::on_path(spec, Path::new(name)));
    [Some(first), found].into_iter().flatten().collect()
}
