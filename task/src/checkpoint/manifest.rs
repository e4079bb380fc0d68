//! The manifest of a checkpoint: which objects, under which names, make a state, and whose it is.
//!
//! Invariants: a manifest is written once, after its objects, and never changed; its key says epoch
//! and offset, and must agree with what it says inside; it is hostile until [`Manifest::parse`] and
//! [`Manifest::acceptable`] have accepted it. Pure: it does not know where it is stored.

use std::{collections::BTreeSet, fmt};

use serde::{Deserialize, Serialize};

use super::Identity;
use crate::state;

/// Version of the manifest.
const FORMAT: u32 = 1;

/// Content of an object, xxh3 of 128 bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Hash(pub u128);

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<Hash> for String {
    fn from(hash: Hash) -> String {
        hash.to_string()
    }
}

impl TryFrom<String> for Hash {
    type Error = String;

    fn try_from(text: String) -> Result<Hash, String> {
        Hash::parse(&text).ok_or_else(|| format!("{text:?} is no hash of 32 hexadecimal digits"))
    }
}

impl Hash {
    /// Reads what [`fmt::Display`] wrote, and nothing else.
    pub fn parse(text: &str) -> Option<Hash> {
        let hash = Hash(u128::from_str_radix(text, 16).ok()?);
        (hash.to_string() == text).then_some(hash)
    }
}

/// A file of the state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Its name in the directory.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Its content, and the name of its object.
    pub hash: Hash,
}

/// Order of the checkpoints of a partition: a later owner has the higher epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Epoch of the owner.
    pub epoch: u64,
    /// `next_offset` of the state.
    pub next_offset: u64,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:020}-{:020}.json", self.epoch, self.next_offset)
    }
}

impl Key {
    /// Reads what [`fmt::Display`] wrote, and nothing else.
    pub fn parse(text: &str) -> Option<Key> {
        let (epoch, offset) = text.strip_suffix(".json")?.split_once('-')?;
        let key = Key { epoch: epoch.parse().ok()?, next_offset: offset.parse().ok()? };
        (key.to_string() == text).then_some(key)
    }
}

/// A checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    format: u32,
    state_format: u32,
    /// Whose events.
    pub tenant: String,
    /// What folds them.
    pub task: String,
    /// Partition of the input.
    pub partition: u32,
    /// Hash of the definitions that made the state.
    #[serde(with = "hexadecimal")]
    pub generation: u64,
    /// Epoch of the owner that saved it.
    pub epoch: u64,
    /// R, read from inside the state.
    pub next_offset: u64,
    /// The state.
    pub files: Vec<File>,
}

/// Why a manifest, or what it names, is not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Made by a newer version of Vitals.
    #[error(
        "it was written by a newer version ({what} format {found}, this one reads up to {known}); use that version"
    )]
    Newer {
        /// Of what.
        what: &'static str,
        /// Format found.
        found: u32,
        /// Newest format known.
        known: u32,
    },
    /// Somebody else's.
    #[error("it is of {what} {found}, this is {expected}")]
    Other {
        /// What differs.
        what: &'static str,
        /// What the manifest says.
        found: String,
        /// What is wanted.
        expected: String,
    },
    /// Not what was saved.
    #[error("it is damaged: {0}")]
    Damaged(String),
    /// Deleted since it was listed.
    #[error("it is gone")]
    Gone,
}

impl Manifest {
    /// The manifest of a state of `id` at `next_offset`.
    pub(super) fn new(id: &Identity, next_offset: u64, mut files: Vec<File>) -> Manifest {
        files.sort_by(|a, b| a.name.cmp(&b.name));
        Manifest {
            format: FORMAT,
            state_format: state::FORMAT,
            tenant: id.tenant.clone(),
            task: id.task.clone(),
            partition: id.partition,
            generation: id.generation,
            epoch: id.epoch,
            next_offset,
            files,
        }
    }

    /// Its place among the others.
    pub fn key(&self) -> Key {
        Key { epoch: self.epoch, next_offset: self.next_offset }
    }

