//! What is another each time, and no difference. Pure.

use std::{borrow::Cow, sync::LazyLock};

use regex::Regex;

/// Members whose values are of one moment.
const NAMES: [&str; 13] = [
    "timestamp",
    "time",
    "date",
    "when",
    "correlation_id",
    "traceparent",
    "pid",
    "ppid",
    "duration",
    "elapsed",
    "in_flight",
    "rss_bytes",
    "version_id",
];
const ENDINGS: [&str; 5] = ["_ms", "_us", "_ns", "_at", "_pid"];

/// What is another each time within texts, and what stands for it.
static PATTERNS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let patterns = [
        (r"\b[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]+)?)?)?(Z|[+-][0-9]{2}:?[0-9]{2})?", "(time)"),
        (r"\b[0-9]{1,2}:[0-9]{2}:[0-9]{2}([.,][0-9]+)?", "(time)"),
        (r"\b[0-9]+([.,][0-9]+)? ?(ns|µs|us|ms|s|sec|seconds|min|minutes)\b", "(duration)"),
        (r"\b[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b", "(id)"),
        (r"\b[0-9a-f]{16,}\b", "(id)"),
        (r"\b(pid|process) [0-9]+", "(process)"),
        (r"/(tmp|var/tmp|var/folders)/[^\s/]+", "(temporary)"),
    ];
    let regex = |(pattern, stands): (&str, &'static str)| Some((Regex::new(pattern).ok()?, stands));
    patterns.into_iter().filter_map(regex).collect()
});

/// What may differ.
#[derive(Clone, Debug, Default)]
pub struct Varying {
    /// JSON pointers into messages; `*` stands for any one member or element.
    masks: Vec<Vec<String>>,
}

impl Varying {
    /// What varies anyhow, and what these pointers name, with all that is below.
    ///
    /// # Errors
    /// One of them is no JSON pointer.
    pub fn with_masks(masks: &[String]) -> Result<Varying, String> {
        let split = |mask: &String| match mask.strip_prefix('/') {
            Some(rest) => Ok(rest.split('/').map(str::to_owned).collect()),
            None => Err(format!("the mask `{mask}` is no JSON pointer, expected one such as `/result/data/when`")),
        };
        Ok(Varying { masks: masks.iter().map(split).collect::<Result<_, _>>()? })
    }

    /// Whether what stands there may be anything.
    pub(super) fn is_free(&self, path: &[String]) -> bool {
        let named = path.last().is_some_and(|name| {
            NAMES.contains(&&**name) || ENDINGS.iter().any(|ending| name.ends_with(ending))
        });
        let fits = |mask: &Vec<String>| {
            mask.len() == path.len() && mask.iter().zip(path).all(|(mask, name)| mask == "*" || mask == name)
        };
        named || self.masks.iter().any(fits)
    }
}

/// A text with what is another each time replaced.
pub(super) fn steady(text: &str) -> Cow<'_, str> {
    PATTERNS.iter().fold(Cow::Borrowed(text), |text, (pattern, stands)| match pattern.replace_all(&text, *stands) {
        Cow::Owned(replaced) => Cow::Owned(replaced),
        Cow::Borrowed(_) => text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_is_of_one_moment_for_the_same() {
        for (one, other) in [
            ("at 2026-11-22T04:39:54.53Z", "at 2027-01-02T00:00:00+01:00"),
            ("took 12 ms", "took 3.5 ms"),
            ("id 0f8fad5b-d9cb-469f-a165-70867728950e", "id 7c9e6679-7425-40de-944b-e07fc1f90ae7"),
            ("process 12 in /tmp/a1/x", "process 3 in /tmp/b2/x"),
        ] {
            assert_eq!(steady(one), steady(other));
        }
        assert_ne!(steady("moved 3 files"), steady("moved 4 files"));
        assert_ne!(steady("/tmp/a/x"), steady("/tmp/a/y"));
    }

    #[test]
    fn frees_names_and_masks_and_nothing_else() {
        let varying = Varying::with_masks(&["/result/files/*/size".to_owned()]).unwrap();
        let free = |path: &str| varying.is_free(&path.split('/').map(str::to_owned).collect::<Vec<_>>());
        assert!(free("result/files/3/size") && free("result/took_ms") && free("params/meta/traceparent"));
        assert!(!free("result/files/3") && !free("result/size") && !free("result/message"));
        assert!(Varying::with_masks(&["result".to_owned()]).unwrap_err().contains("`result`"));
    }
}
