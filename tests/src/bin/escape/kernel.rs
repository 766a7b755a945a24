//! What a kernel offers to few: namespaces, mounts, modules, traces, keys, shared memory, terminals.

use std::{
    arch::asm,
    fs::{self, File, OpenOptions},
    os::{fd::AsRawFd, unix::fs::OpenOptionsExt},
    path::{Path, PathBuf},
};

use nix::libc;

use crate::{
    Outcome,
    calls::{address, c, call, denied, passes, room},
    place::{Place, see},
};

pub(crate) const NAMES: &str = "unshare-user unshare-mounts unshare-network unshare-everything clone-user clone3-user \
    mount-memory mount-proc bind-mount remount unmount new-mount clone-of-a-mount move-of-a-mount attributes-of-a-mount \
    pivot-root chroot capabilities new-privileges become-somebody-else bpf performance-events page-faults fanotify \
    compare-processes load-a-module reboot swap-on kernel-log clock host-name ports personality local-descriptors x32 \
    old-gate keys add-a-key shared-memory semaphores message-queue named-queue core-pattern system-request \
    kernel-settings control-groups terminal type-into-the-terminal own-terminal inherited-descriptors environment";

const HERE: i64 = libc::AT_FDCWD as i64;
const NEWNS: i64 = libc::CLONE_NEWNS as i64;
const NEWUSER: i64 = libc::CLONE_NEWUSER as i64;
const NEWNET: i64 = libc::CLONE_NEWNET as i64;
const USER_KEYRING: i64 = -4;
const BIND: i64 = 4096;
const REMOUNT: i64 = 32;

