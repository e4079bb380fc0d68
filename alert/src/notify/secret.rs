//! Text that must never be shown: keys, passwords, addresses that are keys themselves.
//!
//! Invariant: neither `Debug` nor an error shows it; [`redact`] removes it from what a receiver answered.

use std::{fmt, path::Path};

/// Text that is never shown.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Secret(String);

impl Secret {
    /// Hides the text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the request that needs it.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }

    /// Reads a file; the line feed at its end does not count.
    pub(super) fn of_file(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Self::of_text(text.trim_end_matches(['\r', '\n'])).ok_or_else(|| format!("{} is empty", path.display()))
    }

    /// Reads a variable of the environment.
    pub(super) fn of_env(name: &str) -> Result<Self, String> {
        let text = std::env::var(name).map_err(|_| format!("the environment has no {name}"))?;
        Self::of_text(&text).ok_or_else(|| format!("{name} is empty in the environment"))
    }

    fn of_text(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self(text.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The text without these secrets.
pub(super) fn redact(text: &str, secrets: &[Secret]) -> String {
    secrets.iter().fold(text.to_owned(), |text, secret| text.replace(&secret.0, "***"))
}
