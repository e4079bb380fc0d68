//! Holds `data` to the table of the vocabulary, field by field, then to the rules that need two ([`together`]).

use std::borrow::Cow;

use proto::vocabulary::{Field, Kind, Need, Type};

use crate::{
    Rejection, cure, currency,
    decimal::Decimal,
    given::{Fields, Given},
    json::{self, Shape},
    time,
};

mod together;

/// Longest id or short text, in bytes.
pub(crate) const TEXT_MAX: usize = 1024;
const LONG_MAX: usize = 64 * 1024;
/// Joins the columns of a row into an id; the one control character that ids may hold.
pub(crate) const UNIT_SEPARATOR: char = '\u{1f}';

/// A name with its text: a trait, which without a text is unset, or a text of an object of texts.
pub(crate) type Pair<'a> = (Cow<'a, str>, Option<Cow<'a, str>>);

/// A field that passed.
#[derive(Debug, Clone)]
pub(crate) enum Value<'a> {
    Text(Cow<'a, str>),
    Integer(i64),
    Number(Decimal),
    Flag(bool),
    List(Vec<Data<'a>>),
    /// In the order of names.
    Pairs(Vec<Pair<'a>>),
}

/// The fields of an object that are there.
#[derive(Debug, Clone, Default)]
pub(crate) struct Data<'a> {
    fields: Vec<(&'static str, Value<'a>)>,
}

impl<'a> Data<'a> {
    pub(crate) fn get(&self, name: &str) -> Option<&Value<'a>> {
        self.fields.iter().find(|(n, _)| *n == name).map(|(_, value)| value)
    }

    /// A text; empty when absent.
    pub(crate) fn str(&self, name: &str) -> &str {
        if let Some(Value::Text(text)) = self.get(name) { text } else { "" }
    }

    fn number(&self, name: &str) -> Option<Decimal> {
        if let Some(Value::Number(value)) = self.get(name) { Some(*value) } else { None }
    }
}

/// Checks the fields of a known type.
pub(crate) fn data<'a>(kind: &Type, given: &Fields<'a>) -> Result<Data<'a>, Rejection> {
    let currency = currency_of(given);
    let mut data = Data::default();
    for (key, value) in given {
        let Some(field) = kind.field(key) else {
            let problem = format!("is no field of {}; free fields belong in data.custom", kind.name);
            return Err(Rejection::new(json::join("data", key), problem));
        };
        if value.shape() != Shape::Null {
            data.fields.push((field.name, checked(field.kind, value, &path("data", field), &currency)?));
        }
    }
    for field in kind.fields {
        needed(field, kind, &data)?;
    }
    together::check(kind, &data)?;
    Ok(data)
}

/// The currency of the amounts, for messages; empty where there is none.
fn currency_of<'a>(given: &Fields<'a>) -> Cow<'a, str> {
    let named = given.iter().find(|(key, _)| key == "currency");
    let code = named.and_then(|(_, value)| value.string("").ok());
    code.filter(|code| currency::is_code(code)).unwrap_or_default()
}

fn path(parent: &str, field: &Field) -> String {
    format!("{parent}.{}", field.name)
}

fn needed(field: &Field, kind: &Type, data: &Data<'_>) -> Result<(), Rejection> {
    let missing = match field.need {
        Need::Required => true,
        Need::Optional => false,
        Need::With(other) => data.get(other).is_some(),
    };
    if !missing || data.get(field.name).is_some() {
        return Ok(());
    }
    let problem = match field.need {
        Need::With(other) => format!("is missing, expected {} since {other} is there", cure::expected(field.kind, "")),
        _ => format!("is missing, expected {} ({} needs it)", cure::expected(field.kind, ""), kind.name),
    };
    Err(Rejection::new(path("data", field), problem))
}

