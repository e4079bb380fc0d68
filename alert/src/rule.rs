//! Rules, lowered: what they read, when they begin and end, and what they say.
//!
//! Rules of one metric are gathered into streams: the series of one kind of window and one set of dimensions. A snapshot is of
//! one stream, or of two (one of them of final windows alone), and each series of a stream has one state for all its rules.

use std::sync::Arc;

use processor_core::{calendar::Time, expr::Expr};

use crate::{
    condition::{Check, Condition},
    render::Template,
    scope::Names,
    snapshot::Snapshot,
    span,
};

/// A rule.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    /// Name, unique.
    pub(crate) name: String,
    /// Names that its expressions use.
    pub(crate) names: Names,
    /// When a value is alarming.
    pub(crate) check: Arc<dyn Check>,
    /// Only series for which this holds.
    pub(crate) filter: Option<Expr>,
    /// A firing alert ends only when this holds.
    pub(crate) recovery: Option<Condition>,
    /// The condition has to hold for this long, microseconds.
    pub(crate) hold: Time,
    /// A firing alert goes on for this long after the condition ceased to hold, microseconds.
    pub(crate) keep: Time,
    /// It does not fire again on a series for this long after its end, microseconds.
    pub(crate) cooldown: Time,
    /// It fires on a series at most so many times in 24 hours.
    pub(crate) per_day: Option<usize>,
    /// The owner to notify.
    pub(crate) owner: Option<Expr>,
    /// Labels, `severity` among them.
    pub(crate) labels: Vec<(String, Template)>,
    /// Texts for people.
    pub(crate) annotations: Vec<(String, Template)>,
}

impl Rule {
    /// The rule in words, for people.
    pub(crate) fn words(&self, metric: &str, stream: &Stream) -> String {
        let mut words = format!("{metric} ({}", stream.window);
        if stream.is_final {
            words.push_str(", final windows");
        }
        if !stream.by.is_empty() {
            words.push_str(&format!(", by {}", stream.by.join(", ")));
        }
        words.push_str(&format!(") {}", self.check.words()));
        let mut add = |text: String| words.push_str(&text);
        if self.hold > 0 {
            add(format!(", for {}", span::words(self.hold)));
        }
        if let Some(recovery) = &self.recovery {
            add(format!(", until `{}`", recovery.text));
        }
        if self.keep > 0 {
            add(format!(", and {} longer", span::words(self.keep)));
        }
        if self.cooldown > 0 {
            add(format!("; not again within {}", span::words(self.cooldown)));
        }
        if let Some(most) = self.per_day {
            add(format!("; at most {most} a day"));
        }
        words
    }
}

/// The series of one kind of window and one set of dimensions, and the rules on them.
#[derive(Debug, Clone)]
pub(crate) struct Stream {
    /// Kind of window.
    pub(crate) window: String,
    /// Whether it reads final windows alone.
    pub(crate) is_final: bool,
    /// Names of dimensions, sorted; `currency` is not named.
    pub(crate) by: Vec<String>,
    /// The rules, in the order of the files.
    pub(crate) rules: Vec<Rule>,
}

impl Stream {
    /// Whether a snapshot belongs to it.
    pub(crate) fn reads(&self, snapshot: &Snapshot) -> bool {
        let names = || snapshot.series.dimensions.iter().map(|(name, _)| name).filter(|name| *name != "currency");
        snapshot.window.kind == self.window
            && (snapshot.is_final || !self.is_final)
            && names().count() == self.by.len()
            && names().all(|name| self.by.contains(name))
    }

    /// Whether it has the series of an outlook, and a rule that reads it.
    pub(crate) fn reads_outlook(&self) -> bool {
        self.by.is_empty() && self.rules.iter().any(|rule| rule.check.reads_projection())
    }

    /// Whether both are about the same series.
    pub(crate) fn is_of_same(&self, other: &Stream) -> bool {
        (&self.window, self.is_final, &self.by) == (&other.window, other.is_final, &other.by)
    }
}

/// The rules on one metric.
#[derive(Debug, Clone, Default)]
pub struct MetricRules {
    /// The metric.
    pub metric: String,
    /// Streams that have rules.
    pub(crate) streams: Vec<Stream>,
    /// The rules as JSON, in the form of a rule file: what [`MetricRules::of_text`] reads.
    pub text: String,
}
