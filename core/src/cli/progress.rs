//! Progress on long work: a bar on a terminal, nothing elsewhere.

use std::{
    io::IsTerminal,
    sync::{Arc, OnceLock},
    time::Duration,
};

use astros_protocol::stream::ProgressValue;
use console::Term;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::value::RawValue;
use tokio::{sync::mpsc, task::JoinHandle};

use super::output::Output;
use crate::{agent::Progress, services::printable::printable};

/// Short work shows no bar.
const PATIENCE: Duration = Duration::from_millis(300);

/// Draws what is heard until it is finished or dropped, and wipes it then.
pub(super) struct Display {
    task: Option<JoinHandle<()>>,
    bar: Arc<OnceLock<ProgressBar>>,
}

impl Display {
    /// The display, and the channel that it listens to; neither where nobody would see it.
    pub(super) fn start(output: &Output) -> (Display, Progress) {
        let bar = Arc::new(OnceLock::new());
        if output.json || !std::io::stderr().is_terminal() {
            return (Display { task: None, bar }, None);
        }
        let (sender, receiver) = mpsc::channel(8);
        let task = tokio::spawn(draw(receiver, bar.clone()));
        (Display { task: Some(task), bar }, Some(sender))
    }

    /// Makes room for something that the person is asked.
    pub(super) fn pause(&self) {
        if self.task.is_some() {
            // Also one that was not there yet, so that it does not come meanwhile.
            self.bar.get_or_init(new_bar).set_draw_target(ProgressDrawTarget::hidden());
            let _ = Term::stderr().clear_line();
        }
    }

    /// Goes on after [`Display::pause`].
    pub(super) fn resume(&self) {
        if let Some(bar) = self.bar.get() {
            bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    }

    /// Waits until the last word was drawn.
    pub(super) async fn finish(mut self) {
        if let Some(task) = self.task.take() {
            let _ = task.await;
        }
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
        // Here, and not in the task: what is said next shall not stand below it.
        if let Some(bar) = self.bar.get() {
            bar.finish_and_clear();
        }
    }
}

async fn draw(mut values: mpsc::Receiver<Box<RawValue>>, bar: Arc<OnceLock<ProgressBar>>) {
    let patience = tokio::time::sleep(PATIENCE);
    tokio::pin!(patience);
    let mut patient = true;
    loop {
        tokio::select! {
            () = &mut patience, if patient => {
                patient = false;
                bar.get_or_init(new_bar).set_message("working");
            }
            value = values.recv() => match value {
                None => break,
                Some(value) if !patient => {
                    let value = serde_json::from_str(value.get()).unwrap_or_default();
                    update(bar.get_or_init(new_bar), &value);
                }
                Some(_) => {}
            },
        }
    }
}

fn new_bar() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

fn update(bar: &ProgressBar, value: &ProgressValue) {
    if let Some(total) = value.total.filter(|total| *total > 0.0) {
        if bar.length().is_none() {
            let template = "{msg}  {wide_bar} {human_pos}/{human_len}  {elapsed_precise}";
            bar.set_style(
                ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()),
            );
        }
        bar.set_length(total as u64);
    }
    if let Some(done) = value.done {
        bar.set_position(done.max(0.0) as u64);
    }
    if let Some(message) = &value.message {
        bar.set_message(printable(message).into_owned());
    }
}
