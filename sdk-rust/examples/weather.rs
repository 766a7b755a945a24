//! A whole plugin: it asks another one, keeps what it learned, and answers.

use astros_sdk::prelude::*;

#[derive(Deserialize, JsonSchema)]
struct City {
    city: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(default)]
struct Settings {
    /// Where the weather comes from; `{city}` is replaced.
    source: String,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { source: "https://wttr.in/{city}?format=j1".to_owned() }
    }
}

async fn weather_in(ctx: Context, City { city }: City) -> Result<Response> {
    let url = ctx.settings::<Settings>()?.source.replace("{city}", &city);
    let report = ctx.call_plugin("web", "get_json", json!({ "url": url })).await?;
    let Some(summary) = report.data["summary"].as_str() else {
        return Ok(Response::failure(format!("No weather is known for {city}.")));
    };
    ctx.storage().set(&format!("last/{city}"), summary).await?;
    Ok(Response::message(format!("{city}: {summary}")).with_data(json!({ "city": city })))
}

async fn known_cities(ctx: Context, (): ()) -> Result<Response> {
    let keys = ctx.storage().list("last/").await?;
    let cities: Vec<&str> = keys.iter().filter_map(|key| key.strip_prefix("last/")).collect();
    Ok(Response::message(cities.join(", ")).with_data(json!({ "cities": cities })))
}

fn plugin() -> Plugin {
    Plugin::new("weather", env!("CARGO_PKG_VERSION"))
        .description("Tells the weather.")
        .settings::<Settings>()
        .handler(
            handler("weather_in", weather_in)
                .description("Say what the weather is in a city.")
                .examples(["weather in {city}", "is it raining in {city}"])
                .effects(Effects::Read)
                .timeout(Duration::from_secs(10)),
        )
        .handler(handler("known_cities", known_cities).description("List the cities asked for before."))
}

fn main() -> ExitCode {
    plugin().run()
}

#[cfg(test)]
mod tests {
    use astros_sdk::testing::TestHost;

    use super::*;

    #[tokio::test]
    async fn tells_the_weather_and_remembers_the_city() {
        let host = TestHost::start(plugin()).await;
        host.on_call("web", "get_json", |params| {
            assert_eq!(params["url"], "https://wttr.in/Oslo?format=j1");
            Ok(Response::default().with_data(json!({ "summary": "rain" })))
        });
        let response = host.call("weather_in", json!({ "city": "Oslo" })).await.unwrap();
        assert_eq!(response.message, "Oslo: rain");
        assert_eq!(host.call("known_cities", json!({})).await.unwrap().message, "Oslo");
    }

    #[tokio::test]
    async fn says_so_where_nothing_is_known() {
        let host = TestHost::start(plugin()).await;
        host.on_call("web", "get_json", |_| Ok(Response::default()));
        let response = host.call("weather_in", json!({ "city": "Nowhere" })).await.unwrap();
        assert!(!response.success);
        assert_eq!(host.stored("last/Nowhere"), None);
    }
}