fn checked<'a>(kind: Kind, given: &Given<'a>, path: &str, currency: &str) -> Result<Value<'a>, Rejection> {
    let wrong = || cure::wrong(kind, given, path, currency);
    match kind {
        Kind::Id | Kind::Text | Kind::Long | Kind::Currency | Kind::OneOf(_) | Kind::Date | Kind::When => {
            if given.shape() != Shape::String {
                return Err(wrong());
            }
            let text = given.string(path)?;
            if text_fits(kind, &text) { Ok(Value::Text(text)) } else { Err(wrong()) }
        }
        Kind::Integer(least, greatest) | Kind::Money(least, greatest) => given
            .decimal()
            .and_then(Decimal::integer)
            .filter(|value| (least..=greatest).contains(value))
            .map(Value::Integer)
            .ok_or_else(wrong),
        Kind::Number | Kind::NumberIn(..) | Kind::Positive => {
            given.decimal().filter(|number| number_fits(kind, *number)).map(Value::Number).ok_or_else(wrong)
        }
        Kind::Flag if given.shape() == Shape::Flag => Ok(Value::Flag(given.written() == "true")),
        Kind::Flag => Err(wrong()),
        Kind::List(fields) => list(fields, given, path, currency)?.map(Value::List).ok_or_else(wrong),
        Kind::Traits => traits(given, path)?.map(Value::Pairs).ok_or_else(wrong),
        Kind::Texts => texts(given, path)?.map(Value::Pairs).ok_or_else(wrong),
    }
}

fn number_fits(kind: Kind, number: Decimal) -> bool {
    match kind {
        Kind::NumberIn(least, greatest) => number >= Decimal::whole(least) && number <= Decimal::whole(greatest),
        Kind::Positive => number > Decimal::whole(0),
        _ => true,
    }
}

fn text_fits(kind: Kind, text: &str) -> bool {
    match kind {
        Kind::Id => id_problem(text).is_none(),
        Kind::Text => text.len() <= TEXT_MAX && !text.chars().any(char::is_control),
        Kind::Long => text.len() <= LONG_MAX,
        Kind::Currency => currency::is_code(text),
        Kind::OneOf(values) => values.contains(&text),
        Kind::Date => time::parse_date(text).is_some(),
        Kind::When => time::parse_date(text).is_some() || time::parse_rfc3339(text).is_some(),
        _ => false,
    }
}

/// Why `text` cannot be an id, a source or a subject.
pub(crate) fn id_problem(text: &str) -> Option<&'static str> {
    if text.is_empty() {
        Some("is empty, expected at least one character")
    } else if text.len() > TEXT_MAX {
        Some("is longer than 1024 bytes")
    } else if text.chars().any(|c| c.is_control() && c != UNIT_SEPARATOR) {
        Some("holds a control character")
    } else {
        None
    }
}

/// The objects of a list, such as the lines of an order; none of another value.
fn list<'a>(
    fields: &'static [Field],
    given: &Given<'a>,
    path: &str,
    currency: &str,
) -> Result<Option<Vec<Data<'a>>>, Rejection> {
    let Some(items) = given.list(path)? else { return Ok(None) };
    let item = |(at, item)| object(fields, item, &format!("{path}[{at}]"), currency);
    items.iter().enumerate().map(item).collect::<Result<_, _>>().map(Some)
}

fn object<'a>(
    fields: &'static [Field],
    given: &Given<'a>,
    parent: &str,
    currency: &str,
) -> Result<Data<'a>, Rejection> {
    let wrong = || Rejection::new(parent.to_owned(), format!("is {}, expected an object", excerpt(given)));
    let mut data = Data::default();
    for (key, value) in given.object(parent)?.ok_or_else(wrong)? {
        let Some(field) = fields.iter().find(|field| field.name == key) else {
            let problem = format!("is no field here, expected {}", names(fields));
            return Err(Rejection::new(json::join(parent, &key), problem));
        };
        if value.shape() != Shape::Null {
            data.fields.push((field.name, checked(field.kind, &value, &path(parent, field), currency)?));
        }
    }
    let missing = fields.iter().find(|field| field.need == Need::Required && data.get(field.name).is_none());
    match missing {
        None => Ok(data),
        Some(field) => {
            let expected = match field.kind {
                Kind::Money(..) => Cow::Borrowed("a whole number of minor units"),
                kind => cure::expected(kind, currency),
            };
            Err(Rejection::new(path(parent, field), format!("is missing, expected {expected}")))
        }
    }
}

