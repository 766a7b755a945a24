//! The supervisor of one plugin: starts its process, speaks to it, watches over it, ends it.
//!
//! [`Supervisor::start`] makes a task for one plugin and gives the handle to it. [`Supervisor::session`] is the hot
//! path: a running plugin's connection, without a hop to the task. What happens is told upward as [`Event`]s.
//!
//! The states are a pure machine (`state`, `machine`, `backoff`); `task` does what they say, with a `process` below its
//! launcher. A [`Session`] is one process that is ready; after a crash the next one has a higher generation.

mod attended;
mod event;
mod foreground;
mod handle;
mod secrets;
mod session;
mod slots;
mod spec;
mod stage;
mod state;
mod status;

mod backoff;
mod bytecode;
mod command;
mod confine;
mod dbus;
mod environment;
mod handshake;
mod level;
mod machine;
mod memory;
mod once;
mod outgrown;
mod output;
mod packages;
mod process;
mod program;
mod python;
mod running;
mod serve;
mod task;
mod usage;
mod view;
mod watchdog;
mod words;

pub use confine::{FileAccess, OutOfReach};
pub use event::{Event, Host, Kill, LogLine};
pub use foreground::{Ending, Foreground, InForeground, Signalled, Streams};
pub use handle::Supervisor;
pub use secrets::Secrets;
pub use session::{Crash, Session};
pub use slots::Slot;
pub use spec::{Launch, SANDBOX_REFUSED, Sandboxed, Spec};
pub use stage::Absent;
pub use state::{Admission, StateName};
pub use status::{InstanceStatus, Status};
pub use watchdog::Watch;

pub(crate) use bytecode::COMPILED;
pub(crate) use confine::{enforced, expand, refusal};
pub(crate) use environment::is_of_person;
pub(crate) use once::{Started, exit, start};
pub(crate) use packages::{environment_of, lacking, needs_setup};
pub(crate) use process::Process;
pub(crate) use python::outside as interpreter_outside;

pub(crate) use crate::launcher::descriptors;

pub use crate::launcher::{Containment, Limits, Machine, machine, raise_open_files};
