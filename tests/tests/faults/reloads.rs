//! Plugins that are reloaded while they work, and new versions that do not start.

use std::{cell::Cell, fs};

use astros_tests::{Host, World, adversary, in_both_languages, kind};
use futures_util::future::join_all;
use serde_json::json;

use crate::{patient, villain};

const RELOADS: usize = 5;
const CLIENTS: u64 = 100;

#[test]
fn loses_and_doubles_no_call_over_reloads() {
    in_both_languages(async |language| {
        for exclusive in [false, true] {
            let plugin = || villain(language).supervised(patient(json!({ "exclusive": exclusive })));
            let host = Host::start(World::new().with(adversary("bystander"))).await;
            host.add(plugin(), |_| {});
            host.echoes("villain").await;
            let reloading = Cell::new(true);
            let reload = async {
                for _ in 0..RELOADS {
                    let before = host.pid("villain");
                    host.reload(plugin(), |_| {}).await.unwrap();
                    assert_ne!(host.pid("villain"), before);
                }
                reloading.set(false);
            };
            let client = async |client| {
                let mut requests = 0;
                while reloading.get() {
                    requests += 1;
                    let note = host.world().note(&format!("note-{client}-{requests}"));
                    let params = json!({ "number": requests, "note": note });
                    let answer =
                        host.call("villain", "echo", params).await.unwrap_or_else(|error| panic!("{error}"));
                    assert_eq!(answer["data"]["intent"]["context"]["number"], requests);
                    assert_eq!(fs::read_to_string(note).unwrap(), "begun\n", "it was done once");
                }
                requests
            };
            let ((), requests) = tokio::join!(reload, join_all((0..CLIENTS).map(client)));
            println!("{} calls over {RELOADS} reloads, exclusive: {exclusive}", requests.iter().sum::<u64>());
            host.stop().await;
        }
    });
}

#[test]
fn goes_on_with_the_old_version_where_the_new_one_does_not_start() {
    in_both_languages(async |language| {
        let host = Host::start(World::new().with(adversary("bystander"))).await;
        host.add(villain(language), |_| {});
        host.echoes("villain").await;
        let pid = host.pid("villain");
        let working = host.call("villain", "spin", json!({ "ms": 500 }));
        let reloads = async {
            for (switch, why) in [
                ("exit-before-initialize", "exited with status 3 before it was ready: no licence was found"),
                (
                    "exit-in-initialize",
                    "exited with status 4 before it was ready: the configuration is missing",
                ),
                ("silent", "did not answer `initialize` within 500 ms"),
                ("refuses", "refused to start: it is not my day"),
                ("wrong-version", "speaks version 9.0 of the protocol, which this host does not"),
            ] {
                let broken = villain(language).that(switch);
                let broken = broken
                    .supervised(patient(json!({ "initialize_timeout": "500ms", "stop_grace": "50ms" })));
                let error = host.reload(broken, |_| {}).await.unwrap_err();
                assert!(error.message.contains("the version before goes on"), "{switch}: {error}");
                // A slow machine may take its time for what comes before.
                let slow = error.message.contains("did not answer `initialize`");
                assert!(error.message.contains(why) || slow, "{switch}: {error}");
                assert_eq!(host.pid("villain"), pid, "{switch}");
                host.echoes("villain").await;
            }
        };
        let (worked, ()) = tokio::join!(working, reloads);
        assert_eq!(kind(&worked), "success");
        host.stop().await;
    });
}
