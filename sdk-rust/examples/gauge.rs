//! Components: `astros ui render load`, and `astros ui render countdown --props '{"from": 5}'`.

use std::fs;

use astros_sdk::prelude::*;

#[derive(Deserialize, JsonSchema)]
struct Countdown {
    /// Where it begins.
    from: u32,
}

async fn load(_: Context, (): ()) -> Result<UiTree> {
    let text = fs::read_to_string("/proc/loadavg")?;
    let averages: Vec<&str> = text.split(' ').take(3).collect();
    Ok(UiTree::panel("load", UiTree::table(["1 min", "5 min", "15 min"], [averages])))
}

async fn countdown(_: Context, Countdown { from }: Countdown, screen: Screen) -> Result<()> {
    for left in (0..=from).rev() {
        let done = f64::from(from - left);
        screen.draw(UiTree::progress(format!("{left} s left"), done, from.into())).await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    Ok(())
}

fn plugin() -> Plugin {
    Plugin::new("gauge", env!("CARGO_PKG_VERSION"))
        .component(component("load", load).description("How busy this machine is."))
        .component(live_component("countdown", countdown).description("Counts seconds."))
}

fn main() -> ExitCode {
    plugin().run()
}

#[cfg(test)]
mod tests {
    use astros_sdk::testing::TestHost;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn counts_down_to_nothing() {
        let host = TestHost::start(plugin()).await;
        let last = host.draw("countdown", json!({ "from": 2 })).await.unwrap();
        assert_eq!(last, UiTree::progress("0 s left", 2.0, 2.0));
        assert_eq!(host.progress().len(), 3, "the last one, too, as it was drawn");
    }
}
