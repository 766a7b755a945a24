//! Plugins that are found elsewhere than in a folder of their own: several in one, in Python environments, where they are
//! being written.

use std::{fs, path::PathBuf, process::Command};

use astros_core::{
    daemon::{Daemon, Development, Options},
    python::{Environment, Installed as Packages},
};

use crate::harness::{Home, code, shown, version};

/// A virtual environment without anything in it; gives its folder of packages.
pub(crate) fn environment(home: &Home, name: &str) -> PathBuf {
    let folder = home.path(name);
    let made = Command::new("python3").args(["-m", "venv", "--without-pip"]).arg(&folder).status().unwrap();
    assert!(made.success());
    let mut libraries = fs::read_dir(folder.join("lib")).unwrap().flatten();
    libraries
        .find(|library| library.file_name().to_string_lossy().starts_with("python3"))
        .unwrap()
        .path()
        .join("site-packages")
}

fn write(home: &Home, site: &std::path::Path, name: &str, text: &str) {
    home.write(site.join(name).to_str().unwrap(), text);
}

fn listed(daemon: &Daemon) -> Vec<(String, String)> {
    let bundled =
        ["file-manager", "hello-world", "notification-manager", "project-analyzer", "smart-organizer"];
    let own = daemon.list().into_iter().filter(|one| !bundled.contains(&&*one.name));
    own.map(|one| (one.name, one.state)).collect()
}

fn pairs(all: &[(&str, &str)]) -> Vec<(String, String)> {
    all.iter().map(|(name, state)| (name.to_string(), state.to_string())).collect()
}

#[tokio::test]
async fn runs_each_class_of_a_folder_as_a_plugin_of_its_own() {
    let home = Home::new();
    let manifest = "name: both\nentry_points:\n  intents:\n    - {name: Alto, class: 'parts.alto:Test'}\n    \
                    - {name: bass, class: 'parts.bass:Test'}\n    - {name: bad name!, class: 'parts.bad:Test'}\n";
    home.write("plugins/both/plugin-manifest.yaml", manifest);
    home.write("plugins/both/parts/__init__.py", "");
    home.write("plugins/both/parts/alto.py", &code("high"));
    home.write("plugins/both/parts/bass.py", &code("low").replace("which version", "what depth"));
    let daemon = home.start().await;
    assert_eq!(listed(&daemon), pairs(&[("alto", "idle"), ("bad-name!", "blocked"), ("bass", "idle")]));
    assert_eq!(version(&daemon, "alto").await.unwrap(), "high");
    assert_eq!(version(&daemon, "bass").await.unwrap(), "low");
    daemon.learn().await;
    daemon.stop().await;
    // What each offers is remembered of each.
    let daemon = home.start().await;
    let example = async |name| shown(&daemon, name, "handlers").await[0]["examples"][0].clone();
    assert_eq!(example("bass").await, "what depth is it");
    assert_eq!(example("alto").await, "which version is it");
    daemon.stop().await;
}

#[tokio::test]
async fn runs_what_is_installed_in_a_python_environment_once_it_is_enabled() {
    let home = Home::new();
    let site = environment(&home, "venv");
    // A name that the standard library has too: it must not take that one's place.
    write(&home, &site, "awesome/types.py", "raise SystemExit('the wrong module')");
    write(&home, &site, "awesome/__init__.py", "");
    write(&home, &site, "awesome/main.py", &code("installed"));
    let info = "awesome_plugin-1.2.0.dist-info";
    let points = "[console_scripts]\nx = awesome.main:main\n\n[astros.plugins]\nawesome = awesome.main:Test\n\
                  [localagent.plugins.commands]\nawesome = awesome.main:Test\nother = awesome.other:Other [extra]\n";
    write(&home, &site, &format!("{info}/entry_points.txt"), points);
    let metadata =
        "Metadata-Version: 2.1\nName: awesome-plugin\nVersion: 1.2.0\nSummary: Tells.\nAuthor: Ada\n\nText\n";
    write(&home, &site, &format!("{info}/METADATA"), metadata);
    let missing = home.path("nothing").display().to_string();
    home.write("home/astros.yaml", &format!("python_environments: [../venv, {missing}]\n"));
    let daemon = home.start().await;
    assert!(daemon.warnings().iter().any(|warning| warning.contains(&missing)), "{:?}", daemon.warnings());
    assert_eq!(listed(&daemon), pairs(&[("awesome", "disabled"), ("other", "disabled")]));
    daemon.set_enabled("awesome", true).await.unwrap();
    assert_eq!(version(&daemon, "awesome").await.unwrap(), "installed");
    let found = daemon.list().into_iter().find(|one| one.name == "awesome").unwrap();
    let kinds = ["intent", "command"].map(str::to_owned).to_vec();
    assert_eq!((&*found.version, found.kinds, found.author.as_deref()), ("1.2.0", kinds, Some("Ada")));
    daemon.stop().await;
}

