//! Plugins that do nothing, or too much.

use std::time::Duration;

use astros_tests::{in_both_languages, kind};
use futures_util::future::join_all;
use serde_json::json;

use crate::{host, villain};

const SHORT: Duration = Duration::from_millis(300);

#[test]
fn ends_calls_at_their_deadline_whatever_the_plugin_does() {
    in_both_languages(async |language| {
        let handlers = ["hang", "ignore", "block", "halt", "spin"];
        join_all(handlers.map(async |handler| {
            let host = host(villain(language)).await;
            host.echoes("villain").await;
            let outcome = host.call_within(SHORT, "villain", handler, json!({ "ms": 2_000 })).await;
            assert_eq!(kind(&outcome), "deadline_exceeded", "{handler}");
            host.echoes("bystander").await;
            host.stop().await;
        }))
        .await;
    });
}

#[test]
fn refuses_what_a_plugin_that_does_not_read_cannot_take_and_serves_the_others() {
    in_both_languages(async |language| {
        let host = host(villain(language)).await;
        host.echoes("villain").await;
        let blocked = host.call_within(Duration::from_secs(2), "villain", "block", json!({}));
        let filling = "x".repeat(1 << 20);
        let flood = join_all((0..40).map(|_| {
            host.call_within(Duration::from_secs(2), "villain", "echo", json!({ "filling": filling }))
        }));
        let bystander = async {
            for _ in 0..20 {
                host.echoes("bystander").await;
            }
        };
        let (blocked, flooded, ()) = tokio::join!(blocked, flood, bystander);
        assert_eq!(kind(&blocked), "deadline_exceeded");
        for outcome in &flooded {
            assert!(["deadline_exceeded", "overloaded"].contains(&kind(outcome)), "{outcome:?}");
        }
        host.stop().await;
    });
}

#[test]
fn takes_a_busy_plugin_for_no_hung_one() {
    in_both_languages(async |language| {
        let host = host(villain(language)).await;
        host.echoes("villain").await;
        let pid = host.pid("villain");
        assert_eq!(host.call("villain", "spin", json!({ "ms": 1_500 })).await, Ok(json!({})));
        assert_eq!(host.pid("villain"), pid, "it was not started again");
        host.stop().await;
    });
}
