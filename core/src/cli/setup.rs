//! `astros plugins setup`: makes a virtual environment of the plugin's own, as the person and outside of any sandbox,
//! and installs there what the plugin needs.

use std::{
    env,
    ffi::{OsStr, OsString},
    fs,
    io::{self, IsTerminal},
    os::unix::{ffi::OsStrExt, fs::symlink},
    path::Path,
    process::{ExitCode, Stdio},
};

use astros_protocol::{Error, ErrorCode};
use serde_json::json;
use tokio::process::Command;

use super::{input, output::Output, plugins::done};
use crate::{
    control::{Client, api::ControlClient, client::answered},
    daemon::SetupPlan,
    services::printable::printable,
};

pub(super) async fn run(
    name: String,
    yes: bool,
    daemon: &Client,
    output: &Output,
) -> Result<ExitCode, Error> {
    let plan = answered(daemon.setup_plan(name.clone()).await)?;
    if !yes && !agrees(&plan, output).await? {
        output.note("nothing was installed");
        return Ok(ExitCode::from(1));
    }
    let python = plan.environment.join("bin/python");
    if !python.exists() {
        let arguments = ["venv".as_ref(), plan.environment.as_os_str()];
        let hint = "Debian and Ubuntu have `venv` in the package `python3-venv`";
        call(&plan.python, &arguments, "the environment was not made", hint).await?;
    }
    let built = tempfile::tempdir().map_err(|error| not_copied(&error))?;
    let packages = plan.packages.iter().map(|package| built_from(package, built.path()));
    let packages = packages.collect::<io::Result<Vec<_>>>().map_err(|error| not_copied(&error))?;
    let options = ["pip", "install", "--disable-pip-version-check", "--no-input"];
    let arguments: Vec<&OsStr> =
        options.iter().map(OsStr::new).chain(packages.iter().map(OsString::as_os_str)).collect();
    call(&python, &arguments, "not everything was installed", "mend that, and say it once more").await?;
    let place = plan.environment.display();
    let text = format!("`{name}` runs with the packages in `{place}`");
    let members = json!({ "name": name, "environment": plan.environment, "packages": plan.packages });
    done(&printable(&text), members, output);
    // What it says now may be that something else is missing.
    if let Err(error) = answered(daemon.reload(name).await) {
        output.note(&printable(&error.message));
    }
    Ok(ExitCode::SUCCESS)
}

async fn agrees(plan: &SetupPlan, output: &Output) -> Result<bool, Error> {
    let name = &plan.plugin;
    if output.json || !io::stdin().is_terminal() {
        let message = format!("nobody is there to agree to what is installed for `{name}`");
        let error = Error::new(ErrorCode::INVALID_PARAMS, message);
        return Err(error.with_hint(format!("`astros plugins setup {name} --yes` agrees")));
    }
    let question = format!(
        "For `{name}` pip installs\n  {}\ninto `{}`, with `{}`.\n\
         What is installed may run code as you do it, outside of the sandbox.   Go on? [y/N] ",
        plan.packages.join("\n  "),
        plan.environment.display(),
        plan.python.display(),
    );
    input::agrees(&printable(&question)).await
}

/// What pip is given: of a project that is the plugin's own folder, a copy below `place`. What builds it leaves its things
/// where it builds.
fn built_from(package: &str, place: &Path) -> io::Result<OsString> {
    let folder = Path::new(package);
    let Some(name) = folder.file_name().filter(|_| folder.is_absolute() && folder.is_dir()) else {
        return Ok(package.into());
    };
    let copy = place.join(name);
    copy_folder(folder, &copy)?;
    Ok(copy.into())
}

/// Files, folders and links; environments that lie in it are none of it.
fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (kind, path, copy) = (entry.file_type()?, entry.path(), to.join(entry.file_name()));
        if kind.is_symlink() {
            symlink(fs::read_link(&path)?, &copy)?;
        } else if kind.is_file() {
            fs::copy(&path, &copy)?;
        } else if kind.is_dir() && !path.join("pyvenv.cfg").exists() {
            copy_folder(&path, &copy)?;
        }
    }
    Ok(())
}

fn not_copied(error: &io::Error) -> Error {
    let message = format!("the plugin's project cannot be copied to be built: {error}");
    Error::new(ErrorCode::INTERNAL_ERROR, message)
}

/// Runs a module of a Python's own to its end; what it said is shown where it failed. No folder that the person stands
/// in, and none that their environment names, has modules for it: a plugin could be there.
async fn call(python: &Path, arguments: &[impl AsRef<OsStr>], failed: &str, hint: &str) -> Result<(), Error> {
    let refuse = |what: String| Error::new(ErrorCode::PLUGIN_UNAVAILABLE, what).with_hint(hint);
    let shown = python.display();
    let mut command = Command::new(python);
    command.args(["-I", "-m"]).args(arguments).current_dir("/").stdin(Stdio::null()).kill_on_drop(true);
    // For those that it starts in turn.
    let names = env::vars_os().map(|(name, _)| name);
    names.filter(|name| name.as_bytes().starts_with(b"PYTHON")).for_each(|name| _ = command.env_remove(name));
    let ended = command.output().await;
    let ended = ended.map_err(|error| refuse(format!("{failed}: `{shown}` cannot be started: {error}")))?;
    if ended.status.success() {
        return Ok(());
    }
    let said = [ended.stdout, ended.stderr].concat();
    let status = ended.status.code().map_or("a signal".to_owned(), |code| format!("status {code}"));
    let error = refuse(format!("{failed}: `{shown}` ended with {status}"));
    Err(error.with_detail(String::from_utf8_lossy(&said).trim_end()))
}
