//! Runs a command on a machine that lacks something: `limited --no-landlock --no-namespaces -- COMMAND…`.
//!
//! System calls are answered as by a kernel that was built without Landlock, or is set to make no namespaces.

use std::{collections::BTreeMap, os::unix::process::CommandExt, process::Command};

use nix::libc::{self, c_int, c_long};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    apply_filter,
};

type Calls = Vec<(c_long, Vec<SeccompRule>)>;

fn main() {
    let mut words = std::env::args().skip(1);
    for word in words.by_ref() {
        match &*word {
            "--no-landlock" => answer(landlock(), libc::ENOSYS),
            "--no-namespaces" => {
                // Its flags are in memory; C libraries go on to the older one.
                answer(vec![(libc::SYS_clone3, Vec::new())], libc::ENOSYS);
                answer(namespaces(), libc::EPERM);
            }
            "--" => break,
            other => panic!("`{other}`, expected --no-landlock, --no-namespaces or --"),
        }
    }
    let program = words.next().expect("a command after `--`");
    let error = Command::new(&program).args(words).exec();
    panic!("`{program}` cannot be run: {error}");
}

fn landlock() -> Calls {
    let calls =
        [libc::SYS_landlock_create_ruleset, libc::SYS_landlock_add_rule, libc::SYS_landlock_restrict_self];
    calls.map(|call| (call, Vec::new())).into()
}

/// What makes a namespace, or enters one.
fn namespaces() -> Calls {
    let flags = [
        libc::CLONE_NEWNS,
        libc::CLONE_NEWCGROUP,
        libc::CLONE_NEWUTS,
        libc::CLONE_NEWIPC,
        libc::CLONE_NEWUSER,
        libc::CLONE_NEWPID,
        libc::CLONE_NEWNET,
    ];
    let with = |flag: c_int| {
        let flag = u64::from(flag.cast_unsigned());
        let set = SeccompCondition::new(0, SeccompCmpArgLen::Qword, SeccompCmpOp::MaskedEq(flag), flag);
        SeccompRule::new(vec![set.expect("a condition")]).expect("a rule")
    };
    let making = flags.map(with).to_vec();
    vec![(libc::SYS_unshare, making.clone()), (libc::SYS_clone, making), (libc::SYS_setns, Vec::new())]
}

/// From now on this process, and all that it starts, get this error from these calls.
fn answer(calls: Calls, error: c_int) {
    let calls: BTreeMap<_, _> = calls.into_iter().collect();
    let answer = SeccompAction::Errno(error.cast_unsigned());
    let here = std::env::consts::ARCH.try_into().expect("a machine that seccomp knows");
    let filter = SeccompFilter::new(calls, SeccompAction::Allow, answer, here).expect("a filter");
    apply_filter(&BpfProgram::try_from(filter).expect("a program")).expect("filters can be had");
}
