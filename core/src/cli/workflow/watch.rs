//! How a run goes: drawn live on a terminal, a line for each step elsewhere, on standard error.

use std::{collections::BTreeMap, io::IsTerminal, sync::Mutex, time::Duration};

use console::{Style, Term};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, value::RawValue};

use crate::{cli::output::Output, services::printable::printable};

/// Shows the news of one run.
pub(super) struct Watch<'a> {
    name: &'a str,
    /// The command as a person types it.
    astros: &'a str,
    output: &'a Output,
    /// None where it is not drawn.
    drawn: Option<MultiProgress>,
    style: Style,
    // A std mutex: held for a look or a move, never across an await.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The run, as long as it goes on.
    run: Option<String>,
    /// What is drawn of each step that runs.
    bars: BTreeMap<String, ProgressBar>,
}

impl<'a> Watch<'a> {
    pub(super) fn start(name: &'a str, astros: &'a str, output: &'a Output) -> Watch<'a> {
        let is_drawn = !output.json && std::io::stderr().is_terminal();
        let drawn = is_drawn.then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr()));
        let style = Style::new().force_styling(is_drawn && output.has_color());
        Watch { name, astros, output, drawn, style, state: Mutex::default() }
    }

    /// Takes a piece of news.
    pub(super) fn hear(&self, value: &RawValue) {
        let Ok(value) = serde_json::from_str::<Value>(value.get()) else { return };
        let data = &value["data"];
        let (phase, step) = (&text(data, "phase"), &text(data, "step"));
        let key = format!("{phase}/{step}");
        match &*text(data, "event") {
            "started" => {
                let run = text(data, "workflow_id");
                let again = if data["resumed"] == 0 { "" } else { ", taken up again" };
                self.say(&format!(
                    "{}  {}",
                    self.name,
                    self.style.clone().dim().apply_to(format!("run {run}{again}"))
                ));
                self.state().run = Some(run);
            }
            "phase_started" => self.say(&self.style.clone().bold().apply_to(phase).to_string()),
            "step_started" => self.begin(key, data),
            "step_progress" => self.update(&key, &data["progress"]),
            "step_retrying" => {
                let wait =
                    humantime::format_duration(Duration::from_millis(data["wait_ms"].as_u64().unwrap_or(0)));
                let tried = format!("try {} of {} failed", data["attempt"], data["of"]);
                self.say(&format!(
                    "  {} {step}  {tried}: {}; again in {wait}",
                    self.style.clone().yellow().apply_to("↻"),
                    why(data)
                ));
            }
            "step_completed" => {
                if let Some(bar) = self.state().bars.remove(&key) {
                    bar.finish_and_clear();
                }
                let kept = if data["kept"] == true { "  (before)" } else { "" };
                self.say(&format!("  {} {}{kept}", self.outcome(data), self.named(data)));
                self.trace(data);
            }
            "phase_completed" => self.say(&format!("{} {phase}", self.outcome(data))),
            _ => {}
        }
    }

    /// Makes room for something that the person is asked.
    pub(super) fn pause(&self) {
        if let Some(drawn) = &self.drawn {
            drawn.set_draw_target(ProgressDrawTarget::hidden());
            let _ = Term::stderr().clear_line();
        }
    }

    /// Goes on after [`Watch::pause`].
    pub(super) fn resume(&self) {
        if let Some(drawn) = &self.drawn {
            drawn.set_draw_target(ProgressDrawTarget::stderr());
        }
    }

    /// The run has ended.
    pub(super) fn end(&self) {
        let mut state = self.state();
        state.run = None;
        std::mem::take(&mut state.bars).values().for_each(ProgressBar::finish_and_clear);
    }

    fn begin(&self, key: String, data: &Value) {
        let Some(drawn) = &self.drawn else { return };
        let style = ProgressStyle::with_template("  {spinner} {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner());
        let bar = drawn.add(ProgressBar::new_spinner().with_style(style));
        bar.set_message(text(data, "step"));
        bar.enable_steady_tick(Duration::from_millis(120));
        self.state().bars.insert(key, bar);
    }

    fn update(&self, key: &str, progress: &Value) {
        let state = self.state();
        let Some(bar) = state.bars.get(key) else { return };
        let step = key.rsplit('/').next().unwrap_or_default();
        let share = match (progress["done"].as_f64(), progress["total"].as_f64()) {
            (Some(done), Some(total)) => format!("  {done}/{total}"),
            _ => String::new(),
        };
        let words = format!("{step}{share}  {}", text(progress, "message"));
        bar.set_message(words.trim_end().to_owned());
    }

    fn outcome(&self, data: &Value) -> String {
        let time = data["elapsed_ms"].as_u64().map(|elapsed| Duration::from_millis(elapsed).as_secs_f64());
        let time = time
            .filter(|_| data["skipped"] != true)
            .map(|seconds| format!("{seconds:.1}s"))
            .unwrap_or_default();
        match (data["success"] == true, data["skipped"] == true) {
            (_, true) => format!("{} {time}", self.style.clone().dim().apply_to("–")),
            (true, _) => format!("{} {time}", self.style.clone().green().apply_to("✓")),
            (false, _) => format!("{} {time}", self.style.clone().red().apply_to("✗")),
        }
    }

    fn named(&self, data: &Value) -> String {
        let (step, part) = (text(data, "step"), text(data, "part"));
        let name = if step == part { step } else { format!("{step} {part}") };
        match (data["skipped"] == true, data["error"].is_object()) {
            (true, _) => format!("{name}  left out"),
            (_, true) => format!("{name}  {}", why(data)),
            _ => name,
        }
    }

    fn trace(&self, data: &Value) {
        if let Some(trace) = data["error"]["trace"].as_str() {
            trace.lines().for_each(|line| self.say(&format!("      {}", printable(line))));
        }
    }

    /// A line that stays, of what disturbs no terminal.
    fn say(&self, line: &str) {
        match &self.drawn {
            Some(drawn) => drop(drawn.println(line)),
            None if !self.output.json => self.output.note(line),
            None => {}
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        let run = self.state().run.take();
        self.end();
        if let Some(run) = run {
            self.output.note(&format!(
                "`{} workflow run {} --resume={run}` goes on from here",
                self.astros, self.name
            ));
        }
    }
}

/// A text on one line, which disturbs no terminal.
fn text(data: &Value, name: &str) -> String {
    printable(data[name].as_str().unwrap_or_default()).replace('\n', " ")
}

fn why(data: &Value) -> String {
    text(&data["error"], "message")
}
