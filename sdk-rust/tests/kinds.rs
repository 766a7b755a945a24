//! Providers and components under the SDK's test host, and what a plugin asks of AI and of other plugins' components.

use std::sync::{Arc, Mutex};

use astros_sdk::{
    ErrorCode,
    prelude::*,
    protocol::ai::{
        AiAnalyzeImage, AiComplete, AiEmbed, ModelOptions, ProviderChat, ProviderComplete, ProviderEmbed,
        ProviderHealthCheck,
    },
    testing::TestHost,
};

fn asks(prompt: &str) -> CompleteRequest {
    CompleteRequest { prompt: prompt.to_owned(), options: ModelOptions::default(), extra: Extra::new() }
}

fn loud() -> Plugin {
    let loud = provider("loud")
        .description("Says it louder.")
        .models(["loud-1"])
        .complete(async |ctx: Context, request: CompleteRequest| {
            let words = request.prompt.to_uppercase();
            for word in words.split_inclusive(' ') {
                ctx.stream(word).await?;
            }
            Ok(AiAnswer::text(words))
        })
        .embed(async |_, request: EmbedRequest| {
            if request.input.is_empty() {
                return Err(Error::msg("there is no text"));
            }
            let embeddings = request.input.iter().map(|text| vec![text.len() as f64]).collect();
            Ok(Embeddings { embeddings, ..Embeddings::default() })
        });
    let ill = provider("ill").health_check(async |_| Err(Error::msg("no key")));
    Plugin::new("p", "1.0.0").provider(loud).provider(ill)
}

#[tokio::test]
async fn brings_providers_that_are_described_by_what_they_answer() {
    let host = TestHost::start(loud()).await;
    let [loud, ill] = &host.description().providers[..] else { panic!("expected two providers") };
    assert_eq!(
        (&*loud.name, &*loud.description, &loud.models[..]),
        ("loud", "Says it louder.", &["loud-1".to_owned()][..])
    );
    assert_eq!((&loud.methods[..], ill.methods.len()), (&["complete".to_owned(), "embed".to_owned()][..], 0));
    let answer = host.ask_provider::<ProviderComplete, _>("loud", asks("how are you")).await.unwrap();
    assert_eq!((&*answer.content, &*answer.provider), ("HOW ARE YOU", "loud"));
    let heard: Vec<_> =
        host.progress().into_iter().map(|step| step.data.unwrap()["content"].clone()).collect();
    assert_eq!(heard, ["HOW ", "ARE ", "YOU"]);
    let texts =
        EmbedRequest { input: vec!["abc".into()], options: ModelOptions::default(), extra: Extra::new() };
    let vectors = host.ask_provider::<ProviderEmbed, _>("loud", texts).await.unwrap();
    assert_eq!((vectors.embeddings, &*vectors.provider), (vec![vec![3.0]], "loud"));
}

#[tokio::test]
async fn says_which_provider_failed_and_how_each_is() {
    let host = TestHost::start(loud()).await;
    let none = EmbedRequest { input: Vec::new(), options: ModelOptions::default(), extra: Extra::new() };
    let failed = host.ask_provider::<ProviderEmbed, _>("loud", none).await.unwrap_err();
    assert_eq!((failed.kind(), &*failed.message), ("ai_failed", "there is no text"));
    assert_eq!(failed.data.as_ref().unwrap().extra["provider"], "loud");
    let chat = ChatRequest {
        messages: vec![ChatMessage::user("hi")],
        options: ModelOptions::default(),
        extra: Extra::new(),
    };
    let cannot = host.ask_provider::<ProviderChat, _>("loud", chat).await.unwrap_err();
    assert_eq!((cannot.kind(), &*cannot.message), ("ai_failed", "the provider `loud` has no `chat`"));
    let unknown = host.ask_provider::<ProviderComplete, _>("soft", asks("hi")).await.unwrap_err();
    assert_eq!(unknown.message, "`p` has no provider `soft`");
    let well = host.ask_provider::<ProviderHealthCheck, _>("loud", Extra::new()).await.unwrap();
    assert!(well.healthy);
    let ill = host.ask_provider::<ProviderHealthCheck, _>("ill", Extra::new()).await.unwrap();
    assert_eq!((ill.healthy, &*ill.message), (false, "no key"));
}

