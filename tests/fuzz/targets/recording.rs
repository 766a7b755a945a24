//! Recordings under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| (astros_fuzz::target("recording").run)(data));
