//! A short run of every fuzzer, over what was found before and over changes of its seeds; `just fuzz` runs long.

#[path = "../fuzz/src/lib.rs"]
pub mod fuzz;

use fuzz::{TARGETS, check};

#[test]
fn splits_any_bytes_into_the_same_lines() {
    check("frame");
}

#[test]
fn reads_envelopes_as_serde_json_does() {
    check("envelope");
}

#[test]
fn reads_any_manifest_or_says_where_it_is_wrong() {
    check("manifest");
}

#[test]
fn understands_any_text_by_any_examples() {
    check("recognition");
}

#[test]
fn resolves_any_settings_or_says_what_does_not_fit() {
    check("settings");
}

#[test]
fn reads_any_recording_or_says_what_is_wrong_with_it() {
    check("recording");
}

#[test]
fn ends_every_call_whatever_a_plugin_says() {
    check("plugin");
}

#[test]
fn answers_any_host_once_a_request_in_rust() {
    check("host");
}

#[test]
fn has_a_libfuzzer_binary_for_each_target() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/targets");
    for target in TARGETS {
        assert!(folder.join(format!("{}.rs", target.name)).is_file(), "`{}` has none", target.name);
    }
}
