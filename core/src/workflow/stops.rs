//! A run that a person goes through step by step: it stops before each.

use astros_protocol::{Error, ErrorCode, Extra, person::UserAskParams};
use serde_json::{Value, json};

use super::{
    parts::Part,
    run::Run,
    step::{Job, Work},
};
use crate::services::printable::{line, line_of};

/// So many characters of all inputs are shown.
const LONGEST: usize = 600;

impl Run {
    /// Asks whether a step is run, where somebody looks at each.
    pub(super) async fn goes_on(&self, phase: &str, job: &Job<'_>, work: &Work) -> Result<bool, Error> {
        if !self.switches.step {
            return Ok(true);
        }
        let _one = self.stops.lock().await;
        let Part { kind, name, .. } = &job.part;
        let with = self.shown(work);
        let asked = UserAskParams {
            question: format!(
                "before `{}` of the phase `{phase}`, which is the {kind} `{name}`{with}:",
                job.step
            ),
            choices: ["continue", "skip", "abort"].map(str::to_owned).to_vec(),
            schema: None,
            meta: Default::default(),
        };
        match self.router.consult(&self.root, asked).await.as_ref().and_then(Value::as_str) {
            Some("continue") => Ok(true),
            Some("skip") => Ok(false),
            // Ctrl-D, or nobody is there any more.
            _ => {
                let message = format!("stopped before `{}` of the phase `{phase}`", job.step);
                Err(Error::new(ErrorCode::CANCELLED, message).with_hint(self.how_to_resume()))
            }
        }
    }

    /// The task and the inputs of a step, each in a line that is no longer than a person reads; no plugin's secrets.
    fn shown(&self, work: &Work) -> String {
        let mut task = Extra::from_iter([("task".to_owned(), work.task.clone())]);
        let mut inputs = work.inputs.clone();
        for plugin in self.router.plugins() {
            let secrets = &plugin.supervisor().spec().secrets;
            secrets.hide_in_members(&mut task);
            secrets.hide_in_members(&mut inputs);
        }
        let inputs: Vec<_> =
            inputs.iter().map(|(name, value)| format!("{name}: {}", line(&value.to_string()))).collect();
        let mut with = match &task["task"] {
            none if *none == json!("") => String::new(),
            task => format!(", with the task {}", line(&task.to_string())),
        };
        if !inputs.is_empty() {
            with += &format!(", with the inputs {{{}}}", line_of(&inputs.join(", "), LONGEST));
        }
        with
    }
}
