//! What may be deleted from the store.
//!
//! Invariants: no object is deleted that a kept manifest names; nothing is deleted that was written
//! within the grace period, because an upload or a restore may rest on it; manifests go before the
//! objects that only they name, so that no manifest ever lies there without its objects.
//! The age of things is told by the store's own clock: against the newest thing that it holds.
//!
//! 2026-11: one race is left. An owner that was replaced and does not know it yet may delete an old
//! object that nobody names, just while the new owner writes the same content again. The new owner's
//! next save sees that it is missing and uploads it; until then a restore takes the checkpoint before.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use eventlog::failpoint;
use futures_util::{StreamExt as _, TryStreamExt as _};

use super::{
    Identity, Manifest, PARALLEL, Place, Refusal, Retention,
    error::{Error, Result},
    manifest::{Hash, Key},
    store::{Listed, Store},
};

/// All that the decision rests on.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    /// When each manifest was written, and what it names; `None` if it cannot be used.
    pub(super) manifests: BTreeMap<Key, (i64, Option<BTreeSet<Hash>>)>,
    /// When each object was written.
    pub(super) objects: BTreeMap<Hash, i64>,
}

/// What to delete, in this order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Garbage {
    /// Manifests.
    pub manifests: Vec<Key>,
    /// Objects.
    pub objects: Vec<Hash>,
}

/// The decision.
pub(super) fn decide(facts: &Facts, retention: &Retention) -> Garbage {
    let written = facts.manifests.values().map(|(at, _)| at).chain(facts.objects.values());
    let now = written.copied().max().unwrap_or(0);
    let old = |at: i64| now.saturating_sub(at) > micros(retention.grace);
    let usable = facts.manifests.iter().rev().filter(|(_, (_, named))| named.is_some());
    let newest: BTreeSet<Key> = usable.map(|(key, _)| *key).take(retention.keep).collect();
    let (doomed, kept): (Vec<_>, Vec<_>) =
        facts.manifests.iter().partition(|(key, (at, _))| old(*at) && !newest.contains(key));
    let named: BTreeSet<&Hash> = kept.iter().filter_map(|(_, (_, named))| named.as_ref()).flatten().collect();
    Garbage {
        manifests: doomed.into_iter().map(|(key, _)| *key).collect(),
        objects: facts
            .objects
            .iter()
            .filter(|(hash, at)| old(**at) && !named.contains(hash))
            .map(|(hash, _)| *hash)
            .collect(),
    }
}

/// A time that is added to a date in microseconds.
pub(super) fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

/// Looks, decides, deletes.
pub(super) async fn collect(store: &Store, id: &Identity, retention: &Retention) -> Result<Garbage> {
    let place = Place::of(id)?;
    let garbage = decide(&facts(store, id, &place).await?, retention);
    for key in &garbage.manifests {
        store.delete(&place.manifest(*key)).await?;
    }
    failpoint::pass(failpoint::IN_COLLECTION);
    let delete = |hash: &Hash| {
        let key = place.object(*hash);
        async move { store.delete(&key).await }
    };
    futures_util::stream::iter(garbage.objects.iter().map(delete))
        .buffer_unordered(PARALLEL)
        .try_collect::<Vec<()>>()
        .await?;
    Ok(garbage)
}

