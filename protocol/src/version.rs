//! The protocol's own version, MAJOR.MINOR, and how two sides agree on one.
//! MAJOR breaks, MINOR only adds.

use std::{fmt, str::FromStr};

use schemars::{JsonSchema, json_schema};
use serde::{Deserialize, Serialize, de};

/// The versions that this crate speaks: the highest MINOR of each MAJOR.
pub const SUPPORTED: &[Version] = &[Version { major: 1, minor: 0 }];

/// A protocol version, on the wire a string such as `"1.0"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    pub major: u32,
    pub minor: u32,
}

impl Version {
    /// The version to speak: the highest MAJOR in both lists, with the lower MINOR of the two.
    pub fn negotiate(ours: &[Version], theirs: &[Version]) -> Option<Version> {
        ours.iter()
            .filter_map(|our| {
                let their = theirs.iter().filter(|their| their.major == our.major).max()?;
                Some(*our.min(their))
            })
            .max()
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Version, String> {
        let expected = || format!("`{text}` is not a protocol version: expected MAJOR.MINOR, such as `1.0`");
        let (major, minor) = text.split_once('.').ok_or_else(expected)?;
        let number = |part: &str| part.parse().map_err(|_| expected());
        Ok(Version { major: number(major)?, minor: number(minor)? })
    }
}

impl Serialize for Version {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Version, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Version {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Version".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        json_schema!({ "type": "string", "pattern": r"^[0-9]+\.[0-9]+$", "examples": ["1.0"] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versions(list: &[&str]) -> Vec<Version> {
        list.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn speaks_the_lower_minor_of_the_highest_common_major() {
        let agree = |ours: &[&str], theirs: &[&str]| {
            Version::negotiate(&versions(ours), &versions(theirs)).map(|version| version.to_string())
        };
        assert_eq!(agree(&["1.2"], &["1.0", "2.0"]).as_deref(), Some("1.0"));
        assert_eq!(agree(&["1.2", "2.1"], &["2.3", "1.9"]).as_deref(), Some("2.1"));
        assert_eq!(agree(&["1.0"], &["2.0"]), None);
        assert_eq!(agree(&["1.0"], &[]), None);
    }

    #[test]
    fn refuses_what_is_no_version() {
        for text in ["", "1", "1.x", "1.0.0", "-1.0"] {
            assert!(text.parse::<Version>().is_err(), "{text}");
        }
    }
}
