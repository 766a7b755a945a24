//! What is denied of the system calls, and of their arguments.

use std::collections::BTreeMap;

use nix::libc::{self, c_long};
use seccompiler::{
    BackendError, SeccompCmpArgLen::Dword, SeccompCmpOp, SeccompCmpOp::Eq, SeccompCmpOp::MaskedEq,
    SeccompCmpOp::Ne, SeccompCondition, SeccompRule,
};

use crate::launcher::{Confinement, Network};

/// A call; without rules whatever its arguments, else where all conditions of one rule hold.
pub(super) type Calls = BTreeMap<c_long, Vec<SeccompRule>>;
type Rule = Result<SeccompRule, BackendError>;

/// Whatever their arguments.
const ALWAYS: &[c_long] = &[
    // Another view of the files, another namespace.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    OPEN_TREE_ATTR,
    libc::SYS_unshare,
    libc::SYS_setns,
    // Files past their paths.
    libc::SYS_open_by_handle_at,
    libc::SYS_name_to_handle_at,
    // Memory that no process has and nobody could count.
    libc::SYS_shmget,
    MEMFD_SECRET,
    // Other processes.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_kcmp,
    libc::SYS_pidfd_getfd,
    // What goes past this filter, or deep into the kernel.
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    // Keys of the person's session.
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    // The machine's own affairs.
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_reboot,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_acct,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_adjtimex,
    libc::SYS_clock_adjtime,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_syslog,
    libc::SYS_vhangup,
    libc::SYS_fanotify_init,
    libc::SYS_fanotify_mark,
    libc::SYS_lookup_dcookie,
    libc::SYS_nfsservctl,
];

#[cfg(target_arch = "x86_64")]
const ALWAYS_HERE: &[c_long] =
    &[libc::SYS_iopl, libc::SYS_ioperm, libc::SYS_modify_ldt, libc::SYS_uselib, libc::SYS__sysctl];
#[cfg(target_arch = "aarch64")]
const ALWAYS_HERE: &[c_long] = &[];

/// What Landlock does not know: modes, owners, times, attributes of files that it otherwise keeps.
const ATTRIBUTES: &[c_long] = &[
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    FCHMODAT2,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_utimensat,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_fsetxattr,
    SETXATTRAT,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_fremovexattr,
    REMOVEXATTRAT,
    FILE_SETATTR,
];
#[cfg(target_arch = "x86_64")]
const ATTRIBUTES_HERE: &[c_long] = &[
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_lchown,
    libc::SYS_utime,
    libc::SYS_utimes,
    libc::SYS_futimesat,
];
#[cfg(target_arch = "aarch64")]
const ATTRIBUTES_HERE: &[c_long] = &[];

// Newer than the C library's list; they have one number everywhere.
const MEMFD_SECRET: c_long = 447;
const FCHMODAT2: c_long = 452;
const SETXATTRAT: c_long = 463;
const REMOVEXATTRAT: c_long = 466;
const OPEN_TREE_ATTR: c_long = 467;
const FILE_SETATTR: c_long = 469;

const FS_IOC_SETFLAGS: u64 = 0x4008_6602;
const FS_IOC_FSSETXATTR: u64 = 0x401c_5820;
/// `CLONE_NEW…`, all but the one of clocks, whose bit is a signal's here.
const NAMESPACES: [libc::c_int; 7] = [
    libc::CLONE_NEWNS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
];

