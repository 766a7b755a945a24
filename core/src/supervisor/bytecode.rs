//! The Python SDK's bytecode, made once for each interpreter that plugins start with: they themselves cannot write it
//! beside the SDK, and would compile all of that at every start.
//!
//! Whoever writes bytecode runs code in every plugin. So it is made here, outside of any sandbox, and by interpreters
//! of the person's only; with another one a plugin starts from the sources.

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    process::Stdio,
    sync::LazyLock,
    time::Duration,
};

use tokio::{process::Command, sync::Mutex, time::timeout};

use super::{Spec, python::is_the_persons};

/// The folder beside the SDK's package that notes for which interpreters this was done. Where it is not there, the
/// package is somebody's sources, which may change: nothing is compiled then.
pub(crate) const COMPILED: &str = ".compiled";

/// How long an interpreter may take; it is a tenth of a second as a rule.
const LONGEST: Duration = Duration::from_secs(10);

/// Makes the bytecode for this interpreter, where that was not tried yet. Without it a start takes longer, no more.
pub(super) async fn make(spec: &Spec, interpreter: &Path) {
    // One at a time: plugins that start at once have the same interpreter as a rule.
    static COMPILING: LazyLock<Mutex<()>> = LazyLock::new(Mutex::default);
    let Some((sdk, real)) = spec.python_sdk.as_deref().zip(interpreter.canonicalize().ok()) else { return };
    let Some(note) = note(sdk, &real) else { return };
    if note.exists() || !is_the_persons(spec, &real) {
        return;
    }
    let _compiling = COMPILING.lock().await;
    if note.exists() {
        return;
    }
    let mut command = Command::new(&real);
    command
        .args(["-I", "-S", "-m", "compileall", "-q"])
        // The folder's name says what the sources are: nothing is to be compared at a start.
        .args(["--invalidation-mode", "unchecked-hash"])
        .arg(sdk.join("astros"))
        .env_clear()
        .envs(spec.environment.iter().map(|(name, value)| (name, value)))
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    if let Ok(mut child) = command.spawn() {
        // However it ends: it would end so again. Each file is there whole, or not at all.
        let _ = timeout(LONGEST, child.wait()).await;
    }
    let _ = fs::write(note, "");
}

/// The file that is there when this was done for an interpreter as it is now.
fn note(sdk: &Path, real: &Path) -> Option<PathBuf> {
    let notes = sdk.join(COMPILED);
    let about = fs::metadata(real).ok().filter(|_| notes.is_dir())?;
    let mut hasher = DefaultHasher::new();
    (real, about.len(), about.modified().ok()).hash(&mut hasher);
    Some(notes.join(format!("{:016x}", hasher.finish())))
}
