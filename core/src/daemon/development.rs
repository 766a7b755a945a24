//! The development switch: which folders of plugins in the making are looked into, and whether what is saved there is
//! reloaded. `~/.localagent/development.yaml` says more of it, where it is there, and what else a developer wants to see.

use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};

use astros_protocol::{Error, manifest::Document};
use serde::Deserialize;
use serde_json::Value;

use super::{
    config::{WorkflowSection, expand, unknown},
    misconfigured,
};
use crate::workflow::Switches;

/// Where plugins are written, beside `dev-plugins` in the working directory.
const FOLDERS: [&str; 2] = ["~/.localagent/plugins", "~/.localagent/dev-plugins"];
const HERE: &str = "./dev-plugins";

/// How far a person develops plugins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Development {
    /// Plugins are told, and run with what helps their authors.
    pub is_on: bool,
    /// What is saved is reloaded by itself.
    pub reloads: bool,
    /// Folders of plugins, absolute; they need not be there.
    pub folders: Vec<PathBuf>,
    /// The daemon's log has all that helps.
    pub is_verbose: bool,
    /// What is wanted of every run of a workflow.
    pub workflow: Switches,
    /// What a person should look at in the file, one sentence each.
    pub warnings: Vec<String>,
}

/// The file as it is written.
#[derive(Default, Deserialize)]
#[serde(default, expecting = "a mapping")]
struct File {
    development: Section,
}

#[derive(Default, Deserialize)]
#[serde(default, expecting = "a mapping")]
struct Section {
    hot_reload: Option<bool>,
    debug_mode: bool,
    verbose_logging: bool,
    plugins: Plugins,
    workflow: WorkflowSection,
    #[serde(skip)]
    warnings: Vec<String>,
}

const SECTION: [&str; 5] = ["hot_reload", "debug_mode", "verbose_logging", "plugins", "workflow"];
const PLUGINS: [&str; 3] = ["allow_dev_plugins", "auto_reload", "development_directories"];

#[derive(Default, Deserialize)]
#[serde(default, expecting = "a mapping")]
struct Plugins {
    allow_dev_plugins: Option<bool>,
    auto_reload: Option<bool>,
    development_directories: Option<Vec<String>>,
}

impl Development {
    /// What `--dev` (`wanted`), the environment, and the file in the home say. The working directory `cwd` is looked into
    /// where the switch was set for this command only: whoever walks into somebody's folder runs nothing of it.
    ///
    /// # Errors
    /// The switch is set, and the file cannot be understood.
    pub fn read(
        environment: &[(OsString, OsString)],
        wanted: bool,
        cwd: Option<&Path>,
    ) -> Result<Development, Error> {
        let variable = |name: &str| environment.iter().find(|(key, _)| key == name).map(|(_, value)| value);
        let switch = |name| variable(name).and_then(|value| is_true(&value.to_string_lossy()));
        let is_on = wanted || switch("LOCALAGENT_DEV_MODE") == Some(true);
        let allowed = switch("LOCALAGENT_PLUGINS_ALLOW_DEV");
        let is_explicit = is_on || allowed == Some(true);
        let home = variable("HOME").map(PathBuf::from);
        let file = home.as_ref().map(|home| section(&home.join(".localagent/development.yaml")));
        let file = match file.transpose() {
            Ok(file) => file.unwrap_or_default(),
            Err(error) if is_explicit => return Err(error),
            Err(_) => Section::default(),
        };
        let Plugins { allow_dev_plugins, auto_reload, development_directories } = file.plugins;
        let is_allowed = allowed.or(allow_dev_plugins).unwrap_or(is_on);
        let mut folders = Vec::new();
        if is_allowed {
            let written = development_directories.unwrap_or_else(|| vec![HERE.to_owned()]);
            let cwd = cwd.filter(|_| is_explicit);
            let absolute = |folder: &str| {
                let path = expand(folder, home.as_deref());
                if path.is_absolute() {
                    Some(path)
                } else {
                    Some(cwd?.join(path.strip_prefix(".").unwrap_or(&path)))
                }
            };
            let all = written.iter().map(String::as_str).chain(FOLDERS).filter_map(absolute);
            all.for_each(|folder| {
                if !folders.contains(&folder) {
                    folders.push(folder)
                }
            });
        }
        let reloads = is_on && file.hot_reload != Some(false) && auto_reload != Some(false);
        let is_verbose = is_on && (file.debug_mode || file.verbose_logging);
        let workflow = if is_on { file.workflow.into() } else { Switches::default() };
        let warnings = if is_on || is_allowed { file.warnings } else { Vec::new() };
        Ok(Development { is_on, reloads, folders, is_verbose, workflow, warnings })
    }
}

