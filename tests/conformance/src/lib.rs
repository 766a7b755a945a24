//! Holds a plugin, in any language, against the rules of the AstrOS plugin protocol.
//!
//! `astros conformance -- COMMAND…` is this as a command. In a test of one's own:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # if which("jq") {
//! use astros_conformance::{Grade, Options, check};
//!
//! let plugin = r#"
//!   def answer($result): {jsonrpc: "2.0", id, result: $result};
//!   def refuse($code; $message): {jsonrpc: "2.0", id, error: {code: $code, message: $message}};
//!   if .id == null or .method == null then empty
//!   elif .method == "initialize" then
//!     if any(.params.protocol_versions[]; startswith("1.")) then
//!       answer({protocol_version: "1.0", limits: {max_frame_bytes: 16777216, max_in_flight: 1},
//!               plugin: {name: "shout", version: "1.0.0",
//!                        handlers: [{name: "shout", examples: ["shout {text}"], effects: "none"}]}})
//!     else refuse(-32010; "this speaks 1.0") end
//!   elif .method == "handle_intent" and .params.handler == "shout" then
//!     answer({message: (.params.intent.context.text | tostring | ascii_upcase)})
//!   elif .method == "handle_intent" then refuse(-32013; "there is only `shout`")
//!   elif .method == "shutdown" then answer(null)
//!   else refuse(-32601; "unknown method") end"#;
//! let report = check(["jq", "--unbuffered", "-c", plugin], Options::default()).await?;
//! assert!(report.grade >= Some(Grade::Bronze), "{}", report.text());
//! # }
//! # Ok(())
//! # }
//! # fn which(program: &str) -> bool { std::process::Command::new(program).arg("--version").output().is_ok() }
//! ```
//!
//! What a plugin is asked, where it runs, and what counts is in the book's page on conformance.

mod check;
mod findings;
mod host;
mod ledger;
mod line;
mod options;
mod outcome;
mod patience;
mod process;
mod profile;
mod reader;
mod report;
mod rules;
mod sample;
mod schemas;
mod session;
mod subject;
mod writer;

pub use check::{Error, check};
pub use options::{Call, Level, Options};
pub use outcome::Miss;
pub use report::{Grade, Outcome, Report, RuleReport};
