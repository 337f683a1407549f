//! Bytes to `skep_tests::check::pp`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| skep_tests::check::pp(bytes));
