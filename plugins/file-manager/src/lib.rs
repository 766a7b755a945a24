//! The file manager: lists, finds, organizes, moves and copies files, and takes it back.
//!
//! [`plugin()`] declares what it can do; `handlers` stand between the host and the engine.
//! Every change is planned first ([`plan`], made by [`organize`] and [`transfer`]), written to the
//! [`journal`], then [`run`]; [`undo`] reads the journal and goes the same steps backwards.
//! Nothing is ever overwritten: [`place`] puts a file under a name only where that name is free.

mod handlers;
mod plugin;

pub mod error;
pub mod paths;

pub mod list;

pub mod category;
pub mod organize;
pub mod plan;
pub mod transfer;

pub mod place;
pub mod run;
pub mod undo;

pub mod journal;
pub mod operation;

pub mod report;
pub mod words;

pub use plugin::plugin;
