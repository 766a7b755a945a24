//! Plugins that do not start.

use astros_core::supervisor::StateName;
use astros_tests::{Host, World, folder, in_both_languages};
use serde_json::json;

use crate::{host, patient, villain};

#[test]
fn says_what_a_plugin_said_that_exits_before_it_is_ready_and_does_not_try_again_by_itself() {
    in_both_languages(async |language| {
        for (switch, status, said) in [
            ("exit-before-initialize", 3, "no licence was found"),
            ("exit-in-initialize", 4, "the configuration is missing"),
        ] {
            let supervision = patient(json!({ "backoff_initial": "1h", "backoff_max": "1h" }));
            let host = host(villain(language).that(switch).that("counted").supervised(supervision)).await;
            for _ in 0..3 {
                let error = host.call("villain", "echo", json!({})).await.unwrap_err();
                assert_eq!(error.kind(), "plugin_crashed");
                let expected =
                    format!("plugin `villain` exited with status {status} before it was ready: {said}");
                assert_eq!(error.message, expected);
            }
            assert_eq!(host.status("villain").state, StateName::Error);
            assert_eq!(host.world().starts(), 1, "it would go again");
            host.echoes("bystander").await;
            host.stop().await;
        }
    });
}

#[test]
fn starts_a_plugin_again_that_exits_after_it_became_ready() {
    in_both_languages(async |language| {
        let limits = patient(json!({ "max_restarts": 3, "start": "eager" }));
        let host =
            host(villain(language).that("exit-after-initialize").that("counted").supervised(limits)).await;
        host.reaches("villain", StateName::Quarantined).await;
        assert_eq!(host.world().starts(), 4, "the first start and three restarts");
        let reason = host.status("villain").reason.unwrap();
        assert!(reason.starts_with("exited with status 5 after "), "{reason}");
        assert_eq!(host.status("villain").last_words, ["the port is taken"]);
        host.echoes("bystander").await;
        host.stop().await;
    });
}

#[tokio::test]
async fn says_why_a_program_cannot_be_run() {
    for (file, expected, helps) in [
        ("missing", "its executable `missing` does not exist; looked in ", "build or install it"),
        ("data", "/data` is not executable", "chmod +x"),
        ("broken", "/broken` is no program for this machine", "a script begins with a line such as"),
    ] {
        let manifest = json!({ "metadata": { "name": "villain" }, "run": { "executable": file } });
        let plugin = folder("villain")
            .file("plugin.yaml", manifest.to_string())
            .file("data", "1 2 3")
            .executable("broken", "\u{7f}ELF and no more");
        let host = Host::start(World::new().with(plugin)).await;
        let error = host.call("villain", "echo", json!({})).await.unwrap_err();
        assert!(error.message.contains(expected), "{error}");
        assert!(error.hint().unwrap().contains(helps), "{error}: {:?}", error.hint());
        assert_eq!(host.status("villain").state, StateName::Error);
        host.stop().await;
    }
}

#[test]
fn gives_up_on_a_plugin_that_does_not_answer_initialize() {
    in_both_languages(async |language| {
        let limits = patient(json!({ "initialize_timeout": "500ms", "stop_grace": "100ms" }));
        let host = host(villain(language).that("silent").supervised(limits)).await;
        let error = host.call("villain", "echo", json!({})).await.unwrap_err();
        assert_eq!(error.kind(), "plugin_unavailable");
        assert_eq!(error.message, "plugin `villain` did not answer `initialize` within 500 ms");
        host.stop().await;
    });
}

#[test]
fn refuses_a_plugin_whose_initialize_is_not_what_the_protocol_says() {
    in_both_languages(async |language| {
        for (switch, kind) in [
            ("garbage", "bad_response"),
            ("shapeless", "bad_response"),
            ("refuses", "handler_failed"),
            ("wrong-version", "unsupported_version"),
        ] {
            let host = host(villain(language).that(switch).that("counted")).await;
            let error = host.call("villain", "echo", json!({})).await.unwrap_err();
            assert_eq!(error.kind(), kind, "{switch}: {error}");
            assert_eq!(
                (host.status("villain").state, host.world().starts()),
                (StateName::Error, 1),
                "{switch}"
            );
            host.stop().await;
        }
    });
}
