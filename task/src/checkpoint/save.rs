//! A checkpoint directory becomes objects and a manifest.
//!
//! Invariants: the position is read from inside the checkpoint; an object is uploaded unless it is
//! safe (see [`missing`]); the manifest is written last and only where there is none, so a save that
//! died half-way is not seen by anybody.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use eventlog::failpoint;
use futures_util::{StreamExt as _, TryStreamExt as _};

use super::{
    Identity, Manifest, PARALLEL, Place, Retention, Saved,
    contents::Contents,
    error::{Error, Result},
    gc::micros,
    manifest::{File, Hash, Key},
    store::{Listed, Store},
};
use crate::state::Inside;

/// Whether a file of a checkpoint is part of the state; the rest is RocksDB's own.
fn kept(name: &str) -> bool {
    name != "LOCK" && name != "LOG" && !name.starts_with("LOG.")
}

/// Which files to upload, each content once: all but those whose object is there, whole, and safe from
/// the collection of garbage, because the newest manifest names it or because it is young.
fn missing<'a>(
    files: &'a [File],
    there: &BTreeMap<Hash, Listed>,
    named: &BTreeSet<Hash>,
    young: impl Fn(i64) -> bool,
) -> Vec<&'a File> {
    let safe = |file: &File| {
        let object = there.get(&file.hash).filter(|object| object.size == file.size);
        object.is_some_and(|object| named.contains(&file.hash) || young(object.modified))
    };
    let mut seen = BTreeSet::new();
    files.iter().filter(|file| !safe(file) && seen.insert(file.hash)).collect()
}

/// Saves the checkpoint in `dir`.
pub(super) async fn save(
    store: &Store,
    contents: &Contents,
    retention: &Retention,
    id: &Identity,
    dir: &Path,
) -> Result<Saved> {
    let place = Place::of(id)?;
    let next_offset = position(id, dir)?;
    let files: Vec<File> = contents.of(dir)?.into_iter().filter(|file| kept(&file.name)).collect();
    let newest = place.manifests(store).await?.last().map(|(key, _)| *key);
    if let Some(found) = newest.map(|key| key.epoch).filter(|epoch| *epoch > id.epoch) {
        return Err(Error::Fenced { id: id.clone(), found });
    }
    let named = named(store, &place, newest).await?;
    let there: BTreeMap<Hash, Listed> = place.listed(store).await?;
    let now = now(there.values());
    let young = |modified: i64| now.saturating_sub(modified) < micros(retention.grace) / 2;
    let upload = missing(&files, &there, &named, young);
    let uploaded = upload.iter().map(|file| file.size).sum();
    let put = |file: &&File| {
        let (key, path, size) = (place.object(file.hash), dir.join(&file.name), file.size);
        failpoint::pass(failpoint::BEFORE_UPLOAD);
        async move { store.put_file(&key, &path, size).await }
    };
    let puts = futures_util::stream::iter(upload.iter().map(put)).buffer_unordered(PARALLEL);
    puts.try_collect::<Vec<()>>().await?;
    let saved = Saved {
        next_offset,
        bytes_uploaded: uploaded,
        files_uploaded: upload.len(),
        files: files.len(),
        bytes_total: 0,
    };
    let manifest = Manifest::new(id, next_offset, files);
    failpoint::pass(failpoint::BEFORE_MANIFEST);
    publish(store, &place, id, &manifest).await?;
    failpoint::pass(failpoint::AFTER_MANIFEST);
    Ok(Saved { bytes_total: manifest.size(), ..saved })
}

/// R, as the checkpoint itself says.
fn position(id: &Identity, dir: &Path) -> Result<u64> {
    let inside = Inside::read(dir)?;
    let mismatch = |what: String| Error::Mismatch { id: id.clone(), what };
    if let Some(found) = inside.generation.filter(|found| *found != id.generation) {
        return Err(mismatch(format!("the state is of generation {found:016x}, not {:016x}", id.generation)));
    }
    inside.next_offset.ok_or_else(|| mismatch("the state has no position yet".to_owned()))
}

/// What the newest manifest names; nothing if it is damaged.
async fn named(store: &Store, place: &Place, newest: Option<Key>) -> Result<BTreeSet<Hash>> {
    let Some(key) = newest else { return Ok(BTreeSet::new()) };
    let bytes = store.get(&place.manifest(key)).await?.unwrap_or_default();
    let files = Manifest::parse(key, &bytes).map(|manifest| manifest.files).unwrap_or_default();
    Ok(files.into_iter().map(|file| file.hash).collect())
}

/// The later of this machine's clock and the store's.
fn now<'a>(there: impl Iterator<Item = &'a Listed>) -> i64 {
    let here = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, micros);
    there.map(|object| object.modified).max().unwrap_or(0).max(here)
}

/// The manifest, last. One that says the same is there when an attempt succeeded without a reply.
async fn publish(store: &Store, place: &Place, id: &Identity, manifest: &Manifest) -> Result<()> {
    let key = place.manifest(manifest.key());
    let bytes = manifest.encode();
    if store.put_new(&key, bytes.clone().into()).await? {
        return Ok(());
    }
    let there = store.get(&key).await?.unwrap_or_default();
    if there == bytes { Ok(()) } else { Err(Error::Taken { id: id.clone(), key: manifest.key() }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_not_safe_is_uploaded() {
        let file = |name: &str, hash| File { name: name.to_owned(), size: 5, hash: Hash(hash) };
        let object = |hash, size, modified| (Hash(hash), Listed { name: Hash(hash).to_string(), size, modified });
        let files =
            [file("new", 1), file("twice", 1), file("named", 2), file("cut", 3), file("old", 4), file("young", 5)];
        let there = BTreeMap::from([object(2, 5, 0), object(3, 4, 0), object(4, 5, 0), object(5, 5, 100)]);
        let named = BTreeSet::from([Hash(2), Hash(3), Hash(9)]);
        let upload: Vec<&str> =
            missing(&files, &there, &named, |at| at >= 100).into_iter().map(|file| file.name.as_str()).collect();
        assert_eq!(upload, ["new", "cut", "old"]);
    }

    #[test]
    fn logs_and_locks_are_not_state() {
        let names = ["LOG", "LOG.old.1", "LOCK", "CURRENT", "MANIFEST-000001", "000001.log", "000002.sst"];
        let state: Vec<&str> = names.into_iter().filter(|name| kept(name)).collect();
        assert_eq!(state, ["CURRENT", "MANIFEST-000001", "000001.log", "000002.sst"]);
    }
}
