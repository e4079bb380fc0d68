//! Packed files, archives and workbooks.
#![no_main]

use std::path::Path;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let name = format!("vitals-fuzz-{}", std::process::id());
    ingest::fuzz::files(bytes, Path::new(&std::env::temp_dir().join(name)));
});
