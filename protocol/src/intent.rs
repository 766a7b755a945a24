//! What is asked ([`Intent`]), what comes back ([`Response`]), and what travels beside it ([`Meta`]).

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::{Extra, Id};

/// A person's request as the agent understood it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Intent {
    /// The person's own words; empty in calls between plugins.
    #[serde(default)]
    pub text: String,
    /// The handler's name, or one of the plugin's categories.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub intent_type: String,
    /// How sure the recognition is, 0 to 1.
    #[serde(default)]
    pub confidence: f64,
    /// The person who asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// The conversation that it is part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// When it was asked, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<String>,
    #[serde(flatten)]
    pub extra: Extra,
    /// The slots of the text, or the params of the call.
    #[serde(default)]
    pub context: Extra,
}

/// What a handler answers. `success: false` and `declined` are results, not errors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Response {
    /// Whether it was done; true where it does not say.
    #[serde(default = "yes")]
    pub success: bool,
    /// What to tell the person.
    #[serde(default)]
    pub message: String,
    /// Any JSON, for programs; an empty object where there is nothing to say.
    #[serde(default = "empty_object")]
    pub data: Value,
    /// The session's next text goes to the same plugin.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub requires_followup: bool,
    /// Handler names or sentences that could be said next.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "null_as_default")]
    pub suggested_actions: Vec<String>,
    /// This handler leaves the request to the next one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub declined: bool,
    /// Further members, kept as they are.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Response {
    /// A success that says `message`.
    pub fn message(message: impl Into<String>) -> Response {
        Response { message: message.into(), ..Response::default() }
    }

    /// A result that is no success, and says why.
    pub fn failure(message: impl Into<String>) -> Response {
        Response { success: false, ..Response::message(message) }
    }

    /// Leaves the request to the next handler.
    pub fn decline() -> Response {
        Response { success: false, declined: true, ..Response::default() }
    }

    pub fn with_data(mut self, data: impl Into<Value>) -> Response {
        self.data = data.into();
        self
    }
}

impl Default for Response {
    fn default() -> Response {
        Response {
            success: true,
            message: String::new(),
            data: empty_object(),
            requires_followup: false,
            suggested_actions: Vec::new(),
            declined: false,
            extra: Extra::new(),
        }
    }
}

/// What travels beside a request from the host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Meta {
    /// One for all calls that come from one request of a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// W3C trace context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// The time that is left, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_ms: Option<u64>,
    /// The plugin that calls; absent where a person asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<String>,
    /// The calls that led here, outermost first, each `plugin.handler`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chain: Vec<String>,
    /// The person at the root of the calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// The conversation that it is part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// The person's folder, absolute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// The person's locale, such as `de_DE.UTF-8`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// Counts from 1; above it where the host tries again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// Somebody listens to `$/progress`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub progress: bool,
    /// The text answers a question of this plugin's (`requires_followup`); one that does not fit may be declined.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub followup: bool,
    #[serde(flatten)]
    pub extra: Extra,
}

/// What a plugin may say beside a request of its own; the host sets the rest itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CallMeta {
    /// The id of the host's request that is being served; `null` is an intended root.
    #[serde(default, skip_serializing_if = "Parent::is_absent")]
    #[schemars(with = "Option<Id>")]
    pub parent: Parent,
    /// Milliseconds; can only shorten what is left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_ms: Option<u64>,
    /// The plugin wants `$/progress` of this call.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub progress: bool,
}

/// Whose child a plugin's call is: `null` and absent differ.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Parent {
    /// Nothing was said: the one request in flight, if it is one.
    #[default]
    Absent,
    /// `null`: a call of the plugin's own.
    Root,
    /// Serves this request of the host.
    Of(Id),
}

impl Parent {
    fn is_absent(&self) -> bool {
        *self == Parent::Absent
    }
}

impl Serialize for Parent {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Parent::Of(id) => id.serialize(serializer),
            Parent::Root | Parent::Absent => serializer.serialize_none(),
        }
    }
}

impl<'de> Deserialize<'de> for Parent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Parent, D::Error> {
        Ok(Option::<Id>::deserialize(deserializer)?.map_or(Parent::Root, Parent::Of))
    }
}

fn yes() -> bool {
    true
}

fn empty_object() -> Value {
    Value::Object(Extra::new())
}

fn null_as_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(d: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(d)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_further_members_of_a_response() {
        let text = r#"{"success":true,"message":"m","data":[1],"from_cache":true}"#;
        let response: Response = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&response).unwrap(), text);
    }

    #[test]
    fn tells_a_null_parent_from_an_absent_one() {
        let parent = |text| serde_json::from_str::<CallMeta>(text).unwrap().parent;
        assert_eq!(parent("{}"), Parent::Absent);
        assert_eq!(parent(r#"{"parent":null}"#), Parent::Root);
        assert_eq!(parent(r#"{"parent":7}"#), Parent::Of(Id::Number(7)));
        let root = CallMeta { parent: Parent::Root, ..CallMeta::default() };
        assert_eq!(serde_json::to_string(&root).unwrap(), r#"{"parent":null}"#);
    }
}
