//! Answers by rules, as ELIZA did in 1966: a provider without a model, which understands nothing.

use astros_sdk::prelude::*;

/// Words that are looked for, and what is answered; `*` is what stood behind them, turned round.
const RULES: [(&str, &str); 7] = [
    ("i need ", "Why do you need *?"),
    ("i am ", "How long have you been *?"),
    ("because ", "Is that the only reason?"),
    ("my mother", "Tell me more about your family."),
    ("my father", "Tell me more about your family."),
    ("you are ", "What makes you think that I am *?"),
    ("hello", "Hello. What is on your mind?"),
];

/// Words that change when the other one speaks.
const TURNED: [(&str, &str); 6] =
    [("i", "you"), ("me", "you"), ("my", "your"), ("am", "are"), ("you", "I"), ("your", "my")];

fn reply(said: &str) -> String {
    let said = said.trim().trim_end_matches(['.', '!', '?']).to_lowercase();
    let found = RULES.iter().find_map(|(words, answer)| Some((said.split_once(words)?.1, answer)));
    found.map_or("Please go on.".to_owned(), |(rest, answer)| answer.replace('*', &turned(rest)))
}

fn turned(words: &str) -> String {
    let turn =
        |word| TURNED.into_iter().find_map(|(one, other)| (one == word).then_some(other)).unwrap_or(word);
    words.split_whitespace().map(turn).collect::<Vec<_>>().join(" ")
}

async fn answer(ctx: Context, said: &str) -> Result<AiAnswer> {
    let reply = reply(said);
    for word in reply.split_inclusive(' ') {
        ctx.stream(word).await?;
    }
    Ok(AiAnswer { model: "rules".into(), finish_reason: Some("stop".into()), ..AiAnswer::text(reply) })
}

async fn complete(ctx: Context, asked: CompleteRequest) -> Result<AiAnswer> {
    answer(ctx, &asked.prompt).await
}

/// Only what was said last is looked at.
async fn chat(ctx: Context, asked: ChatRequest) -> Result<AiAnswer> {
    let last = asked.messages.iter().rfind(|message| message.role == "user");
    answer(ctx, last.and_then(|message| message.content.as_str()).unwrap_or_default()).await
}

fn plugin() -> Plugin {
    let eliza = provider("eliza").description("Answers by rules, and understands nothing.").models(["rules"]);
    Plugin::new("eliza", env!("CARGO_PKG_VERSION")).provider(eliza.complete(complete).chat(chat))
}

fn main() -> ExitCode {
    plugin().run()
}

#[cfg(test)]
mod tests {
    use astros_sdk::{protocol::ai::ProviderChat, testing::TestHost};

    use super::*;

    #[test]
    fn turns_round_what_was_said() {
        assert_eq!(reply("I am afraid of my cat."), "How long have you been afraid of your cat?");
        assert_eq!(reply("You are a machine!"), "What makes you think that I am a machine?");
        assert_eq!(reply("The weather is fine."), "Please go on.");
    }

    #[tokio::test]
    async fn answers_what_was_said_last_word_by_word() {
        let host = TestHost::start(plugin()).await;
        let messages = vec![
            ChatMessage::user("hello"),
            ChatMessage { role: "assistant".into(), ..ChatMessage::user("Hello.") },
            ChatMessage::user("I need tea"),
        ];
        let asked = astros_sdk::serde_json::from_value(json!({ "messages": messages })).unwrap();
        let answer = host.ask_provider::<ProviderChat, ChatRequest>("eliza", asked).await.unwrap();
        assert_eq!((&*answer.content, &*answer.provider), ("Why do you need tea?", "eliza"));
        let heard: Vec<_> =
            host.progress().into_iter().map(|step| step.data.unwrap()["content"].clone()).collect();
        assert_eq!(heard, ["Why ", "do ", "you ", "need ", "tea?"]);
    }
}
