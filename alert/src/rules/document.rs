//! A rule file as written.

use std::collections::BTreeMap;

use processor_core::catalog::Error;
use serde::Deserialize;
use serde_saphyr::Spanned;

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    pub(super) groups: Vec<Group>,
}

/// Rules that belong together.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Group {
    /// For people.
    #[expect(dead_code, reason = "a group has a name, as in Prometheus; nothing depends on it")]
    pub(super) name: String,
    /// Labels of all its rules.
    #[serde(default)]
    pub(super) labels: BTreeMap<String, Spanned<String>>,
    pub(super) rules: Vec<Rule>,
}

/// A rule; exactly one of `expr`, `enters`, `falls`, `rises`, `silence`, `unusual`, `behind`, `baseline`, `will_be`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    pub(super) alert: Spanned<String>,
    pub(super) metric: Option<Spanned<String>>,
    pub(super) window: Option<Spanned<String>>,
    /// Only final windows are judged.
    #[serde(rename = "final", default)]
    pub(super) is_final: bool,
    pub(super) by: Option<Spanned<Vec<String>>>,
    #[serde(rename = "where")]
    pub(super) filter: Option<Spanned<String>>,

    pub(super) expr: Option<Spanned<String>>,
    pub(super) enters: Option<Spanned<Enters>>,
    pub(super) falls: Option<Move>,
    pub(super) rises: Option<Move>,
    pub(super) silence: Option<Spanned<String>>,
    pub(super) unusual: Option<Spanned<String>>,
    pub(super) behind: Option<Spanned<String>>,
    pub(super) baseline: Option<Own>,
    pub(super) will_be: Option<WillBe>,

    #[serde(rename = "for")]
    pub(super) hold: Option<Spanned<String>>,
    pub(super) keep_firing_for: Option<Spanned<String>>,
    pub(super) recovery: Option<Spanned<String>>,
    pub(super) cooldown: Option<Spanned<String>>,
    pub(super) max_per_day: Option<Spanned<u16>>,
    pub(super) severity: Option<Spanned<String>>,
    pub(super) owner: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) labels: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    pub(super) annotations: BTreeMap<String, Spanned<String>>,
}

/// A band: its name in the catalog, or bounds.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Enters {
    Named(String),
    Bounds(Bounds),
}

/// Bounds of a band, half-open.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Bounds {
    pub(super) from: Option<f64>,
    pub(super) to: Option<f64>,
}

/// A fall or a rise.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Move {
    pub(super) by: Spanned<String>,
    pub(super) within: Spanned<String>,
}

/// Against the own mean; exactly one of `below` and `above`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Own {
    pub(super) below: Option<Spanned<String>>,
    pub(super) above: Option<Spanned<String>>,
    pub(super) over: Spanned<String>,
    /// Known values of at least this length make a mean [default: half of `over`].
    pub(super) at_least: Option<Spanned<String>>,
}

/// What a projection will cross.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WillBe {
    pub(super) expr: Spanned<String>,
    pub(super) within: Spanned<String>,
}

impl Document {
    /// Reads a file.
    ///
    /// # Errors
    /// Where the text is not YAML or does not have the shape of a rule file.
    pub(super) fn parse(text: &str) -> Result<Document, Error> {
        serde_saphyr::from_str(text).map_err(|error| Error::of_yaml(&error))
    }
}
