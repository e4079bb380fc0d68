//! `falls` and `rises`: the value moved by an amount within a length of time.
//!
//! A fall is measured from the highest value that held at some instant of the last D, a rise from the lowest. So memory needs
//! only what can still be that: values in falling (rising) order, each with the instant until which it held. As time goes on
//! the highest one drops out of the last D, and the condition ceases to hold by itself.

use processor_core::{calendar::Time, rational::Rational};

use super::{Answer, Check, Compared, Context, POINTS_MAX, Point, amount::Amount};
use crate::{scope::Names, snapshot::decimal, span};

/// The point that holds still.
const OPEN: Time = Time::MAX;

/// A fall or a rise.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Change {
    /// Whether it is a fall.
    pub(crate) is_fall: bool,
    /// By at least this much.
    pub(crate) by: Amount,
    /// Within this time, microseconds.
    pub(crate) within: Time,
}

impl Change {
    /// Whether a later value hides an earlier one: the earlier one can never be the extreme again.
    fn hides(&self, later: f64, earlier: f64) -> bool {
        if self.is_fall { later >= earlier } else { later <= earlier }
    }
}

impl Check for Change {
    fn remember(&self, memory: &mut Vec<Point>, context: &Context<'_>, is_past: bool) {
        if is_past {
            return;
        }
        let now = context.now;
        if let Some(last) = memory.last_mut().filter(|last| last.at == OPEN) {
            last.at = now;
        }
        let begins = now.saturating_sub(self.within);
        memory.retain(|point| point.at > begins);

        let Some(value) = context.value.map(Rational::to_f64) else { return };
        while memory.last().and_then(|last| last.value).is_some_and(|earlier| self.hides(value, earlier)) {
            memory.pop();
        }
        memory.push(Point { at: OPEN, value: Some(value), flag: false });
        thin(memory);
    }

    fn check(&self, memory: &[Point], _: &Names, context: &Context<'_>) -> Answer {
        let begins = context.now.saturating_sub(self.within);
        let extreme = memory.iter().find(|point| point.at > begins);
        let (Some(value), Some(extreme)) = (context.value, extreme) else { return Answer::default() };
        let Some(from) = extreme.value.and_then(decimal) else { return Answer::default() };

        let holds = if self.is_fall { self.by.is_below(from, value) } else { self.by.is_above(from, value) };
        let side = if self.is_fall { "highest" } else { "lowest" };
        let compared = Compared {
            value: extreme.value,
            at: None,
            words: format!("the {side} of the last {}", span::words(self.within)),
            projected: None,
        };
        let next = (extreme.at != OPEN).then(|| extreme.at.saturating_add(self.within));
        Answer { holds, compared, next }
    }

    fn words(&self) -> String {
        let verb = if self.is_fall { "falls" } else { "rises" };
        format!("{verb} by {} or more within {}", self.by, span::words(self.within))
    }
}

/// Beyond the limit neighbours become one, with the more extreme value and the later end: never less than was.
fn thin(memory: &mut Vec<Point>) {
    if memory.len() <= POINTS_MAX {
        return;
    }
    let open = memory.pop();
    let pairs = memory.chunks(2).map(|pair| Point { at: pair[pair.len() - 1].at, ..pair[0].clone() });
    *memory = pairs.chain(open).collect();
}
