//! Facts as data: what lifecycles emit, and the fields that filters, sums and dimensions read.
//!
//! Invariants: a fact type is known by its name, which is all that definitions and state ever see of it; numbers are the
//! process's own. The values of a fact come in the order of its fields. It does not know which events bring a fact about,
//! nor who measures it.

use std::fmt;

use crate::{
    calendar::Time,
    event::{Custom, Event},
    expr::Type,
};

/// How a catalog may write a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    /// `net`
    Short,
    /// `data.count`
    Data,
    /// `gross` or `data.gross`
    Both,
    /// Not in filters and sums: the field is a dimension only.
    Dimension,
}

/// One field of a fact.
#[derive(Debug)]
pub struct FieldType {
    /// Name, without `data.`.
    pub name: &'static str,
    /// Type of its values.
    pub kind: Type,
    /// How catalogs write it.
    pub spelling: Spelling,
    /// Whether metrics may be grouped by it.
    pub dimension: bool,
}

impl FieldType {
    /// A field that filters and sums read.
    pub const fn new(name: &'static str, kind: Type, spelling: Spelling) -> FieldType {
        FieldType { name, kind, spelling, dimension: false }
    }

    /// A text that filters read and metrics may be grouped by.
    pub const fn dimension(name: &'static str, spelling: Spelling) -> FieldType {
        FieldType { name, kind: Type::Text, spelling, dimension: true }
    }
}

/// What a measure makes of a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// It happens once: measures count and sum it.
    Happening,
    /// A change of a balance that carries over: `level` measures it.
    Level,
}

/// One type of fact.
#[derive(Debug)]
pub struct FactType {
    /// Name in catalogs.
    pub name: &'static str,
    /// Event type that is counted where this fact is, instead of by itself; empty for none.
    pub event: &'static str,
    /// What a measure makes of it.
    pub sort: Sort,
    /// Fields, those of the parts last.
    pub fields: &'static [FieldType],
    /// Number of fields that the whole fact has; the others may differ in each part, as the product of a line.
    pub whole: usize,
    /// Whether it has a currency, which keeps its sums apart.
    pub money: bool,
    /// Whether it is in the sums of its day for good: events of its own instant bring it about, and no later one takes it
    /// back, so that only a correction moves a day that is over.
    pub stays: bool,
    /// Whether an event brings it about, so that it has the type and the custom fields of one.
    pub has_event: bool,
    /// Event types that bring it about or change it.
    pub reads: &'static [&'static str],
}

impl FactType {
    /// Place of the field of this name.
    pub fn place(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.name == name)
    }

    /// Whether metrics of it may be grouped by this field.
    pub fn has_dimension(&self, name: &str) -> bool {
        self.fields.iter().any(|field| field.dimension && field.name == name)
    }
}

/// Number of a fact type among all: its place in [`crate::lifecycle::facts`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FactId(pub(super) u16);

impl FactId {
    /// Place in lists that have an entry for each fact type.
    pub fn place(self) -> usize {
        usize::from(self.0)
    }
}

impl fmt::Debug for FactId {
    /// Its name: definitions are hashes of what this prints, and must not depend on how many lifecycles there are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(super::fact(*self).name)
    }
}

/// Value of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot<'a> {
    /// The fact has no such value.
    Absent,
    /// A text; an empty one is absent.
    Text(&'a str),
    /// A whole number; of money, in minor units.
    Integer(i64),
    /// An exact decimal, as text.
    Decimal(&'a str),
    /// True or false.
    Flag(bool),
}

/// Values of the fields of one part, beginning with the first that the whole does not have.
pub type Part<'a> = [Slot<'a>; 4];

/// One dated fact.
#[derive(Debug, Clone, Copy)]
pub struct Fact<'a> {
    /// When.
    pub time: Time,
    /// Traits as of it.
    pub profile: u32,
    /// The event behind it, unless time brought it about.
    pub event: Option<&'a Event<'a>>,
    /// Custom fields of the event that opened what the fact is about; they go before those of the event.
    pub opening: &'a [(&'a str, Custom<'a>)],
    /// ISO 4217, and the number of this text; empty and 0 without money.
    pub currency: (&'a str, u32),
    /// Values of its fields, all parts together.
    pub values: &'a [Slot<'a>],
}

impl<'a> Fact<'a> {
    /// A fact without money and fields.
    pub fn new(time: Time, profile: u32, event: Option<&'a Event<'a>>) -> Fact<'a> {
        Fact { time, profile, event, opening: &[], currency: ("", 0), values: &[] }
    }
}
