//! The SDK under its own test host: the real dispatcher and protocol, no process.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use astros_sdk::{
    ErrorCode,
    prelude::*,
    protocol::{self, intent::Parent},
    serde_json::value::RawValue,
    testing::TestHost,
};
use tokio::sync::Notify;

#[derive(Deserialize, JsonSchema)]
struct Files {
    files: Vec<String>,
}

async fn count(_: Context, Files { files }: Files) -> Result<Response> {
    Ok(Response::message(format!("{} files", files.len())))
}

#[tokio::test]
async fn describes_itself_with_the_schema_of_its_parameters() {
    let plugin = Plugin::new("p", "1.2.3")
        .description("Counts.")
        .author("A")
        .license("MIT")
        .homepage("https://p.example")
        .handles(["files"])
        .requires_permissions(["file_read"])
        .supports_voice()
        .handler(handler("count", count).examples(["count {files}"]).priority(3).idempotent())
        .handler(handler("nothing", async |_, (): ()| Ok(Response::default())).effects(Effects::None));
    let host = TestHost::start(plugin).await;
    let described = host.description();
    assert_eq!((described.name.as_str(), described.language.as_str()), ("p", "rust"));
    let [count, nothing] = &described.handlers[..] else { panic!("expected two handlers") };
    let schema = count.parameters.as_ref().unwrap();
    assert_eq!(
        (&schema["required"], &schema["properties"]["files"]["type"]),
        (&json!(["files"]), &json!("array"))
    );
    assert_eq!((count.priority, count.idempotent), (3, true));
    assert_eq!((&nothing.parameters, nothing.effects), (&None, Effects::None));
}

#[tokio::test]
async fn names_handler_and_member_of_params_that_do_not_fit() {
    let host = TestHost::start(Plugin::new("p", "1.0.0").handler(handler("count", count))).await;
    assert_eq!(host.call("count", json!({ "files": ["a"] })).await.unwrap().message, "1 files");
    let error = host.call("count", json!({ "files": [1] })).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::INVALID_PARAMS);
    assert!(error.message.contains("`count`") && error.message.contains("`files[0]`"), "{error}");
}

#[tokio::test]
async fn names_the_nearest_handler() {
    let host = TestHost::start(Plugin::new("p", "1.0.0").handler(handler("count", count))).await;
    let error = host.call("cuont", json!({})).await.unwrap_err();
    assert_eq!((error.kind(), error.hint()), ("handler_not_found", Some("did you mean `count`?")));
    assert_eq!(host.call("zzz", json!({})).await.unwrap_err().hint(), None);
}

#[tokio::test]
async fn survives_panics_and_failures() {
    let plugin = Plugin::new("p", "1.0.0")
        .handler(handler("panic", async |_, (): ()| panic!("no {}", 7)))
        .handler(handler("later", async |_, (): ()| {
            tokio::task::yield_now().await;
            panic!("later")
        }))
        .handler(blocking_handler("blocking", |_, (): ()| panic!("blocking")))
        .handler(handler("fail", async |_, (): ()| {
            "x".parse::<u32>()?;
            Ok(Response::default())
        }))
        .handler(handler("decline", async |_, (): ()| Ok(Response::decline())));
    let host = TestHost::start(plugin).await;
    for (handler, message) in [
        ("panic", "panicked: no 7"),
        ("later", "panicked: later"),
        ("blocking", "panicked: blocking"),
        ("fail", "invalid digit found in string"),
    ] {
        let error = host.call(handler, json!({})).await.unwrap_err();
        assert_eq!((error.kind(), error.message.as_str()), ("handler_failed", message));
    }
    assert!(host.call("decline", json!({})).await.unwrap().declined);
}

#[tokio::test]
async fn shares_state_and_the_whole_intent() {
    let plugin = Plugin::new("p", "1.0.0").state(AtomicU32::new(5)).handler(handler(
        "next",
        async |ctx: Context, params: Extra| {
            let number = ctx.state::<AtomicU32>()?.fetch_add(1, Ordering::Relaxed);
            let intent = ctx.intent();
            assert_eq!(intent.context, params);
            assert_eq!((ctx.meta().attempt, ctx.deadline().is_some()), (Some(1), true));
            let missing = ctx.state::<String>().unwrap_err();
            Ok(Response::message(format!("{number} {} {missing}", intent.text)))
        },
    ));
    let host = TestHost::start(plugin).await;
    let intent = Intent {
        text: "what next".to_owned(),
        context: Extra::from_iter([("a".into(), json!(1))]),
        ..Intent::default()
    };
    let response = host.handle("next", intent).await.unwrap();
    assert!(
        response.message.starts_with("5 what next the plugin has no state of type"),
        "{}",
        response.message
    );
}

