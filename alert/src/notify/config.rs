//! `notify.yaml`: who is notified of which alerts, and how. Read once, checked as a whole.
//!
//! Invariants: a loaded configuration names only receivers that exist, zones that exist and secrets that could be read;
//! every route can be reached; every mistake says line and column. It does not know what an alert is.

mod check;
mod place;
mod receiver;
mod route;

use std::{collections::BTreeMap, sync::Arc};

use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_saphyr::Spanned;

pub(super) use check::parse_span;
pub(super) use place::{Place, Source, source};
pub(super) use receiver::Receiver;
pub(super) use route::{Route, Step, Timing};

/// One mistake in the file: line, column, what is wrong and, after `; `, what would be right.
pub type Mistake = processor_core::catalog::Error;

/// A checked configuration.
#[derive(Debug)]
pub struct Config {
    /// Begins every link; empty for none.
    pub(super) external_url: String,
    /// The root of the routes.
    pub(super) route: Route,
    /// By name.
    pub(super) receivers: BTreeMap<Arc<str>, Arc<Receiver>>,
    /// By the owner of an alert.
    pub(super) owners: BTreeMap<String, Owner>,
}

/// Where the alerts of an owner go.
#[derive(Debug, Clone)]
pub(super) struct Owner {
    /// The receiver.
    pub(super) receiver: Arc<str>,
    /// In the place of the receiver's own address.
    pub(super) address: Option<String>,
}

/// The file as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    external_url: Option<Spanned<String>>,
    zone: Option<Spanned<String>>,
    route: route::Written,
    receivers: Vec<receiver::Written>,
    #[serde(default)]
    owners: BTreeMap<String, OwnerWritten>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OwnerWritten {
    receiver: Spanned<String>,
    address: Option<Spanned<String>>,
}

impl Config {
    /// Reads and checks a file's text.
    ///
    /// # Errors
    /// Every mistake that was found.
    pub fn parse(text: &str) -> Result<Config, Vec<Mistake>> {
        let document: Document = serde_saphyr::from_str(text).map_err(|error| vec![of_yaml(&error)])?;
        let mut mistakes = Vec::new();
        let zone = document.zone.as_ref().map_or(Ok(TimeZone::UTC), check::zone);
        let zone = check::keep(zone, &mut mistakes).unwrap_or(TimeZone::UTC);
        let external_url = document.external_url.as_ref().map_or(Ok(String::new()), check::external_url);
        let external_url = check::keep(external_url, &mut mistakes).unwrap_or_default();

        let mut receivers = BTreeMap::new();
        for written in &document.receivers {
            let name: Arc<str> = written.name.value.as_str().into();
            if receivers.contains_key(&name) {
                mistakes.push(Mistake::at(
                    &written.name,
                    format!("there are two receivers `{name}`; give one another name"),
                ));
            }
            // One that is wrong in itself still has a name that routes may use.
            receivers.insert(name, written.build(&zone, &mut mistakes));
        }
        let known = |name: &Spanned<String>| check::known(name, receivers.keys());
        let owners = document.owners.iter().filter_map(|(owner, written)| {
            let receiver = check::keep(known(&written.receiver), &mut mistakes)?;
            let address = written.address.as_ref();
            if let (Some(address), Some(Some(found))) = (address, receivers.get(&receiver))
                && !found.kind.takes_address()
            {
                let problem =
                    format!("only a receiver of kind email takes an `address`, `{receiver}` is none; leave it out");
                mistakes.push(Mistake::at(address, problem));
            }
            Some((owner.clone(), Owner { receiver, address: address.map(|address| address.value.clone()) }))
        });
        let owners = owners.collect();
        let route = document.route.build(None, &known, &mut mistakes);
        match route {
            Some(route) if mistakes.is_empty() => {
                let built = receivers.into_iter().filter_map(|(name, built)| Some((name, Arc::new(built?))));
                Ok(Config { external_url, route, receivers: built.collect(), owners })
            }
            _ => {
                mistakes.sort_by_key(|mistake| (mistake.line, mistake.column));
                Err(mistakes)
            }
        }
    }

    /// The names of the receivers.
    pub fn receivers(&self) -> impl Iterator<Item = &str> {
        self.receivers.keys().map(AsRef::as_ref)
    }
}

/// What the parser of YAML says, with the place in our own form.
fn of_yaml(error: &serde_saphyr::Error) -> Mistake {
    let (line, column) = error.location().map_or((0, 0), |at| (at.line(), at.column()));
    let full = error.to_string();
    let first = full.lines().next().unwrap_or_default().trim_start_matches("error: ");
    let message =
        first.split_once(": ").filter(|(place, _)| place.starts_with("line ")).map_or(first, |(_, rest)| rest);
    Mistake { line, column, message: message.replacen(", expected one of ", "; there are ", 1) }
}

#[cfg(test)]
mod tests;
