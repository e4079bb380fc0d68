//! A checkpoint becomes a state directory again.
//!
//! Invariants: the newest first, and the one before only if it is damaged or gone; size and hash of
//! every file are checked before it gets its name; the state is made in a directory beside the target
//! ([`warm`]) and renamed when it is whole and its own position agrees, so the target is never half a
//! state; none whole is an error, never an empty state. A manifest may be deleted while it is being
//! restored: the list is read again after each failure, and what is newer comes first.
//!
//! A standby fills the same directory again and again; what is there with the right content stays, so
//! taking over is one restore that has little left to do.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write as _,
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use eventlog::failpoint;
use futures_util::{StreamExt as _, TryStreamExt as _};
use xxhash_rust::xxh3::Xxh3;

use super::{
    Identity, Manifest, PARALLEL, Place, Progress, Refusal,
    contents::Contents,
    error::{Error, Result},
    manifest::{File, Hash, Key},
    store::{Listed, PIECE, Store, disk},
};
use crate::{state::Inside, telemetry};

/// Called as bytes arrive; breaking off ends the restore.
pub(super) type Watch<'a> = dyn FnMut(Progress) -> ControlFlow<()> + 'a;

/// What a restore is made of.
pub(super) struct Restore<'a> {
    pub(super) store: &'a Store,
    pub(super) contents: &'a Contents,
    pub(super) id: &'a Identity,
    pub(super) place: Place,
}

/// Why an attempt ended.
enum Ended {
    /// This checkpoint cannot be used; another may.
    Refused(Refusal),
    /// No checkpoint can be restored now.
    Failed(Error),
}

impl From<Error> for Ended {
    fn from(error: Error) -> Ended {
        Ended::Failed(error)
    }
}

impl From<Refusal> for Ended {
    fn from(refusal: Refusal) -> Ended {
        Ended::Refused(refusal)
    }
}

/// Where the state of `target` is made: beside it, on the same filesystem.
pub(super) fn warm(target: &Path) -> PathBuf {
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(".restore");
    target.with_file_name(name)
}

impl Restore<'_> {
    /// Makes `target` the newest whole checkpoint. `None`: there is none of these definitions.
    pub(super) async fn to(&self, target: &Path, watch: &mut Watch<'_>) -> Result<Option<Manifest>> {
        if fs::read_dir(target).is_ok_and(|mut entries| entries.next().is_some()) {
            return Err(Error::Occupied(target.to_owned()));
        }
        let warm = warm(target);
        let Some(manifest) = self.newest(&warm, watch).await? else { return Ok(None) };
        fs::rename(&warm, target).map_err(|source| disk(target, source))?;
        target.parent().map_or(Ok(()), sync)?;
        Ok(Some(manifest))
    }

    /// Fills `dir` with the newest whole checkpoint.
    pub(super) async fn newest(&self, dir: &Path, watch: &mut Watch<'_>) -> Result<Option<Manifest>> {
        let mut tried = BTreeMap::new();
        loop {
            let listed = self.place.manifests(self.store).await?;
            let Some(key) = listed.iter().map(|(key, _)| *key).rev().find(|key| !tried.contains_key(key)) else {
                return verdict(self.id, &tried);
            };
            match self.one(key, dir, watch).await {
                Ok(manifest) => return Ok(Some(manifest)),
                Err(Ended::Failed(error)) => return Err(error),
                Err(Ended::Refused(refusal @ Refusal::Newer { .. })) => {
                    return Err(Error::Newer { id: self.id.clone(), key, refusal: Box::new(refusal) });
                }
                Err(Ended::Refused(refusal)) => {
                    tracing::warn!(of = %self.id, checkpoint = %key, %refusal, "checkpoint refused, trying the one before");
                    telemetry::checkpoint_refused(&self.id.task, self.id.partition);
                    tried.insert(key, refusal);
                }
            }
        }
    }

    async fn one(&self, key: Key, dir: &Path, watch: &mut Watch<'_>) -> Result<Manifest, Ended> {
        let bytes = self.store.get(&self.place.manifest(key)).await?.ok_or(Refusal::Gone)?;
        let manifest = Manifest::parse(key, &bytes)?;
        manifest.acceptable(self.id)?;
        // Before anything is downloaded: is everything there?
        if let Some(fault) = faults(&manifest, &self.place.listed(self.store).await?).into_iter().next() {
            return Err(Refusal::Damaged(fault).into());
        }
        self.fill(&manifest, dir, watch).await?;
        agrees(&manifest, dir)?;
        Ok(manifest)
    }

    /// Makes `dir` hold the files of the manifest and no others.
    async fn fill(&self, manifest: &Manifest, dir: &Path, watch: &mut Watch<'_>) -> Result<(), Ended> {
        fs::create_dir_all(dir).map_err(|source| disk(dir, source))?;
        let plan = plan(&self.contents.of(dir)?, manifest);
        for name in &plan.remove {
            let path = dir.join(name);
            fs::remove_file(&path).map_err(|source| disk(&path, source))?;
        }
        let fetched: u64 = plan.fetch.iter().map(|file| file.size).sum();
        let total = manifest.size();
        let watch = std::cell::RefCell::new((total.saturating_sub(fetched), watch));
        let arrived = |bytes: usize| {
            let (done, watch) = &mut *watch.borrow_mut();
            *done += bytes as u64;
            match watch(Progress { done: *done, total }) {
                ControlFlow::Continue(()) => Ok(()),
                ControlFlow::Break(()) => Err(Error::Stopped),
            }
        };
        arrived(0)?;
        let fetch = |file| self.fetch(file, dir, &arrived);
        let fetches = futures_util::stream::iter(plan.fetch.iter().map(|file| fetch(file))).buffer_unordered(PARALLEL);
        fetches.try_collect::<Vec<()>>().await?;
        Ok(sync(dir)?)
    }

    /// Downloads one file; it gets its name when its size and hash are right.
    async fn fetch(&self, file: &File, dir: &Path, arrived: &impl Fn(usize) -> Result<()>) -> Result<(), Ended> {
        let part = dir.join(format!("{}.part", file.name));
        let mut out = fs::File::create(&part).map_err(|source| disk(&part, source))?;
        let write = |bytes: &[u8]| {
            out.write_all(bytes).map_err(|source| disk(&part, source))?;
            arrived(bytes.len())
        };
        check(self.store, &self.place, file, write).await?;
        out.sync_all().map_err(|source| disk(&part, source))?;
        let path = dir.join(&file.name);
        fs::rename(&part, &path).map_err(|source| disk(&path, source))?;
        failpoint::pass(failpoint::IN_DOWNLOAD);
        self.contents.written(&path, file.hash).map_err(|source| disk(&path, source))?;
        Ok(())
    }
}

