//! Plugins that start what they should not, and take what they should not have.

use astros_core::supervisor::Containment;
use astros_tests::{Host, Language, World, adversary, in_both_languages, kind, processes};
use serde_json::json;

use crate::{host, villain};

/// A plugin does this, and ends: nobody that it started may be left, with and without a pid namespace.
fn takes_all_of_it(handler: &str, started: usize) {
    in_both_languages(async |language| {
        for containment in [Containment::Namespace, Containment::Subreaper] {
            let host = Host::start(World::new().with(adversary("bystander"))).await;
            host.add(villain(language), |spec| spec.containment = containment);
            host.echoes("villain").await;
            assert_eq!(host.call("villain", handler, json!({ "children": started })).await, Ok(json!({})));
            host.becomes("they run", || sleeping(&host) == started).await;
            assert_eq!(kind(&host.call("villain", "crash", json!({})).await), "plugin_crashed");
            host.becomes("all of them are gone", || sleeping(&host) == 0).await;
            host.echoes("villain").await;
            host.stop().await;
        }
    });
}

/// How many of those that it started run.
fn sleeping(host: &Host) -> usize {
    let all = host.world().processes().into_iter();
    all.filter(|pid| processes::describe(*pid).ends_with("sleep 600 ")).count()
}

#[test]
fn takes_the_grandchildren_of_a_plugin_with_it() {
    takes_all_of_it("grandchild", 1);
}

#[test]
fn takes_a_daemon_that_a_plugin_started_with_it() {
    takes_all_of_it("daemon", 1);
}

#[test]
fn takes_all_children_of_a_fork_bomb_with_it() {
    takes_all_of_it("bomb", 200);
}

#[test]
fn says_that_a_plugin_ran_out_of_memory() {
    in_both_languages(async |language| {
        let host = host(villain(language).after("ulimit -v 400000")).await;
        host.echoes("villain").await;
        let error = host.call("villain", "eat", json!({})).await.unwrap_err();
        assert_eq!(error.kind(), "plugin_crashed");
        let (how, words) = match language {
            Language::Rust => ("killed by SIGABRT", "memory allocation of 1048576 bytes failed"),
            Language::Python => ("exited with status 1", "MemoryError"),
        };
        assert!(error.message.contains(how), "{error}");
        let last_words = error.data.unwrap().detail.unwrap();
        assert!(last_words.contains("this will not fit") && last_words.contains(words), "{last_words}");
        host.echoes("villain").await;
        host.echoes("bystander").await;
        host.stop().await;
    });
}

#[test]
fn leaves_a_plugin_that_leaks_descriptors_alone_with_that() {
    in_both_languages(async |language| {
        let host = host(villain(language).after("ulimit -n 64")).await;
        let opened = host.call("villain", "leak", json!({})).await.unwrap()["data"].as_u64().unwrap();
        assert!((32..64).contains(&opened), "{opened}");
        host.echoes("villain").await;
        host.echoes("bystander").await;
        host.stop().await;
    });
}

#[test]
fn serves_the_others_while_a_plugin_burns_the_processor() {
    in_both_languages(async |language| {
        let host = host(villain(language)).await;
        host.echoes("villain").await;
        let burning = host.call("villain", "spin", json!({ "ms": 1_000 }));
        let echoes = async {
            for _ in 0..100 {
                host.echoes("bystander").await;
            }
        };
        let (burnt, ()) = tokio::join!(burning, echoes);
        assert_eq!(burnt, Ok(json!({})));
        host.stop().await;
    });
}
