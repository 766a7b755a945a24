//! The same tests as somebody else, and on machines that have less.

use std::{env, os::unix::process::CommandExt, process::Command, thread};

use nix::unistd::Uid;

use super::limited;
use crate::launcher::{Access, Confinement, Means};

/// The variable with what the tests' programs are to be held with.
pub(super) const MEANS: &str = "ASTROS_TEST_MEANS";
/// Those of them that try something from the inside.
const TRIED: [&str; 4] = ["files", "network", "processes", "limits"];
/// A uid without any right.
const NOBODY: u32 = 65534;

/// Runs the tests once more in a process of its own.
fn again(lacks: limited::Lacks, means: Means, nobody: bool) {
    if nobody && !Uid::current().is_root() {
        return;
    }
    // The filter is the thread's, and its child's.
    let ran = thread::spawn(move || {
        limited::limit(lacks);
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(TRIED.map(|module| format!("launcher::tests::{module}::")));
        command.env(MEANS, serde_json::to_string(&means).unwrap());
        if nobody {
            command.uid(NOBODY).gid(NOBODY);
        }
        command.output().unwrap()
    });
    let ran = ran.join().unwrap();
    let output = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success() && !output.contains(" 0 passed"), "{output}");
}

const FULL: Means = Means { namespaces: true, landlock: true };

#[test]
fn holds_nobody_as_well() {
    again(limited::Lacks { landlock: false, namespaces: false }, FULL, true);
}

#[test]
fn holds_without_landlock() {
    let lacks = limited::Lacks { landlock: true, namespaces: false };
    again(lacks, Means { landlock: false, ..FULL }, false);
    again(lacks, Means { landlock: false, ..FULL }, true);
}

#[test]
fn holds_without_namespaces() {
    let lacks = limited::Lacks { landlock: false, namespaces: true };
    again(lacks, Means { namespaces: false, ..FULL }, false);
    again(lacks, Means { namespaces: false, ..FULL }, true);
}

#[test]
fn refuses_where_it_cannot_hold() {
    let refused = thread::spawn(|| {
        limited::limit(limited::Lacks { landlock: true, namespaces: true });
        [FULL, Means { namespaces: false, landlock: true }].map(|means| {
            let confinement = Confinement { means, ..super::confinement(&[("/usr".as_ref(), Access::Read)]) };
            super::run(&confinement, &["/bin/true"]).err().unwrap()
        })
    });
    let [namespaces, landlock] = refused.join().unwrap();
    let namespace = if Uid::current().is_root() { "making namespaces" } else { "making a user namespace" };
    assert!(namespaces.contains(&format!("{namespace}: EPERM")), "{namespaces}");
    assert!(landlock.contains("Landlock: this kernel has version 0"), "{landlock}");
}
