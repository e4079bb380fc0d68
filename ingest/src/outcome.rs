//! How an event ends, as far as a door knows it when it answers.
//!
//! ```text
//!     event -> rejected | left out (by a mapping) | quarantined (dated ahead) | not measured (no metric reads its type) | accepted
//! ```
//! Whether one that is accepted is counted, a duplicate, in conflict with an earlier one, or waiting is found later, by
//! the engine. Invariant: the counts of a batch add up to its events.

use std::{fmt, sync::Arc};

use proto::v1::Event;
use serde::Serialize;

use crate::near;

/// Which types a metric reads.
#[derive(Clone)]
pub struct Measured(Arc<dyn Fn(&str) -> bool + Send + Sync>);

impl Measured {
    /// Asks `reads` whether a type is read.
    pub fn new(reads: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(reads))
    }

    /// Every type is read.
    pub fn all() -> Self {
        Self::new(|_| true)
    }

    /// Whether a metric reads events of this type.
    pub fn reads(&self, kind: &str) -> bool {
        (self.0)(kind)
    }

    /// Whether a metric reads this event.
    pub fn event(&self, event: &Event) -> bool {
        self.reads(&event.r#type)
    }
}

impl fmt::Debug for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Measured")
    }
}

/// How one event ends, as far as the door knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Outcome {
    /// In the log, to be counted; sent twice it counts once.
    #[serde(rename = "accepted")]
    Accepted,
    /// In the log, but dated too far ahead to be applied.
    #[serde(rename = "quarantined")]
    Quarantined,
    /// In the log; no metric reads its type.
    #[serde(rename = "not measured")]
    NotMeasured,
    /// Left out by the mapping of its door.
    #[serde(rename = "left out")]
    LeftOut,
    /// Refused.
    #[serde(rename = "rejected")]
    Rejected,
}

/// Events of a batch by outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// See [`Outcome::Accepted`].
    pub accepted: usize,
    /// See [`Outcome::Quarantined`].
    pub quarantined: usize,
    /// See [`Outcome::NotMeasured`].
    pub not_measured: usize,
    /// See [`Outcome::LeftOut`].
    #[serde(skip_serializing_if = "is_zero")]
    pub left_out: usize,
    /// See [`Outcome::Rejected`].
    pub rejected: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl Counts {
    /// Counts one.
    pub fn add(&mut self, outcome: Outcome) {
        *match outcome {
            Outcome::Accepted => &mut self.accepted,
            Outcome::Quarantined => &mut self.quarantined,
            Outcome::NotMeasured => &mut self.not_measured,
            Outcome::LeftOut => &mut self.left_out,
            Outcome::Rejected => &mut self.rejected,
        } += 1;
    }
}

/// What is needed to say how an event that went into the log ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    time_us: i64,
    /// The type, where no metric reads it.
    unread: Option<String>,
}

impl Kept {
    /// Of an event that is about to be appended.
    pub fn new(event: &Event, measured: &Measured) -> Self {
        let unread = (!measured.event(event)).then(|| event.r#type.clone());
        Self { time_us: event.time_us, unread }
    }

    /// How it ends, recorded at this time, and what to say about it.
    pub fn outcome(&self, recorded_us: i64, max_ahead_us: i64) -> (Outcome, Option<String>) {
        let ahead_us = self.time_us.saturating_sub(recorded_us);
        if ahead_us > max_ahead_us {
            let reason = format!(
                "dated {} after it was recorded, more than {} (max_ahead): check the clock, and send it again with the \
                 right time; `vitals quarantine` lists it",
                span(ahead_us),
                span(max_ahead_us)
            );
            return (Outcome::Quarantined, Some(reason));
        }
        match &self.unread {
            Some(kind) => (Outcome::NotMeasured, Some(unread(kind))),
            None => (Outcome::Accepted, None),
        }
    }
}

/// Why events of a type are not measured.
pub fn unread(kind: &str) -> String {
    match near::near(kind) {
        Some(near) => format!("no metric reads the type {kind}; near {near}"),
        None => format!("no metric reads the type {kind}"),
    }
}

/// A span of time as people say it: its two greatest units, from days to seconds.
pub fn span(us: i64) -> String {
    let units = [("d", 86_400_000_000), ("h", 3_600_000_000), ("m", 60_000_000), ("s", 1_000_000), ("ms", 1_000_i64)];
    let Some(first) = units.iter().position(|(_, size)| us >= *size) else { return format!("{us}us") };
    let (unit, size) = units[first];
    let mut out = format!("{}{unit}", us / size);
    // Milliseconds of a day are of no use.
    if let Some((unit, size)) = units.get(first + 1).filter(|(unit, _)| *unit != "ms") {
        let rest = us % units[first].1 / size;
        if rest > 0 {
            out.push_str(&format!(" {rest}{unit}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dated_ahead_is_quarantined_whatever_its_type() {
        let measured = Measured::new(|kind| kind == "a.b");
        let event = |kind: &str, time_us| Event { r#type: kind.to_owned(), time_us, ..Event::default() };
        let outcome = |kind, time_us| Kept::new(&event(kind, time_us), &measured).outcome(1_000, 300).0;
        assert_eq!(outcome("a.b", 1_300), Outcome::Accepted);
        assert_eq!(outcome("a.b", 1_301), Outcome::Quarantined);
        assert_eq!(outcome("my.own", 1_300), Outcome::NotMeasured);
        assert_eq!(outcome("my.own", 1_301), Outcome::Quarantined);
    }

    #[test]
    fn spans_are_said_in_two_units() {
        for (us, said) in [
            (300_000_000, "5m"),
            (90_061_000_000, "1d 1h"),
            (3_599_999_999, "59m 59s"),
            (1_500_000, "1s"),
            (1_500, "1ms"),
            (7, "7us"),
        ] {
            assert_eq!(span(us), said);
        }
    }
}
