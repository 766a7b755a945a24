//! Components that plugins draw: `ui/render` and the tree that it answers.
//!
//! A live component streams new trees as the `data` of its `$/progress`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Extra, Meta, command::Terminal, lifecycle::Effects, method::request};

request! {
    /// Host to plugin: draw a component of the plugin's.
    UiRender: "ui/render", UiRenderParams => UiTree, [HANDLER_NOT_FOUND, HANDLER_FAILED];
}

/// A component that a plugin draws.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ComponentDescription {
    /// The name by which it is asked for.
    pub name: String,
    /// What it shows, in a sentence.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// JSON Schema of its props.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub props: Option<Value>,
    /// Whether it draws anew as things change, until it is cancelled.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub live: bool,
    /// Whether it draws itself on a terminal where there is one: `ui/render` comes to a process in the person's
    /// foreground then, and the tree is what is left to draw.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub terminal: bool,
    /// What drawing it does to the world beside showing its props; `read` where it does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effects: Option<Effects>,
    #[serde(flatten)]
    pub extra: Extra,
}

/// Params of `ui/render`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct UiRenderParams {
    /// The component, as the plugin's description names it.
    pub component: String,
    /// What it shows, by name.
    #[serde(default)]
    pub props: Extra,
    /// What it is drawn on.
    #[serde(default)]
    pub terminal: Terminal,
    /// What travels beside it.
    #[serde(default)]
    pub meta: Meta,
}

/// Something to draw, told apart by `type`; a type that the client does not know is shown by its `fallback`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum UiTree {
    /// Plain words.
    Text(TextNode),
    /// Rows and columns.
    Table(TableNode),
    /// A frame around something.
    Panel(PanelNode),
    /// Things side by side.
    Columns(ColumnsNode),
    /// A label and what is below it.
    Tree(TreeNode),
    /// How far something is.
    Progress(ProgressNode),
    /// Text in Markdown.
    Markdown(TextNode),
    /// Source code.
    Code(CodeNode),
    /// Numbers as a small curve.
    Sparkline(SparklineNode),
    /// Text with terminal escapes for colours and styles; others are removed.
    Ansi(TextNode),
    /// A type of a later version, kept as it is.
    #[serde(untagged)]
    Other(Extra),
}

/// Members of `text`, `markdown` and `ansi`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TextNode {
    /// The text; lines end in `\n`.
    pub text: String,
    /// Words such as `bold`, `dim`, `red`; for `text`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub style: Option<String>,
    #[serde(flatten)]
    pub extra: Extra,
}

/// Members of `table`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TableNode {
    /// What stands above it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The columns' headings.
    pub columns: Vec<String>,
    /// The rows, each as long as `columns`.
    pub rows: Vec<Vec<String>>,
    #[serde(flatten)]
    pub extra: Extra,
}

/// Members of `panel`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PanelNode {
    /// What stands in the frame.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What is inside.
    pub content: Box<UiTree>,
    #[serde(flatten)]
    pub extra: Extra,
}

/// Members of `columns`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ColumnsNode {
    /// From left to right.
    pub items: Vec<UiTree>,
    #[serde(flatten)]
    pub extra: Extra,
}

/// Members of `tree`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TreeNode {
    /// The words of this node.
    pub label: String,
    /// The nodes below it, each as this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<TreeNode>,
    #[serde(flatten)]
    pub extra: Extra,
}

/// Members of `progress`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProgressNode {
    /// What is being done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Units done.
    pub done: f64,
    /// Units in all; absent: nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<f64>,
    #[serde(flatten)]
    pub extra: Extra,
}

/// Members of `code`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CodeNode {
    /// The code.
    pub text: String,
    /// Its language, for example `rust`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    #[serde(flatten)]
    pub extra: Extra,
}

/// Members of `sparkline`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SparklineNode {
    /// The numbers, oldest first.
    pub values: Vec<f64>,
    #[serde(flatten)]
    pub extra: Extra,
}

impl UiTree {
    /// Plain words.
    pub fn text(text: impl Into<String>) -> UiTree {
        UiTree::Text(TextNode::of(text))
    }

    /// Text in Markdown.
    pub fn markdown(text: impl Into<String>) -> UiTree {
        UiTree::Markdown(TextNode::of(text))
    }

    /// Text with terminal escapes for colours and styles.
    pub fn ansi(text: impl Into<String>) -> UiTree {
        UiTree::Ansi(TextNode::of(text))
    }

    /// Rows below headings, each as long as they are.
    pub fn table<C, R, S>(columns: C, rows: R) -> UiTree
    where
        C: IntoIterator<Item: Into<String>>,
        R: IntoIterator<Item = S>,
        S: IntoIterator<Item: Into<String>>,
    {
        UiTree::Table(TableNode {
            title: None,
            columns: columns.into_iter().map(Into::into).collect(),
            rows: rows.into_iter().map(|row| row.into_iter().map(Into::into).collect()).collect(),
            extra: Extra::new(),
        })
    }

    /// A frame with a title around something.
    pub fn panel(title: impl Into<String>, content: UiTree) -> UiTree {
        let (title, content) = (Some(title.into()), Box::new(content));
        UiTree::Panel(PanelNode { title, content, extra: Extra::new() })
    }

    /// Things side by side.
    pub fn columns(items: impl IntoIterator<Item = UiTree>) -> UiTree {
        UiTree::Columns(ColumnsNode { items: items.into_iter().collect(), extra: Extra::new() })
    }

    /// How far something is: units done, and in all.
    pub fn progress(label: impl Into<String>, done: f64, total: f64) -> UiTree {
        let (label, total) = (Some(label.into()), Some(total));
        UiTree::Progress(ProgressNode { label, done, total, extra: Extra::new() })
    }

    /// Source code in a language.
    pub fn code(language: impl Into<String>, text: impl Into<String>) -> UiTree {
        UiTree::Code(CodeNode { text: text.into(), language: Some(language.into()), extra: Extra::new() })
    }

    /// Numbers as a small curve, oldest first.
    pub fn sparkline(values: impl IntoIterator<Item = f64>) -> UiTree {
        UiTree::Sparkline(SparklineNode { values: values.into_iter().collect(), extra: Extra::new() })
    }
}

impl TextNode {
    fn of(text: impl Into<String>) -> TextNode {
        TextNode { text: text.into(), style: None, extra: Extra::new() }
    }
}
