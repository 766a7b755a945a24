//! A plugin at random, against the router, under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| (astros_fuzz::target("plugin").run)(data));
