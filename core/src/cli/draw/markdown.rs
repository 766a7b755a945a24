//! Markdown for a terminal: headings, lists, emphasis, code; what it has no line for is drawn as its words.

use console::Style;
use pulldown_cmark::{Event, Parser, Tag, TagEnd};
use textwrap::Options;

use super::{Canvas, plain};

/// The text as lines.
pub(super) fn draw(text: &str, canvas: Canvas) -> Vec<String> {
    let mut page = Page { canvas, ..Page::default() };
    for event in Parser::new(text) {
        page.take(event);
    }
    page.end_block();
    while page.lines.last().is_some_and(String::is_empty) {
        page.lines.pop();
    }
    page.lines
}

struct Page {
    canvas: Canvas,
    lines: Vec<String>,
    /// The words of the block that is being read.
    words: String,
    /// What stands before the block's first line, once.
    mark: String,
    /// The lists that are open, each with the number of its next item where it counts.
    lists: Vec<Option<u64>>,
    quotes: usize,
    styles: Vec<Style>,
    in_code: bool,
}

impl Default for Page {
    fn default() -> Page {
        Page {
            canvas: Canvas { width: 80, color: false },
            lines: Vec::new(),
            words: String::new(),
            mark: String::new(),
            lists: Vec::new(),
            quotes: 0,
            styles: Vec::new(),
            in_code: false,
        }
    }
}

impl Page {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => self.say(&text),
            Event::Code(text) => {
                let code = self.canvas.style().cyan().apply_to(plain(&text)).to_string();
                self.words.push_str(&code);
            }
            Event::SoftBreak => self.words.push(' '),
            Event::HardBreak => self.words.push('\n'),
            Event::Rule => {
                self.end_block();
                self.lines.extend(["─".repeat(self.canvas.width), String::new()]);
            }
            _ => {}
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        let style = self.canvas.style();
        match tag {
            Tag::Heading { .. } => self.styles.push(style.bold().underlined()),
            Tag::Strong => self.styles.push(style.bold()),
            Tag::Emphasis => self.styles.push(style.italic()),
            Tag::CodeBlock(_) => self.in_code = true,
            Tag::BlockQuote(_) => self.quotes += 1,
            Tag::List(first) => {
                self.end_block();
                self.lists.push(first);
            }
            Tag::Item => {
                let number = self.lists.last_mut().and_then(Option::as_mut);
                self.mark = match number {
                    Some(number) => {
                        *number = number.saturating_add(1);
                        format!("{}. ", *number - 1)
                    }
                    None => "• ".to_owned(),
                };
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Strong | TagEnd::Emphasis => drop(self.styles.pop()),
            TagEnd::Heading(_) => {
                self.styles.pop();
                self.end_block();
                self.lines.push(String::new());
            }
            TagEnd::CodeBlock => {
                self.in_code = false;
                self.lines.push(String::new());
            }
            TagEnd::BlockQuote(_) => self.quotes -= 1,
            TagEnd::Item => self.end_block(),
            TagEnd::List(_) => {
                self.lists.pop();
                if self.lists.is_empty() {
                    self.lines.push(String::new());
                }
            }
            TagEnd::Paragraph => {
                self.end_block();
                if self.lists.is_empty() {
                    self.lines.push(String::new());
                }
            }
            _ => {}
        }
    }

    fn say(&mut self, text: &str) {
        let text = plain(text);
        if self.in_code {
            let indent = self.indent() + 2;
            for line in text.trim_end_matches('\n').split('\n') {
                let line = format!("{}{line}", " ".repeat(indent));
                self.lines.push(console::truncate_str(&line, self.canvas.width, "…").into_owned());
            }
            return;
        }
        match self.styles.last() {
            Some(style) => self.words.push_str(&style.apply_to(text).to_string()),
            None => self.words.push_str(&text),
        }
    }

    /// Writes the words of a block, below the mark of its item.
    fn end_block(&mut self) {
        if self.words.trim().is_empty() {
            return;
        }
        let mark = std::mem::take(&mut self.mark);
        let outer = " ".repeat(self.indent().saturating_sub(mark.chars().count()));
        // Half of the width is for the words, however deep they stand.
        let bars = "│ ".repeat(self.quotes.min(self.canvas.width / 8));
        let first = format!("{bars}{outer}{mark}");
        let others = format!("{bars}{}", " ".repeat(self.indent()));
        let options = Options::new(self.canvas.width).initial_indent(&first).subsequent_indent(&others);
        let words = std::mem::take(&mut self.words);
        self.lines.extend(textwrap::wrap(words.trim_end(), options).into_iter().map(String::from));
    }

    fn indent(&self) -> usize {
        (self.lists.len() * 3).min(self.canvas.width / 4)
    }
}
