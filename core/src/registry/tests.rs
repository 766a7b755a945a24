//! Finds plugins in real folders: ranks, shadows, what is wrong with one.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use astros_protocol::manifest::{Kind, Program, PythonTarget};
use tempfile::TempDir;

use super::*;

mod links;

/// Folders of plugins in a temporary place, and what the person said.
struct Ground {
    base: TempDir,
    named: Vec<PathBuf>,
    configured: Vec<PathBuf>,
    development: Vec<PathBuf>,
    environments: Vec<PathBuf>,
    named_enabled: BTreeSet<String>,
    file: BTreeMap<String, bool>,
    commands: BTreeMap<String, bool>,
    places: BTreeMap<String, PathBuf>,
}

impl Ground {
    fn new() -> Ground {
        let base = TempDir::new().unwrap();
        let (file, commands) = (BTreeMap::new(), BTreeMap::new());
        Ground {
            base,
            named: Vec::new(),
            configured: Vec::new(),
            development: Vec::new(),
            environments: Vec::new(),
            named_enabled: BTreeSet::new(),
            file,
            commands,
            places: BTreeMap::new(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.base.path().canonicalize().unwrap().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> &Ground {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    /// A plugin in Python with a manifest.
    fn plugin(&self, folder: &str, name: &str) -> &Ground {
        self.write(&format!("{folder}/plugin.yaml"), format!("metadata: {{name: {name}, version: 1.0.0}}\n"));
        self.write(&format!("{folder}/main.py"), "")
    }

    fn try_discover(&self) -> Result<Registry, RegistryError> {
        let places = Places {
            named: &self.named,
            configured: &self.configured,
            development: &self.development,
            environments: &self.environments,
            user: &self.path("user"),
            bundled: Some(&self.path("bundled")),
        };
        let path = Path::new("/h/astros.yaml");
        Registry::discover(
            &places,
            &Enablement {
                file: &self.file,
                path,
                environment: &self.named_enabled,
                commands: &self.commands,
                places: &self.places,
            },
        )
    }

    fn discover(&self) -> Registry {
        self.try_discover().unwrap()
    }
}

fn names(registry: &Registry) -> Vec<&str> {
    registry.entries.keys().map(String::as_str).collect()
}

fn blocked(registry: &Registry, name: &str) -> String {
    match &registry.entries[name].status {
        Status::Blocked { reason, hint } => {
            assert!(!hint.is_empty());
            reason.clone()
        }
        other => panic!("{name} is {other:?}"),
    }
}

fn python(file: &str) -> Option<Program> {
    Some(Program::Python(PythonTarget::File(file.to_owned())))
}

#[test]
fn finds_no_plugin_where_there_is_no_folder() {
    let registry = Ground::new().discover();
    assert!(registry.entries.is_empty() && registry.warnings.is_empty());
}

#[test]
fn finds_out_how_each_plugin_is_run() {
    let ground = Ground::new();
    ground.plugin("bundled/with-manifest", "named");
    ground.write("bundled/src-main/src/main.py", "").write("bundled/src-main/plugin.py", "");
    ground.write("bundled/plain/plugin.py", "");
    ground.write("bundled/binary/binary", "").write("bundled/binary/Cargo.toml", "");
    fs::set_permissions(ground.path("bundled/binary/binary"), fs::Permissions::from_mode(0o755)).unwrap();
    ground.write("bundled/no-program/no-program", "not executable");
    ground
        .write("bundled/notes/readme.md", "")
        .write("bundled/.hidden/main.py", "")
        .write("bundled/file", "");
    ground.write("bundled/node/plugin.yaml", "metadata: {name: node}\nrun: {command: [/usr/bin/node, a.js]}");
    let classes = "name: local\nentry_points: {commands: [{name: x, class: 'pkg.plugin:Main'}]}\n";
    ground.write("bundled/local/plugin-manifest.yaml", classes);
    let provider = "metadata: {name: speaks}\nrun: {python: main.py}\n\
        entry_points: {providers: [{name: own, class: 'own_ai:Own'}]}\n";
    ground.write("bundled/speaks/plugin.yaml", provider).write("bundled/speaks/main.py", "");
    let registry = ground.discover();
    assert_eq!(names(&registry), ["binary", "local", "named", "node", "plain", "speaks", "src-main"]);
    let run = |name: &str| {
        let entry = &registry.entries[name];
        assert_eq!(entry.status, Status::Ok, "{name}");
        (entry.run.program.clone(), entry.language.as_deref())
    };
    assert_eq!(run("named"), (python("main.py"), Some("python")));
    assert_eq!(run("src-main"), (python("src/main.py"), Some("python")));
    assert_eq!(run("plain"), (python("plugin.py"), Some("python")));
    assert_eq!(run("binary"), (Some(Program::Executable("binary".into())), Some("rust")));
    assert_eq!(run("node").1, Some("javascript"));
    let class = PythonTarget::Class { module: "pkg.plugin".into(), class: "Main".into() };
    assert_eq!(run("local"), (Some(Program::Python(class)), Some("python")));
    assert_eq!(registry.entries["local"].kinds, [Kind::Command]);
    assert_eq!(registry.entries["speaks"].run.args, ["own=own_ai:Own"], "its SDK imports what it names");
    assert_eq!(registry.entries["plain"].manifest.as_ref().unwrap().warnings, [""; 0]);
}

#[test]
fn takes_a_named_folder_as_a_plugin_or_as_a_folder_of_plugins() {
    let mut ground = Ground::new();
    ground.plugin("one", "one").plugin("several/two", "two").plugin("several/three", "three");
    fs::create_dir(ground.path("empty")).unwrap();
    ground.named = ["one", "several", "empty"].map(|name| ground.path(name)).to_vec();
    let registry = ground.discover();
    assert_eq!(names(&registry), ["one", "three", "two"]);
    assert_eq!(registry.warnings.len(), 1);
    assert!(registry.warnings[0].contains("/empty`"), "{:?}", registry.warnings);
}

#[test]
fn blocks_a_broken_plugin_and_no_other() {
    let ground = Ground::new();
    ground.plugin("bundled/good", "good");
    ground.write("bundled/bad/plugin.yaml", "metadata: {name: 5x, version: [1]}\n");
    ground.write("bundled/bytes/plugin.yaml", b"metadata: \xff");
    fs::create_dir_all(ground.path("bundled/folder/plugin.yaml")).unwrap();
    fs::create_dir(ground.path("bundled/link")).unwrap();
    symlink("nowhere", ground.path("bundled/link/plugin.yaml")).unwrap();
    // What would never end is not begun to be read.
    ground.write("bundled/device/main.py", "").write("bundled/pipe/main.py", "");
    symlink("/dev/zero", ground.path("bundled/device/plugin.yaml")).unwrap();
    let pipe = ground.path("bundled/pipe/plugin.yaml");
    assert!(Command::new("mkfifo").arg(pipe).status().unwrap().success());
    ground.write("bundled/Bad Name/main.py", "");
    ground.write("bundled/nothing/plugin.yaml", "metadata: {name: nothing}");
    ground.write("bundled/gone/plugin.yaml", "metadata: {name: gone}\nrun: {python: src/gone.py}");
    ground.write("bundled/new/plugin.yaml", "metadata: {name: new}\ndependencies: {astros: '>=9.0'}");
    ground.write("bundled/odd/plugin.yaml", "metadata: {name: odd}\nconfiguration: {schema_file: s.json}");
    ground.write("bundled/odd/s.json", "# comment\n{\n  nonsense}");
    let registry = ground.discover();
    assert_eq!(registry.entries["good"].status, Status::Ok);
    for (name, words) in [
        ("bad", "bad/plugin.yaml:1:"),
        ("bytes", "not UTF-8"),
        ("folder", "no regular file"),
        ("device", "leads out of the folder"),
        ("pipe", "no regular file"),
        ("link", "a link to nothing"),
        ("Bad Name", "for example `bad-name`"),
        ("nothing", "there is nothing to run"),
        ("gone", "`run.python` names `src/gone.py`"),
        ("new", "needs astros `>=9.0`, this is"),
        ("odd", "s.json:3:3: "),
    ] {
        let reason = blocked(&registry, name);
        assert!(reason.contains(words), "{name}: {reason}");
    }
    assert_eq!(registry.entries.len(), 12);
    for entry in registry.entries.values() {
        assert_eq!(entry.fingerprint(None, "1.0").len(), 16, "{}", entry.name);
    }
}

#[test]
fn reads_the_schema_of_settings_from_manifest_or_file() {
    let ground = Ground::new();
    let inline = "metadata: {name: a}\nconfiguration: {schema: {type: object}}";
    ground.write("bundled/a/plugin.yaml", inline).write("bundled/a/main.py", "");
    ground.write("bundled/b/plugin.yaml", "metadata: {name: b}\nconfiguration: {schema_file: c/s.json}");
    ground.write("bundled/b/c/s.json", "# b/c/s.json\n{\"type\": \"object\"}").write("bundled/b/main.py", "");
    let registry = ground.discover();
    let origin = |name: &str| {
        let schema = registry.entries[name].settings_schema.clone().unwrap();
        assert_eq!(schema.value["type"], "object");
        schema.origin
    };
    assert!(origin("a").ends_with("a/plugin.yaml"));
    assert!(origin("b").ends_with("b/c/s.json"));
}

#[test]
fn lets_the_operators_plugin_shadow_the_bundled_one() {
    let mut ground = Ground::new();
    ground.plugin("bundled/hello", "hello").plugin("bundled/other", "other").plugin("mine/hello", "hello");
    ground.write("mine/other/plugin.yaml", "metadata: [");
    ground.named = vec![ground.path("mine")];
    let registry = ground.discover();
    assert_eq!(registry.entries["hello"].folder, ground.path("mine/hello"));
    assert_eq!(registry.entries["hello"].origin, Origin::Operator);
    // A broken one shadows too: what the operator meant to replace must not run silently.
    blocked(&registry, "other");
    assert_eq!(registry.entries.len(), 2);
}

#[test]
fn refuses_both_of_a_name_in_one_rank() {
    let mut ground = Ground::new();
    ground.plugin("a/x", "same").plugin("b/y", "same").plugin("bundled/same", "same").plugin("a/z", "z");
    ground.named = vec![ground.path("a")];
    ground.configured = vec![ground.path("b"), ground.path("a"), ground.path("a/../a/z")];
    let registry = ground.discover();
    let reason = blocked(&registry, "same");
    assert!(reason.contains("/a/x`") && reason.contains("/b/y`"), "{reason}");
    // The same folder in two ways is one plugin.
    assert_eq!(registry.entries["z"].status, Status::Ok);
}

#[test]
fn gives_no_name_to_a_broken_plugin_that_another_has() {
    let ground = Ground::new();
    ground.plugin("bundled/x", "taken").write("bundled/taken/plugin.yaml", "metadata: 5");
    let registry = ground.discover();
    assert_eq!(registry.entries["taken"].status, Status::Ok);
    assert!(registry.warnings[0].contains("bundled/taken` is blocked"), "{:?}", registry.warnings);
}

#[test]
fn refuses_a_named_folder_that_cannot_be_read_and_warns_of_a_configured_one() {
    let mut ground = Ground::new();
    ground.plugin("bundled/good", "good").write("file", "");
    symlink("nowhere", ground.path("link")).unwrap();
    for (name, words) in [("none", "does not exist"), ("file", "no folder"), ("link", "does not exist")] {
        ground.named = vec![ground.path(name)];
        let error = ground.try_discover().unwrap_err().to_string();
        assert!(error.contains(&format!("/{name}`")) && error.contains(words), "{error}");
        ground.configured = std::mem::take(&mut ground.named);
        let registry = ground.discover();
        assert_eq!(registry.entries["good"].status, Status::Ok);
        assert!(registry.warnings[0].contains(words), "{:?}", registry.warnings);
        ground.configured.clear();
    }
}

#[test]
fn enables_by_origin_then_file_then_command() {
    let mut ground = Ground::new();
    ground.plugin("bundled/bundled", "bundled").plugin("user/user", "user").plugin("mine/mine", "mine");
    ground.named = vec![ground.path("mine")];
    let disabled = |ground: &Ground, name: &str| match &ground.discover().entries[name].status {
        Status::Ok => None,
        Status::Disabled { reason } => Some(reason.clone()),
        other => panic!("{other:?}"),
    };
    assert_eq!((disabled(&ground, "bundled"), disabled(&ground, "mine")), (None, None));
    let reason = disabled(&ground, "user").unwrap();
    assert!(reason.contains("waits to be enabled"), "{reason}");

    ground.file = BTreeMap::from([("mine".to_owned(), false), ("user".to_owned(), true)]);
    assert!(
        disabled(&ground, "mine").unwrap().contains("`plugins.mine.enabled` is false in `/h/astros.yaml`")
    );
    assert_eq!(disabled(&ground, "user"), None);

    ground.commands = BTreeMap::from([("mine".to_owned(), true), ("user".to_owned(), false)]);
    assert_eq!(disabled(&ground, "mine"), None);
    assert!(disabled(&ground, "user").unwrap().contains("disabled by command"));
}

#[test]
fn tells_no_problem_of_a_plugin_that_the_person_disabled() {
    let mut ground = Ground::new();
    ground.write("bundled/bad/plugin.yaml", "metadata: [");
    blocked(&ground.discover(), "bad");
    ground.commands = BTreeMap::from([("bad".to_owned(), false)]);
    let disabled = Status::Disabled { reason: DISABLED.to_owned() };
    assert_eq!(ground.discover().entries["bad"].status, disabled);
}

#[test]
fn keeps_the_bundled_plugin_until_the_persons_own_is_enabled() {
    let mut ground = Ground::new();
    ground.plugin("bundled/hello", "hello").plugin("user/hello", "hello");
    let registry = ground.discover();
    assert_eq!(registry.entries["hello"].folder, ground.path("bundled/hello"));
    assert_eq!(registry.entries["hello"].status, Status::Ok);
    assert!(registry.warnings[0].contains("is left out"), "{:?}", registry.warnings);
    ground.commands.insert("hello".to_owned(), true);
    assert_eq!(ground.discover().entries["hello"].folder, ground.path("user/hello"));
}

#[test]
fn warns_of_a_configured_plugin_that_is_not_there_and_knows_the_nearest_name() {
    let mut ground = Ground::new();
    ground.plugin("bundled/hello-world", "hello-world");
    ground.file.insert("helo-world".to_owned(), true);
    let registry = ground.discover();
    assert!(registry.warnings[0].contains("did you mean `hello-world`?"), "{:?}", registry.warnings);
    assert_eq!(registry.nearest("hello_world"), Some("hello-world"));
    assert_eq!(registry.nearest("zzz"), None);
}

#[test]
fn changes_the_fingerprint_with_the_code_and_with_nothing_else() {
    let ground = Ground::new();
    ground.plugin("bundled/a", "a").write("bundled/a/src/deep/x.py", "1").write("tool", "1");
    let tool = ground.path("tool");
    let print = |sdk: &str| ground.discover().entries["a"].fingerprint(Some(&tool), sdk);
    let first = print("1.0");
    ground.write("bundled/a/__pycache__/x.pyc", "").write("bundled/a/.git/index", "");
    assert_eq!(print("1.0"), first);
    assert_ne!(print("1.1"), first);
    let mut seen = vec![first];
    for change in ["bundled/a/src/deep/x.py", "bundled/a/src/y.py", "tool", "bundled/a/plugin-manifest.yaml"]
    {
        ground.write(change, "2, longer");
        let now = print("1.0");
        assert!(!seen.contains(&now), "{change}");
        seen.push(now);
    }
}

#[test]
fn splits_a_path_variable_and_finds_the_bundled_folder_beside_the_executable() {
    let folders = plugin_path("/a::/b/c".as_ref());
    assert_eq!(folders, [PathBuf::from("/a"), PathBuf::from("/b/c")]);
    assert!(plugin_path("relative".as_ref())[0].is_absolute());
    let ground = Ground::new();
    ground.write("bin/astros", "").write("share/astros/plugins/x/main.py", "");
    let exe = ground.path("bin/astros");
    if option_env!("ASTROS_BUNDLED_PLUGINS").is_none() {
        assert_eq!(bundled_folder(&exe).unwrap(), ground.path("share/astros/plugins"));
        fs::create_dir(ground.path("bin/plugins")).unwrap();
        assert_eq!(bundled_folder(&exe).unwrap(), ground.path("bin/plugins"));
    }
}
