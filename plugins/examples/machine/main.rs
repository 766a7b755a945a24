//! Draws the load and the memory of this machine, anew every second: a component that lives.

use std::fs;

use astros_sdk::prelude::*;

#[derive(Deserialize, JsonSchema)]
struct Props {
    /// The seconds between two pictures.
    #[serde(default = "one")]
    every: f64,
    /// So many pictures; without it, until nobody looks any more.
    pictures: Option<u32>,
}

fn one() -> f64 {
    1.0
}

async fn machine(_: Context, Props { every, pictures }: Props, screen: Screen) -> Result<()> {
    let every =
        Duration::try_from_secs_f64(every).map_err(|error| Error::msg(format!("`every`: {error}")))?;
    let mut loads = Vec::new();
    for _ in 0..pictures.unwrap_or(u32::MAX) {
        loads.push(load(&fs::read_to_string("/proc/loadavg")?));
        let (used, total) = memory(&fs::read_to_string("/proc/meminfo")?);
        let now = loads.last().copied().unwrap_or_default();
        let curve = loads.iter().rev().take(30).rev().copied();
        let parts = [
            UiTree::panel(format!("load {now:.2}"), UiTree::sparkline(curve)),
            UiTree::progress("memory in GB", used, total),
        ];
        screen.draw(UiTree::columns(parts)).await?;
        tokio::time::sleep(every).await;
    }
    Ok(())
}

/// How many processes wanted to run in the last minute.
fn load(text: &str) -> f64 {
    text.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or_default()
}

/// What is used, and what there is, in GB.
fn memory(text: &str) -> (f64, f64) {
    let kib = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok()).unwrap_or_default()
    };
    let gb = |kib: f64| (kib * 1024.0 / 1e7).round() / 100.0;
    let total = kib("MemTotal:");
    (gb(total - kib("MemAvailable:")), gb(total))
}

fn plugin() -> Plugin {
    let machine = live_component("machine", machine).description("The load and the memory of this machine.");
    Plugin::new("machine", env!("CARGO_PKG_VERSION")).component(machine)
}

fn main() -> ExitCode {
    plugin().run()
}

#[cfg(test)]
mod tests {
    use astros_sdk::testing::TestHost;

    use super::*;

    #[test]
    fn reads_what_the_kernel_says() {
        assert_eq!(load("1.25 0.50 0.10 2/300 4711\n"), 1.25);
        assert_eq!(memory("MemTotal:  8000000 kB\nMemFree: 1 kB\nMemAvailable:  6000000 kB\n"), (2.05, 8.19));
    }

    #[tokio::test]
    async fn draws_as_often_as_is_wanted_with_all_that_it_saw() {
        let host = TestHost::start(plugin()).await;
        let last = host.draw("machine", json!({ "every": 0, "pictures": 3 })).await.unwrap();
        let last = astros_sdk::serde_json::to_value(&last).unwrap();
        assert_eq!(last["items"][0]["content"]["values"].as_array().map(Vec::len), Some(3), "{last}");
        assert!(last["items"][1]["total"].as_f64() > Some(0.1), "{last}");
        assert_eq!(host.progress().len(), 3, "each picture was shown");
        let error = host.draw("machine", json!({ "every": -1 })).await.unwrap_err();
        assert!(error.message.starts_with("`every`"), "{error:?}");
    }
}
