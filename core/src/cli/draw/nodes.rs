//! What is drawn with characters: tables, bars, curves, code.

use astros_protocol::ui::{CodeNode, ProgressNode, SparklineNode, TableNode};
use comfy_table::{ContentArrangement, Table, presets::UTF8_FULL_CONDENSED};
use console::{measure_text_width, truncate_str};

use super::{Canvas, one_line, plain};

const CURVE: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// A longer bar says no more.
const WIDEST_BAR: usize = 40;

/// Rows and columns; cells that are too wide are wrapped.
pub(super) fn table(node: &TableNode, canvas: Canvas) -> Vec<String> {
    let mut table = Table::new();
    let width = u16::try_from(canvas.width).unwrap_or(u16::MAX);
    table
        .load_style(UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(width);
    let cell = |text: &String| plain(text);
    if !node.columns.is_empty() {
        table.set_header(node.columns.iter().map(cell));
    }
    for row in &node.rows {
        table.add_row(row.iter().map(cell));
    }
    let mut lines = Vec::new();
    if let Some(title) = &node.title {
        let title = truncate_str(&one_line(title), canvas.width, "…").into_owned();
        lines.push(canvas.style().bold().apply_to(title).to_string());
    }
    lines.extend(table.lines().map(|line| truncate_str(line.trim_end(), canvas.width, "…").into_owned()));
    lines
}

/// How far something is: a bar where the end is known, the number alone where it is not.
pub(super) fn progress(node: &ProgressNode, canvas: Canvas) -> Vec<String> {
    let label = node.label.as_deref().map(one_line).unwrap_or_default();
    let before = if label.is_empty() { String::new() } else { format!("{label} ") };
    let Some(total) = node.total.filter(|total| *total > 0.0) else {
        return vec![truncate_str(&format!("{before}{}", node.done), canvas.width, "…").into_owned()];
    };
    let part = (node.done / total).clamp(0.0, 1.0);
    let after = format!(" {:3.0} %", part * 100.0);
    let room = canvas.width.saturating_sub(measure_text_width(&before) + after.len()).min(WIDEST_BAR);
    let full = (part * room as f64).round() as usize;
    let bar = canvas.style().cyan().apply_to("━".repeat(full)).to_string();
    let rest = canvas.style().dim().apply_to("┄".repeat(room - full)).to_string();
    vec![truncate_str(&format!("{before}{bar}{rest}{after}"), canvas.width, "…").into_owned()]
}

/// Numbers as a curve, the latest that there is room for.
pub(super) fn sparkline(node: &SparklineNode, canvas: Canvas) -> Vec<String> {
    let values = &node.values[node.values.len().saturating_sub(canvas.width)..];
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let height = |value: &f64| {
        // Halves, so that no difference is too large for a number.
        let part = if most > least { (value / 2.0 - least / 2.0) / (most / 2.0 - least / 2.0) } else { 0.0 };
        CURVE[((part * 7.0).round() as usize).min(7)]
    };
    vec![values.iter().map(height).collect()]
}

/// Code as it stands, its lines cut where they are too wide.
pub(super) fn code(node: &CodeNode, canvas: Canvas) -> Vec<String> {
    let text = plain(&node.text);
    let line = |line: &str| {
        let line = truncate_str(line, canvas.width, "…").into_owned();
        if line.is_empty() { line } else { canvas.style().cyan().apply_to(line).to_string() }
    };
    text.trim_end_matches('\n').split('\n').map(line).collect()
}