    /// Bytes of the state.
    pub fn size(&self) -> u64 {
        self.files.iter().map(|file| file.size).fold(0, u64::saturating_add)
    }

    /// Its bytes.
    pub(super) fn encode(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).expect("numbers and strings are always JSON")
    }

    /// Reads what lies under `key` and checks all that can be checked without its objects.
    ///
    /// # Errors
    /// `Newer`, or `Damaged`.
    pub fn parse(key: Key, bytes: &[u8]) -> Result<Manifest, Refusal> {
        let damaged = |error: serde_json::Error| Refusal::Damaged(printable(&error));
        // Its version first: the rest of a newer one may look different.
        let Version { format } = serde_json::from_slice(bytes).map_err(damaged)?;
        known("manifest", format, FORMAT)?;
        let manifest: Manifest = serde_json::from_slice(bytes).map_err(damaged)?;
        known("state", manifest.state_format, state::FORMAT)?;
        if manifest.key() != key {
            return Err(Refusal::Damaged(format!("it says that it is {} and lies under {key}", manifest.key())));
        }
        let mut names = BTreeSet::new();
        for file in &manifest.files {
            if !harmless(&file.name) {
                return Err(Refusal::Damaged(format!("{:?} is no name of a file", file.name)));
            }
            if !names.insert(file.name.as_str()) {
                return Err(Refusal::Damaged(format!("{} is named twice", file.name)));
            }
        }
        if !names.contains("CURRENT") {
            return Err(Refusal::Damaged("it names no file CURRENT".to_owned()));
        }
        Ok(manifest)
    }

    /// Whether `id` may start from it.
    ///
    /// # Errors
    /// `Other`: whose it is.
    pub fn acceptable(&self, id: &Identity) -> Result<(), Refusal> {
        self.lies_at(&id.task, id.partition)?;
        same("tenant", &self.tenant, &id.tenant)?;
        same("generation", format_args!("{:016x}", self.generation), format_args!("{:016x}", id.generation))
    }

    /// Whether it lies where it belongs.
    pub(super) fn lies_at(&self, task: &str, partition: u32) -> Result<(), Refusal> {
        same("task", &self.task, task)?;
        same("partition", self.partition, partition)
    }
}

/// What every version of a manifest has.
#[derive(Deserialize)]
struct Version {
    format: u32,
}

fn known(what: &'static str, found: u32, known: u32) -> Result<(), Refusal> {
    if found > known { Err(Refusal::Newer { what, found, known }) } else { Ok(()) }
}

fn same(what: &'static str, found: impl fmt::Display, expected: impl fmt::Display) -> Result<(), Refusal> {
    let (found, expected) = (printable(&found), printable(&expected));
    if found == expected { Ok(()) } else { Err(Refusal::Other { what, found, expected }) }
}

/// A message with a foreign text in it, which does not steer a terminal.
fn printable(text: &impl fmt::Display) -> String {
    text.to_string().replace(char::is_control, "?")
}

/// Whether a name is one component of a path, hides nothing and says nothing to a terminal.
pub(super) fn harmless(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=200).contains(&name.len()) && !name.starts_with('.') && name.bytes().all(plain)
}

