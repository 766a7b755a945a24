//! Recordings: a plugin's traffic as lines of JSON, written while it runs and read again.
//!
//! The first line is a [`Head`]; then each process has a line that says how it was started, one for each message
//! either side wrote, one for its end; the last line ends the recording. A [`Tap`] on the streams of a process sees
//! what passes; the host and the plugin notice nothing of it.

mod line;
mod read;
mod recorder;
mod secrets;
mod tap;

pub use line::{FORMAT, Head, Source, Started, kind};
pub use read::{Event, Process, Recording, What};
pub use recorder::{Recorder, Tape};
pub use tap::Tap;
