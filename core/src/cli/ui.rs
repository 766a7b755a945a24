//! `astros ui`: draws components of plugins.
//!
//! On a terminal a live component is drawn again in its place until it ends or Ctrl-C ends it; elsewhere its first tree
//! is printed once.

use std::{pin::pin, process::ExitCode};

use astros_protocol::{Error, command::Terminal, stream::ProgressValue, ui::UiTree};
use console::Term;
use serde_json::{Value, json, value::RawValue};
use tokio::sync::mpsc;

use super::{
    args, ask,
    commands::{Given, INTERRUPTED, Ran, in_foreground},
    draw::{Canvas, draw},
    input,
    output::Output,
    plugins::aligned,
    unless_interrupted,
};
use crate::{
    control::{
        Client,
        api::{Answer, ControlClient, Drawing, News, Person, Wanted},
        client::{answered, follow},
    },
    services::printable::line,
};

/// Where nobody says how wide it is.
const WIDTH: u16 = 80;

pub(super) async fn run(command: args::Ui, daemon: &Client, output: &Output) -> Result<ExitCode, Error> {
    match command {
        args::Ui::List => unless_interrupted(list(daemon, output)).await,
        args::Ui::Render(wanted) => render(wanted, daemon, output).await,
    }
}

async fn list(daemon: &Client, output: &Output) -> Result<ExitCode, Error> {
    let components = answered(daemon.components().await)?;
    if output.json {
        output.print_json(&json!(components));
    } else if components.is_empty() {
        output.print("no plugin that may run draws components");
    } else {
        let rows = components.iter().map(|one| {
            let live = if one.component.live { "live" } else { "" };
            [&one.component.name, &one.plugin, live, &one.component.description].map(line)
        });
        let head = ["COMPONENT", "PLUGIN", "", "DESCRIPTION"].map(str::to_owned);
        output.print(&aligned(&std::iter::once(head).chain(rows).collect::<Vec<_>>()));
    }
    Ok(ExitCode::SUCCESS)
}

async fn render(wanted: args::Render, daemon: &Client, output: &Output) -> Result<ExitCode, Error> {
    let mut screen =
        Screen { term: Term::stdout(), width: wanted.width, drawn: 0, color: output.has_color() };
    let is_terminal = screen.term.is_term() && !output.json;
    let terminal =
        Terminal { width: screen.canvas().width as u32, color: output.has_color(), interactive: is_terminal };
    let (props, person) = (input::params("--props", &wanted.props)?, ask::person(None, None)?);
    let news = Wanted { progress: true, ..Wanted::default() };
    let args::Render { component, plugin, .. } = wanted;
    let drawing = Drawing { component, plugin, props, terminal, ..Drawing::default() };
    let mut interrupted = pin!(super::interrupted());
    if is_terminal {
        let itself = tokio::select! {
            itself = draws_itself(&drawing, daemon) => itself?,
            error = &mut interrupted => return Err(error),
        };
        if itself {
            return on_terminal(drawing, person, screen, daemon, output).await;
        }
    }
    let (sender, mut trees) = mpsc::unbounded_channel();
    let hear = |news| {
        if let News::Progress(value) = news
            && let Some(tree) = tree_of(&value)
        {
            drop(sender.send(tree));
        }
    };
    let ended = async { follow(daemon.render(drawing, Some(person), Some(news)).await, hear).await };
    tokio::pin!(ended);
    loop {
        tokio::select! {
            answer = &mut ended => {
                let answer = answer?;
                // One that has come to its end meanwhile is shown as it began, too.
                match trees.try_recv() {
                    Ok(first) if !is_terminal => print_once(&first, &screen, output),
                    _ => return show(&answer, &mut screen, output),
                }
                return Ok(ExitCode::SUCCESS);
            }
            Some(mut tree) = trees.recv() => {
                if !is_terminal {
                    print_once(&tree, &screen, output);
                    return Ok(ExitCode::SUCCESS);
                }
                // Of those that came meanwhile only the last is to be seen.
                while let Ok(newer) = trees.try_recv() {
                    tree = newer;
                }
                screen.draw(&tree);
            }
            error = &mut interrupted => {
                return if is_terminal { Ok(ExitCode::from(INTERRUPTED)) } else { Err(error) };
            }
        }
    }
}

