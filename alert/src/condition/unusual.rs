//! `unusual`: the value is outside its usual range (the mean and the moves of the windows before it).
//!
//! What the usual range is, `processor_core::usual` knows. Memory holds the windows of the series: `at` is the end, `flag` says
//! that it is final. Windows without a row count as the metric fills them in: as 0 where it adds up, else not at all.

use processor_core::{
    calendar::{Calendar, Kind},
    catalog::Direction,
    rational::Rational,
    usual::{Seen, Usual, VALUES_MIN, Verdict, WINDOWS},
};

use super::{Answer, Check, Compared, Context, Point};
use crate::scope::Names;

/// Which side of the range is alarming.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// The bad one.
    Worse,
    /// The good one.
    Better,
    /// Both.
    Any,
}

/// Outside the usual range.
#[derive(Debug, Clone)]
pub(crate) struct Unusual {
    /// The alarming side.
    pub(crate) side: Side,
    /// The good direction of the metric.
    pub(crate) direction: Option<Direction>,
    /// The window.
    pub(crate) kind: Kind,
    /// Whether a window without a row counts as 0.
    pub(crate) fills: bool,
    /// The tenant's calendar.
    pub(crate) calendar: Calendar,
}

impl Unusual {
    /// Windows that can be part of a range.
    fn windows(&self) -> usize {
        match self.kind {
            Kind::Trailing(days) => (WINDOWS + 1) * usize::from(days) + 1,
            _ => WINDOWS + 2,
        }
    }

    /// Windows between the last one and this one, in which nothing happened.
    fn fill(&self, memory: &mut Vec<Point>, context: &Context<'_>) {
        let (Some(last), Some(start)) = (memory.last().map(|last| last.at), context.snapshot.window.start) else {
            return;
        };
        if !self.fills || matches!(self.kind, Kind::Trailing(_)) {
            return;
        }
        let mut calendar = self.calendar.clone();
        let mut window = calendar.window(self.kind, last);
        let first = memory.len();
        while window.start < start && memory.len() - first <= self.windows() {
            memory.push(Point { at: window.end, value: Some(0.0), flag: true });
            window = calendar.next(&window);
        }
    }
}

impl Check for Unusual {
    fn remember(&self, memory: &mut Vec<Point>, context: &Context<'_>, is_past: bool) {
        let Some(end) = context.snapshot.window.end else { return };
        let point = Point { at: end, value: context.value.map(Rational::to_f64), flag: context.snapshot.is_final };
        match memory.binary_search_by_key(&end, |known| known.at) {
            Ok(place) => memory[place] = point,
            Err(_) if is_past => {}
            Err(_) => {
                self.fill(memory, context);
                memory.push(point);
            }
        }
        let over = memory.len().saturating_sub(self.windows());
        memory.drain(..over);
    }

    fn check(&self, memory: &[Point], _: &Names, context: &Context<'_>) -> Answer {
        let (Some(value), Some(end)) = (context.value, context.snapshot.window.end) else { return Answer::default() };
        let seen: Vec<Seen> =
            memory.iter().map(|point| Seen { end: point.at, value: point.value, is_final: point.flag }).collect();
        let Some(usual) = Usual::before(self.kind, end, &seen, &mut self.calendar.clone()) else {
            return Answer::default();
        };

        let verdict = usual.verdict(value.to_f64(), self.direction);
        let holds = match self.side {
            Side::Worse => verdict == Verdict::Worse,
            Side::Better => verdict == Verdict::Better,
            Side::Any => verdict != Verdict::Usual,
        };
        let words = format!("the mean of the windows before; usual is {:.2} to {:.2}", usual.low(), usual.high());
        Answer {
            holds,
            compared: Compared { value: Some(usual.centre()), at: None, words, projected: None },
            next: None,
        }
    }

    fn words(&self) -> String {
        let side = match self.side {
            Side::Worse => "worse than usual",
            Side::Better => "better than usual",
            Side::Any => "outside its usual range",
        };
        format!("is {side}, by at least {VALUES_MIN} windows before it")
    }
}
