//! What plugins see of a home, and what is refused where it cannot be enforced.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::PathBuf,
};

use astros_protocol::{
    lifecycle::Sandbox,
    manifest::{BusKind, DBus, FilePaths},
};
use tempfile::TempDir;

use super::*;
use crate::{
    launcher::Access,
    supervisor::{Foreground, Launch},
};

/// A home with what a person has in one, and a plugin in another place.
struct Place {
    folder: TempDir,
    spec: Spec,
}

impl Place {
    fn new() -> Place {
        let folder = tempfile::tempdir().unwrap();
        for path in ["home/.ssh", "home/Documents", "home/astros/data/plugin-data/p", "plugin", "mnt"] {
            fs::create_dir_all(folder.path().join(path)).unwrap();
        }
        fs::write(folder.path().join("home/.netrc"), "").unwrap();
        fs::write(folder.path().join("home/notes.txt"), "").unwrap();
        symlink(folder.path().join("mnt"), folder.path().join("home/mnt")).unwrap();
        let mut spec = Spec::new("p", folder.path().join("plugin"), Launch::Command(vec!["sh".to_owned()]));
        spec.environment = vec![("HOME".into(), folder.path().join("home").into())].into();
        spec.hidden = [folder.path().join("home/astros")].into();
        spec.directories.data = folder.path().join("home/astros/data/plugin-data/p").display().to_string();
        Place { folder, spec }
    }

    fn grant(mut self, permission: Permission) -> Place {
        self.spec.granted.push(permission);
        self
    }

    /// What the longest rule that fits says of a path.
    fn access(&self, path: &str) -> Option<Access> {
        let path = self.folder.path().join(path);
        let rules = Files::of(&self.spec, Path::new("/bin/sh")).rules();
        let fitting = rules.iter().filter(|rule| path.starts_with(&rule.path));
        fitting.max_by_key(|rule| rule.path.components().count()).map(|rule| rule.access)
    }

    fn confined(&self, namespaces: bool, landlock: Option<u32>) -> Result<Sandbox, Error> {
        let machine = Machine { namespaces, landlock, ..Machine::default() };
        let confinement = confine(&self.spec, Path::new("/bin/sh"), &machine)?;
        Ok(confinement.map_or(Sandbox::None, |confinement| confinement.sandbox()))
    }
}

fn paths(read: &[&str], write: &[&str]) -> Permission {
    let all = |paths: &[&str]| paths.iter().map(|&path| path.to_owned()).collect();
    Permission::FileSystem(Some(FilePaths { read: all(read), write: all(write) }))
}

#[test]
fn gives_what_every_plugin_has() {
    let place = Place::new();
    assert_eq!(place.access("plugin/main.py"), Some(Access::Read));
    assert_eq!(place.access("home/astros/data/plugin-data/p/file"), Some(Access::Write));
    assert_eq!(place.access("/usr/lib/os-release"), Some(Access::Read));
    for nobodys in ["home/Documents", "home/notes.txt", "mnt", "/etc/shadow", "/root", "/var", "/home", "/"] {
        assert_eq!(place.access(nobodys), None, "{nobodys}");
    }
}

#[test]
fn gives_the_home_without_what_is_hidden_there() {
    let place = Place::new().grant(Permission::FileSystem(None));
    assert_eq!(place.access("home/Documents/a"), Some(Access::Write));
    assert_eq!(place.access("home/notes.txt"), Some(Access::Write));
    assert_eq!(place.access("home"), Some(Access::List));
    assert_eq!(place.access("home/.ssh/id"), Some(Access::List), "its name, and nothing in it");
    assert_eq!(place.access("mnt/file"), None, "a link leads nowhere that was not granted by its name");
}

#[test]
fn gives_a_scope_and_never_what_is_astros_own() {
    let place = Place::new().grant(paths(&["~/.ssh"], &["~"]));
    assert_eq!(place.access("home/.netrc"), Some(Access::Write), "it was named");
    assert_eq!(place.access("home/.ssh/id"), Some(Access::Read));
    assert_eq!(place.access("home/astros/data/astros.db"), Some(Access::Hidden));
    assert_eq!(place.access("home/astros/data/plugin-data/other"), Some(Access::Hidden));
    assert_eq!(place.access("home/astros/data/plugin-data/p/x"), Some(Access::Write));
}

