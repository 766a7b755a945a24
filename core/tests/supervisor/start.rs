//! Starting, and all that can be wrong with it.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, sync::Arc, time::Duration};

use astros_core::supervisor::{Launch, Sandboxed, StateName};
use astros_protocol::{Error, ErrorCode};
use serde_json::{Value, json};

use crate::harness::{ask, echoes, gone, launched, plugin};

fn detail(error: &Error) -> &str {
    error.data.as_ref().unwrap().detail.as_deref().unwrap_or_default()
}

#[tokio::test]
async fn starts_at_its_first_use() {
    use StateName::{Idle, Initializing, Loading, Ready};
    let test = plugin(&[], |_| {});
    assert!(test.supervisor.session().is_none());
    assert_eq!(test.supervisor.status().state, Idle);
    let session = test.ready().await;
    echoes(&session).await;
    assert_eq!(session.description.version, "1.2.3");
    assert_eq!(session.limits.max_in_flight, Some(2));
    assert_eq!(test.supervisor.session().unwrap().pid, session.pid);

    assert_eq!(test.notes.states(), [Idle, Loading, Initializing, Ready]);
    let working = session.begin();
    assert_eq!(test.supervisor.status().state, StateName::Executing);
    drop(working);
    assert_eq!(test.supervisor.status().state, Ready);
}

#[tokio::test]
async fn starts_one_process_for_all_who_wait() {
    let test = plugin(&[], |_| {});
    let (one, two, three) = tokio::join!(test.ready(), test.ready(), test.ready());
    assert_eq!([one.pid, two.pid, three.pid], [one.pid; 3]);
}

