//! A host at random, against the Rust SDK, under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| (astros_fuzz::target("host").run)(data));
