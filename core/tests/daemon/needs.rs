//! What plugins need beside themselves, looked for before anything is started.

use std::{
    ffi::OsString,
    fs,
    os::unix::fs::{PermissionsExt, symlink},
};

use astros_core::daemon::Daemon;

use crate::{
    discovery::environment,
    harness::{Home, version},
};

fn plugin(home: &Home, name: &str, dependencies: &str) {
    let manifest = format!("metadata: {{name: {name}, version: 1.2.0}}\ndependencies: {dependencies}\n");
    home.write(&format!("plugins/{name}/plugin.yaml"), &manifest);
    home.write(&format!("plugins/{name}/main.py"), &crate::harness::code(name));
}

/// The state of a plugin, why and what helps.
fn told(daemon: &Daemon, name: &str) -> String {
    let one = daemon.list().into_iter().find(|one| one.name == name).unwrap();
    [Some(one.state), one.reason, one.hint].into_iter().flatten().collect::<Vec<_>>().join(" | ")
}

#[tokio::test]
async fn blocks_what_lacks_another_plugin_with_the_chain_and_runs_the_rest() {
    let home = Home::new();
    plugin(&home, "top", "{plugins: [middle]}");
    plugin(&home, "middle", "{plugins: ['base>=1.0,<2']}");
    plugin(&home, "base", "{}");
    plugin(&home, "old", "{plugins: ['base>=2.0']}");
    plugin(&home, "lost", "{plugins: [nowhere]}");
    plugin(&home, "chicken", "{plugins: [egg]}");
    plugin(&home, "egg", "{plugins: [chicken]}");
    let daemon = home.start().await;
    assert_eq!(
        told(&daemon, "old"),
        "blocked | needs `base>=2.0`, found 1.2.0 | put a version of `base` in its place that fits"
    );
    assert!(told(&daemon, "lost").starts_with("blocked | needs `nowhere`, which is not there | "));
    assert!(told(&daemon, "egg").contains("needs itself: `egg` → `chicken` → `egg`"));
    assert_eq!(version(&daemon, "top").await.unwrap(), "top");

    daemon.set_enabled("base", false).await.unwrap();
    let chain = "blocked | needs `middle`, which needs `base`, which is disabled: it was disabled by command | \
                 `astros plugins enable base` enables it";
    assert_eq!(told(&daemon, "top"), chain);
    let error = version(&daemon, "top").await.unwrap_err();
    assert!(error.message.contains("which is disabled"), "{error}");
    daemon.set_enabled("base", true).await.unwrap();
    assert_eq!(version(&daemon, "top").await.unwrap(), "top");
    daemon.stop().await;
}

#[tokio::test]
async fn names_the_packages_that_are_missing_in_the_environment_of_a_plugin() {
    let home = Home::new();
    plugin(
        &home,
        "test",
        "{external: ['My.Package[extra]>=2.0', 'astros>=1.0', 'other; sys_platform == \"win32\"']}",
    );
    let site = environment(&home, "plugins/test/.venv");
    fs::create_dir(site.join("my_package-1.9.dist-info")).unwrap();
    let daemon = home.start().await;
    let told_first = told(&daemon, "test");
    assert!(
        told_first.starts_with("blocked | needs the Python package `My.Package[extra]>=2.0`, found 1.9 | `astros plugins setup test`"),
        "{told_first}"
    );
    fs::rename(site.join("my_package-1.9.dist-info"), site.join("my_package-2.0rc1.dist-info")).unwrap();
    daemon.reload("test").await.unwrap_err();
    fs::rename(site.join("my_package-2.0rc1.dist-info"), site.join("my_package-2.0.1.dist-info")).unwrap();
    daemon.reload("test").await.unwrap();
    assert_eq!(version(&daemon, "test").await.unwrap(), "test");
    daemon.stop().await;
}

#[tokio::test]
async fn finds_out_at_the_start_what_a_shim_hides() {
    let home = Home::new();
    plugin(&home, "test", "{external: ['no-such-package-anywhere>=1']}");
    let daemon = home.start().await;
    let error = version(&daemon, "test").await.unwrap_err();
    assert!(error.message.contains("needs the Python package `no-such-package-anywhere>=1`"), "{error}");
    assert!(error.hint().unwrap().contains("`astros plugins setup test`"), "{error:?}");
    let plan = daemon.setup_plan("test").await.unwrap();
    assert_eq!(plan.packages, ["no-such-package-anywhere>=1"]);
    assert_eq!(plan.environment, home.path("home/data/environments/test"));
    daemon.stop().await;
}

