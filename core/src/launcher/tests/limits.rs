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
