//! The first build: what `deploy/` looks for and fetches is what the build uses.
//!
//! Does not know whether a new machine really gets through: that takes a machine with nothing on it.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use tempfile::TempDir;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Version of RocksDB for which the crate was made: what follows the `+` of its own version.
fn wanted() -> String {
    let lock = fs::read_to_string(Path::new(ROOT).join("Cargo.lock")).unwrap();
    let package = lock.split("[[package]]").find(|package| package.contains("name = \"librocksdb-sys\"")).unwrap();
    let version = package.lines().find(|line| line.starts_with("version = ")).unwrap();
    version.split_once('+').unwrap().1.trim_end_matches('"').to_owned()
}

#[test]
fn the_linked_rocksdb_is_of_the_version_that_the_crate_was_made_for() {
    let folder = TempDir::new().unwrap();
    let mut options = rocksdb::Options::default();
    options.create_if_missing(true);
    drop(rocksdb::DB::open(&options, folder.path()).unwrap());

    // The C interface has no function for its version; the library writes it into its own log.
    let log = fs::read_to_string(folder.path().join("LOG")).unwrap();
    let linked = log.split_once("RocksDB version: ").unwrap().1.lines().next().unwrap();
    assert_eq!(linked.trim(), wanted());
}

#[test]
fn a_checksum_is_pinned_for_every_platform_that_has_a_prebuilt_rocksdb() {
    let pinned = fs::read_to_string(Path::new(ROOT).join("deploy/rocksdb/checksums")).unwrap();
    for file in ["linux64.so", "linux-aarch64.so", "osx-arm64.jnilib", "osx-x86_64.jnilib"] {
        let start = format!("{} librocksdbjni-{file} ", wanted());
        let checksum = pinned.lines().find_map(|line| line.strip_prefix(start.as_str()));
        assert_eq!(checksum.map(str::len), Some(64), "{start}");
    }
}

/// The check for libclang on a machine whose file system is `root`.
fn libclang(root: &Path) -> Output {
    Command::new("sh")
        .arg("deploy/libclang.sh")
        .arg(root)
        .current_dir(ROOT)
        .env_remove("LIBCLANG_PATH")
        .output()
        .unwrap()
}

#[test]
fn libclang_is_where_the_build_loads_it_and_is_not_the_cpp_interface() {
    let root = TempDir::new().unwrap();
    let (folder, file) = if cfg!(target_os = "macos") {
        ("usr/local/opt/llvm/lib", "libclang.dylib")
    } else {
        ("usr/lib/llvm-14/lib", "libclang-14.so.1")
    };
    let folder = root.path().join(folder);
    fs::create_dir_all(&folder).unwrap();
    assert_eq!(libclang(root.path()).status.code(), Some(1));

    for cpp in ["libclang-cpp.so.14", "libclang-cpp.so", "libclang-cpp.14.dylib"] {
        fs::write(folder.join(cpp), "").unwrap();
        assert_eq!(libclang(root.path()).status.code(), Some(1), "{cpp} was taken for libclang");
    }

    fs::write(folder.join(file), "").unwrap();
    let found = libclang(root.path());
    assert_eq!(String::from_utf8(found.stdout).unwrap().trim(), folder.join(file).to_str().unwrap());
    assert!(found.status.success());
}
