//! Recognition: a text becomes ranked handlers with calibrated confidence and slots, offline and at once.
//!
//! `Recognizer` is the interface, `Standard` the recognizer behind it: an exact layer of `{slot}` templates, then
//! TF-IDF over whatever a handler says about itself. `choose` decides which handlers to try, or that nobody can.
//! All of it is pure: no clock, no I/O; whether a file exists is asked through a function that the caller gives.
//! A recognizer never changes; when plugins come or go, a new one is made and swapped in.

mod choose;
mod exact;
mod fill;
mod layout;
mod paths;
mod samples;
mod slots;
mod standard;
mod template;
mod tfidf;
mod tokens;
mod words;

use std::collections::BTreeMap;

use serde_json::Value;

pub use choose::{Decision, MARGIN, THRESHOLD, choose};
pub use paths::{from_here, named, resolve};
pub use slots::Slot;
pub use standard::Standard;

/// What a handler says about itself; all but the two names may be empty.
#[derive(Debug, Clone, Default)]
pub struct HandlerDoc {
    pub plugin: String,
    pub handler: String,
    /// Higher is tried first among handlers that are equally likely.
    pub priority: i32,
    /// Utterances, with `{slot}` places.
    pub examples: Vec<String>,
    /// Its docstring.
    pub description: String,
    /// The plugin's intent categories.
    pub handles: Vec<String>,
    pub plugin_description: String,
    /// JSON Schema of its parameters, or null.
    pub parameters: Value,
}

/// Finds out which handlers a text may mean.
pub trait Recognizer: Send + Sync {
    /// The handlers that `text` may mean, the most likely first, the hopeless left out.
    ///
    /// `exists` says whether a path as typed (relative, or below `~`) is there: "tidy up inbox" means a folder
    /// where there is an `inbox`. It is asked a few times at most.
    fn rank(&self, text: &str, exists: &dyn Fn(&str) -> bool) -> Vec<Match>;

    /// What `text` says for the parameters of one handler, as the answer to a question of its.
    fn slots(
        &self,
        plugin: &str,
        handler: &str,
        text: &str,
        exists: &dyn Fn(&str) -> bool,
    ) -> BTreeMap<String, Slot>;
}

/// A handler that a text may mean.
#[derive(Debug, Clone)]
pub struct Match {
    pub plugin: String,
    pub handler: String,
    /// How likely it is meant, 0 to 1; comparable between texts and to `THRESHOLD`.
    pub confidence: f64,
    pub priority: i32,
    /// What the text says for the handler's parameters.
    pub slots: BTreeMap<String, Slot>,
    pub why: Explanation,
}

/// Why a handler was ranked where it was.
#[derive(Debug, Clone, Default)]
pub struct Explanation {
    /// The declared example that fits word by word.
    pub template: Option<String>,
    /// The words that speak for it with their share of the similarity, the heaviest first.
    pub words: Vec<(String, f64)>,
    /// The most similar example, or what stands in for one, with its similarity.
    pub nearest: Option<(String, f64)>,
}