#[tokio::test]
async fn passes_raw_json_through_untouched() {
    let echo = raw_handler("echo", async |ctx: Context, params: Box<RawValue>| {
        ctx.call_plugin("other", "echo", &params).raw().await
    });
    let host = TestHost::start(Plugin::new("p", "1.0.0").handler(echo)).await;
    host.on_call("other", "echo", |params| Ok(Response::default().with_data(params)));
    let response = host.call("echo", json!({ "z": 1, "a": [2.50, "x"] })).await.unwrap();
    assert_eq!(response.data, json!({ "z": 1, "a": [2.50, "x"] }));
}

#[tokio::test]
async fn tells_a_failed_call_from_an_unsuccessful_one() {
    let plugin = Plugin::new("p", "1.0.0").handler(handler("ask", async |ctx: Context, params: Extra| {
        let handler = params["handler"].as_str().unwrap_or_default();
        let answer = ctx.call_plugin("other", handler, json!({})).timeout(Duration::from_secs(1)).await?;
        assert!(!answer.success);
        Ok(answer)
    }));
    let host = TestHost::start(plugin).await;
    let call = |handler| json!({ "handler": handler });
    host.on_call("other", "no", |_| Ok(Response::failure("no")));
    assert_eq!(host.call("ask", call("no")).await.unwrap().message, "no");
    let error = host.call("ask", call("unknown")).await.unwrap_err();
    assert_eq!(error.kind(), "handler_failed");
    assert_eq!(error.data.as_ref().unwrap().extra["cause"], "plugin_not_found");
    let asked = &host.calls()[0];
    assert!(matches!(asked.meta.parent, Parent::Of(_)), "the parent of a call is set by itself");
    assert_eq!(asked.meta.deadline_ms, Some(1_000));
}

#[tokio::test(start_paused = true)]
async fn stores_values_with_versions_and_times_to_live() {
    let plugin = Plugin::new("p", "1.0.0").handler(handler("use", async |ctx: Context, (): ()| {
        let storage = ctx.storage();
        assert_eq!(storage.get::<u32>("n").await?, None);
        assert_eq!(storage.get_or("n", 7).await?, 7);
        let first = storage.set_if_version("n", 1, 0).await?;
        let conflict = storage.set_if_version("n", 2, 0).await.unwrap_err();
        assert_eq!(conflict.kind(), "storage_failed");
        let second = storage.set_if_version("n", 2, first).await?;
        assert_eq!(storage.get_versioned::<u32>("n").await?, (Some(2), second));
        assert!(storage.get::<String>("n").await.unwrap_err().message.contains("`n`"));
        storage.set_with_ttl("short", "lived", Duration::from_secs(5)).await?;
        assert!(storage.delete_if_version("n", first).await.is_err());
        assert!(storage.delete("n").await? && !storage.delete("n").await?);
        assert_eq!(storage.list("").await?, ["short"]);
        tokio::time::sleep(Duration::from_secs(6)).await;
        assert_eq!(storage.get::<String>("short").await?, None);
        for n in 0..250 {
            storage.set(&format!("many/{n:03}"), n).await?;
        }
        let keys = storage.list("many/").await?;
        assert_eq!((keys.len(), keys[249].as_str()), (250, "many/249"));
        Ok(Response::default())
    }));
    let host = TestHost::start(plugin).await;
    host.call("use", json!({})).await.unwrap();
    assert_eq!(host.stored("many/007"), Some(json!(7)));
}

#[tokio::test]
async fn reports_progress_beyond_the_window_and_logs() {
    let plugin = Plugin::new("p", "1.0.0").handler(handler("work", async |ctx: Context, (): ()| {
        for done in 0..100 {
            ctx.progress(done, 100, "working").await?;
        }
        ctx.progress_data(json!({ "part": 1 })).await?;
        assert_eq!(ctx.progress_data("x".repeat(70_000)).await.unwrap_err().kind(), "frame_too_large");
        ctx.log(Level::Warn, "odd", json!({ "n": 1 }));
        ctx.info("done");
        Ok(Response::default())
    }));
    let host = TestHost::start(plugin).await;
    host.call("work", json!({})).await.unwrap();
    // The last news is heard on a task beside the answer.
    while host.progress().len() < 101 {
        tokio::task::yield_now().await;
    }
    assert_eq!(host.progress()[99].done, Some(99.0));
    let logs = host.logs();
    assert_eq!((&logs[0].level, &logs[0].fields["n"]), (&Level::Warn, &json!(1)));
    assert_eq!((logs[1].message.as_str(), logs[1].logger.as_deref()), ("done", Some("work")));
}

