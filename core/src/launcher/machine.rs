//! What this machine can hold a plugin with: found out once, by holding a launcher to it.

use std::path::Path;

use serde::Serialize;
use tokio::sync::OnceCell;

use super::{Confinement, Containment, Means, Network, Policy, landlock, program, start};

/// What is to be had here for who runs this.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// Namespaces of users, processes, mounts, the network, IPC and host names, with a new root and a new `/proc`.
    pub namespaces: bool,
    /// The version of Landlock.
    pub landlock: Option<u32>,
    /// Filters of system calls.
    pub seccomp: bool,
    /// What failed, where there are none.
    pub why_no_namespaces: Option<String>,
    /// What failed, where there are none.
    pub why_no_seccomp: Option<String>,
}

/// Asks once, and remembers; through the launcher that is named, or one that can be found.
pub async fn machine(launcher: Option<&Path>) -> &'static Machine {
    static MACHINE: OnceCell<Machine> = OnceCell::const_new();
    MACHINE.get_or_init(|| probe(launcher)).await
}

async fn probe(launcher: Option<&Path>) -> Machine {
    let mut machine = Machine { landlock: landlock::version(), ..Machine::default() };
    let Some(launcher) = program(launcher) else {
        let why = "there is no `astros-launcher` beside this program".to_owned();
        return Machine { why_no_namespaces: Some(why.clone()), why_no_seccomp: Some(why), ..machine };
    };
    machine.why_no_namespaces = attempt(&launcher, true).await;
    machine.namespaces = machine.why_no_namespaces.is_none();
    if !machine.namespaces {
        machine.why_no_seccomp = attempt(&launcher, false).await;
    }
    machine.seccomp = machine.why_no_seccomp.is_none();
    machine
}

/// Holds a launcher to the most that there is, or to filters alone; why that cannot be.
async fn attempt(launcher: &Path, namespaces: bool) -> Option<String> {
    let confinement = Confinement {
        network: if namespaces { Network::Proxy } else { Network::None },
        means: Means { namespaces, landlock: false },
        ..Confinement::default()
    };
    let policy = Policy {
        program: "".into(),
        args: Vec::new(),
        environment: Vec::new(),
        folder: "/".into(),
        containment: Containment::Namespace,
        open_files: None,
        confinement: Some(confinement),
    };
    // Dropped, it ends.
    start(launcher, &policy, None).await.err().map(|error| error.to_string())
}