/// Reads an object piece by piece; refused unless it is what the manifest says.
async fn check(
    store: &Store,
    place: &Place,
    file: &File,
    mut each: impl FnMut(&[u8]) -> Result<()>,
) -> Result<(), Ended> {
    let key = place.object(file.hash);
    let (mut hasher, mut from) = (Xxh3::new(), 0);
    while from < file.size {
        let size = usize::try_from(file.size - from).unwrap_or(PIECE).min(PIECE);
        let Some(piece) = store.piece(&key, from, size).await? else { return Err(Refusal::Gone.into()) };
        if piece.len() != size {
            return Err(
                Refusal::Damaged(format!("{} ends after {} bytes", file.name, from + piece.len() as u64)).into()
            );
        }
        hasher.update(&piece);
        each(&piece)?;
        from += size as u64;
    }
    let found = Hash(hasher.digest128());
    if found != file.hash {
        return Err(Refusal::Damaged(format!("{}: its object {} has the content {found}", file.name, file.hash)).into());
    }
    Ok(())
}

/// What is wrong with the objects of a manifest; with `listed` alone, or read and compared too.
pub(super) async fn verify(store: &Store, place: &Place, manifest: &Manifest, quick: bool) -> Result<Vec<String>> {
    let mut faults = faults(manifest, &place.listed(store).await?);
    if !quick && faults.is_empty() {
        for file in &manifest.files {
            match check(store, place, file, |_| Ok(())).await {
                Ok(()) => {}
                Err(Ended::Refused(refusal)) => faults.push(refusal.to_string()),
                Err(Ended::Failed(error)) => return Err(error),
            }
        }
    }
    Ok(faults)
}

/// What the list of objects shows to be wrong with a manifest.
fn faults(manifest: &Manifest, there: &BTreeMap<Hash, Listed>) -> Vec<String> {
    let fault = |file: &File| match there.get(&file.hash) {
        None => Some(format!("{}: its object {} is missing", file.name, file.hash)),
        Some(object) if object.size != file.size => {
            Some(format!("{}: its object {} has {} bytes, not {}", file.name, file.hash, object.size, file.size))
        }
        Some(_) => None,
    };
    manifest.files.iter().filter_map(fault).collect()
}

/// How to make a directory hold the files of a manifest.
#[derive(Debug, PartialEq, Eq)]
struct Plan<'a> {
    remove: Vec<String>,
    fetch: Vec<&'a File>,
}

