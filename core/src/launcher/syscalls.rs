//! The filter of system calls: what gets around the files, the network and the processes that a plugin was given, and
//! what only an administrator of the machine has to do with. A list of what is denied, since plugins are programs of
//! every sort; numbers that are newer than this list are answered as an old kernel would.

mod denied;

use std::io;

use nix::libc;
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch, apply_filter, sock_filter};

use super::{Confinement, step::Step};

/// `file_setattr` of Linux 6.17. What comes later is looked at before it is allowed.
const NEWEST: u32 = 469;
/// Where `struct seccomp_data` has the number and the architecture.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;

/// The architecture, and its number in `linux/audit.h`.
#[cfg(target_arch = "x86_64")]
const HERE: (TargetArch, u32) = (TargetArch::x86_64, 0xc000_003e);
#[cfg(target_arch = "aarch64")]
const HERE: (TargetArch, u32) = (TargetArch::aarch64, 0xc000_00b7);

/// Filters the calls of this process, and of all that come from it.
pub(super) fn filter(confinement: &Confinement) -> io::Result<()> {
    let program = program(confinement).step("compiling the filter of system calls")?;
    apply_filter(&program).step("filtering system calls")
}

fn program(confinement: &Confinement) -> Result<BpfProgram, seccompiler::BackendError> {
    let denied = denied::calls(confinement)?;
    let denies = SeccompAction::Errno(libc::EPERM as u32);
    let filter: BpfProgram = SeccompFilter::new(denied, SeccompAction::Allow, denies, HERE.0)?.try_into()?;
    Ok(first().into_iter().chain(filter).collect())
}

/// What no rule says: other architectures, numbers above those that are known (those of x32 are), and three calls for which
/// libraries have another way where the kernel is older: two whose flags are in memory, where no filter sees them, and
/// files in memory, which nobody could count while they are on their way through a socket.
fn first() -> [sock_filter; 8] {
    let load = |from| sock_filter {
        code: (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16,
        jt: 0,
        jf: 0,
        k: from,
    };
    let jump =
        |how: u32, k, jt, jf| sock_filter { code: (libc::BPF_JMP | how | libc::BPF_K) as u16, jt, jf, k };
    let unknown = libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32;
    [
        load(ARCHITECTURE),
        jump(libc::BPF_JEQ, HERE.1, 0, 5),
        load(NUMBER),
        jump(libc::BPF_JGT, NEWEST, 3, 0),
        jump(libc::BPF_JEQ, libc::SYS_memfd_create as u32, 2, 0),
        jump(libc::BPF_JEQ, libc::SYS_openat2 as u32, 1, 0),
        jump(libc::BPF_JEQ, libc::SYS_clone3 as u32, 0, 1),
        sock_filter { code: (libc::BPF_RET | libc::BPF_K) as u16, jt: 0, jf: 0, k: unknown },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_short_enough_to_cost_little() {
        let program = program(&Confinement::default()).unwrap();
        assert!(program.len() < 700, "{}", program.len());
    }
}
