//! Runs an author's code: a panic becomes an error, and code that holds the thread is named.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use crate::{Error, Result};

/// From here on, holding the thread is said to the author.
const LONG: Duration = Duration::from_secs(1);

/// A boxed future of an author's code.
pub(crate) type Work<T> = Pin<Box<dyn Future<Output = Result<T>> + Send>>;

/// An author's future, attended.
pub(crate) struct Attended<T> {
    work: Work<T>,
    /// The handler's name.
    name: String,
}

impl<T> Attended<T> {
    pub(crate) fn new(name: &str, work: Work<T>) -> Attended<T> {
        Attended { work, name: name.to_owned() }
    }
}

impl<T> Future for Attended<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T>> {
        let begin = Instant::now();
        // After a panic the future is only dropped, never polled again.
        let polled = catch_unwind(AssertUnwindSafe(|| self.work.as_mut().poll(cx)));
        let held = begin.elapsed();
        if held >= LONG {
            let Attended { name, .. } = &*self;
            eprintln!(
                "warning: `{name}` held the plugin's thread for {held:.1?}; make it a `blocking_handler`"
            );
        }
        polled.unwrap_or_else(|panic| Poll::Ready(Err(panicked(&*panic))))
    }
}

/// The error of a panic; Rust itself has printed its message and place on stderr.
pub(crate) fn panicked(panic: &(dyn Any + Send)) -> Error {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Error::msg(format!("panicked: {}", text.unwrap_or("no message")))
}
