//! Secrets in a real file, and in programs that act as a keyring's; `core/tests/secrets` asks a real one.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    time::Instant,
};

use serde_json::json;
use tempfile::TempDir;

use super::*;

struct Place {
    folder: TempDir,
    environment: Vec<(OsString, OsString)>,
}

impl Place {
    fn new() -> Place {
        Place { folder: tempfile::tempdir().unwrap(), environment: Vec::new() }
    }

    /// With a keyring's program that does this.
    fn with_keyring(script: &str) -> Place {
        let mut place = Place::new();
        let bin = place.folder.path().join("bin");
        fs::create_dir(&bin).unwrap();
        fs::write(bin.join("secret-tool"), format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(bin.join("secret-tool"), fs::Permissions::from_mode(0o700)).unwrap();
        place.environment.push(("PATH".into(), bin.into()));
        place.environment.push(("DBUS_SESSION_BUS_ADDRESS".into(), "unix:path=/none".into()));
        place
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join(FILE)
    }

    fn write(&self, text: &str, mode: u32) {
        fs::write(self.file(), text).unwrap();
        fs::set_permissions(self.file(), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn secrets(&self) -> Secrets {
        Secrets::at(self.folder.path(), &self.environment)
    }

    fn of(&self, plugin: &str, names: &[&str]) -> Result<BTreeMap<String, Value>, SecretsError> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let found = self.secrets().read().of(plugin, &names)?;
        Ok(found.into_iter().map(|(name, secret)| (name, secret.value)).collect())
    }
}

#[test]
fn keeps_secrets_in_a_file_of_its_owners_alone_and_the_rest_of_it() {
    let place = Place::new();
    place.write("# mine\nother: {pin: 12, list: [a, b]}\nweather:\n  api_key: old\n", 0o600);
    let hard = "a \"quoted\" \\ 'one': #{}\n\u{e9}\u{1f511}";
    assert_eq!(
        place.secrets().set("weather", "api_key", hard),
        Ok((place.file().display().to_string(), None))
    );
    assert_eq!(place.of("weather", &[]).unwrap(), [("api_key".to_owned(), json!(hard))].into());
    assert_eq!(place.of("other", &[]).unwrap()["list"], json!(["a", "b"]));
    assert_eq!(place.file().metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let listed = place.secrets().list().unwrap();
    let names: Vec<_> = listed.iter().map(|one| format!("{}.{}", one.plugin, one.key)).collect();
    assert_eq!(names, ["other.list", "other.pin", "weather.api_key"]);

    assert_eq!(place.secrets().remove("weather", "api_key"), Ok(true));
    assert_eq!(place.secrets().remove("weather", "api_key"), Ok(false));
    assert_eq!(place.of("other", &[]).unwrap()["pin"], json!(12));
    // Nothing half-written is left beside it.
    assert_eq!(fs::read_dir(place.folder.path()).unwrap().count(), 1);
}

#[test]
fn makes_the_file_and_follows_a_link_to_it() {
    let place = Place::new();
    place.secrets().set("p", "k", "v").unwrap();
    assert_eq!(place.file().metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let elsewhere = place.folder.path().join("elsewhere.yaml");
    fs::rename(place.file(), &elsewhere).unwrap();
    symlink(&elsewhere, place.file()).unwrap();
    place.secrets().set("p", "k", "w").unwrap();
    assert!(place.file().is_symlink() && fs::read_to_string(elsewhere).unwrap().contains("\"w\""));
}

#[test]
fn refuses_a_file_that_others_reach_and_says_what_to_type() {
    for mode in [0o644, 0o640, 0o602, 0o660] {
        let place = Place::new();
        place.write("weather: {api_key: s3cret-value}\n", mode);
        let error = place.of("weather", &["api_key"]).unwrap_err();
        assert!(error.to_string().contains(&format!("its mode is {mode:04o}, expected 0600")), "{error}");
        assert_eq!(error.hint(), format!("`chmod 600 '{}'` keeps it from them", place.file().display()));
        // Who has no secrets starts all the same, and what is there is not overwritten.
        assert_eq!(place.of("weather", &[]), Ok(BTreeMap::new()));
        assert!(place.secrets().set("weather", "api_key", "x").is_err());
        assert!(place.secrets().read().unused().is_some());
    }
    let place = Place::new();
    place.write("weather: {api_key: s3cret-value}\n", 0o400);
    assert_eq!(place.of("weather", &["api_key"]).unwrap()["api_key"], json!("s3cret-value"));
}

#[test]
fn never_says_what_stands_in_a_file_that_it_does_not_understand() {
    for text in
        ["weather: s3cret-value", "s3cret-value", "a: [s3cret-value", "- s3cret-value", "a: {b: s3cret-value"]
    {
        let place = Place::new();
        place.write(text, 0o600);
        let error = place.of("weather", &["api_key"]).unwrap_err();
        let said = format!("{error} {error:?} {}", error.hint());
        assert!(said.contains("plugin: {key: secret}") && !said.contains("s3cret"), "{said}");
    }
    for empty in ["", "# nothing\n\n"] {
        let place = Place::new();
        place.write(empty, 0o600);
        assert_eq!(place.of("weather", &["api_key"]), Ok(BTreeMap::new()), "{empty}");
    }
}

#[test]
fn asks_the_keyring_for_what_the_file_does_not_have() {
    let place =
        Place::with_keyring("[ \"$*\" = 'lookup service astros plugin p key a' ] && printf 'from it\n'");
    place.write("p: {b: from the file}\n", 0o600);
    let expected = [("a".to_owned(), json!("from it\n")), ("b".to_owned(), json!("from the file"))];
    assert_eq!(place.of("p", &["a", "b", "c"]).unwrap(), expected.into());
}

#[test]
fn shows_the_keyring_nothing_but_what_it_needs() {
    let mut place = Place::with_keyring(
        "/usr/bin/env > \"$HOME/seen\"; /bin/cat >> \"$HOME/seen\"; echo \"$*\" >> \"$HOME/seen\"",
    );
    // What is asked must not lie in it.
    let home = place.folder.path().join("home");
    fs::create_dir(&home).unwrap();
    place.environment.push(("HOME".into(), home.clone().into()));
    place.environment.push(("ASTROS_P_K".into(), "other-secret".into()));
    assert_eq!(place.secrets().set("p", "k", "s3cret").unwrap().0, KEYRING);
    let seen = fs::read_to_string(home.join("seen")).unwrap();
    // Over its input, and not among its arguments, which everybody can see.
    assert!(seen.contains("s3cretstore --label=") && !seen.contains("other-secret"), "{seen}");
    assert!(!place.file().exists());
}

#[test]
fn keeps_a_secret_in_the_file_where_the_keyring_does_not_take_it() {
    let place = Place::with_keyring("echo 'secret-tool: it is locked' >&2; exit 1");
    let (kept, refusal) = place.secrets().set("p", "k", "v").unwrap();
    assert_eq!(kept, place.file().display().to_string());
    assert_eq!(refusal.unwrap().to_string(), "the keyring cannot be used: it is locked");
    assert_eq!(place.of("p", &["k"]).unwrap()["k"], json!("v"));
}

#[test]
fn waits_for_no_keyring_that_hangs_and_asks_it_once() {
    let place = Place::with_keyring("exec /bin/sleep 60");
    let begun = Instant::now();
    assert_eq!(place.of("p", &["a", "b", "c"]), Ok(BTreeMap::new()));
    assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
}
