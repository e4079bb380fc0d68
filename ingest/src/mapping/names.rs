//! The fields that a mapping names, in columns or in expressions, each with a number and the place of its first mention.
//!
//! A mapping is checked before any file is seen, so names are numbered first and found in a header later. It does not know
//! what the values are.

use std::borrow::Cow;

use expr::{Scope, Type};
use serde_json::value::RawValue;

use super::document::Format;
use crate::json::{self, Shape};

/// Number of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FieldId(usize);

/// Where a name is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Root {
    /// The row, or the JSON object.
    Row,
    /// The item of a list, in what is made of each.
    Item,
}

/// The keys that lead to a value of a JSON object; one of digits is a place in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Path(Vec<String>);

/// A list in JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct List {
    pub(super) root: Root,
    pub(super) path: Path,
}

impl List {
    /// Reads `line_items`; `item.parts` is a list of the item that is looked at.
    pub(super) fn parse(text: &str, of_item: bool) -> Self {
        match text.strip_prefix("item.").filter(|_| of_item) {
            Some(rest) => Self { root: Root::Item, path: Path::parse(rest) },
            None => Self { root: Root::Row, path: Path::parse(text) },
        }
    }
}

/// One field.
#[derive(Debug)]
pub(super) struct Name {
    pub(super) root: Root,
    /// As written: `Order ID`, `customer.id`.
    pub(super) text: String,
    path: Path,
    /// Where the mapping names it first.
    pub(super) place: String,
}

/// All fields of a mapping.
#[derive(Debug, Default)]
pub(super) struct Names(Vec<Name>);

impl FieldId {
    /// The place in tables that have one entry a name.
    pub(super) fn index(self) -> usize {
        self.0
    }
}

impl Path {
    /// Reads `data.items[0].id`.
    pub(super) fn parse(text: &str) -> Self {
        let keys = text.split(['.', '[', ']']).filter(|key| !key.is_empty());
        Self(keys.map(str::to_owned).collect())
    }

    /// The value at its end; none where a key is missing.
    pub(super) fn find<'a>(&self, from: &'a RawValue) -> Option<&'a RawValue> {
        self.0.iter().try_fold(from, |value, key| match json::shape(value) {
            Shape::Object => {
                json::object(value.get(), "").ok()?.into_iter().find(|(name, _)| name == key).map(|(_, value)| value)
            }
            Shape::List => json::list(value.get(), "").ok()?.get(key.parse::<usize>().ok()?).copied(),
            _ => None,
        })
    }
}

impl Name {
    /// Its value in an object; null and what is missing are none.
    pub(super) fn find<'a>(&self, from: &'a RawValue) -> Option<&'a RawValue> {
        self.path.find(from).filter(|value| json::shape(value) != Shape::Null)
    }
}

impl Names {
    /// The number of a field that is named by its text.
    pub(super) fn add(&mut self, root: Root, text: &str, place: String, format: Format) -> FieldId {
        let path = match format {
            Format::Json => Path::parse(text),
            Format::Delimited => Path(vec![text.to_owned()]),
        };
        self.number(root, Cow::Borrowed(text), path, place)
    }

    fn number(&mut self, root: Root, text: Cow<'_, str>, path: Path, place: String) -> FieldId {
        let known = self.0.iter().position(|name| name.root == root && name.path == path);
        FieldId(known.unwrap_or_else(|| {
            self.0.push(Name { root, text: text.into_owned(), path, place });
            self.0.len() - 1
        }))
    }

    /// The name of this number.
    pub(super) fn get(&self, id: FieldId) -> &Name {
        &self.0[id.0]
    }

    /// The field of this slot of an expression.
    pub(super) fn of_slot(slot: usize) -> FieldId {
        FieldId(slot)
    }

    /// All of them, in the order of their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Name> {
        self.0.iter()
    }
}

/// The names of one expression: `row.NAME`, `row["ANY NAME"]`, and `item.NAME` where there is one.
pub(super) struct Expression<'a> {
    pub(super) names: &'a mut Names,
    pub(super) place: String,
    pub(super) format: Format,
    /// Whether it is about an item.
    pub(super) of_item: bool,
}

impl Scope for Expression<'_> {
    fn resolve(&mut self, path: &[&str]) -> Result<(usize, Type), String> {
        let (root, keys) = match path {
            ["row", keys @ ..] if !keys.is_empty() => (Root::Row, keys),
            ["item", keys @ ..] if !keys.is_empty() && self.of_item => (Root::Item, keys),
            ["item", ..] => return Err("there is no item here: what has `each` has one".to_owned()),
            [name, ..] => {
                return Err(format!("there is no `{name}`; a field of the row is row.{name} or row[\"{name}\"]"));
            }
            [] => return Err("a name is expected".to_owned()),
        };
        if self.format == Format::Delimited && keys.len() > 1 {
            return Err(format!("a cell has no parts; a column of this name is row[\"{}\"]", keys.join(".")));
        }
        let path = Path(keys.iter().map(|key| (*key).to_owned()).collect());
        let id = self.names.number(root, Cow::Owned(keys.join(".")), path, self.place.clone());
        Ok((id.0, Type::Any))
    }
}
