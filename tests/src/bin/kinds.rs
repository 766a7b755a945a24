//! A provider of AI models and components by the Rust SDK, for tests: the twin of what those write in Python.

use std::{fs, future::pending, path::PathBuf};

use astros_sdk::prelude::*;

/// Says that nobody waits any more.
struct Note(PathBuf);

impl Drop for Note {
    fn drop(&mut self) {
        let _ = fs::write(&self.0, "cancelled\n");
    }
}

/// In capitals, word by word; `hang FILE` goes on for ever, and notes there how it goes.
async fn complete(ctx: Context, request: CompleteRequest) -> Result<AiAnswer> {
    if let Some(file) = request.prompt.strip_prefix("hang ") {
        let note = Note(file.into());
        fs::write(&note.0, "begun\n")?;
        pending::<()>().await;
    }
    let words = request.prompt.to_uppercase();
    for word in words.split_inclusive(' ') {
        ctx.stream(word).await?;
    }
    Ok(AiAnswer::text(words))
}

#[derive(Deserialize, JsonSchema)]
struct Counts {
    to: Option<u32>,
}

async fn count(_: Context, Counts { to }: Counts, screen: Screen) -> Result<()> {
    for number in 1..=to.unwrap_or(u32::MAX) {
        screen.draw(UiTree::panel("count", UiTree::text(format!("number {number}")))).await?;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

async fn sizes(ctx: Context, (): ()) -> Result<UiTree> {
    let width = ctx.terminal().width.to_string();
    Ok(UiTree::table(["Thing", "Size"], [["screen", width.as_str()]]))
}

fn main() -> ExitCode {
    Plugin::new("kinds", env!("CARGO_PKG_VERSION"))
        .provider(provider("firm").models(["firm-1"]).complete(complete))
        .component(live_component("count", count).description("Counts up."))
        .component(component("sizes", sizes).description("Sizes of things."))
        .run()
}
