//! Many lives and deaths leave nothing behind. A program of its own: it counts this process's descriptors.

#![allow(clippy::unwrap_used, reason = "a test may fail there")]

use std::{fs, sync::Arc, time::Duration};

use astros_core::supervisor::{Event, Host, Launch, Spec, Supervisor};
use astros_peer::{Failure, Incoming, Service};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{json, value::RawValue};

const LIVES: u64 = 300;
/// Answers `initialize`, the first request of a connection, and dies of the second one.
const PLUGIN: &str = r#"
read -r line
echo '{"jsonrpc":"2.0","id":1,"result":{"protocol_version":"1.0","plugin":{"name":"mayfly"}}}'
read -r line
echo 'farewell' >&2
exit 5
"#;

struct Quiet;

impl Service for Quiet {
    type Params<'a> = &'a RawValue;

    fn request(&self, request: Incoming<'_, &RawValue>) {
        request.responder.result(&());
    }
}

impl Host for Quiet {
    type Service = Quiet;

    fn service(&self, _: &str, _: u64) -> Quiet {
        Quiet
    }

    fn event(&self, _: Event) {}
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

fn children() -> String {
    fs::read_to_string("/proc/thread-self/children").unwrap()
}

#[tokio::test]
async fn leaves_no_descriptor_and_no_zombie_after_many_crashes() {
    let folder = tempfile::tempdir().unwrap();
    let words = ["sh", "-c", PLUGIN].map(str::to_owned);
    let mut spec = Spec::new("mayfly", folder.path(), Launch::Command(words.to_vec()));
    spec.supervision.backoff_initial = Duration::from_millis(1);
    spec.supervision.backoff_max = Duration::from_millis(1);
    spec.supervision.max_restarts = u32::MAX;
    let supervisor = Supervisor::start(spec, Arc::new(Quiet));
    let mut baseline = 0;
    for life in 1..=LIVES {
        let session = supervisor.ready().await.unwrap();
        let _working = session.begin();
        if life % 2 == 0 {
            kill_process(Pid::from_raw(session.pid.cast_signed()).unwrap(), Signal::KILL).unwrap();
            let error = session.crashed().await;
            assert!(error.message.starts_with("killed by SIGKILL after "), "{error}");
        } else {
            assert_eq!(session.peer.call("die", &json!({})).await.map(drop), Err(Failure::Closed));
            let error = session.crashed().await;
            assert!(error.message.starts_with("exited with status 5 after "), "{error}");
            assert_eq!(error.data.unwrap().detail.as_deref(), Some("farewell"));
        }
        if life == 10 {
            baseline = descriptors();
        }
    }
    supervisor.stop("enough").await;
    assert!(descriptors() <= baseline, "{} descriptors, {baseline} at first", descriptors());
    assert_eq!(children(), "");
}