#[test]
fn lets_nobody_change_what_a_person_starts_nor_where_plugins_are() {
    let mut place = Place::new().grant(Permission::FileSystem(None));
    let bin = place.folder.path().join("home/Documents/bin");
    fs::create_dir(&bin).unwrap();
    let mut environment = place.spec.environment.to_vec();
    environment.push(("PATH".into(), bin.into()));
    place.spec.environment = environment.into();
    let plugins = place.folder.path().join("home/Documents/plugins");
    fs::create_dir(&plugins).unwrap();
    place.spec.protected = [plugins].into();
    assert_eq!(place.access("home/Documents/plugins/other/main.py"), Some(Access::Read));
    assert_eq!(place.access("home/Documents/bin/ls"), Some(Access::Read));
    assert_eq!(place.access("home/Documents/a"), Some(Access::Write));
    fs::write(place.folder.path().join("home/Documents/tool"), "").unwrap();
    symlink("../tool", place.folder.path().join("home/Documents/bin/linked")).unwrap();
    assert_eq!(place.access("home/Documents/tool"), Some(Access::Read), "what a link there leads to");
    fs::create_dir_all(place.folder.path().join("home/Documents/lib/python3.11")).unwrap();
    assert_eq!(place.access("home/Documents/lib/python3.11/evil.pth"), Some(Access::Read));
}

#[test]
fn bounds_what_is_granted_or_named_below_what_is_kept() {
    let mut place = Place::new();
    let inside = |path: &str| place.folder.path().join(path);
    for path in ["home/astros/data/plugin-data/other", "plugin/src", "home/dev/other/src"] {
        fs::create_dir_all(inside(path)).unwrap();
    }
    fs::write(inside("home/astros/secrets.yaml"), "").unwrap();
    let foreground = Foreground {
        cwd: inside("home/astros/data/plugin-data/other"),
        paths: ["home/astros/secrets.yaml", "plugin/src", "home/dev/other/src"].map(inside).into(),
        ..Foreground::default()
    };
    place.spec.protected = [place.folder.path().join("home/dev/other")].into();
    place.spec.foreground = Some(foreground);
    let place = place.grant(paths(&[], &["~/astros/data", "~/dev/other/src"]));
    for own in ["home/astros/secrets.yaml", "home/astros/data/plugin-data/other/file", "home/astros/data/x"] {
        assert_eq!(place.access(own), Some(Access::Hidden), "{own}");
    }
    for code in ["plugin/src/main.py", "home/dev/other/src/main.py"] {
        assert_eq!(place.access(code), Some(Access::Read), "{code}");
    }
    assert_eq!(place.access("home/astros/data/plugin-data/p/file"), Some(Access::Write));
}

#[test]
fn lets_no_plugin_change_its_own_code() {
    let place = Place::new();
    let own = place.folder.path().join("plugin").display().to_string();
    let place = place.grant(paths(&[], &[&own]));
    assert_eq!(place.access("plugin/main.py"), Some(Access::Read));
}

#[test]
fn gives_an_interpreter_its_installation_and_nobodys_home() {
    let place = Place::new();
    let base = place.folder.path();
    let home = base.join("home");
    let program = |program: &str, text: &str| {
        let program = base.join(program);
        fs::create_dir_all(program.parent().unwrap()).unwrap();
        fs::write(&program, text).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        program
    };
    let needs = |program: &Path| interpreter::needs(&place.spec, program, Some(&home));
    let python = program("home/.pyenv/versions/3.11/bin/python", "");
    fs::create_dir_all(home.join(".pyenv/versions/3.11/lib/python3.11")).unwrap();
    assert!(needs(&python).contains(&home.join(".pyenv/versions/3.11")));
    for in_homes_bin in ["home/bin/python", "home/.local/bin/python", "home/work/bin/tool"] {
        let python = program(in_homes_bin, "");
        assert_eq!(needs(&python), [python]);
    }
    let needed = needs(&program("script", "#!/usr/bin/env sh\n"));
    assert!(needed.contains(&PathBuf::from("/usr/bin/env")), "{needed:?}");
}

