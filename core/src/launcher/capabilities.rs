//! Rights beyond those of a user: none, and none to be had.

use std::io;

use rustix::{
    io::Errno,
    thread::{
        CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set,
        remove_capability_from_bounding_set, set_capabilities, set_no_new_privs,
    },
};

use super::step::Step;

/// No program that is started later has more, whatever its file says.
pub(super) fn drop_all() -> io::Result<()> {
    set_no_new_privs(true).step("giving up new privileges")?;
    clear_ambient_capability_set().step("giving up ambient capabilities")?;
    if capabilities(None).step("asking for the capabilities")?.effective.contains(CapabilitySet::SETPCAP) {
        for number in 0..u64::BITS {
            match remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(1 << number)) {
                // The kernel knows no more of them.
                Err(Errno::INVAL) => break,
                removed => removed.step("giving up the bounding set")?,
            }
        }
    }
    let none = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })
        .step("giving up capabilities")
}
