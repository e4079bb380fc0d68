//! An event as the engine sees it: the wire twin is converted at the edge.
//!
//! Invariant: it borrows its text from the record that it came in, so that reading one copies nothing.

use std::borrow::Cow;

mod fields;

pub use self::fields::{Fields, Message, Value};
pub use crate::vocabulary::{NUMBERS, TYPES};

use crate::{calendar::Time, vocabulary::retracted};

/// Identity of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct EventId<'a> {
    /// Who sent it.
    pub source: &'a str,
    /// Unique within the source.
    pub id: &'a str,
}

/// Identity of the event behind a change, kept beyond its record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// Who sent it.
    pub source: Box<str>,
    /// Unique within the source.
    pub id: Box<str>,
    /// When it happened.
    pub time: Time,
}

impl From<&Event<'_>> for Cause {
    fn from(event: &Event<'_>) -> Cause {
        Cause { source: event.id.source.into(), id: event.id.id.into(), time: event.time }
    }
}

/// Whose journal an event belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SubjectKind {
    /// An account: the only kind that is counted as one, active or silent.
    #[default]
    Account,
    /// A lead, which has no account yet.
    Lead,
    /// The tenant itself: costs, exchange rates, goals.
    Tenant,
    /// The order of a guest: it counts, and nobody is a customer for it.
    Guest,
}

impl SubjectKind {
    /// Whose events of this type are.
    pub fn of(kind: &str) -> SubjectKind {
        match kind.split_once('.').map_or(kind, |(group, _)| group) {
            "lead" => SubjectKind::Lead,
            "cost" | "fx" | "goal" => SubjectKind::Tenant,
            _ => SubjectKind::Account,
        }
    }
}

/// One customer-interaction event of one subject.
#[derive(Debug, Clone, PartialEq)]
pub struct Event<'a> {
    /// When it happened.
    pub time: Time,
    /// Its identity.
    pub id: EventId<'a>,
    /// What its subject is.
    pub subject: SubjectKind,
    /// When a door accepted it.
    pub recorded_at: Time,
    /// Type, as in the vocabulary.
    pub kind: &'a str,
    /// The event that it replaces.
    pub corrects: Option<EventId<'a>>,
    /// Number of its type in the vocabulary ([`crate::vocabulary`]); 0 for an unknown type.
    pub number: u32,
    /// Its content, of every type of the vocabulary: the message of that type. Empty for an unknown type.
    pub data: Fields<'a>,
    /// `data.custom`.
    pub custom: Vec<(&'a str, Custom<'a>)>,
}

impl<'a> Event<'a> {
    /// Order of facts: (time, source, id), bytewise.
    pub fn order(&self) -> (Time, &'a str, &'a str) {
        (self.time, self.id.source, self.id.id)
    }

    /// The event that it withdraws; of its own source unless it names another.
    pub fn retracts(&self) -> Option<EventId<'_>> {
        if self.number != retracted::NUMBER {
            return None;
        }
        let (id, source) = (self.data.text(retracted::EVENT), self.data.text(retracted::OF_SOURCE));
        Some(EventId { id, source: if source.is_empty() { self.id.source } else { source } })
    }

    /// Whether it is about another event: it corrects or withdraws one.
    pub fn mends(&self) -> bool {
        self.corrects.is_some() || self.number == retracted::NUMBER
    }
}

/// The number of a type in the vocabulary; 0 for an unknown one.
pub const fn number(kind: &str) -> u32 {
    let mut place = 0;
    while place < TYPES.len() {
        if same(TYPES[place], kind) {
            return NUMBERS[place];
        }
        place += 1;
    }
    0
}

/// Whether two texts are the same, where the compiler asks.
pub(crate) const fn same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let mut place = 0;
    while place < one.len() && place < other.len() && one[place] == other[place] {
        place += 1;
    }
    place == one.len() && place == other.len()
}

/// A set of types of the vocabulary, by their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TypeSet(u64);

impl TypeSet {
    /// The types of these names; one that is not known fails the build where this is a constant.
    pub const fn of(kinds: &[&str]) -> TypeSet {
        let (mut set, mut place) = (0, 0);
        while place < kinds.len() {
            let number = number(kinds[place]);
            assert!(number > 0 && number < u64::BITS, "the type is in the vocabulary, and its number fits");
            set |= 1 << number;
            place += 1;
        }
        TypeSet(set)
    }

    /// Whether the type of an event is among them.
    pub const fn has(self, number: u32) -> bool {
        number < u64::BITS && self.0 & (1 << number) != 0
    }
}

/// Value of a custom field.
///
/// Values with the same text are one: 12, 12.0 and "12" are the dimension value `12`, true and "true" are `true`. In a
/// filter such a value is a number beside a number, a text beside a text, a flag as a condition.
#[derive(Debug, Clone, PartialEq)]
pub enum Custom<'a> {
    /// Text, or the text of what filters do not look into.
    Text(Cow<'a, str>),
    /// A whole number.
    Integer(i64),
    /// A decimal, as its shortest text.
    Decimal(String),
    /// True or false.
    Flag(bool),
}

impl Custom<'_> {
    /// The same value, kept beyond its event.
    pub fn own(&self) -> Custom<'static> {
        match self {
            Custom::Text(text) => Custom::Text(Cow::Owned(text.clone().into_owned())),
            Custom::Integer(number) => Custom::Integer(*number),
            Custom::Decimal(text) => Custom::Decimal(text.clone()),
            Custom::Flag(flag) => Custom::Flag(*flag),
        }
    }

    /// The value as a dimension has it: `12`, `1.5`, `true`, the text itself.
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Custom::Text(text) => Cow::Borrowed(text.as_ref()),
            Custom::Integer(number) => Cow::Owned(number.to_string()),
            Custom::Decimal(text) => Cow::Borrowed(if text == "-0" { "0" } else { text }),
            Custom::Flag(flag) => Cow::Borrowed(if *flag { "true" } else { "false" }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_have_one_text() {
        let decimal = |number: f64| Custom::Decimal(number.to_string());
        for (text, values) in [
            ("12", [Custom::Integer(12), decimal(12.0), Custom::Text("12".into())]),
            ("1.5", [decimal(1.5), decimal(1.50), Custom::Text("1.5".into())]),
            ("0", [Custom::Integer(0), decimal(-0.0), Custom::Text("0".into())]),
            ("true", [Custom::Flag(true), Custom::Text("true".into()), Custom::Flag(true)]),
            ("-7", [Custom::Integer(-7), decimal(-7.0), Custom::Text("-7".into())]),
        ] {
            values.iter().for_each(|value| assert_eq!(value.text(), text, "{value:?}"));
        }
    }
}
