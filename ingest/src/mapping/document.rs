//! A mapping as its file says it: the keys, with their places for messages.
//!
//! What they mean, and whether they fit together, is asked by [`super::Mapping::parse`].

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor, value::MapAccessDeserializer},
};
use serde_saphyr::Spanned;

use super::{number::Numbers, time::Time};

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    pub(super) name: Spanned<String>,
    #[serde(default)]
    pub(super) source: Option<Spanned<String>>,

    #[serde(default)]
    pub(super) format: Format,
    #[serde(default)]
    pub(super) member: Option<String>,
    #[serde(default)]
    pub(super) sheet: Option<String>,
    #[serde(default)]
    pub(super) encoding: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) skip: u16,
    #[serde(default)]
    pub(super) footer: u16,
    #[serde(default)]
    pub(super) delimiter: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) widths: Option<Vec<Spanned<u32>>>,
    #[serde(default)]
    pub(super) ragged: bool,
    #[serde(default = "yes")]
    pub(super) header: bool,
    #[serde(default)]
    pub(super) columns: Option<Vec<String>>,
    #[serde(default)]
    pub(super) numbers: Numbers,
    /// YAML reads a bare `NULL` as none.
    #[serde(default)]
    pub(super) nulls: Vec<Option<String>>,
    #[serde(default)]
    pub(super) tables: BTreeMap<String, Entries>,
    #[serde(default)]
    pub(super) records: Option<Spanned<String>>,

    #[serde(default)]
    pub(super) leave_out: Vec<LeaveOut>,
    #[serde(default)]
    pub(super) group: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) events: Vec<Event>,

    #[serde(default)]
    pub(super) r#type: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) when: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) each: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) account: Option<Spanned<Cell>>,
    #[serde(default)]
    pub(super) id: Option<Spanned<Cell>>,
    #[serde(default)]
    pub(super) time: Option<Time>,
    #[serde(default)]
    pub(super) currency: Option<Spanned<Cell>>,
    #[serde(default)]
    pub(super) constants: BTreeMap<String, serde_json::Value>,
    #[serde(default)]
    pub(super) data: BTreeMap<String, Spanned<Cell>>,
    #[serde(default)]
    pub(super) lines: Option<Lines>,
    #[serde(default)]
    pub(super) changes: Option<bool>,
}

fn yes() -> bool {
    true
}

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Format {
    /// Rows of cells.
    #[default]
    Delimited,
    /// JSON objects.
    Json,
}

/// Rows that become no event.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LeaveOut {
    pub(super) name: String,
    pub(super) when: Spanned<String>,
}

/// One event of a row.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Event {
    #[serde(default)]
    pub(super) name: Option<Spanned<String>>,
    pub(super) r#type: Spanned<String>,
    #[serde(default)]
    pub(super) when: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) each: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) account: Option<Spanned<Cell>>,
    #[serde(default)]
    pub(super) id: Option<Spanned<Cell>>,
    #[serde(default)]
    pub(super) time: Option<Time>,
    #[serde(default)]
    pub(super) currency: Option<Spanned<Cell>>,
    #[serde(default)]
    pub(super) constants: BTreeMap<String, serde_json::Value>,
    #[serde(default)]
    pub(super) data: BTreeMap<String, Spanned<Cell>>,
    #[serde(default)]
    pub(super) lines: Option<Lines>,
    #[serde(default)]
    pub(super) changes: Option<bool>,
}

/// The lines of an order: each row of its group, or each item of a list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Lines {
    #[serde(default)]
    pub(super) when: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) each: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) product: Option<Spanned<Cell>>,
    #[serde(default)]
    pub(super) quantity: Option<Spanned<Cell>>,
    pub(super) amount: Spanned<Cell>,
}

/// Where a value comes from. A text alone is the name of a column.
#[derive(Debug, Default)]
pub(super) struct Cell {
    pub(super) column: Option<String>,
    pub(super) item: Option<String>,
    /// Where the name of the column or item stands, if not where the value does.
    pub(super) place: Option<String>,
    pub(super) cel: Option<Spanned<String>>,
    pub(super) each: Option<Spanned<String>>,
    pub(super) r#as: Option<As>,
    pub(super) format: Option<Spanned<String>>,
    pub(super) table: Option<Table>,
    pub(super) default: Option<String>,
    pub(super) gather: Option<Gather>,
}

/// The same, as an object.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    column: Option<Spanned<String>>,
    #[serde(default)]
    item: Option<Spanned<String>>,
    #[serde(default)]
    cel: Option<Spanned<String>>,
    #[serde(default)]
    each: Option<Spanned<String>>,
    #[serde(default)]
    r#as: Option<As>,
    #[serde(default)]
    format: Option<Spanned<String>>,
    #[serde(default)]
    table: Option<Table>,
    #[serde(default)]
    default: Option<String>,
    #[serde(default)]
    gather: Option<Gather>,
}

/// What to put in the place of a text; one that is not listed stays. None says nothing.
pub(super) type Entries = BTreeMap<String, Option<String>>;

/// Entries, or the name of those under `tables`.
#[derive(Debug)]
pub(super) enum Table {
    Here(Entries),
    Named(String),
}

/// How the text of a cell is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum As {
    Text,
    Integer,
    Number,
    Flag,
    /// Money in major units: `11.77`.
    Major,
    /// Money in minor units: `1177`.
    Minor,
    /// An instant, or a day where the field is one.
    Time,
}

/// Which of the rows of a group, or of the items of a list, gives a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Gather {
    /// The first that has one.
    #[default]
    First,
    /// The last that has one.
    Last,
    /// All of them, added up.
    Sum,
}

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit;
        impl<'de> Visitor<'de> for Visit {
            type Value = Cell;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a column, or {column: NAME} or {cel: EXPRESSION}")
            }
            fn visit_str<E: Error>(self, name: &str) -> Result<Cell, E> {
                Ok(Cell { column: Some(name.to_owned()), ..Cell::default() })
            }
            fn visit_u64<E: Error>(self, name: u64) -> Result<Cell, E> {
                self.visit_str(&name.to_string())
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Cell, A::Error> {
                let Written { column, item, cel, each, r#as, format, table, default, gather } =
                    Written::deserialize(MapAccessDeserializer::new(map))?;
                let place = column.as_ref().or(item.as_ref()).map(super::at);
                let [column, item] = [column, item].map(|name| name.map(|name| name.value));
                Ok(Cell { column, item, place, cel, each, r#as, format, table, default, gather })
            }
        }
        deserializer.deserialize_any(Visit)
    }
}

impl<'de> Deserialize<'de> for Table {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit;
        impl<'de> Visitor<'de> for Visit {
            type Value = Table;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table such as {done: paid}, or the name of one of tables")
            }
            fn visit_str<E: Error>(self, name: &str) -> Result<Table, E> {
                Ok(Table::Named(name.to_owned()))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Table, A::Error> {
                Entries::deserialize(MapAccessDeserializer::new(map)).map(Table::Here)
            }
        }
        deserializer.deserialize_any(Visit)
    }
}