#[tokio::test]
async fn asks_models_and_hears_their_words_as_they_come() {
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("a.dat");
    std::fs::write(&image, b"\x89PNG\r\n").unwrap();
    let plugin = Plugin::new("p", "1.0.0")
        .handler(handler("poem", async |ctx: Context, (): ()| {
            let mut heard = Vec::new();
            let asked = ctx.ai().complete("a poem").provider("loud").max_tokens(9);
            let answer = asked.on_words(|words| heard.push(words.to_owned())).await?;
            Ok(Response::message(answer.content).with_data(json!(heard)))
        }))
        .handler(handler("look", async |ctx: Context, params: Extra| {
            let path = params["path"].as_str().unwrap_or_default();
            Ok(Response::message(ctx.ai().analyze_image(path, "what is it?").await?.content))
        }))
        .handler(handler("vectors", async |ctx: Context, (): ()| {
            let found = ctx.ai().embed(["a", "bc"]).await?;
            Ok(Response::message("").with_data(json!(found.embeddings)))
        }));
    let host = TestHost::start(plugin).await;
    let failed = host.call("poem", json!({})).await.unwrap_err();
    assert_eq!((failed.kind(), failed.code), ("ai_failed", ErrorCode::AI_FAILED));
    host.on_ai::<AiComplete, _>(|asked| {
        assert_eq!((asked.options.provider.as_deref(), asked.options.max_tokens), (Some("loud"), Some(9)));
        Ok(AiAnswer::text(format!("{} it is", asked.prompt)))
    });
    let poem = host.call("poem", json!({})).await.unwrap();
    assert_eq!((&*poem.message, poem.data), ("a poem it is", json!(["a ", "poem ", "it ", "is"])));
    host.on_ai::<AiAnalyzeImage, _>(|asked| Ok(AiAnswer::text(json!(asked.image).to_string())));
    let seen = host.call("look", json!({ "path": image })).await.unwrap();
    assert_eq!(seen.message, r#"{"base64":"iVBORw0K","media_type":"image/png"}"#);
    let missing = host.call("look", json!({ "path": "/nowhere.png" })).await.unwrap_err();
    assert!(missing.kind() == "ai_failed" && missing.message.contains("`/nowhere.png`"), "{missing}");
    host.on_ai::<AiEmbed, _>(|asked| {
        let embeddings = asked.input.iter().map(|text| vec![text.len() as f64]).collect();
        Ok(Embeddings { embeddings, ..Embeddings::default() })
    });
    assert_eq!(host.call("vectors", json!({})).await.unwrap().data, json!([[1.0], [2.0]]));
}

#[derive(Deserialize, JsonSchema)]
struct Count {
    to: u32,
}

fn drawing() -> Plugin {
    Plugin::new("p", "1.0.0")
        .component(
            component("bar", async |ctx: Context, Count { to }| {
                let title = format!("{} columns", ctx.terminal().width);
                Ok(UiTree::panel(title, UiTree::progress("done", 1.0, to.into())))
            })
            .description("How far it is."),
        )
        .component(live_component("count", async |_, Count { to }, screen: Screen| {
            for number in 1..=to {
                screen.draw(UiTree::text(number.to_string())).await?;
            }
            Ok(())
        }))
}

#[tokio::test]
async fn draws_components_of_props_that_are_described() {
    let host = TestHost::start(drawing()).await;
    let [bar, count] = &host.description().ui_components[..] else { panic!("expected two components") };
    assert_eq!((bar.live, count.live, &*bar.description), (false, true, "How far it is."));
    assert_eq!(bar.props.as_ref().unwrap()["required"], json!(["to"]));
    let tree = host.draw("bar", json!({ "to": 4 })).await.unwrap();
    assert_eq!(tree, UiTree::panel("80 columns", UiTree::progress("done", 1.0, 4.0)));
    let wrong = host.draw("bar", json!({ "to": "x" })).await.unwrap_err();
    assert!(wrong.kind() == "invalid_params" && wrong.message.contains("`bar`"), "{wrong}");
    let unknown = host.draw("baz", json!({})).await.unwrap_err();
    assert_eq!((unknown.kind(), unknown.hint()), ("handler_not_found", Some("did you mean `bar`?")));
}

#[tokio::test]
async fn draws_a_live_component_anew_until_it_ends() {
    let host = TestHost::start(drawing()).await;
    assert_eq!(host.draw("count", json!({ "to": 3 })).await.unwrap(), UiTree::text("3"));
    let drawn: Vec<_> = host.progress().into_iter().map(|step| step.data.unwrap()["text"].clone()).collect();
    assert_eq!(drawn[..2], ["1", "2"], "{drawn:?}");
    let asked = json!({ "component": "count", "props": { "to": 3 } });
    let once = host.peer().call("ui/render", &asked).await.unwrap();
    assert_eq!(once.get(), r#"{"type":"text","text":"1"}"#, "nobody listens");
}

#[derive(clap::Args)]
struct Varying {
    /// As many as there are
    files: Vec<String>,
    #[arg(long, value_delimiter = ',')]
    sizes: Vec<u32>,
    #[arg(long, num_args = 2)]
    pair: Vec<u32>,
}

#[tokio::test]
async fn describes_what_commands_and_parts_of_workflows_are() {
    let plugin = Plugin::new("p", "1.0.0")
        .command("varying", async |_, _: Varying| Ok(()))
        .agent(("look", "Looks around."), async |_, _| Ok(WorkflowResult::done(())))
        .phase("plain", async |_, _| Ok(WorkflowResult::done(())));
    let host = TestHost::start(plugin).await;
    let parts: Vec<_> =
        host.description().workflow_parts.iter().map(|part| (&*part.name, &*part.description)).collect();
    assert_eq!(parts, [("look", "Looks around."), ("plain", "")]);
    let [files, sizes, pair] = &host.description().commands[0].parameters[..] else { panic!("three") };
    assert!(files.repeated && files.flags.is_empty());
    assert_eq!((json!(sizes.r#type), sizes.repeated), (json!("string"), true), "a word may have several");
    assert_eq!((json!(pair.r#type), pair.values), (json!("integer"), Some(2)));
}

#[derive(clap::Args)]
struct Optional {
    #[arg(long)]
    color: Option<Option<String>>,
}

#[test]
#[should_panic(expected = "the option `color` takes 0..=1 values, expected a fixed number")]
fn refuses_an_option_whose_values_nobody_could_count() {
    let _ = Plugin::new("p", "1.0.0").command("paint", async |_, _: Optional| Ok(()));
}

#[tokio::test]
async fn has_others_draw_theirs() {
    let trees = Arc::new(Mutex::new(Vec::new()));
    let seen = trees.clone();
    let plugin = Plugin::new("p", "1.0.0").component(component("frame", move |ctx: Context, (): ()| {
        let seen = seen.clone();
        async move {
            let inner = ctx.render("other", "clock", json!({ "zone": "UTC" }));
            let inner = inner.on_tree(move |tree| seen.lock().unwrap().push(tree)).await?;
            Ok(UiTree::panel("time", inner))
        }
    }));
    let host = TestHost::start(plugin).await;
    host.on_call("other", "$render", |asked| {
        assert_eq!(
            (&asked["component"], &asked["props"]["zone"], &asked["terminal"]["width"]),
            (&json!("clock"), &json!("UTC"), &json!(80))
        );
        Ok(Response { data: json!(UiTree::text("12:00")), ..Response::default() })
    });
    let tree = host.draw("frame", json!({})).await.unwrap();
    assert_eq!(tree, UiTree::panel("time", UiTree::text("12:00")));
    assert!(trees.lock().unwrap().is_empty());
    host.on_call("other", "$render", |_| Ok(Response { data: json!(7), ..Response::default() }));
    let broken = host.draw("frame", json!({})).await.unwrap_err();
    assert!(broken.message.contains("the tree of `clock`"), "{broken}");
}