#[tokio::test]
async fn gives_no_more_of_the_environment_than_is_allowed() {
    let test = plugin(&[], |spec| {
        Arc::make_mut(&mut spec.environment).retain(|(name, _)| name == "PATH" || name == "HOME");
        for (name, value) in [("AWS_SECRET", "x"), ("ASTROS_TEST_CITY", "Oslo"), ("ASTROS_HOME", "/x")] {
            Arc::make_mut(&mut spec.environment).push((name.into(), value.into()));
        }
        spec.python_sdk = Some("/nowhere".into());
    });
    let seen = ask(&test.ready().await, "environment", Value::Null).await.unwrap();
    let mut names: Vec<_> =
        seen["names"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    // Python sets it itself where there is no locale.
    names.retain(|name| *name != "LC_CTYPE");
    assert_eq!(names, ["ASTROS_PROTOCOL", "ASTROS_TEST_CITY", "HOME", "PATH", "PYTHONPATH", "TMPDIR"]);
    let folder = test.folder.path().canonicalize().unwrap();
    assert_eq!(Path::new(seen["folder"].as_str().unwrap()), folder);
}

#[tokio::test]
async fn takes_the_virtual_environment_of_the_plugins_folder_as_it_is() {
    let launch = Launch::Python { target: "main.py".to_owned(), interpreter: None };
    let test = launched(launch, |folder, _| {
        fs::create_dir_all(folder.join(".venv/bin")).unwrap();
        let python = folder.join(".venv/bin/python");
        fs::write(&python, "#!/bin/sh\necho \"started as $0 with $*\" >&2\nexit 1\n").unwrap();
        fs::set_permissions(&python, fs::Permissions::from_mode(0o755)).unwrap();
    });
    let error = test.refusal().await;
    assert!(error.message.contains(".venv/bin/python with -m astros.run main.py"), "{error}");
}

/// A script in the way of the real one, which writes down how it is called.
fn shim(folder: &Path, name: &str) {
    let script = format!(
        "#!/bin/sh\necho \"$1\" >> '{}/calls'\nPATH=${{PATH#*:}} exec {name} \"$@\"\n",
        folder.display()
    );
    fs::create_dir_all(folder.join("shims")).unwrap();
    fs::write(folder.join("shims").join(name), script).unwrap();
    fs::set_permissions(folder.join("shims").join(name), fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test]
async fn asks_a_shim_once_for_the_interpreter_behind_it() {
    let shims = tempfile::tempdir().unwrap();
    shim(shims.path(), "python3");
    let test = plugin(&[], |spec| {
        let (_, path) =
            Arc::make_mut(&mut spec.environment).iter_mut().find(|(name, _)| name == "PATH").unwrap();
        *path = format!("{}/shims:{}", shims.path().display(), path.to_str().unwrap()).into();
    });
    test.ready().await;
    test.supervisor.restart().await.unwrap();
    assert_eq!(fs::read_to_string(shims.path().join("calls")).unwrap(), "-I\n");
}

#[tokio::test]
async fn compiles_the_sdk_once_and_with_an_interpreter_of_the_persons_only() {
    let start = |interpreter: Option<&'static str>, is_unpacked: bool| async move {
        let sdk = tempfile::tempdir().unwrap();
        fs::create_dir(sdk.path().join("astros")).unwrap();
        fs::write(sdk.path().join("astros/run.py"), "raise SystemExit(1)").unwrap();
        if is_unpacked {
            fs::create_dir(sdk.path().join(".compiled")).unwrap();
        }
        let interpreter = interpreter.map(str::to_owned);
        let test = launched(Launch::Python { target: "main.py".to_owned(), interpreter }, |folder, spec| {
            spec.python_sdk = Some(sdk.path().to_owned());
            shim(folder, "python3");
        });
        test.refusal().await;
        // Each of these was run in its sandbox at most, where it cannot write this down.
        assert!(!test.folder.path().join("calls").exists());
        let names =
            |folder: &str| fs::read_dir(sdk.path().join(folder)).into_iter().flatten().flatten().count();
        (names("astros/__pycache__"), names(".compiled"))
    };
    assert_eq!(start(None, true).await, (1, 1));
    assert_eq!(start(None, false).await, (0, 0), "sources that may change");
    assert_eq!(start(Some("shims/python3"), true).await, (0, 0), "the plugin's own interpreter");
}

#[tokio::test]
async fn finds_an_executable_beside_the_daemon_after_the_plugins_folder() {
    let beside = tempfile::tempdir().unwrap();
    shim(beside.path(), "false");
    let test = launched(Launch::Executable("false".into()), |_, spec| {
        spec.look_in = vec![beside.path().join("shims")];
        // They write down beside themselves that they were called.
        spec.sandboxed = Sandboxed::Off;
    });
    test.refusal().await;
    assert!(beside.path().join("calls").exists());
    shim(test.folder.path(), "false");
    fs::rename(test.folder.path().join("shims/false"), test.folder.path().join("false")).unwrap();
    test.supervisor.restart().await.err().unwrap();
    assert!(test.folder.path().join("calls").exists());
}

#[tokio::test]
async fn names_an_executable_that_cannot_be_started() {
    let error = |launch: Launch, mode: Option<(u32, &'static str)>| async move {
        let test = launched(launch, |folder, spec| {
            spec.look_in = vec!["/opt/astros/libexec".into()];
            fs::create_dir(folder.join("folder")).unwrap();
            if let Some((mode, text)) = mode {
                fs::write(folder.join("script"), text).unwrap();
                fs::set_permissions(folder.join("script"), fs::Permissions::from_mode(mode)).unwrap();
            }
        });
        let error = test.refusal().await;
        assert_eq!(error.code, ErrorCode::PLUGIN_UNAVAILABLE);
        assert_eq!(test.supervisor.status().state, StateName::Error);
        assert!(error.hint().is_some(), "{error}");
        error.message.replace(test.folder.path().to_str().unwrap(), "DIR")
    };
    let executable = |path: &str| Launch::Executable(path.into());
    assert_eq!(
        error(executable("nothing-here"), None).await,
        "plugin `test` cannot be started: its executable `nothing-here` does not exist; \
         looked in `DIR`, `/opt/astros/libexec`, PATH"
    );
    assert_eq!(
        error(executable("bin/it"), None).await,
        "plugin `test` cannot be started: its executable `bin/it` does not exist; looked in `DIR`"
    );
    assert_eq!(
        error(executable("folder"), None).await,
        "plugin `test` cannot be started: `DIR/folder` is a folder, expected an executable file"
    );
    assert_eq!(
        error(executable("script"), Some((0o644, "#!/bin/sh"))).await,
        "plugin `test` cannot be started: `DIR/script` is not executable"
    );
    assert_eq!(
        error(executable("script"), Some((0o755, "#!/no/such/interpreter\n"))).await,
        "plugin `test` cannot be started: the interpreter that `DIR/script` names is missing"
    );
    assert_eq!(
        error(executable("script"), Some((0o755, "no program"))).await,
        "plugin `test` cannot be started: `DIR/script` is no program for this machine"
    );
    assert_eq!(
        error(Launch::Command(vec!["no-such-program".to_owned()]), None).await,
        "plugin `test` cannot be started: its program `no-such-program` does not exist; looked in `DIR`, PATH"
    );
    let python = Launch::Python { target: "main.py".to_owned(), interpreter: Some("python9.9".to_owned()) };
    assert_eq!(
        error(python, None).await,
        "plugin `test` cannot be started: its interpreter `python9.9` does not exist"
    );
}

#[tokio::test]
async fn says_the_last_line_of_a_traceback_and_does_not_try_again_at_once() {
    let test = plugin(&["import"], |spec| spec.supervision.backoff_initial = Duration::from_secs(60));
    let error = test.refusal().await;
    assert_eq!(
        error.message,
        "plugin `test` exited with status 1 before it was ready: \
         ModuleNotFoundError: No module named 'a_module_that_does_not_exist'"
    );
    assert!(detail(&error).starts_with("Traceback"));
    let again = test.refusal().await;
    assert_eq!(again.message, error.message);
    assert!(again.data.unwrap().extra["retry_after_ms"].as_u64() > Some(20_000));
    let loads = test.notes.states().iter().filter(|state| **state == StateName::Loading).count();
    assert_eq!(loads, 1);
}

#[tokio::test]
async fn tries_a_failed_start_again_at_a_later_use() {
    let test = plugin(&[], |spec| spec.launch = Launch::Executable("later".into()));
    test.refusal().await;
    let script = format!("#!/bin/sh\nexec python3 '{}/plugin.py'\n", test.folder.path().display());
    fs::write(test.folder.path().join("later"), script).unwrap();
    fs::set_permissions(test.folder.path().join("later"), fs::Permissions::from_mode(0o755)).unwrap();
    test.supervisor.reset();
    test.notes.reaches(StateName::Idle).await;
    echoes(&test.ready().await).await;
}

#[tokio::test]
async fn says_why_it_ended_before_and_in_initialize() {
    let before = plugin(&["exit"], |_| {}).refusal().await;
    assert_eq!(before.message, "plugin `test` exited with status 1 before it was ready: no configuration");
    let within = plugin(&["exit-in-initialize"], |_| {}).refusal().await;
    assert_eq!(
        within.message,
        "plugin `test` exited with status 3 before it was ready: cannot read the settings"
    );
    assert_eq!(within.data.unwrap().extra["last_words"], json!(["cannot read the settings"]));
}

#[tokio::test]
async fn lists_both_versions_where_none_is_common() {
    let error = plugin(&["version"], |_| {}).refusal().await;
    assert_eq!(error.code, ErrorCode::UNSUPPORTED_VERSION);
    assert_eq!(
        error.message,
        "plugin `test` speaks version 2.0 of the protocol, which this host does not: it speaks 1.0"
    );
}

#[tokio::test]
async fn says_what_a_plugin_answered_that_did_not_start() {
    let refused = plugin(&["refuse"], |_| {}).refusal().await;
    assert_eq!(refused.message, "plugin `test` refused to start: initialize returned False");
    assert_eq!(refused.code, ErrorCode::HANDLER_FAILED);
    for mode in ["garbage", "shapeless"] {
        let error = plugin(&[mode], |_| {}).refusal().await;
        assert_eq!(error.code, ErrorCode::BAD_RESPONSE);
        assert!(error.message.starts_with("plugin `test` could not be started: the answer"), "{error}");
    }
}

#[tokio::test]
async fn gives_up_on_an_initialize_that_hangs_and_leaves_no_process() {
    let test = plugin(&["stray", "hang"], |spec| {
        spec.supervision.initialize_timeout = Duration::from_millis(500);
    });
    let error = test.refusal().await;
    assert_eq!(error.message, "plugin `test` did not answer `initialize` within 500 ms");
    assert_eq!(detail(&error), "this is no message");
    assert_eq!(test.notes.exits().len(), 1);
    assert!(test.supervisor.status().pids.is_empty());
}

#[tokio::test]
async fn stops_a_plugin_that_is_still_starting() {
    let test = plugin(&["hang"], |_| {});
    let supervisor = test.supervisor.clone();
    let waits = tokio::spawn(async move { supervisor.ready().await });
    test.notes.reaches(StateName::Initializing).await;
    let pid = test.supervisor.status().pids[0];
    test.supervisor.stop("enough").await;
    gone(pid).await;
    let error = waits.await.unwrap().err().unwrap();
    assert!(error.message.contains("enough"), "{error}");
    assert_eq!(test.supervisor.status().state, StateName::Unloaded);
}

#[tokio::test]
async fn rides_over_a_kill_during_the_start_while_somebody_waits() {
    let test = plugin(&["once"], |_| {});
    test.ready().await;
    assert_eq!(test.supervisor.status().restarts, 1);
}

#[tokio::test]
async fn keeps_the_manifests_name_and_says_so() {
    let test = plugin(&["name"], |_| {});
    assert_eq!(test.ready().await.description.name, "test");
    let oddities = test.notes.collect(|event| match event {
        astros_core::supervisor::Event::Oddity { text, .. } => Some(text.clone()),
        _ => None,
    });
    assert_eq!(oddities, ["its code says that its name is `other`, its manifest `test` holds"]);
}