#[tokio::test]
async fn follows_the_link_of_an_old_installer_to_sources() {
    let home = Home::new();
    let site = environment(&home, "venv");
    let sources = home.path("pkg");
    write(&home, &site, "multi-pkg.egg-link", &format!("{}\n.", sources.display()));
    write(&home, &site, "easy-install.pth", &sources.display().to_string());
    home.write("pkg/multi_pkg.egg-info/entry_points.txt", "[astros.plugins]\nmulti = multi.main:Test\n");
    home.write("pkg/multi_pkg.egg-info/PKG-INFO", "Metadata-Version: 2.1\nName: multi-pkg\nVersion: 1.2.0\n");
    home.write("pkg/multi/__init__.py", "");
    home.write("pkg/multi/main.py", &code("edited"));
    home.write("home/astros.yaml", "python_environments: [../venv]\n");
    let daemon = home.start().await;
    daemon.set_enabled("multi", true).await.unwrap();
    assert_eq!(version(&daemon, "multi").await.unwrap(), "edited");
    let found = daemon.list().into_iter().find(|one| one.name == "multi").unwrap();
    assert_eq!(found.version, "1.2.0");
    daemon.stop().await;
    let installed = Packages::of(&Environment::at(&home.path("venv")).unwrap());
    assert_eq!(installed.version("Multi_Pkg"), Some("1.2.0"));
}

#[tokio::test]
async fn looks_into_folders_of_development_where_it_is_told_to() {
    let home = Home::new();
    home.write("dev-plugins/fresh/plugin.py", &code("fresh"));
    let daemon = home.start().await;
    assert_eq!(listed(&daemon), []);
    daemon.stop().await;
    let folders = vec![home.path("dev-plugins"), home.path("nowhere")];
    let development = Development { folders, ..Development::default() };
    let daemon = Daemon::start(Options { development, ..home.options() }).await.unwrap();
    assert_eq!(version(&daemon, "fresh").await.unwrap(), "fresh");
    assert_eq!(daemon.named_folders(), [home.path("plugins"), home.path("dev-plugins")]);
    daemon.stop().await;
}

#[tokio::test]
async fn enables_what_the_environment_names_unless_a_command_says_otherwise() {
    let home = Home::new();
    for name in ["one", "two", "three"] {
        home.write(&format!("home/data/plugins/{name}/main.py"), &code(name));
    }
    let mut options = home.options();
    options.environment.push(("LOCALAGENT_PLUGINS_ENABLED".into(), "one, two,gone".into()));
    let daemon = Daemon::start(options).await.unwrap();
    assert_eq!(listed(&daemon), pairs(&[("one", "idle"), ("three", "disabled"), ("two", "idle")]));
    assert!(
        daemon.warnings().iter().any(|warning| warning.starts_with("`gone` in `LOCALAGENT_PLUGINS_ENABLED`"))
    );
    daemon.set_enabled("two", false).await.unwrap();
    assert_eq!(listed(&daemon)[2].1, "disabled");
    daemon.stop().await;
}
