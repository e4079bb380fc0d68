//! Goals: what `goal.set` says, handed to the rollup as it is.
//!
//! A goal is about the value of a metric of the whole tenant, which no partition knows: [`crate::rollup`] works out how far
//! it is. Here each setting of a goal is a fact with all its terms as dimensions, so that a setting that is corrected or
//! withdrawn is taken back like any other fact. Which setting of a goal is in force, the rollup decides by their order.
//!
//! Its subject is the tenant. Settings know nothing of each other here, so there is no state.

use std::borrow::Cow;

use super::{Fact, FactId, FactType, FieldType, Lifecycle, Out, Slot, Sort, Spelling};
use crate::{
    account::{Decoder, Writer},
    event::Event,
    expr::Type,
    vocabulary::goal_set as field,
};

/// A goal is set, set again or, without a target, ended.
pub const GOAL: FactType = FactType {
    name: "goal",
    event: "",
    sort: Sort::Happening,
    fields: &[
        FieldType::dimension("goal", Spelling::Both),
        term("set"),
        term("set_by"),
        term("set_as"),
        term("metric"),
        term("dimensions"),
        term("window"),
        term("target"),
        term("direction"),
        term("due"),
        term("currency"),
    ],
    whole: 11,
    money: false,
    stays: false,
    has_event: true,
    reads: Goals::READS,
};
/// What only the rollup reads.
const fn term(name: &'static str) -> FieldType {
    FieldType { name, kind: Type::Text, spelling: Spelling::Dimension, dimension: false }
}

const ID: FactId = super::id(&GOAL);

/// Goals of the tenant.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Goals;

impl Lifecycle for Goals {
    const TAG: u8 = b'g';
    const READS: &'static [&'static str] = &[field::TYPE];
    const FACTS: &'static [&'static FactType] = &[&GOAL];

    fn about<'e>(_: &'e Event<'_>) -> Cow<'e, str> {
        Cow::Borrowed("")
    }

    fn has(&self, _: &str) -> bool {
        true
    }

    fn apply(&mut self, event: &Event<'_>, out: &mut Out<'_, '_>) {
        let (set, dimensions) = (event.time.to_string(), dimensions(event));
        let text = |number| Slot::Text(event.data.text(number));
        let values = [
            text(field::GOAL),
            Slot::Text(&set),
            Slot::Text(event.id.source),
            Slot::Text(event.id.id),
            text(field::METRIC),
            Slot::Text(&dimensions),
            text(field::WINDOW),
            text(field::TARGET),
            text(field::DIRECTION),
            text(field::DUE),
            text(field::CURRENCY),
        ];
        let fact = Fact { values: &values, ..Fact::new(event.time, out.profile(), Some(event)) };
        out.add(ID, &fact, 1);
    }

    fn encode(&self, _: &mut Writer<'_>) {}

    fn decode(_: &mut Decoder<'_, '_>) -> Option<Goals> {
        Some(Goals)
    }
}

/// The values of dimensions that a goal names, by name: each name and value after its length in bytes.
fn dimensions(event: &Event<'_>) -> String {
    use field::dimensions::{NAME, VALUE};
    let mut values: Vec<_> = event.data.messages(field::DIMENSIONS).collect();
    values.sort_by(|a, b| a.text(NAME).cmp(b.text(NAME)));
    let texts = values.iter().flat_map(|value| [value.text(NAME), value.text(VALUE)]);
    texts.map(|text| format!("{}:{text}", text.len())).collect()
}

/// Names and values, as [`GOAL`] has them in `dimensions`; `None` for another text.
pub fn parse_dimensions(text: &str) -> Option<Vec<(&str, &str)>> {
    let (mut rest, mut found) = (text, Vec::new());
    let mut next = || -> Option<Option<&str>> {
        if rest.is_empty() {
            return Some(None);
        }
        let (length, after) = rest.split_once(':')?;
        let (taken, left) = after.split_at_checked(length.parse().ok()?)?;
        rest = left;
        Some(Some(taken))
    };
    while let Some(name) = next()? {
        found.push((name, next()??));
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifecycle::golden::{event, sums};

    #[test]
    fn each_setting_of_a_goal_is_a_fact_of_its_own() {
        let set = |day, target| {
            event(day, 9, "goal.set", &[(field::GOAL, "g"), (field::METRIC, "nps"), (field::TARGET, target)])
        };
        let events = vec![set(3, "50"), set(4, "60.5"), set(4, "")];
        let days = ["settings 3 g: 1", "settings 4 g: 2"];
        assert_eq!(sums(&[("settings", "{count: goal}")], "[goal]", events, 10), days);
    }

    #[test]
    fn dimensions_are_read_as_they_are_written() {
        assert_eq!(parse_dimensions(""), Some(vec![]));
        assert_eq!(parse_dimensions("4:plan3:pro6:region0:"), Some(vec![("plan", "pro"), ("region", "")]));
        for damaged in ["4:plan", "4:plan9:pro", "plan", "x:plan3:pro"] {
            assert_eq!(parse_dimensions(damaged), None, "{damaged}");
        }
    }
}
