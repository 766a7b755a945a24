//! A machine that lacks something: system calls answered as a kernel does that was built or set so.

use std::collections::BTreeMap;

use nix::libc::{self, c_long};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    apply_filter,
};

#[derive(Clone, Copy)]
pub(super) struct Lacks {
    pub(super) landlock: bool,
    pub(super) namespaces: bool,
}

/// From now on this thread, and all that it starts, find no more than that.
pub(super) fn limit(lacks: Lacks) {
    let mut unknown = Vec::new();
    if lacks.landlock {
        let calls = [
            libc::SYS_landlock_create_ruleset,
            libc::SYS_landlock_add_rule,
            libc::SYS_landlock_restrict_self,
        ];
        unknown.extend(calls.map(|call| (call, Vec::new())));
    }
    if lacks.namespaces {
        // Its flags are in memory; C libraries go on to the older one.
        unknown.push((libc::SYS_clone3, Vec::new()));
        let flagged = [libc::SYS_unshare, libc::SYS_clone].map(|call| (call, namespaces()));
        answer(flagged.into_iter().chain([(libc::SYS_setns, Vec::new())]), libc::EPERM);
    }
    answer(unknown, libc::ENOSYS);
}

fn answer(calls: impl IntoIterator<Item = (c_long, Vec<SeccompRule>)>, error: libc::c_int) {
    let calls: BTreeMap<_, _> = calls.into_iter().collect();
    if calls.is_empty() {
        return;
    }
    let answers = SeccompAction::Errno(error as u32);
    let here = std::env::consts::ARCH.try_into().unwrap();
    let filter = SeccompFilter::new(calls, SeccompAction::Allow, answers, here).unwrap();
    apply_filter(&BpfProgram::try_from(filter).unwrap()).unwrap();
}

/// Any flag of those that make one.
fn namespaces() -> Vec<SeccompRule> {
    let flags = [
        libc::CLONE_NEWNS,
        libc::CLONE_NEWCGROUP,
        libc::CLONE_NEWUTS,
        libc::CLONE_NEWIPC,
        libc::CLONE_NEWUSER,
        libc::CLONE_NEWPID,
        libc::CLONE_NEWNET,
    ];
    let set = |flag: libc::c_int| {
        let flag = flag as u64;
        let is_set = SeccompCmpOp::MaskedEq(flag);
        let condition = SeccompCondition::new(0, SeccompCmpArgLen::Dword, is_set, flag).unwrap();
        SeccompRule::new(vec![condition]).unwrap()
    };
    flags.map(set).into()
}
