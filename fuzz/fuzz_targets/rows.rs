//! Rows and JSON objects through a mapping.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ingest::fuzz::rows(bytes));
