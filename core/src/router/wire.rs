//! The messages of the hot path, borrowed: what is passed on is never read.

use std::borrow::Cow;

use astros_protocol::{
    Params, Request,
    call::{CallPlugin, HandleIntent},
    command::Terminal,
    intent::CallMeta,
    message::Text,
    ui::UiRender,
    workflow::{WorkflowKind, WorkflowRun},
};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use super::Named;

/// What a plugin asks of the host: `call_plugin` read in one pass with its params raw, everything else raw.
pub enum Asked<'a> {
    CallPlugin(CallPluginRef<'a>),
    Raw(&'a RawValue),
}

impl<'de> Params<'de> for Asked<'de> {
    fn deserialize_params<D: Deserializer<'de>>(method: &str, deserializer: D) -> Result<Self, D::Error> {
        if method == CallPlugin::METHOD {
            CallPluginRef::deserialize(deserializer).map(Asked::CallPlugin)
        } else {
            Deserialize::deserialize(deserializer).map(Asked::Raw)
        }
    }
}

/// `CallPluginParams`, borrowed.
#[derive(Deserialize)]
pub struct CallPluginRef<'a> {
    #[serde(borrow, deserialize_with = "text")]
    plugin: Cow<'a, str>,
    #[serde(borrow, deserialize_with = "text")]
    handler: Cow<'a, str>,
    #[serde(borrow, default)]
    pub params: Option<&'a RawValue>,
    #[serde(default)]
    pub meta: CallMeta,
}

impl CallPluginRef<'_> {
    pub fn plugin(&self) -> &str {
        &self.plugin
    }

    pub fn handler(&self) -> &str {
        &self.handler
    }
}

fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Cow<'de, str>, D::Error> {
    Text::deserialize(deserializer).map(|Text(text)| text)
}

/// What a plugin is asked to do.
#[derive(Clone, Copy)]
pub enum Work<'a> {
    /// `handle_intent`.
    Handler(IntentRef<'a>),
    /// `workflow/run`.
    Part(StepRef<'a>),
    /// `provider/…`.
    Provider(ProviderRef<'a>),
    /// `ui/render`.
    Component(ComponentRef<'a>),
}

impl<'a> Work<'a> {
    pub(super) fn method(self) -> &'static str {
        match self {
            Work::Handler(_) => HandleIntent::METHOD,
            Work::Part(_) => WorkflowRun::METHOD,
            Work::Provider(asked) => asked.method,
            Work::Component(_) => UiRender::METHOD,
        }
    }

    pub(super) fn params(self, handler: &'a str, meta: MetaRef<'a>) -> ParamsRef<'a> {
        match self {
            Work::Handler(intent) => ParamsRef::Handler(HandleIntentRef { handler, intent, meta }),
            Work::Part(step) => ParamsRef::Part(WorkflowRunRef { step, meta }),
            Work::Provider(ProviderRef { provider, request, .. }) => {
                ParamsRef::Provider(ProviderParamsRef { provider, request, meta })
            }
            Work::Component(drawn) => ParamsRef::Component(UiRenderRef { drawn, meta }),
        }
    }
}

/// The params of one of them, borrowed.
#[derive(Serialize)]
#[serde(untagged)]
pub enum ParamsRef<'a> {
    Handler(HandleIntentRef<'a>),
    Part(WorkflowRunRef<'a>),
    Provider(ProviderParamsRef<'a>),
    Component(UiRenderRef<'a>),
}

/// `WorkflowRunParams`, borrowed.
#[derive(Serialize)]
pub struct WorkflowRunRef<'a> {
    #[serde(flatten)]
    pub step: StepRef<'a>,
    pub meta: MetaRef<'a>,
}

/// `WorkflowStep`, borrowed.
#[derive(Clone, Copy, Serialize)]
pub struct StepRef<'a> {
    pub kind: &'a WorkflowKind,
    pub name: &'a str,
    /// JSON on one line.
    pub task: &'a RawValue,
    /// A JSON object on one line.
    pub context: &'a RawValue,
    /// The paths among its inputs, which a plugin that has it run may name only where the part's plugin reaches them.
    #[serde(skip)]
    pub paths: &'a [Named],
}

/// What a provider is asked.
#[derive(Clone, Copy)]
pub struct ProviderRef<'a> {
    /// `provider/…`.
    pub method: &'static str,
    pub provider: &'a str,
    /// A JSON object on one line.
    pub request: &'a RawValue,
}

/// `ProviderParams`, borrowed.
#[derive(Serialize)]
pub struct ProviderParamsRef<'a> {
    pub provider: &'a str,
    pub request: &'a RawValue,
    pub meta: MetaRef<'a>,
}

/// `UiRenderParams` without its meta, borrowed.
#[derive(Clone, Copy, Serialize)]
pub struct ComponentRef<'a> {
    pub component: &'a str,
    /// A JSON object on one line.
    pub props: &'a RawValue,
    pub terminal: &'a Terminal,
}

/// `UiRenderParams`, borrowed.
#[derive(Serialize)]
pub struct UiRenderRef<'a> {
    #[serde(flatten)]
    pub drawn: ComponentRef<'a>,
    pub meta: MetaRef<'a>,
}

/// `HandleIntentParams`, borrowed. The context stands last: it is what may be large.
#[derive(Serialize)]
pub struct HandleIntentRef<'a> {
    pub handler: &'a str,
    pub meta: MetaRef<'a>,
    pub intent: IntentRef<'a>,
}

/// `Intent`, borrowed.
#[derive(Clone, Copy, Serialize)]
pub struct IntentRef<'a> {
    pub text: &'a str,
    pub intent_type: &'a str,
    pub confidence: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<&'a str>,
    pub timestamp: &'a str,
    /// A JSON object on one line.
    pub context: &'a RawValue,
}

impl<'a> IntentRef<'a> {
    /// The intent of a call that no text led to: of nobody, until a user and a session are set.
    pub fn of_call(handler: &'a str, timestamp: &'a str, context: &'a RawValue) -> IntentRef<'a> {
        IntentRef {
            text: "",
            intent_type: handler,
            confidence: 1.0,
            user_id: None,
            session_id: None,
            timestamp,
            context,
        }
    }
}

/// `Meta`, borrowed.
#[derive(Serialize)]
pub struct MetaRef<'a> {
    pub correlation_id: &'a str,
    pub traceparent: Traceparent<'a>,
    /// None where there is no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub chain: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cwd: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locale: Option<&'a str>,
    pub attempt: u32,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub progress: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub followup: bool,
}

/// The span of a call, in the trace that the correlation id names.
pub struct Traceparent<'a>(pub &'a str, pub u64);

impl Serialize for Traceparent<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("00-{}-{:016x}-01", self.0, self.1))
    }
}
