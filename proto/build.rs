//! Compiles the `.proto` files with protox: no protoc to install. What they say about events beyond their types becomes a
//! table, `vocabulary.rs`.
use std::{env, error::Error, fs, path::PathBuf};

use protox::Compiler;

#[path = "build/vocabulary.rs"]
mod vocabulary;

fn main() -> Result<(), Box<dyn Error>> {
    let files =
        ["event", "moved", "partial", "snapshot", "alert", "alert_state", "change", "dead_letter", "import", "notify"]
            .map(|name| format!("vitals/v1/{name}.proto"));
    let mut compiler = Compiler::new(["."])?;
    compiler.include_source_info(true).include_imports(true).open_files(files)?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("vocabulary.rs"), vocabulary::table(&compiler.descriptor_pool())?)?;
    // The rules are in this form alone: the other one forgets extensions.
    fs::write(out.join("descriptor.bin"), compiler.encode_file_descriptor_set())?;
    let mut descriptors = compiler.file_descriptor_set();
    descriptors.file.retain(|file| file.package() == "vitals.v1" && file.name() != "vitals/v1/options.proto");
    prost_build::Config::new().bytes(["."]).compile_fds(descriptors)?;
    println!("cargo::rerun-if-changed=vitals");
    println!("cargo::rerun-if-changed=build");
    println!("cargo::rerun-if-changed=build.rs");
    Ok(())
}
