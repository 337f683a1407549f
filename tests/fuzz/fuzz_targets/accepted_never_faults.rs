//! Bytes to `skep_tests::check::accepted_never_faults`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| skep_tests::check::accepted_never_faults(bytes));
