//! What it can do to other processes, and to the system.

use std::fs::File;

use rustix::io::{FdFlags, fcntl_setfd};

use super::harness::{MEANS_HERE, confinement, escapes, python, run, shell};

/// Calls by number, each with what it is to fail with.
const CALLS: &str = r#"
import ctypes, errno, platform, struct
libc = ctypes.CDLL(None, use_errno=True)
ENOSYS, EPERM = errno.ENOSYS, errno.EPERM
x86 = platform.machine() == 'x86_64'
NEW = 0x20000 | 0x2000000 | 0x4000000 | 0x8000000 | 0x10000000 | 0x20000000 | 0x40000000
calls = {
    'mount': ((165, 40), EPERM, b'none', b'/tmp', b'tmpfs', 0, 0), 'umount': ((166, 39), EPERM, b'/proc', 2),
    'pivot_root': ((155, 41), EPERM, b'/', b'/'), 'chroot': ((161, 51), EPERM, b'/tmp'),
    'fsopen': (430, EPERM, b'tmpfs', 0), 'open_tree': (428, EPERM, -100, b'/', 1), 'mount_setattr': (442, EPERM, 0, b'', 0, 0, 0),
    'unshare': ((272, 97), EPERM, 0x10000000), 'setns': ((308, 268), EPERM, 0, 0),
    'ptrace': ((101, 117), EPERM, 0, 0, 0, 0), 'process_vm_readv': ((310, 270), EPERM, 1, 0, 0, 0, 0, 0),
    'process_vm_writev': ((311, 271), EPERM, 1, 0, 0, 0, 0, 0),
    'kcmp': ((312, 272), EPERM, 1, 1, 0, 0, 0), 'pidfd_getfd': (438, EPERM, 0, 0, 0), 'bpf': ((321, 280), EPERM, 0, 0, 0),
    'perf_event_open': ((298, 241), EPERM, 0, 0, 0, 0, 0), 'userfaultfd': ((323, 282), EPERM, 0),
    'io_uring_setup': (425, EPERM, 1, 0), 'keyctl': ((250, 219), EPERM, 0, -3), 'add_key': ((248, 217), EPERM, b'user', b'a', b'b', 1, -3),
    'open_by_handle_at': ((304, 265), EPERM, -100, 0, 0), 'name_to_handle_at': ((303, 264), EPERM, -100, b'/', 0, 0, 0),
    'reboot': ((169, 142), EPERM, 0, 0, 0, 0), 'settimeofday': ((164, 170), EPERM, 0, 0), 'syslog': ((103, 116), EPERM, 3, 0, 0),
    'fanotify_init': ((300, 262), EPERM, 0, 0), 'personality': ((135, 92), EPERM, 0x0040000), 'tiocsti': ((16, 29), EPERM, 0, 0x5412, b'x'),
    'tiocsti with more above': ((16, 29), EPERM, 0, 0x100005412, b'x'), 'mknod': ((259, 33), EPERM, -100, b'/tmp/d', 0o20666, 0x103),
    'clone3': (435, ENOSYS, 0, 0), 'newer than known': (470, ENOSYS), 'far above': (5000, ENOSYS), 'x32': (0x40000000 | 39, ENOSYS),
}
calls |= {f'clone {1 << bit:#x}': ((56, 220), EPERM, 1 << bit | 17, 0, 0, 0, 0) for bit in range(32) if NEW >> bit & 1}
for name, (number, expected, *args) in calls.items():
    if isinstance(number, tuple): number = number[0 if x86 else 1]
    ctypes.set_errno(0)
    args = [ctypes.c_char_p(a) if isinstance(a, bytes) else ctypes.c_long(a) for a in args]
    result = libc.syscall(ctypes.c_long(number), *args)
    if result == 0 and name.startswith('clone'): libc._exit(0)
    if (result, ctypes.get_errno()) != (-1, expected): print(name, result, errno.errorcode.get(ctypes.get_errno()))
assert libc.personality(0xffffffff) == 0 and libc.personality(0) == 0
"#;

