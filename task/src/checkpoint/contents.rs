//! What the files of a directory contain.
//!
//! Invariants: a file is read once: as long as device, inode, size and time of change are the same, so
//! is its content (RocksDB never changes a finished file, and a hard link is the same inode). Names
//! prove nothing: RocksDB uses them again after a restore.

use std::{
    collections::HashMap,
    fs,
    io::{self, Read as _},
    os::unix::fs::MetadataExt as _,
    path::Path,
    sync::{Mutex, PoisonError},
};

use xxhash_rust::xxh3::Xxh3;

use super::{
    error::Result,
    manifest::{File, Hash},
    store::disk,
};

/// Contents known at most: more are forgotten and read again.
const KNOWN_MAX: usize = 100_000;

/// Device, inode, size, time of change (seconds, nanoseconds).
type Identity = (u64, u64, u64, i64, i64);

/// Contents of files seen before.
#[derive(Default)]
pub(super) struct Contents {
    known: Mutex<HashMap<Identity, Hash>>,
}

impl Contents {
    /// The files of a directory; none if it does not exist.
    pub(super) fn of(&self, dir: &Path) -> Result<Vec<File>> {
        let entries = match fs::read_dir(dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(|source| disk(dir, source))?,
        };
        let mut files = Vec::new();
        for entry in entries {
            let path = entry.map_err(|source| disk(dir, source))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let (size, hash) = self.one(&path).map_err(|source| disk(&path, source))?;
            files.push(File { name, size, hash });
        }
        Ok(files)
    }

    fn one(&self, path: &Path) -> io::Result<(u64, Hash)> {
        let identity = identity(path)?;
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&identity).copied();
        let hash = match known {
            Some(hash) => hash,
            None => read(path)?,
        };
        self.remember(identity, hash);
        Ok((identity.2, hash))
    }

    /// Takes note of the content of a file that was just written.
    pub(super) fn written(&self, path: &Path, hash: Hash) -> io::Result<()> {
        self.remember(identity(path)?, hash);
        Ok(())
    }

    fn remember(&self, identity: Identity, hash: Hash) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(identity, hash);
    }
}

fn identity(path: &Path) -> io::Result<Identity> {
    let meta = fs::metadata(path)?;
    Ok((meta.dev(), meta.ino(), meta.len(), meta.mtime(), meta.mtime_nsec()))
}

fn read(path: &Path) -> io::Result<Hash> {
    let mut file = fs::File::open(path)?;
    let mut hasher = Xxh3::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(Hash(hasher.digest128())),
            read => hasher.update(&buffer[..read]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_file_is_read_again_and_a_link_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let contents = Contents::default();
        let hash = |name: &str| contents.one(&dir.path().join(name)).unwrap().1;
        fs::write(dir.path().join("a"), "one").unwrap();
        let one = hash("a");
        assert_eq!(one, Hash(xxhash_rust::xxh3::xxh3_128(b"one")));
        fs::hard_link(dir.path().join("a"), dir.path().join("b")).unwrap();
        assert_eq!(hash("b"), one);
        assert_eq!(contents.known.lock().unwrap().len(), 1);
        fs::write(dir.path().join("a"), "three").unwrap();
        assert_eq!(hash("a"), Hash(xxhash_rust::xxh3::xxh3_128(b"three")));
        assert_eq!(contents.of(&dir.path().join("none")).unwrap(), []);
    }
}
