//! A provider of AI models: `astros providers health`.

use astros_sdk::prelude::*;

#[derive(Deserialize)]
struct Config {
    #[serde(default = "Config::mark")]
    mark: String,
}

impl Config {
    fn mark() -> String {
        "!".to_owned()
    }
}

async fn complete(ctx: Context, request: CompleteRequest) -> Result<AiAnswer> {
    let Config { mark } = ctx.provider_config("loud")?;
    let words = request.prompt.to_uppercase() + &mark;
    for word in words.split_inclusive(' ') {
        ctx.stream(word).await?; // goes to who listens, and nowhere else
    }
    Ok(AiAnswer::text(words))
}

fn plugin() -> Plugin {
    let loud = provider("loud").description("Says it louder.").models(["loud-1"]).complete(complete);
    Plugin::new("loud", env!("CARGO_PKG_VERSION")).provider(loud)
}

fn main() -> ExitCode {
    plugin().run()
}

#[cfg(test)]
mod tests {
    use astros_sdk::{protocol::ai::ProviderComplete, testing::TestHost};

    use super::*;

    #[tokio::test]
    async fn says_it_louder_word_by_word() {
        let host = TestHost::start(plugin()).await;
        let request = serde_json::from_value(json!({ "prompt": "good morning" })).unwrap();
        let answer = host.ask_provider::<ProviderComplete, _>("loud", request).await.unwrap();
        assert_eq!(answer.content, "GOOD MORNING!");
        assert_eq!(host.progress().len(), 2);
    }
}