/// Whether it is one that wants the terminal for itself.
async fn draws_itself(drawing: &Drawing, daemon: &Client) -> Result<bool, Error> {
    let components = answered(daemon.components().await)?;
    let of = |plugin: &str| drawing.plugin.as_deref().is_none_or(|wanted| wanted == plugin);
    let mut meant =
        components.iter().filter(|one| one.component.name == drawing.component && of(&one.plugin));
    Ok(matches!((meant.next(), meant.next()), (Some(one), None) if one.component.terminal))
}

/// Lets it draw itself, and draws what it leaves.
async fn on_terminal(
    drawing: Drawing,
    person: Person,
    mut screen: Screen,
    daemon: &Client,
    output: &Output,
) -> Result<ExitCode, Error> {
    let begin = async |Given { streams, terminal, environment, wanted }| {
        let drawing = Drawing { streams: Some(streams), terminal, environment, ..drawing };
        daemon.render(drawing, Some(person), Some(wanted)).await
    };
    let Ran { code, data, interrupted } = in_foreground(begin, daemon, output).await?;
    if interrupted {
        return Ok(ExitCode::from(INTERRUPTED));
    }
    show_tree(&data.unwrap_or_default(), &mut screen, output);
    Ok(code)
}

/// A tree that a live component sends.
fn tree_of(value: &RawValue) -> Option<UiTree> {
    let value: ProgressValue = serde_json::from_str(value.get()).ok()?;
    let data = value.data?;
    data.get("type")?;
    serde_json::from_value(data).ok()
}

fn show(answer: &Answer, screen: &mut Screen, output: &Output) -> Result<ExitCode, Error> {
    let tree = &answer.response.data;
    if output.json {
        output.print_json(&json!({ "plugin": answer.plugin, "tree": tree }));
        return Ok(ExitCode::SUCCESS);
    }
    show_tree(tree, screen, output);
    Ok(ExitCode::SUCCESS)
}

fn show_tree(tree: &Value, screen: &mut Screen, output: &Output) {
    if tree.is_null() {
        return;
    }
    let tree = serde_json::from_value(tree.clone()).unwrap_or(UiTree::Other(Default::default()));
    // What has drawn itself leaves nothing.
    if !matches!(&tree, UiTree::Text(node) if node.text.is_empty()) {
        screen.clear();
        print(&tree, screen, output);
    }
}

fn print_once(tree: &UiTree, screen: &Screen, output: &Output) {
    match output.json {
        true => output.print_json(&json!({ "tree": tree })),
        false => print(tree, screen, output),
    }
}

fn print(tree: &UiTree, screen: &Screen, output: &Output) {
    output.print(&draw(tree, screen.canvas()).join("\n"));
}

/// The lines that were drawn last, which the next ones take the place of.
struct Screen {
    term: Term,
    width: Option<u16>,
    drawn: usize,
    color: bool,
}

impl Screen {
    /// As wide as the terminal is now.
    fn canvas(&self) -> Canvas {
        let width = self.width.or_else(|| Some(self.term.size_checked()?.1)).unwrap_or(WIDTH);
        Canvas { width: usize::from(width.max(1)), color: self.color }
    }

    fn draw(&mut self, tree: &UiTree) {
        let mut lines = draw(tree, self.canvas());
        // What has run out of the screen cannot be drawn again.
        lines.truncate(usize::from(self.term.size().0).saturating_sub(1).max(1));
        self.clear();
        for line in &lines {
            let _ = self.term.write_line(line);
        }
        self.drawn = lines.len();
    }

    fn clear(&mut self) {
        let _ = self.term.clear_last_lines(self.drawn);
        self.drawn = 0;
    }
}