#[tokio::test]
async fn blocks_what_is_of_no_use_without_ai_where_nobody_provides_it() {
    let home = Home::new();
    home.write("plugins/test/plugin.yaml", "metadata: {name: test}\ncapabilities: {requires_ai: true}\n");
    home.write("plugins/test/main.py", "");
    let daemon = home.start().await;
    assert!(told(&daemon, "test").starts_with("blocked | needs an AI provider, and there is none | "));
    daemon.stop().await;
}

#[tokio::test]
async fn refuses_nothing_for_want_of_ai_before_everybody_was_asked() {
    let home = Home::new();
    home.write("plugins/test/plugin.yaml", "metadata: {name: test}\ncapabilities: {requires_ai: true}\n");
    home.write("plugins/test/main.py", &crate::harness::code("test"));
    home.write("plugins/model/main.py", &crate::harness::code("model"));
    let daemon = home.start().await;
    assert!(told(&daemon, "test").starts_with("idle"), "{}", told(&daemon, "test"));
    daemon.learn().await;
    daemon.reload("test").await.unwrap_err();
    assert!(told(&daemon, "test").starts_with("blocked | needs an AI provider"), "{}", told(&daemon, "test"));
    daemon.stop().await;
}

#[tokio::test]
async fn names_all_that_is_missing_at_once() {
    let home = Home::new();
    plugin(&home, "test", "{external: ['my-package>=2'], plugins: [gone, lost]}");
    environment(&home, "plugins/test/.venv");
    let daemon = home.start().await;
    let told = told(&daemon, "test");
    for missing in
        ["`my-package>=2`", "needs `gone`, which is not there", "needs `lost`", "put the plugin `lost`"]
    {
        assert!(told.contains(missing), "{missing}: {told}");
    }
    daemon.stop().await;
}

#[tokio::test]
async fn takes_an_interpreter_that_a_tool_keeps_in_the_home_where_none_on_path_fits() {
    let home = Home::new();
    plugin(&home, "test", "{python: '>=3.98', external: [something]}");
    for version in ["3.97.2", "3.99.0"] {
        let path = format!("person/.pyenv/versions/{version}/bin/python3");
        program(&home, &path, &format!("echo \"$0\"\necho {version}"));
    }
    let daemon = start_with(&home, "HOME", home.path("person").into()).await;
    let plan = daemon.setup_plan("test").await.unwrap();
    assert_eq!(plan.python, home.path("person/.pyenv/versions/3.99.0/bin/python3"));
    daemon.stop().await;
}

#[tokio::test]
async fn looks_for_packages_where_a_shim_of_pyenvs_leads_without_starting_it() {
    let home = Home::new();
    plugin(&home, "test", "{external: ['my-package>=2']}");
    program(&home, "pyenv/shims/python3", "touch \"$0.called\"");
    home.write("pyenv/version", "3.11.9\n3.12.1\n");
    for (version, full, package) in [("3.11", "3.11.9", "1.5"), ("3.12", "3.12.1", "2.0")] {
        let folder = format!("pyenv/versions/{full}");
        program(&home, &format!("{folder}/bin/python{version}"), "");
        symlink(format!("python{version}"), home.path(&format!("{folder}/bin/python3"))).unwrap();
        let about = format!("{folder}/lib/python{version}/site-packages/my_package-{package}.dist-info");
        fs::create_dir_all(home.path(&about)).unwrap();
    }
    let mut path = home.path("pyenv/shims").into_os_string();
    path.push(":/usr/bin:/bin");
    let daemon = start_with(&home, "PATH", path).await;
    let told = told(&daemon, "test");
    let expected = "blocked | needs the Python package `my-package>=2`, found 1.5 | ";
    assert!(told.starts_with(expected) && told.contains("3.11.9/bin/python3`"), "{told}");
    assert!(!home.path("pyenv/shims/python3.called").exists());
    daemon.stop().await;
}

/// A script that can be executed.
fn program(home: &Home, path: &str, text: &str) {
    home.write(path, &format!("#!/bin/sh\n{text}\n"));
    fs::set_permissions(home.path(path), fs::Permissions::from_mode(0o755)).unwrap();
}

/// A daemon that has this in its environment.
async fn start_with(home: &Home, name: &str, value: OsString) -> Daemon {
    let mut options = home.options();
    options.environment.retain(|(one, _)| one != name);
    options.environment.push((name.into(), value));
    Daemon::start(options).await.unwrap()
}
