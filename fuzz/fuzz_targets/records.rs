//! Rows of text in any dialect.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ingest::fuzz::records(bytes));
