//! Draws the trees of components for a terminal, as lines of text.
//!
//! Whatever a plugin sends is drawn: words for a terminal's ears are escaped, of `ansi` only colours and styles are
//! kept, what is too wide is wrapped or cut, and what goes too deep is left out.

mod ansi;
mod markdown;
mod nodes;

use astros_protocol::ui::{PanelNode, TextNode, TreeNode, UiTree};
use console::{Style, measure_text_width, pad_str, truncate_str};
use serde_json::Value;

use crate::services::printable::printable;

/// Nobody reads what is nested deeper.
const DEEPEST: usize = 32;
/// A frame and its blanks on both sides.
const FRAME: usize = 4;
/// What lies side by side is drawn below each other where less is left for each.
const NARROWEST: usize = 12;
/// Between things that lie side by side.
const GAP: usize = 2;

/// What it is drawn on.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli) struct Canvas {
    /// In columns.
    pub(in crate::cli) width: usize,
    pub(in crate::cli) color: bool,
}

impl Canvas {
    fn style(self) -> Style {
        Style::new().force_styling(self.color)
    }

    fn narrower(self, by: usize) -> Canvas {
        Canvas { width: self.width.saturating_sub(by).max(1), ..self }
    }
}

/// The tree as lines, none wider than the canvas and none ended.
pub(in crate::cli) fn draw(tree: &UiTree, canvas: Canvas) -> Vec<String> {
    // Words that cannot be broken, and indents of many steps, may stick out.
    let fits = |line: String| match measure_text_width(&line) > canvas.width {
        true => truncate_str(&line, canvas.width, "…").into_owned(),
        false => line,
    };
    below(tree, canvas, 0).into_iter().map(fits).collect()
}

fn below(tree: &UiTree, canvas: Canvas, depth: usize) -> Vec<String> {
    if depth > DEEPEST {
        return vec!["…".to_owned()];
    }
    match tree {
        UiTree::Text(node) => text(node, canvas),
        UiTree::Markdown(node) => markdown::draw(&node.text, canvas),
        UiTree::Ansi(node) => ansi::draw(&node.text, canvas),
        UiTree::Table(node) => nodes::table(node, canvas),
        UiTree::Progress(node) => nodes::progress(node, canvas),
        UiTree::Sparkline(node) => nodes::sparkline(node, canvas),
        UiTree::Code(node) => nodes::code(node, canvas),
        UiTree::Panel(node) => panel(node, canvas, depth),
        UiTree::Columns(node) => columns(&node.items, canvas, depth),
        UiTree::Tree(node) => {
            let mut lines = Vec::new();
            branch(node, canvas, ["", ""], depth, &mut lines);
            lines
        }
        // A word of a later version says what to show instead.
        UiTree::Other(members) => match members.get("fallback") {
            Some(Value::String(text)) => wrapped(&plain(text), canvas),
            Some(fallback) => match serde_json::from_value(fallback.clone()) {
                Ok(tree) => below(&tree, canvas, depth + 1),
                Err(_) => unknown(members.get("type"), canvas),
            },
            None => unknown(members.get("type"), canvas),
        },
    }
}

/// What a plugin says, as it may stand on a terminal; a tab has no width of its own.
fn plain(text: &str) -> String {
    printable(text).replace('\t', "    ")
}

fn unknown(kind: Option<&Value>, canvas: Canvas) -> Vec<String> {
    let kind = kind.and_then(Value::as_str).unwrap_or("without a type");
    wrapped(&plain(&format!("(`{kind}` cannot be drawn by this version of AstrOS)")), canvas)
}

