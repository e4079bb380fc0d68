//! What a mapping looks at: a row, the rows of a group, or a JSON object with an item of one of its lists.
//!
//! Invariants: a text is trimmed, and empty where it says nothing; of a group, a field is that of the first row that has
//! one. It does not know what a field is for.

use std::{borrow::Cow, cell::RefCell};

use expr::{Value, Values, rational::Rational};
use jiff::tz::TimeZone;
use serde_json::value::RawValue;

use super::{
    Mapping,
    document::Format,
    names::{FieldId, List, Names, Root},
};
use crate::{
    Rejection,
    json::{self, Shape},
    records::Row,
};

/// What is mapped.
#[derive(Debug, Clone, Copy)]
pub(super) enum Record<'r> {
    /// One row, or those of a group in the order of the file.
    Rows { rows: &'r [Row], places: &'r [usize] },
    /// An object, and the item that is looked at.
    Object { object: &'r RawValue, item: Option<&'r RawValue> },
}

/// A record, read as the mapping says.
#[derive(Debug)]
pub(super) struct View<'r> {
    mapping: &'r Mapping,
    pub(super) record: Record<'r>,
    /// The first text that an expression could not read as a number.
    no_number: RefCell<Option<String>>,
}

impl<'r> View<'r> {
    pub(super) fn new(mapping: &'r Mapping, record: Record<'r>) -> Self {
        Self { mapping, record, no_number: RefCell::default() }
    }

    /// The text of a field; empty where it says nothing.
    pub(super) fn text(&self, field: FieldId) -> Cow<'r, str> {
        match self.record {
            Record::Rows { rows, places } => {
                let place = places[field.index()];
                let texts = rows.iter().map(|row| self.saying(row.cell(place)));
                Cow::Borrowed(texts.into_iter().find(|text| !text.is_empty()).unwrap_or_default())
            }
            Record::Object { .. } => match self.raw(field) {
                Some(raw) if json::shape(raw) == Shape::String => match json::string(raw, "") {
                    Ok(Cow::Borrowed(text)) => Cow::Borrowed(self.saying(text)),
                    Ok(Cow::Owned(text)) => Cow::Owned(self.saying(&text).to_owned()),
                    Err(_) => Cow::Borrowed(""),
                },
                Some(raw) => Cow::Borrowed(raw.get()),
                None => Cow::Borrowed(""),
            },
        }
    }

    /// A text without blanks around it; empty where it is one of `nulls`.
    fn saying<'t>(&self, text: &'t str) -> &'t str {
        let text = text.trim();
        let is_it = |null: &Option<String>| match null {
            Some(word) => word == text,
            None => text.eq_ignore_ascii_case("null") || text == "~",
        };
        if self.mapping.nulls.iter().any(is_it) { "" } else { text }
    }

    /// The JSON of a field of an object.
    pub(super) fn raw(&self, field: FieldId) -> Option<&'r RawValue> {
        let name = self.mapping.names.get(field);
        match self.record {
            Record::Object { object, item } => match name.root {
                Root::Row => name.find(object),
                Root::Item => name.find(item?),
            },
            Record::Rows { .. } => None,
        }
    }

    /// Each row of a group alone; the record itself where there is no group.
    pub(super) fn each_row(&self) -> Vec<View<'r>> {
        match self.record {
            Record::Rows { rows, places } => {
                let one = |row| Record::Rows { rows: std::slice::from_ref(row), places };
                rows.iter().map(|row| Self::new(self.mapping, one(row))).collect()
            }
            Record::Object { .. } => vec![Self::new(self.mapping, self.record)],
        }
    }

    /// The same record with each item of a list; none where there is no list.
    pub(super) fn each_item(&self, list: &List) -> Result<Vec<View<'r>>, Rejection> {
        let Record::Object { object, item } = self.record else { return Ok(Vec::new()) };
        let from = if list.root == Root::Item { item.unwrap_or(object) } else { object };
        let found = list.path.find(from).filter(|found| json::shape(found) == Shape::List);
        let items = found.map(|found| json::list(found.get(), "")).transpose()?.unwrap_or_default();
        Ok(items.into_iter().map(|item| Self::new(self.mapping, Record::Object { object, item: Some(item) })).collect())
    }

    /// `column NAME` or `field NAME`, for messages.
    pub(super) fn describe(&self, field: FieldId) -> String {
        let word = match self.mapping.format {
            Format::Delimited => "column",
            Format::Json => "field",
        };
        format!("{word} {}", self.mapping.names.get(field).text)
    }

    /// Whether it is a JSON object.
    pub(super) fn is_object(&self) -> bool {
        matches!(self.record, Record::Object { .. })
    }

    /// The mapping that it is read with.
    pub(super) fn mapping(&self) -> &'r Mapping {
        self.mapping
    }

    /// What an expression could not read as a number since this was last asked.
    pub(super) fn take_no_number(&self) -> Option<String> {
        self.no_number.take()
    }

    /// The time zone of a name in the record.
    pub(super) fn zone(&self, field: FieldId) -> Result<Option<TimeZone>, Rejection> {
        let name = self.text(field);
        if name.is_empty() {
            return Ok(None);
        }
        TimeZone::get(&name).map(Some).map_err(|_| {
            let problem =
                format!("{}: is {}, expected a zone such as Europe/Berlin", self.describe(field), json::excerpt(&name));
            Rejection::new("time", problem)
        })
    }
}

impl Values for View<'_> {
    fn get(&self, slot: usize) -> Value<'_> {
        let field = Names::of_slot(slot);
        if let Some(raw) = self.raw(field) {
            match json::shape(raw) {
                Shape::Number => return Rational::parse(raw.get()).map_or(Value::Null, Value::Number),
                Shape::Flag => return Value::Flag(raw.get() == "true"),
                _ => {}
            }
        }
        match self.text(field) {
            text if text.is_empty() => Value::Null,
            text => Value::Text(text),
        }
    }

    fn number(&self, text: &str) -> Option<Rational> {
        let number = self.mapping.numbers.read(text).and_then(|number| number.rational());
        if number.is_none() {
            self.no_number.borrow_mut().get_or_insert_with(|| text.to_owned());
        }
        number
    }
}
