//! A launcher that holds programs to a confinement, each tried from the inside.

use std::{fs, os::unix::process::ExitStatusExt, path::Path, process::ExitStatus};

use tokio::{io::AsyncReadExt, runtime::Builder};

use super::{Access, Confinement, Containment, Means, Policy, Report, Rule, start};

const SYSTEM: [&str; 8] =
    ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache", "/etc/alternatives"];

/// With the system's programs to read, and these paths.
fn confinement(files: &[(&Path, Access)]) -> Confinement {
    let system = SYSTEM.iter().map(|path| Rule { path: path.into(), access: Access::Read });
    let own = files.iter().map(|(path, access)| Rule { path: path.to_path_buf(), access: *access });
    Confinement {
        files: system.chain(own).collect(),
        means: Means { namespaces: true, landlock: true },
        ..Confinement::default()
    }
}

struct Ran {
    status: ExitStatus,
    output: String,
    errors: String,
}

fn run(confinement: &Confinement, program: &[&str]) -> Result<Ran, String> {
    let policy = Policy {
        program: program[0].into(),
        args: program[1..].iter().map(Into::into).collect(),
        environment: vec![("PATH".into(), "/usr/bin:/bin".into())],
        folder: "/usr".into(),
        containment: Containment::Namespace,
        confinement: Some(confinement.clone()),
    };
    let launcher = super::program(None).expect("`astros-launcher` is built");
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut launched = start(&launcher, &policy).await.map_err(|error| error.to_string())?;
        drop(launched.input);
        let (mut output, mut errors) = (String::new(), String::new());
        launched.launcher.stdout.take().unwrap().read_to_string(&mut output).await.unwrap();
        launched.launcher.stderr.take().unwrap().read_to_string(&mut errors).await.unwrap();
        let mut report = [0; Report::BYTES];
        launched.socket.read_exact(&mut report).await.unwrap();
        let Some(Report::Ended(status)) = Report::from_bytes(report) else { panic!("{report:?}") };
        Ok(Ran { status: ExitStatus::from_raw(status), output, errors })
    })
}

fn shell(confinement: &Confinement, script: &str) -> Ran {
    run(confinement, &["/bin/sh", "-c", script]).unwrap()
}

#[test]
fn sees_what_it_was_given_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("secret"), "hidden from it").unwrap();
    let given = folder.path().join("given");
    fs::create_dir(&given).unwrap();
    let script =
        format!("cat {0}/secret; ls {0}; echo new > {0}/given/file; ls /root /home", folder.path().display());
    let ran = shell(&confinement(&[(&given, Access::Write)]), &script);
    assert_eq!(ran.output, "given\n", "{}", ran.errors);
    assert!(!ran.status.success());
    assert_eq!(fs::read_to_string(given.join("file")).unwrap(), "new\n");
}
