//! Who may depend on whom, and what no crate has.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde::Deserialize;

/// Of our crates, those that a crate may depend on; and who must not appear below it at all.
const LAYERS: &[(&str, &[&str], &[&str])] = &[
    ("proto", &[], &["tokio", "rdkafka", "rocksdb"]),
    ("expr", &[], &["tokio", "rdkafka", "rocksdb", "prost"]),
    ("eventlog", &["proto"], &[]),
    ("store", &["proto", "expr", "processor-core"], &["rocksdb"]),
    ("task", &["proto", "eventlog"], &[]),
    ("alert", &["proto", "expr", "eventlog", "task", "processor-core"], &[]),
    ("dashboard", &["expr", "http", "processor-core", "store"], &["rdkafka", "rocksdb"]),
    ("http", &[], &["prost", "rdkafka", "rocksdb"]),
    ("ingest", &["proto", "expr", "eventlog", "http", "store"], &[]),
    ("processor-core", &["expr"], &["tokio", "rdkafka", "rocksdb", "prost"]),
    ("processor", &["proto", "expr", "eventlog", "task", "processor-core"], &[]),
    ("sink", &["proto", "expr", "eventlog", "task", "store", "processor-core"], &[]),
    ("simulator", &[], &["tokio", "rdkafka", "rocksdb", "prost"]),
    ("oracle", &[], &["rocksdb", "prost"]),
];

/// The binary, and the only crate that may use them all.
const BINARY: &str = "vitals";

/// What `cargo metadata` says, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_members: BTreeSet<String>,
    resolve: Resolve,
}

#[derive(Debug, Deserialize)]
struct Package {
    id: String,
    name: String,
    manifest_path: PathBuf,
}

#[derive(Debug, Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Debug, Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<DependencyKind>,
}

#[derive(Debug, Deserialize)]
struct DependencyKind {
    /// `None` is an ordinary one, not of tests or of the build.
    kind: Option<String>,
}

/// For this machine only: cargo may not have fetched the crates of others.
fn metadata() -> Metadata {
    let run = |program: OsString, arguments: &[&str]| {
        let output = Command::new(&program).args(arguments).output().unwrap();
        assert!(output.status.success(), "{program:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let rustc = run(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()), &["-vV"]);
    let host = rustc.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let flags = ["metadata", "--format-version=1", "--locked", "--all-features", "--filter-platform", host];
    serde_json::from_str(&run(cargo, &[&flags[..], &["--manifest-path", "Cargo.toml"]].concat())).unwrap()
}

#[test]
fn crates_depend_downwards_only() {
    let metadata = metadata();
    let names: BTreeMap<&str, &str> = metadata.packages.iter().map(|p| (p.id.as_str(), p.name.as_str())).collect();
    let ids: BTreeMap<&str, &str> =
        metadata.workspace_members.iter().map(|id| (names[id.as_str()], id.as_str())).collect();
    let ours: BTreeSet<&str> = ids.keys().copied().collect();
    let known: BTreeSet<&str> = LAYERS.iter().map(|(name, ..)| *name).chain([BINARY]).collect();
    assert_eq!(ours, known, "a crate is missing in this test, or gone");

    let below: BTreeMap<&str, &[Dependency]> =
        metadata.resolve.nodes.iter().map(|node| (node.id.as_str(), node.deps.as_slice())).collect();
    let mut broken = Vec::new();
    let mut edges = 0;
    for (name, allowed, banned) in LAYERS {
        let mut reached = BTreeSet::new();
        let mut open = vec![ids[name]];
        while let Some(id) = open.pop() {
            // Tests of a crate may use anybody, what is built may not.
            let built = below[id].iter().filter(|d| d.dep_kinds.iter().any(|kind| kind.kind.is_none()));
            open.extend(built.map(|d| d.pkg.as_str()).filter(|id| reached.insert(*id)));
        }
        for id in reached {
            // Another crate may have the name of one of ours: `http` does.
            let (found, is_ours) = (names[id], metadata.workspace_members.contains(id));
            edges += usize::from(is_ours);
            if is_ours && !allowed.contains(&found) || banned.contains(&found) {
                broken.push(format!("{name} must not depend on {found}"));
            }
        }
    }
    assert_eq!(broken, Vec::<String>::new());
    assert!(edges >= 10, "only {edges} dependencies among our crates were seen");
}

/// The Rust files of a folder and those below it.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension() == Some("rs".as_ref()) {
            found.push(path);
        }
    }
}

/// Numbers of the lines at which code begins that rustdoc would run: fences of Rust, and what is indented.
fn doc_tests(text: &str) -> Vec<usize> {
    let (mut found, mut in_fence, mut after_blank) = (Vec::new(), false, false);
    for (number, line) in text.lines().enumerate() {
        let line = line.trim_start();
        let Some(doc) = line.strip_prefix("//!").or_else(|| line.strip_prefix("///")) else {
            (in_fence, after_blank) = (false, false);
            continue;
        };
        let fence = doc.trim_start().strip_prefix("```");
        let language = fence.and_then(|fence| fence.split(',').next());
        let rust = language
            .is_some_and(|language| ["", "rust", "no_run", "compile_fail", "should_panic"].contains(&language.trim()));
        if !in_fence && (rust || after_blank && doc.starts_with("     ") && !doc.trim().is_empty()) {
            found.push(number + 1);
        }
        in_fence ^= fence.is_some();
        after_blank = doc.trim().is_empty();
    }
    found
}

/// No crate asks for doc tests (`doctest = false`): rustdoc would compile each once more, and run nothing. So no
/// documentation of theirs may have code to run; examples are in `examples/`.
#[test]
fn no_documentation_has_code_that_nobody_runs() {
    assert_eq!(doc_tests("//! a\n//! ```text\n//! b\n//! ```\n/// ```\n/// c();\n/// ```\n"), [5]);
    assert_eq!(doc_tests("//! a:\n//!\n//!     b();\n"), [3]);

    let metadata = metadata();
    let members = metadata.packages.iter().filter(|package| metadata.workspace_members.contains(&package.id));
    let mut files = Vec::new();
    for package in members.filter(|package| package.name != BINARY) {
        let manifest = fs::read_to_string(&package.manifest_path).unwrap();
        assert!(manifest.contains("[lib]\ndoctest = false\n"), "{}: doc tests", package.name);
        sources(&package.manifest_path.with_file_name("src"), &mut files);
    }
    // A program has no doc tests.
    files.retain(|file| !file.ends_with("main.rs"));
    assert!(files.len() > 100, "only {} files were read", files.len());
    let mut found = Vec::new();
    for file in files {
        let lines = doc_tests(&fs::read_to_string(&file).unwrap());
        found.extend(lines.into_iter().map(|line| format!("{}:{line}", file.display())));
    }
    assert_eq!(found, Vec::<String>::new(), "name another language (```text), or make it an example or a test");
}