#[test]
fn system_calls_that_lead_out_are_denied() {
    assert_eq!(python(&confinement(&[]), CALLS), "");
}

#[test]
fn others_are_neither_signalled_nor_seen() {
    let own = std::process::id();
    let commands = format!(
        "kill -0 {own}\nkill -9 {own}\ncat /proc/{own}/environ\nreadlink /proc/{own}/fd/0\nls /proc/{own}/root/"
    );
    assert_eq!(escapes(&confinement(&[]), &commands), "");
    if MEANS_HERE.namespaces {
        let seen = shell(&confinement(&[]), "cd /proc; echo [0-9]*");
        assert_eq!(seen.output, "1 2\n", "the init and itself");
    }
}

#[test]
fn its_keeper_is_out_of_reach() {
    let keeper = "p=$(cut -d' ' -f4 /proc/self/stat); p=$(cut -d' ' -f4 /proc/$p/stat); p=$(cut -d' ' -f4 /proc/$p/stat)";
    let commands = format!(
        "{keeper}; cat /proc/$p/environ\n{keeper}; readlink /proc/$p/fd/0\n{keeper}; head -c 1 /proc/$p/maps | grep .\n\
                            {keeper}; echo x > /proc/$p/mem\n{keeper}; ls /proc/$p/root/"
    );
    assert_eq!(escapes(&confinement(&[]), &commands), "");
    // It is the first of its namespace, or in no domain of Landlock's.
    let ran = shell(&confinement(&[]), "kill -9 $PPID; echo runs");
    assert_eq!(ran.output, "runs\n", "{}", ran.status);
}

#[test]
fn it_has_no_rights_and_gets_none() {
    let status = shell(&confinement(&[]), "cat /proc/self/status").output;
    let line =
        |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
    for set in ["CapInh:", "CapPrm:", "CapEff:", "CapAmb:"] {
        assert_eq!(line(set), "0000000000000000", "{set}");
    }
    assert_eq!((&*line("NoNewPrivs:"), &*line("Seccomp:")), ("1", "2"));
    if MEANS_HERE.namespaces {
        assert_eq!(line("CapBnd:"), "0000000000000000");
    }
}

#[test]
fn no_signal_is_blocked_or_ignored() {
    // A shell would set these itself; two beyond them are the C library's.
    let ran = run(&confinement(&[]), &["/bin/grep", "^Sig[BI]", "/proc/self/status"]).unwrap();
    let masks = ran.output.lines().map(|line| u64::from_str_radix(&line[8..], 16).unwrap() & 0x7fff_ffff);
    assert_eq!(masks.collect::<Vec<_>>(), [0, 0], "{}", ran.output);
}

#[test]
fn nothing_that_was_left_open_reaches_it() {
    let left_open = File::open("/etc/passwd").unwrap();
    fcntl_setfd(&left_open, FdFlags::empty()).unwrap();
    let open =
        python(&confinement(&[]), "import os; print(sorted(map(int, os.listdir('/proc/self/fd')))[:-1])");
    assert_eq!(open, "[0, 1, 2]\n");
}

#[test]
fn what_programs_need_works() {
    let code = r#"
import asyncio, ctypes, os, sqlite3, ssl, subprocess, tempfile, threading, time
assert subprocess.run(['sh', '-c', 'echo a | cat'], capture_output=True).stdout == b'a\n'
threads = [threading.Thread(target=time.sleep, args=(0.01,)) for _ in range(20)]
[thread.start() for thread in threads]; [thread.join() for thread in threads]
ssl.create_default_context(); sqlite3.connect(':memory:').execute('select 1')
async def main():
    process = await asyncio.create_subprocess_exec('echo', 'b', stdout=asyncio.subprocess.PIPE)
    assert await process.stdout.read() == b'b\n'
asyncio.run(main())
child = os.fork()
if not child: os._exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
os.kill(os.getpid(), 0)
open('/dev/null', 'w').write('x')
print('works')
"#;
    assert_eq!(python(&confinement(&[]), code), "works\n");
}
