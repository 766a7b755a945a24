//! Between the host and the engine: parameters in, reports out.

pub(crate) mod look;

pub(crate) mod change;
mod store;

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::paths::WirePath;
use crate::report::Report;
use astros_sdk::prelude::*;

/// How often progress is told.
const BEAT: Duration = Duration::from_millis(100);

/// What a request cannot have is its result, with the reason, and no failure of the plugin.
fn answer(report: Result<Report, Error>) -> Result<Response> {
    Ok(match report {
        Ok(Report { success, message, data }) => Response { success, message, data, ..Response::default() },
        Err(error) => Response::failure(error.to_string()),
    })
}

/// A parameter that a request cannot do without; the engine looks whether it is absolute.
fn path(said: Option<WirePath>, what: &'static str, name: &'static str) -> Result<PathBuf, Error> {
    said.map(|WirePath(path)| path).ok_or(Error::Lacks(what, name))
}

fn home() -> Option<PathBuf> {
    std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute())
}

/// Tells the host how far the work is, and the work whether to go on.
fn watch<'a>(ctx: &'a Context, doing: &'a str) -> impl FnMut(u64, u64) -> ControlFlow<()> + 'a {
    let listened_to = ctx.meta().progress;
    let mut told = Instant::now();
    move |done, total| {
        if listened_to && (told.elapsed() >= BEAT || done == total) {
            told = Instant::now();
            // It fails only where the request was taken back, which is looked at below.
            let _ = ctx.block_on(ctx.progress(done, total, doing));
        }
        if ctx.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}
