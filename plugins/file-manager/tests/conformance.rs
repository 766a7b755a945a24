//! The plugin keeps every rule of the protocol.

use astros_conformance::{Grade, Options, check};

#[tokio::test]
async fn keeps_every_rule() {
    let report = check([env!("CARGO_BIN_EXE_astros-file-manager")], Options::default()).await;
    report.expect("the plugin's program is there").expect_grade(Grade::Gold);
}
