//! The list of imports: a record when one begins, with its first commit, and one when it ends, with its last.
//!
//! Invariant: an import that goes on after a kill has the id that it began with. A log without the topic lists none.

use std::collections::BTreeMap;

use eventlog::{Header, Log, Output, Record};
use jiff::Timestamp;
use proto::{Message, bytes::Bytes, v1::Import};
use xxhash_rust::xxh3::xxh3_64;

use super::{Options, Position, Summary};
use crate::{Error, IMPORTS, Result, amend, door::Door};

/// What the list says of the import that runs.
pub(super) struct Listed {
    import: Option<Import>,
}

impl Listed {
    /// An import that begins or goes on; `undoes` is the one that it takes back, empty for one of files.
    pub(super) fn begin(
        log: &dyn Log,
        group: &str,
        position: &Position,
        options: &Options,
        undoes: &str,
    ) -> Result<Self> {
        if !log.topics()?.iter().any(|spec| spec.name == IMPORTS) {
            return Ok(Self { import: None });
        }
        let text = |path: &std::path::PathBuf| path.display().to_string();
        let import = Import {
            id: id(group, position.now_us),
            began_us: position.now_us,
            files: options.files.iter().map(text).collect(),
            mapping: options.mapping.as_ref().map(text).unwrap_or_default(),
            replace: options.replace.is_some(),
            undoes: undoes.to_owned(),
            ..Import::default()
        };
        Ok(Self { import: Some(import) })
    }

    /// Empty where imports are not listed.
    pub(super) fn id(&self) -> &str {
        self.import.as_ref().map_or("", |import| &import.id)
    }

    /// Marks the events that a door appends as those of this import.
    pub(super) fn mark(&self, door: &mut Door) {
        if let Some(import) = &self.import {
            let value = Bytes::from(import.id.clone().into_bytes());
            door.mark(Header { name: amend::HEADER.to_owned(), value });
        }
    }

    /// Adds what is known of it to the batch of a door.
    pub(super) fn add(&mut self, summary: &Summary, appended: u64, ended: bool, door: &mut Door) {
        let Some(import) = &mut self.import else { return };
        (import.read, import.rejected) = (summary.read, summary.rejected);
        import.left_out = summary.left_out.values().sum();
        (import.appended, import.ended) = (appended, ended);
        let (key, value) = (Bytes::from(import.id.clone().into_bytes()), Bytes::from(import.encode_to_vec()));
        let record = Record { key, value: Some(value), headers: Vec::new(), timestamp_us: import.began_us };
        door.add(Output { topic: IMPORTS.into(), partition: 0, record });
    }
}

/// When it began, to the second, and what tells it apart from others of that second.
fn id(group: &str, now_us: i64) -> String {
    let began = Timestamp::from_microsecond(now_us).unwrap_or_default();
    let hash = xxh3_64(format!("{group} {now_us}").as_bytes()) & 0xff_ffff;
    format!("{}-{hash:06x}", began.strftime("%Y%m%d-%H%M%S"))
}

/// The imports that a log lists, by when they began.
///
/// # Errors
/// When the log cannot be read, or a record does not decode.
pub fn imports(log: &dyn Log) -> Result<Vec<Import>> {
    if !log.topics()?.iter().any(|spec| spec.name == IMPORTS) {
        return Ok(Vec::new());
    }
    let mut imports = BTreeMap::new();
    for stored in eventlog::past(log, IMPORTS, 0, 0)? {
        let stored = stored?;
        let value = stored.record.value.unwrap_or_default();
        let import = Import::decode(value).map_err(|source| Error::Damaged {
            topic: IMPORTS.to_owned(),
            partition: 0,
            offset: stored.offset,
            source,
        })?;
        imports.insert((import.began_us, import.id.clone()), import);
    }
    Ok(imports.into_values().collect())
}
