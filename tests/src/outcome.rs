//! What a command printed and how it ended, and what a test expects of that.

use serde_json::Value;

/// The outcome of one command; what is expected of it chains.
#[derive(Debug)]
pub struct Outcome {
    /// None where a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    pub(crate) said: String,
}

impl Outcome {
    /// It ends with this code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Outcome {
        assert_eq!(self.code, Some(code), "{}", self.shown());
        self
    }

    /// It ends with 0.
    #[track_caller]
    pub fn succeeds(self) -> Outcome {
        self.exits(0)
    }

    /// It ends with this code and one line of JSON: an error of this kind, with exactly the members that scripts
    /// rely on and such as further explain it.
    #[track_caller]
    pub fn fails(self, code: i32, kind: &str) -> Outcome {
        let outcome = self.exits(code);
        let error = outcome.error();
        assert_eq!(error["kind"], kind, "{}", outcome.shown());
        for name in ["code", "kind", "message", "plugin", "retryable", "hint"] {
            assert!(error.get(name).is_some(), "the error has no `{name}`: {}", outcome.shown());
        }
        assert_eq!(outcome.stderr, "", "stderr is empty where JSON is wanted: {}", outcome.shown());
        outcome
    }

    /// What it prints on stdout has this text; of JSON: its message, its hint, or what explains it.
    #[track_caller]
    pub fn says(self, text: &str) -> Outcome {
        // As people read it, not as JSON writes it.
        let plain = self.stdout.replace("\\\"", "\"").replace("\\n", "\n");
        assert!(plain.contains(text), "stdout does not say `{text}`\n{}", self.shown());
        self
    }

    /// What it prints on stderr has this text.
    #[track_caller]
    pub fn warns(self, text: &str) -> Outcome {
        assert!(self.stderr.contains(text), "stderr does not say `{text}`\n{}", self.shown());
        self
    }

    /// Neither stream has this text.
    #[track_caller]
    pub fn never_says(self, text: &str) -> Outcome {
        let silent = !self.stdout.contains(text) && !self.stderr.contains(text);
        assert!(silent, "`{text}` is said\n{}", self.shown());
        self
    }

    /// It prints nothing on stdout.
    #[track_caller]
    pub fn prints_nothing(self) -> Outcome {
        assert_eq!(self.stdout, "", "{}", self.shown());
        self
    }

    /// The one line of JSON on stdout.
    #[track_caller]
    pub fn json(&self) -> Value {
        let line = self.stdout.strip_suffix('\n').unwrap_or_else(|| panic!("no line: {}", self.shown()));
        assert!(!line.contains('\n'), "more than one line: {}", self.shown());
        serde_json::from_str(line).unwrap_or_else(|error| panic!("no JSON: {error}: {}", self.shown()))
    }

    /// The error of a failure, for which nothing stands beside it.
    #[track_caller]
    pub fn error(&self) -> Value {
        let json = self.json();
        let members = json.as_object().map(|members| members.keys().cloned().collect::<Vec<_>>());
        assert_eq!(members.as_deref(), Some(&["error".to_owned()][..]), "{}", self.shown());
        json["error"].clone()
    }

    /// The `data` of the response.
    #[track_caller]
    pub fn data(&self) -> Value {
        self.json()["data"].clone()
    }

    /// The `message` of the response.
    #[track_caller]
    pub fn message(&self) -> String {
        self.json()["message"].as_str().unwrap_or_else(|| panic!("no message: {}", self.shown())).to_owned()
    }

    /// `plugin.handler` that answered.
    #[track_caller]
    pub fn answered_by(self, expected: &str) -> Outcome {
        let json = self.json();
        let who =
            format!("{}.{}", json["plugin"].as_str().unwrap_or("?"), json["handler"].as_str().unwrap_or("?"));
        assert_eq!(who, expected, "{}", self.shown());
        self
    }

    fn shown(&self) -> String {
        let short = |text: &str| text.chars().take(4_000).collect::<String>();
        let said = self.said.chars().take(300).collect::<String>();
        let code = self.code.map_or("a signal".to_owned(), |code| code.to_string());
        format!(
            "\n$ astros {said}\nexit {code}\n--- stdout\n{}\n--- stderr\n{}\n---",
            short(&self.stdout),
            short(&self.stderr)
        )
    }
}