pub(crate) fn attempt(name: &str, at: &Place) -> Option<Outcome> {
    let unshare = |flags| passes(libc::SYS_unshare, &[flags], &[]);
    let opens =
        |path: &str| OpenOptions::new().write(true).open(path).map(|_| format!("{path} could be opened"));
    Some(match name {
        "unshare-user" => unshare(NEWUSER),
        "unshare-mounts" => unshare(NEWNS),
        "unshare-network" => unshare(NEWNET),
        "unshare-everything" => unshare(NEWUSER | NEWNS | NEWNET),
        "clone-user" => child(call(libc::SYS_clone, &[NEWUSER | i64::from(libc::SIGCHLD), 0, 0, 0, 0])),
        "clone3-user" => {
            let arguments = [NEWUSER, 0, 0, 0, i64::from(libc::SIGCHLD), 0, 0, 0, 0, 0, 0];
            child(call(libc::SYS_clone3, &[address(&arguments), 88]))
        }
        "mount-memory" => mount(c"tmpfs"),
        "mount-proc" => mount(c"proc"),
        "bind-mount" => bind(&at.path("file")),
        "remount" => passes(
            libc::SYS_mount,
            &[address(c"none"), address(c"/usr"), 0, REMOUNT | BIND, 0],
            &[libc::EINVAL],
        ),
        "unmount" => with_folder(|folder| passes(libc::SYS_umount2, &[folder, 0], &[libc::EINVAL])),
        "new-mount" => passes(libc::SYS_fsopen, &[address(c"tmpfs"), 0], &[]),
        "clone-of-a-mount" => passes(libc::SYS_open_tree, &[HERE, address(c"/"), 1], &[]),
        "move-of-a-mount" => passes(
            libc::SYS_move_mount,
            &[-1, address(c""), -1, address(c""), 0],
            &[libc::EINVAL, libc::EBADF, libc::ENOENT],
        ),
        "attributes-of-a-mount" => {
            passes(libc::SYS_mount_setattr, &[HERE, address(c"/"), 0, address(&*room(32)), 32], &[])
        }
        "pivot-root" => with_folder(|folder| {
            passes(libc::SYS_pivot_root, &[folder, folder], &[libc::EINVAL, libc::EBUSY])
        }),
        "chroot" => passes(libc::SYS_chroot, &[address(c"/usr")], &[]),
        "capabilities" => status("CapEff", |value| u64::from_str_radix(value, 16) != Ok(0)),
        "new-privileges" => status("NoNewPrivs", |value| value == "0"),
        "become-somebody-else" => passes(libc::SYS_setresuid, &[65_534, 65_534, 65_534], &[]),
        "bpf" => {
            let mut map = [0_u32; 32];
            map[..4].copy_from_slice(&[2, 4, 4, 1]);
            passes(libc::SYS_bpf, &[0, address(&map), 128], &[])
        }
        "performance-events" => {
            let mut event = [0_u32; 32];
            event[..2].copy_from_slice(&[1, 128]);
            passes(libc::SYS_perf_event_open, &[address(&event), 0, -1, -1, 0], &[])
        }
        "page-faults" => passes(libc::SYS_userfaultfd, &[1], &[]),
        "fanotify" => passes(libc::SYS_fanotify_init, &[0, 0], &[]),
        "compare-processes" => {
            let own = i64::from(std::process::id());
            passes(libc::SYS_kcmp, &[own, own, 0, 0, 0], &[])
        }
        "load-a-module" => passes(
            libc::SYS_init_module,
            &[address(c""), 0, address(c"")],
            &[libc::ENOEXEC, libc::EINVAL, libc::EFAULT],
        ),
        // No kernel takes these numbers for an order.
        "reboot" => passes(libc::SYS_reboot, &[0, 0, 0, 0], &[libc::EINVAL]),
        "swap-on" => passes(libc::SYS_swapon, &[address(c"/nowhere"), 0], &[libc::ENOENT]),
        "kernel-log" => passes(libc::SYS_syslog, &[3, address(&*room(4096)), 4096], &[]),
        "clock" => clock(),
        "host-name" => host_name(),
        "ports" => passes(libc::SYS_iopl, &[3], &[]),
        "personality" => passes(libc::SYS_personality, &[0x040_0000], &[]),
        "local-descriptors" => passes(libc::SYS_modify_ldt, &[0, address(&*room(64)), 64], &[]),
        "x32" => passes(0x4000_0000 + libc::SYS_getpid, &[], &[]),
        "old-gate" => old_gate(),
        "keys" => key(at),
        "add-a-key" => passes(
            libc::SYS_add_key,
            &[address(c"user"), address(c"astros-planted"), address(b"x"), 1, USER_KEYRING],
            &[],
        ),
        "shared-memory" => call(libc::SYS_shmget, &[at.number("shared_memory"), 0, 0])
            .and_then(|number| passes(libc::SYS_shmat, &[number, 0, 0o10000], &[])),
        "semaphores" => passes(libc::SYS_semget, &[at.number("semaphore"), 0, 0], &[]),
        "message-queue" => passes(libc::SYS_msgget, &[at.number("queue"), 0], &[]),
        "named-queue" => passes(libc::SYS_mq_open, &[address(&*c(at.text("named_queue"))), 0, 0, 0], &[]),
        "core-pattern" => opens("/proc/sys/kernel/core_pattern"),
        "system-request" => opens("/proc/sysrq-trigger"),
        "kernel-settings" => opens("/proc/sys/vm/drop_caches"),
        "control-groups" => match fs::read_dir("/sys/fs/cgroup") {
            Ok(groups) => Some(groups.count())
                .filter(|count| *count > 0)
                .map(|count| format!("there are {count}"))
                .ok_or_else(|| denied("it is empty")),
            Err(error) => Err(error),
        },
        "terminal" => terminal(&at.path("terminal")).map(|_| "a terminal was opened".to_owned()),
        "type-into-the-terminal" => terminal(&at.path("terminal")).and_then(|terminal| {
            let order = i64::try_from(libc::TIOCSTI).unwrap_or_default();
            passes(libc::SYS_ioctl, &[i64::from(terminal.as_raw_fd()), order, address(b"!")], &[])
        }),
        "own-terminal" => terminal(Path::new("/dev/tty")).map(|_| "I have the person's terminal".to_owned()),
        "inherited-descriptors" => inherited(),
        "environment" => secret_in_the_environment(at.text("canary")),
        _ => return None,
    })
}