#[test]
fn gives_nothing_that_a_first_line_names_but_what_runs_it() {
    let place = Place::new();
    let (script, home) = (place.folder.path().join("plugin/start"), place.folder.path().join("home"));
    for named in
        ["/usr/bin/env -S -u HOME/.ssh python3", "HOME/.ssh", "HOME/.netrc", "/usr/bin/env HOME/.netrc"]
    {
        let line = named.replace("HOME", home.to_str().unwrap());
        fs::write(&script, format!("#!{line}\n")).unwrap();
        let needed = interpreter::needs(&place.spec, &script, Some(&home));
        assert!(needed.iter().all(|path| !path.starts_with(&home)), "{needed:?}");
    }
}

#[test]
fn refuses_what_this_machine_cannot_enforce() {
    let dbus = DBus { bus: BusKind::Session, names: vec!["a.b".to_owned()] };
    let nothing = Place::new();
    let hosts = Place::new().grant(Permission::Network(Some(vec!["a.example".to_owned()])));
    let bus = Place::new().grant(Permission::SystemControl(Some(dbus)));
    for place in [&nothing, &hosts, &bus] {
        assert_eq!(place.confined(true, Some(7)).unwrap(), Sandbox::Full);
        assert_eq!(place.confined(true, None).unwrap(), Sandbox::Reduced);
        assert!(place.confined(false, None).is_err());
        assert!(place.confined(false, Some(3)).is_err(), "signals would reach everybody");
    }
    assert_eq!(nothing.confined(false, Some(7)).unwrap(), Sandbox::Reduced);
    let refused = |place: &Place| place.confined(false, Some(7)).unwrap_err().message;
    assert!(refused(&hosts).contains("`network` with hosts needs namespaces"), "{}", refused(&hosts));
    assert!(refused(&bus).contains("`system_control` needs namespaces"), "{}", refused(&bus));
}

#[test]
fn shows_as_reduced_what_could_reach_sockets_of_others() {
    let dbus = DBus { bus: BusKind::Session, names: vec!["a.b".to_owned()] };
    let mut place =
        Place::new().grant(Permission::SystemControl(Some(dbus))).grant(Permission::Network(None));
    assert_eq!(place.confined(true, Some(6)).unwrap(), Sandbox::Full);
    let refused = place.confined(true, Some(5)).unwrap_err().message;
    assert!(refused.contains("`system_control` beside all of `network` needs Landlock"), "{refused}");
    place.spec.sandboxed = Sandboxed::Reduced;
    for landlock in [Some(5), None] {
        assert_eq!(place.confined(true, landlock).unwrap(), Sandbox::Reduced, "{landlock:?}");
    }
}

#[test]
fn believes_the_operator_alone() {
    let mut place = Place::new();
    place.spec.sandboxed = Sandboxed::Reduced;
    assert_eq!(place.confined(false, Some(3)).unwrap(), Sandbox::Reduced);
    assert_eq!(place.confined(false, None).unwrap(), Sandbox::None);
    place.spec.sandboxed = Sandboxed::Off;
    assert_eq!(place.confined(true, Some(7)).unwrap(), Sandbox::None);
}

#[test]
fn gives_every_link_on_the_way_and_what_it_leads_to() {
    let mut place = Place::new();
    let base = place.folder.path().to_owned();
    symlink("../mnt", base.join("home/relative")).unwrap();
    symlink(base.join("home/relative"), base.join("absolute")).unwrap();
    place.spec.python_sdk = Some(base.join("absolute/../mnt/sdk"));
    for given in ["absolute", "home/relative", "mnt/sdk"] {
        assert_eq!(place.access(given), Some(Access::Read), "{given}");
    }
    assert_eq!(place.access("mnt"), None);
}

