//! How a plugin is started where its manifest does not say so.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use astros_protocol::manifest::{FILE_NAMES, Manifest, Program, PythonTarget, Run};

/// Python files that are started, in the order in which they are looked for.
pub(super) const NAMES: [&str; 3] = ["src/main.py", "main.py", "plugin.py"];

/// Files of a folder that tell its language.
const LANGUAGES: [(&str, &str); 4] =
    [("Cargo.toml", "rust"), ("go.mod", "go"), ("package.json", "javascript"), ("pyproject.toml", "python")];

/// Interpreters of command lines, and what they run.
const INTERPRETERS: [(&str, &str); 8] = [
    ("python3", "python"),
    ("python", "python"),
    ("node", "javascript"),
    ("deno", "javascript"),
    ("ruby", "ruby"),
    ("bash", "shell"),
    ("sh", "shell"),
    ("java", "java"),
];

/// Whether there is a plugin in the folder: a manifest, or something that can be run.
pub(super) fn is_plugin(folder: &Path) -> bool {
    let manifest = FILE_NAMES.iter().any(|name| folder.join(name).symlink_metadata().is_ok());
    manifest || python_file(folder).is_some() || executable(folder).is_some()
}

/// What can be run: a Python file, an entry point, an executable file of the folder's name.
pub(super) fn find(folder: &Path, manifest: &Manifest) -> Option<Program> {
    let python = python_file(folder).map(|file| PythonTarget::File(file.to_owned()));
    let entry_point = || manifest.entry_points.iter().find_map(|point| PythonTarget::parse(&point.class));
    python.or_else(entry_point).map(Program::Python).or_else(|| executable(folder))
}

/// The language that the manifest, the program or the folder's files tell.
pub(super) fn language(folder: &Path, run: &Run, program: Option<&Program>) -> Option<String> {
    let told = match program {
        _ if run.language.is_some() => run.language.as_deref(),
        Some(Program::Python(_)) => Some("python"),
        Some(Program::Command(words)) => words.first().and_then(|word| {
            let name = Path::new(word).file_name()?;
            INTERPRETERS.iter().find(|(interpreter, _)| name == *interpreter).map(|(_, language)| *language)
        }),
        Some(Program::Executable(_)) | None => None,
    };
    let by_files =
        || LANGUAGES.iter().find(|(file, _)| folder.join(file).exists()).map(|(_, language)| *language);
    told.or_else(by_files).map(str::to_owned)
}

fn python_file(folder: &Path) -> Option<&'static str> {
    NAMES.into_iter().find(|name| folder.join(name).is_file())
}

fn executable(folder: &Path) -> Option<Program> {
    let name = folder.file_name()?.to_str()?;
    let about = folder.join(name).metadata().ok()?;
    let runs = about.is_file() && about.permissions().mode() & 0o111 != 0;
    runs.then(|| Program::Executable(name.to_owned()))
}
