//! Conditions: when a value is alarming. One file a kind.
//!
//! Invariants: a condition is a pure function of the snapshots of one series and of `now`; where its answer may change without
//! a new snapshot it names the earliest such instant. Null is never alarming, unless an expression asks for it. It does not
//! know what follows from an answer: the state machine does.

use processor_core::{calendar::Time, expr::Expr, rational::Rational};

use crate::{
    scope::{Names, View},
    snapshot::Snapshot,
};

pub(crate) mod amount;
pub(crate) mod baseline;
pub(crate) mod change;
pub(crate) mod entry;
pub(crate) mod level;
pub(crate) mod unusual;
pub(crate) mod will_be;

/// Points that a condition keeps of a series, at most; beyond it, neighbours become one.
pub(crate) const POINTS_MAX: usize = 1_000;

/// A value that a condition remembers of its series. What `at` and `flag` mean is up to the condition.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Point {
    /// An instant.
    pub(crate) at: Time,
    /// A value in the unit of rules; `None` is null.
    pub(crate) value: Option<f64>,
    /// A mark.
    pub(crate) flag: bool,
}

/// What a condition looks at.
pub(crate) struct Context<'a> {
    /// The latest snapshot of the series.
    pub(crate) snapshot: &'a Snapshot,
    /// Its value, as rules compare it.
    pub(crate) value: Option<Rational>,
    /// The value of the snapshot before, and its instant; none for the first one.
    pub(crate) before: Option<(Option<Rational>, Time)>,
    /// What time it is: the revision of a snapshot that has just come, else the due time.
    pub(crate) now: Time,
    /// Whether the alert is pending or firing.
    pub(crate) is_active: bool,
}

impl Context<'_> {
    /// What an expression of the rule sees.
    pub(crate) fn view<'a>(&'a self, names: &'a Names) -> View<'a> {
        let before = self.before.and_then(|(value, _)| value);
        View { names, snapshot: self.snapshot, value: self.value, before }
    }

    /// What it would see if this were the value.
    pub(crate) fn view_of<'a>(&'a self, names: &'a Names, value: Option<Rational>) -> View<'a> {
        View { value, before: self.value, ..self.view(names) }
    }
}

/// What a condition compared the value with.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Compared {
    /// The other value, in the unit of rules.
    pub(crate) value: Option<f64>,
    /// Its instant, where it is of a single one.
    pub(crate) at: Option<Time>,
    /// In words: `the value before`, `the highest of the last 14 days`.
    pub(crate) words: String,
    /// Of a projection: the place of the point that is alarming.
    pub(crate) projected: Option<usize>,
}

/// The answer of a condition.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Answer {
    /// Whether the value is alarming.
    pub(crate) holds: bool,
    /// What it was compared with.
    pub(crate) compared: Compared,
    /// The earliest later instant at which the answer may be another one without a new snapshot.
    pub(crate) next: Option<Time>,
}

impl Answer {
    /// An answer that only a new snapshot changes, with the value before as what was compared.
    pub(crate) fn plain(holds: bool, context: &Context<'_>) -> Answer {
        let before = context.before;
        let compared = Compared {
            value: before.and_then(|(value, _)| value).map(Rational::to_f64),
            at: before.map(|(_, at)| at),
            words: "the value before".to_owned(),
            projected: None,
        };
        Answer { holds, compared, next: None }
    }
}

/// A kind of condition.
pub(crate) trait Check: std::fmt::Debug + Send + Sync {
    /// Takes note of a snapshot. `is_past` says that it corrects a window before the latest one.
    fn remember(&self, _memory: &mut Vec<Point>, _context: &Context<'_>, _is_past: bool) {}

    /// Whether the latest value is alarming.
    fn check(&self, memory: &[Point], names: &Names, context: &Context<'_>) -> Answer;

    /// Whether it reads the projection, which may become another one while the value stays.
    fn reads_projection(&self) -> bool {
        false
    }

    /// The condition in words, for people: `falls by 15 or more within 14 days`.
    fn words(&self) -> String;
}

/// An expression and its text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Condition {
    /// Lowered.
    pub(crate) expr: Expr,
    /// As written.
    pub(crate) text: String,
}