pub(super) fn calls(confinement: &Confinement) -> Result<Calls, BackendError> {
    let mut calls: Calls = ALWAYS.iter().chain(ALWAYS_HERE).map(|call| (*call, Vec::new())).collect();
    let unix = !confinement.buses.is_empty();
    if confinement.network == Network::None && !unix {
        calls.insert(libc::SYS_socket, Vec::new());
    } else {
        calls.insert(libc::SYS_socket, sockets(confinement.network, unix)?);
    }
    calls.insert(libc::SYS_socketpair, pairs(unix)?);
    // It connects without asking who may.
    for (call, flags) in [(libc::SYS_sendto, 3), (libc::SYS_sendmsg, 2), (libc::SYS_sendmmsg, 3)] {
        calls.insert(call, vec![all([has(flags, libc::MSG_FASTOPEN)])?]);
    }
    let fast_open = all([is(1, libc::IPPROTO_TCP), is(2, libc::TCP_FASTOPEN_CONNECT)])?;
    calls.insert(libc::SYS_setsockopt, vec![fast_open]);
    calls.insert(
        libc::SYS_clone,
        NAMESPACES.map(|new| all([has(0, new)])).into_iter().collect::<Result<_, _>>()?,
    );
    // To ask is allowed, and to stay as it is.
    calls.insert(libc::SYS_personality, vec![all([is_not(0, 0), is_not(0, -1)])?]);
    let mut ioctls = vec![all([condition(1, Eq, libc::TIOCSTI)])?, all([condition(1, Eq, libc::TIOCLINUX)])?];
    calls.extend(programs_of_others()?);
    let alone = confinement.means.landlock && !confinement.means.namespaces;
    if alone {
        // Nothing else keeps it from what is the machine's: others' limits, shared memory, files that are watched.
        calls.insert(libc::SYS_prlimit64, vec![all([is_not(0, 0)])?]);
        calls.extend(SHARED.iter().map(|call| (*call, Vec::new())));
        calls.extend(ATTRIBUTES.iter().chain(ATTRIBUTES_HERE).map(|call| (*call, Vec::new())));
        ioctls
            .extend([all([condition(1, Eq, FS_IOC_SETFLAGS)])?, all([condition(1, Eq, FS_IOC_FSSETXATTR)])?]);
    }
    calls.insert(libc::SYS_ioctl, ioctls);
    calls.insert(libc::SYS_mknodat, devices(2)?);
    #[cfg(target_arch = "x86_64")]
    calls.insert(libc::SYS_mknod, devices(1)?);
    Ok(calls)
}

/// What has no namespace, and no rule in Landlock.
const SHARED: [c_long; 9] = [
    libc::SYS_shmat,
    libc::SYS_shmctl,
    libc::SYS_semget,
    libc::SYS_semctl,
    libc::SYS_semop,
    libc::SYS_semtimedop,
    libc::SYS_msgget,
    libc::SYS_msgsnd,
    libc::SYS_msgrcv,
];

/// What is no socket of a kind that its grants need.
fn sockets(network: Network, unix: bool) -> Result<Vec<SeccompRule>, BackendError> {
    const FAMILY: u8 = 0;
    const KIND: u8 = 1;
    const PROTOCOL: u8 = 2;
    let internet = network != Network::None;
    let mut families = Vec::new();
    if unix {
        families.push(libc::AF_UNIX);
    }
    if internet {
        families.extend([libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK]);
    }
    let mut rules = vec![SeccompRule::new(
        families.iter().map(|family| is_not(FAMILY, *family)).collect::<Result<_, _>>()?,
    )?];
    if internet {
        rules.push(all([is(FAMILY, libc::AF_NETLINK), is_not(PROTOCOL, libc::NETLINK_ROUTE)])?);
        for family in [libc::AF_INET, libc::AF_INET6] {
            // Raw, and all that is above packets in a sequence.
            rules.push(all([is(FAMILY, family), kind(KIND, libc::SOCK_RAW)])?);
            rules.push(all([is(FAMILY, family), has(KIND, 4)])?);
            rules.push(all([is(FAMILY, family), has(KIND, 8)])?);
            if network == Network::Proxy {
                rules.push(all([is(FAMILY, family), kind(KIND, libc::SOCK_DGRAM)])?);
            }
            let usual = [0, libc::IPPROTO_TCP, libc::IPPROTO_UDP].map(|usual| is_not(PROTOCOL, usual));
            let [none, tcp, udp] = usual;
            rules.push(all([is(FAMILY, family), none, tcp, udp])?);
        }
    }
    Ok(rules)
}