#[test]
fn says_what_a_path_needs_that_is_out_of_reach() {
    let place = Place::new().grant(Permission::FileSystem(None));
    let base = place.folder.path();
    fs::write(base.join("mnt/file"), "").unwrap();
    symlink(base.join("home/.ssh"), base.join("home/Documents/link")).unwrap();
    symlink(base.join("home/notes.txt"), base.join("mnt/back")).unwrap();
    let reach = FileAccess::of(&place.spec).unwrap();
    let check = |path: &str, writes| reach.check(&base.join(path), writes);
    for (path, writes) in [
        ("home/Documents", true),
        ("home/Documents/new", true),
        ("home/new", true),
        ("home/Documents/no/such/folder", true),
        ("mnt/gone", false),
        ("mnt/back", true),
        ("home", false),
        ("plugin", false),
    ] {
        assert_eq!(check(path, writes), Ok(()), "{path}");
    }
    let mnt = base.join("mnt").canonicalize().unwrap().display().to_string();
    for (path, writes, needs) in [
        ("mnt/file", false, paths(&[&format!("{mnt}/file")], &[])),
        ("home/mnt", false, paths(&[&mnt], &[])),
        ("home/mnt/file", true, paths(&[], &[&format!("{mnt}/file")])),
        ("mnt/gone", true, paths(&[], &[&mnt])),
        ("home/Documents/link/id", true, paths(&[], &["~/.ssh"])),
        ("home/.netrc", false, paths(&["~/.netrc"], &[])),
        ("home", true, paths(&[], &["~"])),
    ] {
        assert_eq!(check(path, writes), Err(OutOfReach::Needs(needs)), "{path}");
    }
    assert_eq!(check("home/astros/data", false), Err(OutOfReach::Own));
    let place = place.grant(paths(&[], &["~/astros", "/"]));
    let reach = FileAccess::of(&place.spec).unwrap();
    assert_eq!(reach.check(&place.folder.path().join("home/astros/data"), false), Err(OutOfReach::Own));
    assert_eq!(reach.check(&place.folder.path().join("home/astros/data/plugin-data/p"), true), Ok(()));
    let free = Spec { sandboxed: Sandboxed::Off, ..place.spec };
    assert!(FileAccess::of(&free).is_none());
}

#[test]
fn follows_no_link_that_a_plugin_could_have_made() {
    let place = Place::new().grant(paths(&["~/Documents/notes"], &["~/Documents"]));
    symlink("../.ssh", place.folder.path().join("home/Documents/notes")).unwrap();
    assert_eq!(place.access("home/.ssh/id"), None);
}

#[test]
fn swallows_what_is_granted_already() {
    let place = Place::new().grant(Permission::FileSystem(None)).grant(paths(&[], &["~"]));
    let rules = Files::of(&place.spec, Path::new("/bin/sh")).rules();
    assert!(!rules.iter().any(|rule| rule.path.ends_with("notes.txt")), "{rules:?}");
}

#[test]
fn gives_where_a_person_only_stands_to_read_and_where_they_work_to_change() {
    let mut place = Place::new();
    let inside = |path: &str| place.folder.path().join(path);
    let home = inside("home");
    let run = |cwd: PathBuf, paths: &[PathBuf]| {
        Some(Foreground { cwd, paths: paths.to_vec(), ..Foreground::default() })
    };
    let (documents, base) = (inside("home/Documents"), place.folder.path().to_owned());
    place.spec.foreground = run(documents.clone(), &[]);
    assert_eq!(place.access("home/Documents/a"), Some(Access::Write));
    assert_eq!(place.access("home/notes.txt"), None);
    for wide in [home.clone(), base, PathBuf::from("/")] {
        place.spec.foreground = run(wide.clone(), &[]);
        assert_eq!(place.access("home/Documents/a"), Some(Access::Read), "{wide:?}");
        assert_eq!(place.access("home/.ssh/id").filter(|access| *access > Access::List), None, "{wide:?}");
    }
    place.spec.foreground = run(home.clone(), std::slice::from_ref(&documents));
    assert_eq!(place.access("home/Documents/a"), Some(Access::Write), "it was named");
    assert_eq!(place.access("home/notes.txt"), Some(Access::Read));
    for systems in ["/etc", "/var", "/usr/share"] {
        place.spec.foreground = run(PathBuf::from(systems), &[]);
        assert_eq!(place.access(&format!("{systems}/file")), Some(Access::Read));
    }
    place.spec.foreground = run(documents, &[home]);
    assert_eq!(place.access("home/notes.txt"), Some(Access::Write), "the home itself was named");
}