/// A child was made, in a namespace of its own.
fn child(made: std::io::Result<i64>) -> Outcome {
    match made? {
        0 => std::process::exit(0),
        child => passes(libc::SYS_wait4, &[child, 0, 0, 0], &[]),
    }
}

fn folder() -> std::io::Result<PathBuf> {
    let folder = std::env::temp_dir().join(format!("folder-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

fn with_folder(attempt: impl FnOnce(i64) -> Outcome) -> Outcome {
    attempt(address(&*c(folder()?)))
}

fn mount(kind: &std::ffi::CStr) -> Outcome {
    with_folder(|folder| {
        call(libc::SYS_mount, &[address(c"none"), folder, address(kind), 0, 0])?;
        passes(libc::SYS_umount2, &[folder, i64::from(libc::MNT_DETACH)], &[])
    })
}

fn bind(file: &Path) -> Outcome {
    let (from, to) = (c(file.parent().unwrap_or(file)), folder()?);
    let target = c(&to);
    call(libc::SYS_mount, &[address(&*from), address(&*target), 0, BIND, 0])?;
    let seen = see(to.join(file.file_name().unwrap_or_default()));
    call(libc::SYS_umount2, &[address(&*target), i64::from(libc::MNT_DETACH)])?;
    seen
}

fn status(name: &str, bad: impl Fn(&str) -> bool) -> Outcome {
    let status = fs::read_to_string("/proc/self/status")?;
    let value =
        status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap_or_default().trim();
    let told = format!("{name} is {value}");
    if bad(value) { Ok(told) } else { Err(denied(told)) }
}

/// Sets it to what it is.
fn clock() -> Outcome {
    let now = room(16);
    call(libc::SYS_clock_gettime, &[0, address(&*now)])?;
    passes(libc::SYS_clock_settime, &[0, address(&*now)], &[])
}

fn host_name() -> Outcome {
    let name = fs::read_to_string("/proc/sys/kernel/hostname")?;
    let length = i64::try_from(name.trim().len()).unwrap_or_default();
    passes(libc::SYS_sethostname, &[address(name.as_bytes()), length], &[])
}

/// The gate of 32-bit programs, whose numbers mean other calls: 20 asks who I am.
fn old_gate() -> Outcome {
    let answer: i64;
    // SAFETY: that call takes nothing, and changes the one register.
    unsafe {
        asm!("int 0x80", inlateout("rax") 20_i64 => answer, out("r8") _, out("r9") _, out("r10") _, out("r11") _)
    };
    if answer == i64::from(std::process::id()) {
        return Ok("a 32-bit call was served".to_owned());
    }
    Err(denied(format!("it answers {answer}")))
}

/// A key of the user's, which is in nobody's process.
fn key(at: &Place) -> Outcome {
    let name = c(at.text("key"));
    let key = call(libc::SYS_keyctl, &[10, USER_KEYRING, address(c"user"), address(&*name), 0])?;
    let said = room(100);
    call(libc::SYS_keyctl, &[11, key, address(&*said), 100])?;
    Ok(format!("it says {}", String::from_utf8_lossy(&said)))
}

fn terminal(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().read(true).write(true).custom_flags(libc::O_NOCTTY).open(path)
}

/// What whoever started it left open; this program opens nothing before its first attempt that it keeps.
fn inherited() -> Outcome {
    let own = fs::read_dir("/proc/self/fd")?.flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
    let strange = |link: &PathBuf| {
        let link = link.to_string_lossy();
        !link.starts_with("pipe:") && !link.starts_with("/proc/") && link != "/dev/null"
    };
    let strange: Vec<PathBuf> = own.filter(strange).collect();
    if strange.is_empty() {
        Err(denied("nothing was left open"))
    } else {
        Ok(format!("there is {strange:?}"))
    }
}

fn secret_in_the_environment(canary: &str) -> Outcome {
    let found = std::env::vars().find(|(_, value)| value.contains(canary));
    found.map(|(name, _)| format!("there is {name}")).ok_or_else(|| denied("there is none"))
}
