//! The parser of mappings.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| ingest::fuzz::mapping(text));
