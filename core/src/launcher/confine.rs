//! Holds a plugin to its [`Confinement`]: what is around it first, by the namespace's init, then what it takes along.
//!
//! Any step that fails ends the launch. Nothing of what was asked for is left out because it is not to be had here.

use std::{io, net::TcpListener};

use rustix::process::{DumpableBehavior, set_dumpable_behavior};

use super::{
    Confinement, Network, capabilities, landlock, limits, loopback, root, step::Step, step::failed, syscalls,
};

/// For an init: the files and the network that are seen below it; where the daemon's proxy is to listen.
pub(super) fn surround(confinement: &Confinement) -> io::Result<Option<TcpListener>> {
    root::enter(confinement)?;
    let listener = match confinement.network {
        Network::Proxy => Some(loopback::listen()?),
        Network::None | Network::Host => None,
    };
    // Nobody below writes into its memory.
    set_dumpable_behavior(DumpableBehavior::NotDumpable).step("closing the init to others")?;
    Ok(listener)
}

/// For an init, once it has told the daemon who its plugin is: only who has rights may name another process.
pub(super) fn disarm(confinement: Option<&Confinement>) -> io::Result<()> {
    match confinement {
        Some(confinement) if confinement.means.namespaces => capabilities::drop_all(),
        _ => Ok(()),
    }
}

/// For the process that becomes the plugin, as the last thing before it does.
pub(super) fn restrict(confinement: &Confinement) -> io::Result<()> {
    if !confinement.means.namespaces {
        needs_no_namespaces(confinement)?;
    }
    limits::set(confinement)?;
    capabilities::drop_all()?;
    if confinement.means.landlock {
        landlock::restrict(confinement)?;
    }
    syscalls::filter(confinement)
}

fn needs_no_namespaces(confinement: &Confinement) -> io::Result<()> {
    if confinement.network == Network::Proxy {
        return Err(failed("a network of its own for the proxy: there are no namespaces here"));
    }
    if !confinement.buses.is_empty() {
        return Err(failed("a D-Bus socket that only it sees: there are no namespaces here"));
    }
    Ok(())
}