/// The names of fields, as a list for messages.
pub(crate) fn names(fields: &[Field]) -> String {
    fields.iter().map(|field| field.name).collect::<Vec<_>>().join(", ")
}

fn excerpt(given: &Given<'_>) -> String {
    json::excerpt(&given.written())
}

/// Reads traits: names with their value as text, `None` unsets; custom ones as `custom.NAME`. None of another value.
fn traits<'a>(given: &Given<'a>, path: &str) -> Result<Option<Vec<Pair<'a>>>, Rejection> {
    let Some(fields) = given.object(path)? else { return Ok(None) };
    let mut traits = Vec::new();
    for (key, value) in fields {
        let path = json::join(path, &key);
        if key != "custom" {
            if key.starts_with("custom.") {
                return Err(Rejection::new(path, "is not a name of a trait; write {\"custom\": {NAME: VALUE}}"));
            }
            traits.push(one_trait(key, &value, path)?);
            continue;
        }
        let Some(custom) = value.object(&path)? else {
            return Err(Rejection::new(path, format!("is {}, expected an object", excerpt(&value))));
        };
        for (key, value) in custom {
            let path = json::join(&path, &key);
            traits.push(one_trait(Cow::Owned(format!("custom.{key}")), &value, path)?);
        }
    }
    traits.sort_by(|a, b| a.0.as_bytes().cmp(b.0.as_bytes()));
    Ok(Some(traits))
}

fn one_trait<'a>(name: Cow<'a, str>, given: &Given<'a>, path: String) -> Result<Pair<'a>, Rejection> {
    if let Some(problem) = id_problem(&name) {
        return Err(Rejection::new(path, format!("its name {problem}")));
    }
    let text = match given.shape() {
        Shape::Null => return Ok((name, None)),
        Shape::String => given.string(&path)?,
        Shape::Flag => Cow::Owned(given.written().into_owned()),
        Shape::Number => Cow::Owned(number_text(&given.written()).into_owned()),
        Shape::List | Shape::Object => {
            let problem = format!("is {}, expected a string, number, true, false or null", excerpt(given));
            return Err(Rejection::new(path, problem));
        }
    };
    let currency = name == "currency" && !currency::is_code(&text);
    if currency || !text_fits(Kind::Text, &text) {
        return Err(cure::wrong(if currency { Kind::Currency } else { Kind::Text }, given, &path, ""));
    }
    Ok((name, Some(text)))
}

/// The one text of a number: 12.0, 1.2e1 and 12 are `12`. An integer stays as written, whatever its size.
fn number_text(written: &str) -> Cow<'_, str> {
    match written.parse::<f64>() {
        Ok(number) if number.is_finite() && written.contains(['.', 'e', 'E']) => Cow::Owned((number + 0.0).to_string()),
        _ if written == "-0" => Cow::Borrowed("0"),
        _ => Cow::Borrowed(written),
    }
}

/// An object of texts, in the order of names; none of another value.
fn texts<'a>(given: &Given<'a>, path: &str) -> Result<Option<Vec<Pair<'a>>>, Rejection> {
    let Some(fields) = given.object(path)? else { return Ok(None) };
    let mut texts = Vec::new();
    for (key, value) in fields {
        if let Value::Text(text) = checked(Kind::Text, &value, &json::join(path, &key), "")? {
            texts.push((key, Some(text)));
        }
    }
    texts.sort_by(|a, b| a.0.as_bytes().cmp(b.0.as_bytes()));
    Ok(Some(texts))
}