/// Objects are listed before manifests: what a later manifest names is then in neither list, or young.
async fn facts(store: &Store, id: &Identity, place: &Place) -> Result<Facts> {
    let object = |listed: Listed| Some((Hash::parse(&listed.name)?, listed.modified));
    let objects = store.list(&place.objects()).await?.into_iter().filter_map(object).collect();
    let mut manifests = BTreeMap::new();
    for (key, modified) in place.manifests(store).await? {
        if key.epoch > id.epoch {
            return Err(Error::Fenced { id: id.clone(), found: key.epoch });
        }
        let Some(bytes) = store.get(&place.manifest(key)).await? else { continue };
        let named = match Manifest::parse(key, &bytes) {
            Ok(manifest) => Some(manifest.files.iter().map(|file| file.hash).collect()),
            // It may name anything.
            Err(refusal @ Refusal::Newer { .. }) => {
                return Err(Error::Newer { id: id.clone(), key, refusal: Box::new(refusal) });
            }
            Err(_) => None,
        };
        manifests.insert(key, (modified, named));
    }
    Ok(Facts { manifests, objects })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(offset: u64) -> Key {
        Key { epoch: 1, next_offset: offset }
    }

    fn named(hashes: &[u128]) -> Option<BTreeSet<Hash>> {
        Some(hashes.iter().copied().map(Hash).collect())
    }

    fn retention(keep: usize, seconds: u64) -> Retention {
        Retention { keep, grace: Duration::from_secs(seconds) }
    }

    #[test]
    fn what_nobody_names_goes_once_it_is_old() {
        let second = 1_000_000;
        let facts = Facts {
            manifests: BTreeMap::from([
                (key(10), (0, named(&[1, 2]))),
                (key(20), (10 * second, named(&[2, 3]))),
                (key(30), (20 * second, None)),
                (key(40), (30 * second, named(&[3, 4]))),
            ]),
            // 5: of an upload that failed long ago; 6: of one under way.
            objects: BTreeMap::from([
                (Hash(1), 0),
                (Hash(2), 0),
                (Hash(3), 10 * second),
                (Hash(4), 30 * second),
                (Hash(5), 0),
                (Hash(6), 31 * second),
            ]),
        };
        let doomed = decide(&facts, &retention(2, 5));
        // The damaged one does not count as one of the two that are kept.
        assert_eq!(doomed, Garbage { manifests: vec![key(10), key(30)], objects: vec![Hash(1), Hash(5)] });
        assert_eq!(decide(&facts, &retention(2, 60)), Garbage::default());
        assert_eq!(decide(&Facts::default(), &retention(0, 0)), Garbage::default());
    }

    prop_compose! {
        fn any_facts()(
            manifests in prop::collection::btree_map(
                (0..4_u64, 0..20_u64),
                (-50..1_000_i64, prop::option::weighted(0.8, prop::collection::btree_set(0..30_u128, 0..6))),
                0..8,
            ),
            objects in prop::collection::btree_map(0..30_u128, -50..1_000_i64, 0..30),
        ) -> Facts {
            let key = |(epoch, next_offset)| Key { epoch, next_offset };
            let hashes = |named: BTreeSet<u128>| named.into_iter().map(Hash).collect();
            Facts {
                manifests: manifests.into_iter().map(|(k, (at, named))| (key(k), (at, named.map(hashes)))).collect(),
                objects: objects.into_iter().map(|(hash, at)| (Hash(hash), at)).collect(),
            }
        }
    }

    proptest! {
        #[test]
        fn nothing_that_may_be_needed_is_deleted(facts in any_facts(), keep in 0..4_usize, grace in 0..600_u64) {
            let garbage = decide(&facts, &Retention { keep, grace: Duration::from_micros(grace) });
            let gone: BTreeSet<Key> = garbage.manifests.iter().copied().collect();
            let kept: Vec<_> = facts.manifests.iter().filter(|(key, _)| !gone.contains(key)).collect();
            for (_, (_, named)) in &kept {
                for hash in named.iter().flatten() {
                    prop_assert!(!garbage.objects.contains(hash), "{hash} is named by a kept manifest");
                }
            }
            let usable: Vec<_> = facts.manifests.iter().rev().filter(|(_, (_, named))| named.is_some()).collect();
            for (key, _) in usable.iter().take(keep) {
                prop_assert!(!gone.contains(key), "{key} is one of the newest {keep}");
            }
            let dates = facts.manifests.values().map(|(at, _)| *at).chain(facts.objects.values().copied());
            let now = dates.max().unwrap_or(0);
            let young = |at: i64| now - at <= i64::try_from(grace).unwrap();
            prop_assert!(garbage.manifests.iter().all(|key| !young(facts.manifests[key].0)));
            prop_assert!(garbage.objects.iter().all(|hash| !young(facts.objects[hash])));
            // What was decided once is decided for good, and nothing is left to delete then.
            let mut after = facts.clone();
            after.manifests.retain(|key, _| !gone.contains(key));
            after.objects.retain(|hash, _| !garbage.objects.contains(hash));
            let again = decide(&after, &Retention { keep, grace: Duration::from_micros(grace) });
            prop_assert_eq!(again, Garbage::default());
        }
    }
}
