//! The names that expressions of a rule may use, and their values.
//!
//! | name | value |
//! |---|---|
//! | `value` | the value; money in major units |
//! | `before` | the value of the snapshot before |
//! | `num`, `den` | of a ratio |
//! | `final`, `corrected` | whether the window is final, whether it changed after it was |
//! | `reason` | why the value is null |
//! | `account`, `currency` | of the series |
//! | `traits.NAME` | a trait of the account |
//! | `dimensions.NAME` | a dimension of the series |
//! | `contributions.NAME` | what a component adds to a score, in points |

use processor_core::{
    expr::{Scope, Type, Value, Values},
    rational::Rational,
};

use crate::snapshot::{Snapshot, find};

const PLAIN: [(&str, Type); 9] = [
    ("value", Type::Number),
    ("before", Type::Number),
    ("num", Type::Number),
    ("den", Type::Number),
    ("final", Type::Flag),
    ("corrected", Type::Flag),
    ("reason", Type::Text),
    ("account", Type::Text),
    ("currency", Type::Text),
];

/// A name with a dot.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Name {
    Trait(String),
    Dimension(String),
    Contribution(String),
}

/// The dotted names that the expressions of a rule use, by slot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Names(Vec<Name>);

impl Scope for Names {
    fn resolve(&mut self, path: &[&str]) -> Result<(usize, Type), String> {
        let (name, kind) = match path {
            [name] => {
                let known = PLAIN.iter().position(|(known, _)| known == name);
                return known.map(|slot| (slot, PLAIN[slot].1)).ok_or_else(|| unknown(name));
            }
            ["traits", rest @ ..] => (Name::Trait(rest.join(".")), Type::Any),
            ["dimensions", rest @ ..] => (Name::Dimension(rest.join(".")), Type::Any),
            ["contributions", name] => (Name::Contribution((*name).to_owned()), Type::Number),
            _ => return Err(unknown(&path.join("."))),
        };
        let place = self.0.iter().position(|known| *known == name).unwrap_or_else(|| {
            self.0.push(name);
            self.0.len() - 1
        });
        Ok((PLAIN.len() + place, kind))
    }
}

fn unknown(name: &str) -> String {
    let plain = PLAIN.map(|(name, _)| name).join(", ");
    format!("there is no `{name}`; there are {plain}, traits.NAME, dimensions.NAME and contributions.NAME")
}

/// A snapshot as the values of an expression.
pub(crate) struct View<'a> {
    /// The names of the rule.
    pub(crate) names: &'a Names,
    /// The snapshot.
    pub(crate) snapshot: &'a Snapshot,
    /// Its value, or the value that is looked at in its place.
    pub(crate) value: Option<Rational>,
    /// The value of the snapshot before.
    pub(crate) before: Option<Rational>,
}

impl Values for View<'_> {
    fn get(&self, slot: usize) -> Value<'_> {
        let number = |value: Option<Rational>| value.map_or(Value::Null, Value::Number);
        let text = |text: &'_ str| Value::Text(text.to_owned().into());
        let snapshot = self.snapshot;
        match slot {
            0 => number(self.value),
            1 => number(self.before),
            2 => number(snapshot.num.map(Rational::integer)),
            3 => number(snapshot.den.map(Rational::integer)),
            4 => Value::Flag(snapshot.is_final),
            5 => Value::Flag(snapshot.corrected),
            6 => text(&snapshot.reason),
            7 => snapshot.series.account.as_deref().map_or(Value::Null, text),
            8 => text(&snapshot.currency),
            slot => match &self.names.0[slot - PLAIN.len()] {
                Name::Trait(name) => find(&snapshot.traits, name).map_or(Value::Null, |found| text(found)),
                Name::Dimension(name) => {
                    find(&snapshot.series.dimensions, name).map_or(Value::Null, |found| text(found))
                }
                Name::Contribution(name) => {
                    number(find(&snapshot.contributions, name).and_then(|tenths| Rational::new((*tenths).into(), 10)))
                }
            },
        }
    }
}
