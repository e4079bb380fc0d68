//! The mappings that are at hand: those that come with the program, and those of a folder.
//!
//! One of the folder replaces the ready one of its name.

use std::{collections::BTreeMap, path::Path};

use jiff::tz::TimeZone;

use super::Mapping;
use crate::{Error, Result, near::UnknownTypes};

/// Name and text of each mapping that comes with the program.
const READY: &[(&str, &str)] = &[
    ("segment", include_str!("../../../deploy/mappings/segment.yaml")),
    ("shopify", include_str!("../../../deploy/mappings/shopify.yaml")),
    ("stripe", include_str!("../../../deploy/mappings/stripe.yaml")),
];

/// Mappings of JSON by name.
#[derive(Debug, Default)]
pub struct Mappings(BTreeMap<String, Mapping>);

impl Mappings {
    /// Reads the ready ones, and every `NAME.yaml` of `folder` that maps JSON.
    ///
    /// # Errors
    /// When the folder or a mapping in it cannot be read.
    pub fn load(folder: Option<&Path>, zone: &TimeZone, unknown: UnknownTypes) -> Result<Self> {
        let mut all = BTreeMap::new();
        for (name, text) in READY {
            all.insert((*name).to_owned(), Mapping::parse(name, text, zone, unknown)?);
        }
        let Some(folder) = folder else { return Ok(Self(all)) };
        for entry in std::fs::read_dir(folder).map_err(|e| Error::file(folder, e))? {
            let path = entry.map_err(|e| Error::file(folder, e))?.path();
            let name = path.file_stem().and_then(|name| name.to_str()).map(str::to_owned);
            let is_mapping = path.extension().is_some_and(|extension| extension == "yaml");
            let Some(name) = name.filter(|_| is_mapping) else { continue };
            let mapping = Mapping::load(&path, zone, unknown)?;
            if mapping.is_json() {
                all.insert(name, mapping);
            }
        }
        Ok(Self(all))
    }

    /// The mapping of this name.
    pub fn get(&self, name: &str) -> Option<&Mapping> {
        self.0.get(name)
    }

    /// All names, as a list for messages.
    pub fn names(&self) -> String {
        self.0.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
    }
}

/// The text of a mapping that comes with the program.
pub fn text(name: &str) -> Option<&'static str> {
    READY.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

#[cfg(test)]
mod tests;
