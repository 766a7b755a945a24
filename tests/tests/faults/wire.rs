//! What plugins send that the protocol does not allow.

use std::time::Duration;

use astros_tests::{in_both_languages, kind};
use futures_util::future::join_all;
use serde_json::json;

use crate::{host, villain};

#[test]
fn fails_the_call_whose_answer_is_broken_and_no_other() {
    in_both_languages(async |language| {
        let host = host(villain(language)).await;
        host.echoes("villain").await;
        let pid = host.pid("villain");
        for (handler, expected) in [
            ("garbage", "bad_response"),
            ("duplicate", "bad_response"),
            ("text", "bad_response"),
            ("deep", "bad_response"),
            ("shapeless", "bad_response"),
            ("huge", "frame_too_large"),
            ("claim", "handler_failed"),
            ("no-such", "handler_not_found"),
        ] {
            // Others are open while it comes, and each gets its own answer.
            let echo = async |number: u64| {
                let answer = host.call("villain", "echo", json!({ "number": number })).await.unwrap();
                answer["data"]["intent"]["context"]["number"].as_u64()
            };
            let (broken, echoes) =
                tokio::join!(host.call("villain", handler, json!({})), join_all((0..20).map(echo)),);
            assert_eq!(kind(&broken), expected, "{handler}");
            assert_eq!(broken.unwrap_err().data.unwrap().plugin.as_deref(), Some("villain"), "{handler}");
            assert_eq!(echoes, (0..20).map(Some).collect::<Vec<_>>(), "{handler}");
        }
        assert_eq!(host.pid("villain"), pid, "none of this is worth a restart");
        host.stop().await;
    });
}

#[test]
fn takes_the_answer_in_spite_of_what_else_is_written() {
    in_both_languages(async |language| {
        let host = host(villain(language).that("stray-output")).await;
        for (handler, message) in [
            ("stray", "in spite of it"),
            ("unknown", "for you"),
            ("twice", "the first"),
            ("flood", "flooded"),
        ] {
            let answer = host.call("villain", handler, json!({})).await.unwrap();
            assert_eq!(answer["message"], message, "{handler}");
            host.echoes("villain").await;
        }
        host.stop().await;
    });
}

#[test]
fn gives_a_late_answer_to_nobody() {
    in_both_languages(async |language| {
        let host = host(villain(language)).await;
        host.echoes("villain").await;
        let note = host.world().note("note");
        let late =
            host.call_within(Duration::from_millis(200), "villain", "late", json!({ "note": note })).await;
        assert_eq!(kind(&late), "deadline_exceeded");
        let heard = || std::fs::read_to_string(&note).is_ok_and(|text| text == "begun\ncancelled\n");
        host.becomes("the plugin hears of it", heard).await;
        for _ in 0..20 {
            host.echoes("villain").await;
        }
        host.stop().await;
    });
}

#[test]
fn reads_on_after_a_line_that_does_not_end() {
    in_both_languages(async |language| {
        let host = host(villain(language)).await;
        host.echoes("villain").await;
        let endless = host.call_within(Duration::from_secs(2), "villain", "endless", json!({})).await;
        // Whose answer comes next ends that line, and is lost with it: a ping's, where one came meanwhile.
        if kind(&endless) == "deadline_exceeded" {
            let lost = host.call_within(Duration::from_millis(500), "villain", "echo", json!({})).await;
            assert!(["deadline_exceeded", "frame_too_large"].contains(&kind(&lost)), "{lost:?}");
        } else {
            assert_eq!(kind(&endless), "frame_too_large");
        }
        host.echoes("villain").await;
        host.stop().await;
    });
}

#[test]
fn starts_a_plugin_again_that_uses_the_id_of_an_open_request_thrice() {
    in_both_languages(async |language| {
        let host = host(villain(language)).await;
        host.echoes("villain").await;
        let params = json!({ "plugin": "bystander", "handler": "hang", "params": {} });
        let error = host.call("villain", "same-id", params).await.unwrap_err();
        assert_eq!(error.kind(), "plugin_crashed");
        assert!(error.message.contains("used the ids of open requests again and was killed"), "{error}");
        host.echoes("villain").await;
        host.stop().await;
    });
}