/// Words, in the styles that are known by their names.
fn text(node: &TextNode, canvas: Canvas) -> Vec<String> {
    let names = node.style.as_deref().unwrap_or_default().split_whitespace();
    let style = names.fold(canvas.style(), |style, name| match name {
        "bold" => style.bold(),
        "dim" => style.dim(),
        "italic" => style.italic(),
        "underline" => style.underlined(),
        "red" => style.red(),
        "green" => style.green(),
        "yellow" => style.yellow(),
        "blue" => style.blue(),
        "magenta" => style.magenta(),
        "cyan" => style.cyan(),
        _ => style,
    });
    let lines = wrapped(&plain(&node.text), canvas);
    lines
        .into_iter()
        .map(|line| if line.is_empty() { line } else { style.apply_to(line).to_string() })
        .collect()
}

/// A frame around something.
fn panel(node: &PanelNode, canvas: Canvas, depth: usize) -> Vec<String> {
    let inside = canvas.width.saturating_sub(FRAME);
    if inside < NARROWEST {
        return below(&node.content, canvas, depth + 1);
    }
    let title = node.title.as_deref().map(|title| format!(" {} ", one_line(title))).unwrap_or_default();
    let title = truncate_str(&title, inside, "… ").into_owned();
    let rest = inside + 2 - measure_text_width(&title);
    let left = rest / 2;
    let bold = canvas.style().bold();
    let mut lines =
        vec![format!("╭{}{}{}╮", "─".repeat(left), bold.apply_to(&title), "─".repeat(rest - left))];
    for line in below(&node.content, canvas.narrower(FRAME), depth + 1) {
        lines.push(format!("│ {} │", pad_str(&line, inside, console::Alignment::Left, Some("…"))));
    }
    lines.push(format!("╰{}╯", "─".repeat(inside + 2)));
    lines
}

/// Things side by side, each as wide as it needs where there is room for that.
fn columns(items: &[UiTree], canvas: Canvas, depth: usize) -> Vec<String> {
    let share = (canvas.width + GAP) / items.len().max(1);
    if items.len() < 2 || share < NARROWEST + GAP {
        return items.iter().flat_map(|item| below(item, canvas, depth + 1)).collect();
    }
    let one = Canvas { width: share - GAP, ..canvas };
    let drawn: Vec<_> = items.iter().map(|item| below(item, one, depth + 1)).collect();
    let widths: Vec<_> = drawn
        .iter()
        .map(|lines| lines.iter().map(|line| measure_text_width(line)).max().unwrap_or(0))
        .collect();
    let height = drawn.iter().map(Vec::len).max().unwrap_or(0);
    let row = |row: usize| {
        let cell = |(lines, width): (&Vec<String>, &usize)| {
            let line = lines.get(row).map_or("", String::as_str);
            pad_str(line, *width, console::Alignment::Left, None).into_owned()
        };
        let cells: Vec<_> = drawn.iter().zip(&widths).map(cell).collect();
        cells.join(&" ".repeat(GAP)).trim_end().to_owned()
    };
    (0..height).map(row).collect()
}

/// A label and what is below it; the first line begins with the first of `before`, the others with the second.
fn branch(node: &TreeNode, canvas: Canvas, before: [&str; 2], depth: usize, lines: &mut Vec<String>) {
    let [first, others] = before;
    let label = one_line(&node.label);
    lines.push(truncate_str(&format!("{first}{label}"), canvas.width, "…").into_owned());
    if depth > DEEPEST {
        return;
    }
    for (place, child) in node.children.iter().enumerate() {
        let (this, next) =
            if place + 1 == node.children.len() { ("└── ", "    ") } else { ("├── ", "│   ") };
        let [this, next] = [this, next].map(|line| format!("{others}{line}"));
        branch(child, canvas, [&this, &next], depth + 1, lines);
    }
}

/// The text in lines that fit; a word that is too long is broken.
fn wrapped(text: &str, canvas: Canvas) -> Vec<String> {
    let text = text.replace('\t', "    ");
    textwrap::wrap(text.trim_end_matches('\n'), canvas.width).into_iter().map(Into::into).collect()
}

/// A title or a label: what is more than a line is its own fault.
fn one_line(text: &str) -> String {
    printable(&text.replace(['\n', '\t'], " ")).into_owned()
}

#[cfg(test)]
mod tests;
