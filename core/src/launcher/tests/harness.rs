//! A program below a launcher, and what it says.

use std::{
    env, fs, net::TcpListener, os::unix::process::ExitStatusExt, path::Path, process::ExitStatus,
    sync::LazyLock,
};

use tokio::{io::AsyncReadExt, runtime::Builder};

use crate::launcher::{
    Access, Confinement, Containment, Means, Network, Policy, Report, Rule, program, start,
    tests::again::MEANS,
};

const SYSTEM: [&str; 9] = [
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/etc/ld.so.cache",
    "/etc/alternatives",
    "/etc/ssl/openssl.cnf",
];

/// With what the programs of these tests are held: all that there is.
pub(super) static MEANS_HERE: LazyLock<Means> = LazyLock::new(|| match env::var(MEANS) {
    Ok(means) => serde_json::from_str(&means).unwrap(),
    Err(_) => Means { namespaces: true, landlock: true },
});

/// The system's programs to read, and these paths.
pub(super) fn confinement(files: &[(&Path, Access)]) -> Confinement {
    let system = SYSTEM.iter().filter_map(|path| {
        let given = fs::symlink_metadata(path).ok()?;
        let path = if given.is_symlink() { path.into() } else { fs::canonicalize(path).ok()? };
        Some(Rule { path, access: Access::Read })
    });
    let own = files.iter().map(|(path, access)| Rule { path: path.to_path_buf(), access: *access });
    Confinement { files: system.chain(own).collect(), means: *MEANS_HERE, ..Confinement::default() }
}

pub(super) fn networked(network: Network) -> Confinement {
    Confinement { network, ..confinement(&[]) }
}

pub(super) struct Ran {
    pub(super) status: ExitStatus,
    pub(super) output: String,
    pub(super) errors: String,
}

/// Runs it to its end, with nothing to read.
pub(super) fn run(confinement: &Confinement, program: &[&str]) -> Result<Ran, String> {
    run_beside(confinement, program, drop)
}

/// The same, with somebody who takes the listener of its proxy.
pub(super) fn run_beside(
    confinement: &Confinement,
    words: &[&str],
    beside: impl FnOnce(Option<TcpListener>),
) -> Result<Ran, String> {
    let policy = Policy {
        program: words[0].into(),
        args: words[1..].iter().map(Into::into).collect(),
        environment: vec![("PATH".into(), "/usr/bin:/bin".into())],
        folder: "/usr".into(),
        containment: Containment::Namespace,
        open_files: None,
        confinement: Some(confinement.clone()),
    };
    let launcher = program(None).expect("`astros-launcher` is built beside the tests");
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut launched = start(&launcher, &policy, None).await.map_err(|error| error.to_string())?;
        drop(launched.input);
        beside(launched.listener);
        let (mut output, mut errors) = (String::new(), String::new());
        launched.launcher.stdout.take().unwrap().read_to_string(&mut output).await.unwrap();
        launched.launcher.stderr.take().unwrap().read_to_string(&mut errors).await.unwrap();
        let mut report = [0; Report::BYTES];
        launched.socket.read_exact(&mut report).await.unwrap();
        let Some(Report::Ended(status)) = Report::from_bytes(report) else { panic!("{report:?}") };
        Ok(Ran { status: ExitStatus::from_raw(status), output, errors })
    })
}

pub(super) fn shell(confinement: &Confinement, script: &str) -> Ran {
    run(confinement, &["/bin/sh", "-c", script]).unwrap()
}

/// What it prints; it has to end well.
pub(super) fn python(confinement: &Confinement, code: &str) -> String {
    let ran = run(confinement, &["/usr/bin/python3", "-c", code]).unwrap();
    assert!(ran.status.success(), "{}: {}{}", ran.status, ran.output, ran.errors);
    ran.output
}

/// The commands that end well, of those that should not.
pub(super) fn escapes(confinement: &Confinement, commands: &str) -> String {
    let script = "while read -r line; do sh -c \"$line\" >&2 && echo \"$line\"; done <<'END'\n";
    let ran = shell(confinement, &format!("{script}{commands}\nEND\necho done"));
    assert!(ran.output.ends_with("done\n"), "{}{}", ran.output, ran.errors);
    ran.output.trim_end_matches("done\n").to_owned()
}