/// A 64-bit hash as text: JSON readers that know only doubles would round it.
mod hexadecimal {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(value: &u64, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&format!("{value:016x}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
        let text = String::deserialize(from)?;
        u64::from_str_radix(&text, 16).map_err(|_| D::Error::custom(format!("{text:?} is no hexadecimal number")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> Identity {
        Identity {
            tenant: "default".to_owned(),
            task: "account".to_owned(),
            partition: 3,
            generation: 0xfeed,
            epoch: 2,
        }
    }

    fn manifest() -> Manifest {
        let file = |name: &str| File { name: name.to_owned(), size: 5, hash: Hash(7) };
        Manifest::new(&id(), 40, vec![file("000012.sst"), file("CURRENT")])
    }

    fn reparse(manifest: &Manifest) -> String {
        match Manifest::parse(manifest.key(), &manifest.encode()) {
            Ok(_) => "accepted".to_owned(),
            Err(refusal) => refusal.to_string(),
        }
    }

    #[test]
    fn what_was_written_is_read() {
        let written = manifest();
        let key = Key { epoch: 2, next_offset: 40 };
        assert_eq!(Manifest::parse(key, &written.encode()), Ok(written));
        assert_eq!(key.to_string(), "00000000000000000002-00000000000000000040.json");
        assert_eq!(Key::parse(&key.to_string()), Some(key));
        for name in ["2-40.json", "00000000000000000002-00000000000000000040", "x", "", "+0000000000000000002-0.json"] {
            assert_eq!(Key::parse(name), None, "{name}");
        }
    }

    #[test]
    fn hostile_names_are_refused() {
        let long = "a".repeat(201);
        for name in [
            "",
            ".",
            "..",
            "../x",
            "/etc/passwd",
            "a/b",
            "a\\b",
            "a\0",
            "a\n",
            "\u{1b}[2J",
            ".hidden",
            "a b",
            "a#1",
            "é",
            long.as_str(),
        ] {
            let mut hostile = manifest();
            hostile.files[0].name = name.to_owned();
            assert_eq!(reparse(&hostile), format!("it is damaged: {name:?} is no name of a file"));
        }
    }

    #[test]
    fn contradictions_are_refused() {
        let mut twice = manifest();
        twice.files[0].name = "CURRENT".to_owned();
        assert_eq!(reparse(&twice), "it is damaged: CURRENT is named twice");
        let mut none = manifest();
        none.files.remove(1);
        assert_eq!(reparse(&none), "it is damaged: it names no file CURRENT");
        let elsewhere = Manifest::parse(Key { epoch: 2, next_offset: 41 }, &manifest().encode()).unwrap_err();
        assert_eq!(
            elsewhere.to_string(),
            "it is damaged: it says that it is 00000000000000000002-00000000000000000040.json and lies under 00000000000000000002-00000000000000000041.json"
        );
        for bytes in [&b"{"[..], b"\xff", b"{\"format\":1}", b""] {
            let refusal = Manifest::parse(manifest().key(), bytes).unwrap_err();
            assert!(matches!(refusal, Refusal::Damaged(_)), "{refusal}");
        }
    }

    #[test]
    fn a_refusal_does_not_steer_a_terminal() {
        let mut hostile = manifest();
        hostile.tenant = "\u{1b}[2J".to_owned();
        assert_eq!(hostile.acceptable(&id()).unwrap_err().to_string(), "it is of tenant ?[2J, this is default");
        let refusal = Manifest::parse(manifest().key(), b"{\"format\":1,\"\\u001b[2J\":0}").unwrap_err().to_string();
        assert!(refusal.contains("?[2J") && !refusal.contains(char::is_control), "{refusal}");
    }

    #[test]
    fn a_newer_one_is_refused_whatever_else_it_says() {
        let refusal = Manifest::parse(manifest().key(), b"{\"format\": 2, \"new\": []}").unwrap_err().to_string();
        assert_eq!(
            refusal,
            "it was written by a newer version (manifest format 2, this one reads up to 1); use that version"
        );
        let mut newer = manifest();
        newer.state_format = 9;
        assert_eq!(
            reparse(&newer),
            "it was written by a newer version (state format 9, this one reads up to 2); use that version"
        );
    }

    #[test]
    fn anothers_is_refused_by_name() {
        let refused = |id: Identity| manifest().acceptable(&id).err().map(|refusal| refusal.to_string());
        assert_eq!(refused(id()), None);
        assert_eq!(refused(Identity { epoch: 9, ..id() }), None);
        assert_eq!(
            refused(Identity { generation: 1, ..id() }).as_deref(),
            Some("it is of generation 000000000000feed, this is 0000000000000001")
        );
        assert_eq!(refused(Identity { partition: 1, ..id() }).as_deref(), Some("it is of partition 3, this is 1"));
        assert_eq!(
            refused(Identity { tenant: "acme".to_owned(), ..id() }).as_deref(),
            Some("it is of tenant default, this is acme")
        );
    }
}