/// Tells whether it was dropped.
struct Flag(Arc<AtomicBool>);

impl Drop for Flag {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn drops_a_handler_whose_request_is_taken_back() {
    let (began, dropped) = (Arc::new(Notify::new()), Arc::new(AtomicBool::new(false)));
    let (begins, flag) = (began.clone(), dropped.clone());
    let plugin = Plugin::new("p", "1.0.0").handler(handler("wait", move |_: Context, (): ()| {
        let (begins, flag) = (begins.clone(), Flag(flag.clone()));
        async move {
            let _flag = flag;
            begins.notify_one();
            std::future::pending().await
        }
    }));
    let host = TestHost::start(plugin).await;
    let call = host.begin("wait", json!({}));
    began.notified().await;
    call.cancel().unwrap();
    assert_eq!(call.await.unwrap_err().kind(), "cancelled");
    assert!(dropped.load(Ordering::SeqCst));
}

#[tokio::test]
async fn lets_a_blocking_handler_end_itself_while_others_go_on() {
    let plugin = Plugin::new("p", "1.0.0")
        .handler(blocking_handler("block", |ctx: Context, (): ()| {
            ctx.block_on(ctx.storage().set("began", true))?;
            loop {
                ctx.check_cancelled()?;
                std::thread::yield_now();
            }
        }))
        .handler(handler("quick", async |_, (): ()| Ok(Response::message("quick"))));
    let host = TestHost::start(plugin).await;
    let call = host.begin("block", json!({}));
    while host.stored("began").is_none() {
        tokio::task::yield_now().await;
    }
    assert_eq!(host.call("quick", json!({})).await.unwrap().message, "quick");
    call.cancel().unwrap();
    assert_eq!(call.await.unwrap_err().kind(), "cancelled");
}

/// The derives without `serde` and `schemars` among the dependencies.
#[derive(astros_sdk::serde::Deserialize, astros_sdk::schemars::JsonSchema)]
#[serde(crate = "astros_sdk::serde")]
#[schemars(crate = "astros_sdk::schemars")]
struct Units {
    units: String,
}

#[tokio::test]
async fn takes_settings_that_fit_and_keeps_the_old_ones_otherwise() {
    let plugin = || {
        Plugin::new("p", "1.0.0")
            .settings::<Units>()
            .handler(handler("units", async |ctx: Context, (): ()| {
                Ok(Response::message(ctx.settings::<Units>()?.units.clone()))
            }))
    };
    let refused = TestHost::try_start(plugin(), json!({ "units": 5 })).await.err().expect("no number fits");
    assert_eq!(refused.kind(), "invalid_settings");
    assert_eq!(refused.data.as_ref().unwrap().extra["errors"][0]["pointer"], "/units");

    let host = TestHost::try_start(plugin(), json!({ "units": "metric" })).await.unwrap();
    assert_eq!(host.description().settings_schema.as_ref().unwrap()["required"], json!(["units"]));
    assert_eq!(host.change_settings(json!({})).await.unwrap_err().kind(), "invalid_settings");
    assert_eq!(host.call("units", json!({})).await.unwrap().message, "metric");
    host.change_settings(json!({ "units": "imperial" })).await.unwrap();
    assert_eq!(host.call("units", json!({})).await.unwrap().message, "imperial");
}

#[tokio::test]
async fn cleans_up_once_with_its_storage_and_begins_nothing_more() {
    let stops = Arc::new(AtomicU32::new(0));
    let counted = stops.clone();
    let plugin = Plugin::new("p", "1.0.0")
        .on_start(async |ctx: Context| {
            ctx.storage().set("started", true).await?;
            Ok(())
        })
        .on_stop(move |ctx: Context| {
            let counted = counted.clone();
            async move {
                counted.fetch_add(1, Ordering::SeqCst);
                ctx.storage().set("stopped", true).await?;
                Ok(())
            }
        })
        .handler(handler("any", async |_, (): ()| Ok(Response::default())));
    let host = TestHost::start(plugin).await;
    assert_eq!(host.stored("started"), Some(json!(true)));
    let shutdown = protocol::lifecycle::ShutdownParams { reason: "test".into(), grace_ms: 1 };
    host.peer().request::<protocol::lifecycle::Shutdown>(&shutdown).await.unwrap();
    assert_eq!(host.stored("stopped"), Some(json!(true)));
    assert_eq!(host.call("any", json!({})).await.unwrap_err().kind(), "shutting_down");
    host.shutdown().await.unwrap();
    assert_eq!(stops.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn cleans_up_where_the_host_is_gone() {
    let stopped = Arc::new(AtomicBool::new(false));
    let flag = stopped.clone();
    let plugin = Plugin::new("p", "1.0.0").on_stop(move |_| {
        let flag = Flag(flag.clone());
        async move {
            drop(flag);
            Ok(())
        }
    });
    TestHost::start(plugin).await.hang_up().await;
    assert!(stopped.load(Ordering::SeqCst));
}

#[tokio::test]
async fn ends_its_clean_up_where_the_host_is_gone_in_the_middle_of_it() {
    let (began, ended) = (Arc::new(Notify::new()), Arc::new(AtomicBool::new(false)));
    let (begins, flag) = (began.clone(), ended.clone());
    let plugin = Plugin::new("p", "1.0.0").on_stop(move |ctx: Context| {
        let (begins, flag) = (begins.clone(), flag.clone());
        async move {
            begins.notify_one();
            // Ends when the connection does; the runner must then wait for the rest.
            while ctx.storage().list("").await.is_ok() {}
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            flag.store(true, Ordering::SeqCst);
            Ok(())
        }
    });
    let host = TestHost::start(plugin).await;
    let shutdown = protocol::lifecycle::ShutdownParams { reason: "test".into(), grace_ms: 1 };
    let _asked = host.peer().call("shutdown", &shutdown);
    began.notified().await;
    host.hang_up().await;
    assert!(ended.load(Ordering::SeqCst));
}

#[tokio::test]
async fn asks_the_person() {
    let plugin = Plugin::new("p", "1.0.0").handler(handler("ask", async |ctx: Context, (): ()| {
        let color = ctx.ask_user("Which colour?", &["red", "blue"]).await?;
        let number = ctx.ask_user_for::<u8>("How many?").await;
        Ok(Response::message(format!("{color:?} {}", number.is_ok_and(|number| number.is_none()))))
    }));
    let host = TestHost::start(plugin).await;
    assert_eq!(host.call("ask", json!({})).await.unwrap().message, "None true");
    host.on_ask(Some(json!("red")));
    assert_eq!(host.call("ask", json!({})).await.unwrap().message, "Some(\"red\") false");
}

#[tokio::test]
async fn hears_messages_one_after_the_other_and_publishes() {
    let greet = async |ctx: Context, message: BusMessage| {
        let name = message.data["name"].as_str().ok_or_else(|| Error::msg("nobody is named"))?;
        ctx.publish("greeter.greeted", json!({ "text": format!("hello {name}") })).await
    };
    let plugin =
        Plugin::new("greeter", "1.0.0").on("topic.people.*", greet).on("topic.>", async |ctx, message| {
            let asked = ctx.call_plugin("other", "count", json!({ "subject": message.subject })).await?;
            ctx.publish("topic.counted", asked.data).await
        });
    let host = TestHost::start(plugin).await;
    assert_eq!(host.description().subscriptions, ["topic.people.*", "topic.>"]);
    host.on_call("other", "count", |_| Ok(Response { data: json!(7), ..Response::default() }));
    host.deliver("topic.people.new", json!({ "name": "Ada" })).await.unwrap();
    host.deliver("topic.else", json!(null)).await.unwrap();
    let published: Vec<_> = host.published().into_iter().map(|one| (one.subject, one.data)).collect();
    let counted = ("topic.counted".to_owned(), json!(7));
    let greeted = ("greeter.greeted".to_owned(), json!({ "text": "hello Ada" }));
    assert_eq!(published, [greeted, counted.clone(), counted]);
    assert!(matches!(host.calls()[0].meta.parent, Parent::Of(_)), "it is part of the delivery");
    let error = host.deliver("topic.people.new", json!({})).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::HANDLER_FAILED, "{error}");
}

#[tokio::test]
async fn takes_direct_messages_that_no_list_names() {
    let plugin = Plugin::new("p", "1.0.0").on_message(count).handler(handler("count", count));
    let host = TestHost::start(plugin).await;
    let listed: Vec<_> = host.description().handlers.iter().map(|handler| &*handler.name).collect();
    assert_eq!(listed, ["count"]);
    assert_eq!(host.call("$message", json!({ "files": ["a"] })).await.unwrap().message, "1 files");
    let deaf = TestHost::start(Plugin::new("p", "1.0.0").handler(handler("count", count))).await;
    assert_eq!(deaf.call("$message", json!({})).await.unwrap_err().code, ErrorCode::HANDLER_NOT_FOUND);
    assert_eq!(deaf.deliver("a", json!(1)).await.unwrap_err().code, ErrorCode::METHOD_NOT_FOUND);
}