fn section(path: &Path) -> Result<Section, Error> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Section::default()),
        Err(error) => return Err(misconfigured(format!("cannot read `{}`: {error}", path.display()))),
    };
    let document = Document::parse(&text, path).map_err(misconfigured)?;
    let file: File = document.read().map_err(misconfigured)?;
    let written: Value = document.read().unwrap_or_default();
    let section = &written["development"];
    let known: [(&[&str], &Value, &[&str]); 4] = [
        (&[], &written, &["development"]),
        (&["development"], section, &SECTION),
        (&["development", "plugins"], &section["plugins"], &PLUGINS),
        (&["development", "workflow"], &section["workflow"], &WorkflowSection::NAMES),
    ];
    let unknown =
        known.into_iter().flat_map(|(prefix, value, names)| unknown(&document, path, prefix, value, names));
    Ok(Section { warnings: unknown.collect(), ..file.development })
}

/// What people write for a switch; none where that is nothing.
fn is_true(text: &str) -> Option<bool> {
    match text.trim().to_lowercase().as_str() {
        "" => None,
        "0" | "false" | "no" | "off" => Some(false),
        _ => Some(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(file: &str, variables: &[(&str, &str)], wanted: bool) -> Development {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join(".localagent")).unwrap();
        fs::write(home.path().join(".localagent/development.yaml"), file).unwrap();
        let mut environment: Vec<_> =
            variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
        environment.push(("HOME".into(), home.path().into()));
        let mut found = Development::read(&environment, wanted, Some(Path::new("/srv/ada"))).unwrap();
        for folder in &mut found.folders {
            if let Ok(below) = folder.strip_prefix(home.path()) {
                *folder = Path::new("~").join(below);
            }
        }
        found
    }

    fn folders(found: &Development) -> Vec<&str> {
        found.folders.iter().filter_map(|folder| folder.to_str()).collect()
    }

    #[test]
    fn looks_nowhere_without_the_switch_and_never_around_without_that_of_this_command() {
        assert_eq!(read("", &[], false), Development::default());
        let all = ["/srv/ada/dev-plugins", "~/.localagent/plugins", "~/.localagent/dev-plugins"];
        for found in [read("", &[], true), read("", &[("LOCALAGENT_DEV_MODE", "true")], false)] {
            assert_eq!((folders(&found), found.is_on, found.reloads), (all.to_vec(), true, true));
        }
        let allowed = read("", &[("LOCALAGENT_PLUGINS_ALLOW_DEV", "1")], false);
        assert_eq!((folders(&allowed), allowed.is_on), (all.to_vec(), false));
        assert!(read("", &[("LOCALAGENT_PLUGINS_ALLOW_DEV", "false")], true).folders.is_empty());
        let by_file = read("development: {plugins: {allow_dev_plugins: true}}", &[], false);
        assert_eq!(folders(&by_file), all[1..], "the file holds wherever a person is");
    }

    #[test]
    fn does_what_the_file_says() {
        let traced = "development: {workflow: {detailed_error_traces: true}}";
        let traces = Switches { traces: true, ..Switches::default() };
        assert_eq!(
            (read(traced, &[], true).workflow, read(traced, &[], false).workflow),
            (traces, Switches::default())
        );
        let file = "development:\n  debug_mode: true\n  plugins:\n    auto_reload: false\n    \
                    development_directories: [\"./mine\", \"~/.localagent/dev-plugins\", /srv/dev]\n";
        let found = read(file, &[], true);
        assert_eq!(found.warnings, Vec::<String>::new());
        let wrong = read("development:\n  plugins: {auto_relaod: true}\n  log: 1\n", &[], true).warnings;
        assert!(wrong[0].ends_with(":3: `development.log` is not known and was ignored"), "{wrong:?}");
        assert!(wrong[1].ends_with("; did you mean `auto_reload`?"), "{wrong:?}");
        assert!(found.is_verbose && !read(file, &[], false).is_verbose);
        let expected = ["/srv/ada/mine", "~/.localagent/dev-plugins", "/srv/dev", "~/.localagent/plugins"];
        assert_eq!((folders(&found), found.reloads), (expected.to_vec(), false));
        assert!(read("development: {plugins: {allow_dev_plugins: false}}", &[], true).folders.is_empty());
        assert_eq!(read("development: [", &[], false), Development::default());
    }
}