/// The decision: what is there with the right content stays.
fn plan<'a>(there: &[File], manifest: &'a Manifest) -> Plan<'a> {
    let stays = |file: &&File| manifest.files.contains(file);
    let right: BTreeSet<&str> = there.iter().filter(stays).map(|file| file.name.as_str()).collect();
    Plan {
        remove: there.iter().filter(|file| !stays(file)).map(|file| file.name.clone()).collect(),
        fetch: manifest.files.iter().filter(|file| !right.contains(file.name.as_str())).collect(),
    }
}

/// The state itself has the last word about what it is.
fn agrees(manifest: &Manifest, dir: &Path) -> Result<(), Refusal> {
    let inside = Inside::read(dir).map_err(|error| Refusal::Damaged(error.to_string()))?;
    if inside.next_offset != Some(manifest.next_offset) {
        let inside = inside.next_offset.map_or("nowhere".to_owned(), |offset| offset.to_string());
        return Err(Refusal::Damaged(format!("the state inside is at offset {inside}, not {}", manifest.next_offset)));
    }
    match inside.generation {
        Some(found) if found != manifest.generation => {
            Err(Refusal::Damaged(format!("the state inside is of generation {found:016x}")))
        }
        _ => Ok(()),
    }
}

/// What it means that every checkpoint was refused: those of other definitions do not count.
fn verdict(id: &Identity, tried: &BTreeMap<Key, Refusal>) -> Result<Option<Manifest>> {
    let ours = tried.iter().rev().filter(|(_, refusal)| !matches!(refusal, Refusal::Other { .. }));
    let refusals: Vec<String> = ours.map(|(key, refusal)| format!("{key}: {refusal}")).collect();
    if refusals.is_empty() {
        return Ok(None);
    }
    Err(Error::NoneWhole { id: id.clone(), refusals: refusals.join("; ") })
}

/// Makes renames in a directory last.
fn sync(dir: &Path) -> Result<()> {
    fs::File::open(dir).and_then(|dir| dir.sync_all()).map_err(|source| disk(dir, source))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> Identity {
        Identity { tenant: "default".to_owned(), task: "t".to_owned(), partition: 0, generation: 1, epoch: 1 }
    }

    fn file(name: &str, hash: u128) -> File {
        File { name: name.to_owned(), size: 5, hash: Hash(hash) }
    }

    #[test]
    fn what_is_there_with_the_right_content_stays() {
        let manifest = Manifest::new(&id(), 7, vec![file("CURRENT", 1), file("4.sst", 2), file("5.sst", 3)]);
        let there = [file("CURRENT", 1), file("4.sst", 9), file("3.sst", 3), file("5.sst.part", 3)];
        let Plan { remove, fetch } = plan(&there, &manifest);
        assert_eq!(remove, ["4.sst", "3.sst", "5.sst.part"]);
        assert_eq!(fetch, [&file("4.sst", 2), &file("5.sst", 3)]);
        assert_eq!(plan(&manifest.files, &manifest), Plan { remove: vec![], fetch: vec![] });
    }

    #[test]
    fn a_list_shows_what_is_missing_or_cut() {
        let manifest = Manifest::new(&id(), 7, vec![file("CURRENT", 1), file("4.sst", 2), file("5.sst", 3)]);
        let object = |hash, size| (Hash(hash), Listed { name: Hash(hash).to_string(), size, modified: 0 });
        let faults = faults(&manifest, &BTreeMap::from([object(1, 5), object(3, 4)]));
        assert_eq!(
            faults,
            [
                "4.sst: its object 00000000000000000000000000000002 is missing",
                "5.sst: its object 00000000000000000000000000000003 has 4 bytes, not 5"
            ]
        );
    }

    #[test]
    fn none_whole_is_an_error_and_none_of_ours_is_none() {
        let key = |next_offset| Key { epoch: 1, next_offset };
        let other = Refusal::Other { what: "generation", found: "1".to_owned(), expected: "2".to_owned() };
        let damaged = Refusal::Damaged("x".to_owned());
        assert!(verdict(&id(), &BTreeMap::new()).unwrap().is_none());
        assert!(verdict(&id(), &BTreeMap::from([(key(1), other.clone())])).unwrap().is_none());
        let error = verdict(&id(), &BTreeMap::from([(key(1), other), (key(2), damaged)])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "checkpoint of t/0: none is whole (00000000000000000001-00000000000000000002.json: it is damaged: x); the state has to be rebuilt from the log"
        );
    }
}
