//! How much of the machine it takes.

use nix::unistd::Uid;

use super::harness::{MEANS_HERE, confinement, python, run};
use crate::launcher::{Confinement, Limits};

fn limited(limits: Limits) -> Confinement {
    Confinement { limits, ..confinement(&[]) }
}

#[test]
fn memory_ends_at_the_limit() {
    let code = "bytearray(10 << 20)\ntry: bytearray(200 << 20)\nexcept MemoryError: print('no more')";
    assert_eq!(python(&limited(Limits { memory: Some(100 << 20), ..Limits::default() }), code), "no more\n");
}

#[test]
fn temporary_folders_are_one_and_as_large_as_the_memory() {
    let code = "import os\n\
                def fill(path):\n\
                \x20with open(path + '/a', 'wb', 0) as f:\n\
                \x20 try:\n\
                \x20  while True: f.write(bytes(1 << 20))\n\
                \x20 except OSError as e: return f.tell() >> 20, e.errno\n\
                print(fill('/tmp'), fill('/var/tmp'), fill('/dev/shm'))\n\
                def many():\n\
                \x20try:\n\
                \x20 for n in range(100_000): os.mknod(f'/tmp/{n}')\n\
                \x20except OSError as e: return e.errno\n\
                print(many())";
    if MEANS_HERE.namespaces {
        let limits = Limits { memory: Some(64 << 20), ..Limits::default() };
        assert_eq!(python(&limited(limits), code), "(64, 28) (0, 28) (0, 28)\n28\n");
    }
}

#[test]
fn the_kernel_takes_it_before_others_where_memory_ends() {
    let code = "print(open('/proc/self/oom_score_adj').read().strip())\n\
                try: open('/proc/self/oom_score_adj', 'w').write('0')\n\
                except OSError: print('stays')";
    let mut lines = python(&confinement(&[]), code);
    let score: i32 = lines.drain(..lines.find('\n').unwrap()).as_str().parse().unwrap();
    assert!(score >= 500 && lines == "\nstays\n", "{score}{lines}");
}

#[test]
fn open_files_end_at_the_limit() {
    let code = "import os\ntry: all = [os.dup(0) for _ in range(100)]\nexcept OSError as e: print(e.errno)";
    assert_eq!(python(&limited(Limits { open_files: Some(32), ..Limits::default() }), code), "24\n");
}

#[test]
fn files_end_at_the_limit_and_no_core_is_written() {
    let code = "import resource, signal, tempfile\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n\
                try:\n with open('/dev/shm/a', 'wb', 0) as f: f.write(bytes(1000)); print(f.write(bytes(1000)))\n\
                except OSError as e: print(e.errno)\n\
                print(resource.getrlimit(resource.RLIMIT_CORE))";
    if MEANS_HERE.namespaces {
        let limits = Limits { file_bytes: Some(1500), ..Limits::default() };
        assert_eq!(python(&limited(limits), code), "500\n(0, 0)\n");
    }
}

#[test]
fn processor_time_ends_at_the_limit() {
    let limits = Limits { cpu_seconds: Some(1), ..Limits::default() };
    let ran = run(&limited(limits), &["/bin/sh", "-c", "while :; do :; done"]).unwrap();
    assert!(!ran.status.success(), "{}", ran.status);
}

#[test]
fn processes_end_at_the_limit() {
    // Of a user namespace; uid 0 is counted only roughly.
    if !MEANS_HERE.namespaces {
        return;
    }
    let limits = Limits { processes: Some(20), ..Limits::default() };
    let code = "import os, time\nn = 1\n\
                try:\n while n < 2000:\n  if not os.fork(): time.sleep(60)\n  n += 1\n\
                except OSError: pass\nprint(n)";
    let most: u32 = python(&limited(limits), code).trim().parse().unwrap();
    assert!(if Uid::current().is_root() { most < 400 } else { most == 20 }, "{most}");
}