/// A pair without a connection could be sent anywhere from.
fn pairs(unix: bool) -> Result<Vec<SeccompRule>, BackendError> {
    let mut rules = vec![all([is_not(0, libc::AF_UNIX)])?];
    if !unix {
        rules.extend([all([kind(1, libc::SOCK_DGRAM)])?, all([kind(1, libc::SOCK_RAW)])?]);
    }
    Ok(rules)
}

/// Whoever starts a file with one of these bits is who it belongs to: the person, whom another user of the machine would
/// be then.
const SET_ID: [libc::mode_t; 2] = [libc::S_ISUID, libc::S_ISGID];

fn programs_of_others() -> Result<Calls, BackendError> {
    let mut calls = Calls::new();
    #[cfg(target_arch = "x86_64")]
    let (modes, flags_and_modes) = (
        [
            (libc::SYS_chmod, 1),
            (libc::SYS_creat, 1),
            (libc::SYS_fchmod, 1),
            (libc::SYS_fchmodat, 2),
            (FCHMODAT2, 2),
        ],
        [(libc::SYS_open, 1, 2), (libc::SYS_openat, 2, 3)],
    );
    #[cfg(target_arch = "aarch64")]
    let (modes, flags_and_modes) =
        ([(libc::SYS_fchmod, 1), (libc::SYS_fchmodat, 2), (FCHMODAT2, 2)], [(libc::SYS_openat, 2, 3)]);
    let bit = |mode, bit: libc::mode_t| condition(mode, MaskedEq(bit.into()), bit);
    for (call, mode) in modes {
        calls.insert(call, SET_ID.map(|set| all([bit(mode, set)])).into_iter().collect::<Result<_, _>>()?);
    }
    for (call, flags, mode) in flags_and_modes {
        // Without it the mode may be anything, and counts for nothing.
        let made = |set| all([has(flags, libc::O_CREAT), bit(mode, set)]);
        calls.insert(call, SET_ID.map(made).into_iter().collect::<Result<_, _>>()?);
    }
    Ok(calls)
}

fn devices(mode: u8) -> Result<Vec<SeccompRule>, BackendError> {
    let device = |kind: libc::mode_t| all([condition(mode, MaskedEq(libc::S_IFMT.into()), kind)]);
    let set = |set: libc::mode_t| all([condition(mode, MaskedEq(set.into()), set)]);
    let [user, group] = SET_ID.map(set);
    Ok(vec![device(libc::S_IFCHR)?, device(libc::S_IFBLK)?, user?, group?])
}

fn all<const N: usize>(conditions: [Result<SeccompCondition, BackendError>; N]) -> Rule {
    SeccompRule::new(conditions.into_iter().collect::<Result<_, _>>()?)
}

/// The kernel looks at the lower half of these arguments alone, so must a filter.
fn condition(
    argument: u8,
    operator: SeccompCmpOp,
    value: impl Into<u64>,
) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(argument, Dword, operator, value.into())
}

fn is(argument: u8, value: libc::c_int) -> Result<SeccompCondition, BackendError> {
    condition(argument, Eq, value as u32)
}

fn is_not(argument: u8, value: libc::c_int) -> Result<SeccompCondition, BackendError> {
    condition(argument, Ne, value as u32)
}

/// The bit is set.
fn has(argument: u8, bit: libc::c_int) -> Result<SeccompCondition, BackendError> {
    condition(argument, MaskedEq(u64::from(bit as u32)), bit as u32)
}

/// The kind of a socket, without the flags that go with it.
fn kind(argument: u8, kind: libc::c_int) -> Result<SeccompCondition, BackendError> {
    condition(argument, MaskedEq(0xf), kind as u32)
}
