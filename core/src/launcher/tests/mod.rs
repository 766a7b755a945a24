//! Launchers that hold programs to a confinement, each tried from the inside: as this user and as nobody, on machines
//! that lack Landlock, namespaces, or both.

mod again;
mod files;
mod harness;
mod limited;
mod limits;
mod network;
mod processes;

use std::os::unix::fs::symlink;

use harness::{confinement, run};

use super::{Access, Means};

#[test]
fn a_step_that_fails_ends_the_launch_and_is_named() {
    let folder = tempfile::tempdir().unwrap();
    symlink("/usr", folder.path().join("link")).unwrap();
    let path = folder.path().join("link/bin");
    let refused = run(&confinement(&[(&path, Access::Read)]), &["/bin/true"]).err().unwrap();
    let said =
        format!("its sandbox cannot be set up: mounting `{}`: it leads through a link", path.display());
    assert_eq!(refused, said);

    for never in ["/proc", "/dev/shm", "/a/../b", "relative"] {
        let refused = run(&confinement(&[(never.as_ref(), Access::Write)]), &["/bin/true"]).err().unwrap();
        assert!(refused.contains(&format!("`{never}`: it ")), "{refused}");
    }

    let mut bus = confinement(&[]);
    bus.buses.push((folder.path().join("no-socket"), "/run/bus".into()));
    let refused = run(&bus, &["/bin/true"]).err().unwrap();
    assert!(refused.contains("mounting `/run/bus`: No such file"), "{refused}");
    bus.means = Means { namespaces: false, landlock: true };
    let refused = run(&bus, &["/bin/true"]).err().unwrap();
    assert!(refused.ends_with("there are no namespaces here"), "{refused}");
}

#[test]
fn what_is_not_there_is_passed_over_and_a_program_that_is_not_is_told_by_the_system() {
    let nowhere = "/no/such/folder".as_ref();
    let ran = run(&confinement(&[(nowhere, Access::Write)]), &["/bin/echo", "runs"]).unwrap();
    assert_eq!(ran.output, "runs\n");
    let missing = run(&confinement(&[]), &["/no/such/program"]).err().unwrap();
    assert_eq!(missing, "No such file or directory (os error 2)");
}

#[tokio::test]
async fn knows_what_this_machine_has() {
    let machine = super::machine(None).await;
    assert!(machine.namespaces && machine.seccomp && machine.landlock.is_some(), "{machine:?}");
}
