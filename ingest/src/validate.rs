//! Holds `data` to the table of [`crate::schema`], field by field, then to the rules that need two.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::{
    Rejection, cure, currency,
    decimal::Decimal,
    json::{self, Shape},
    schema::{self, Field, Kind, Need, Type},
    time,
};

/// Longest id or short text, in bytes.
pub(crate) const TEXT_MAX: usize = 1024;
const LONG_MAX: usize = 64 * 1024;
/// Joins the columns of a row into an id; the one control character that ids may hold.
pub(crate) const UNIT_SEPARATOR: char = '\u{1f}';

/// A field that passed.
#[derive(Debug, Clone)]
pub(crate) enum Value<'a> {
    Text(Cow<'a, str>),
    Integer(i64),
    Number(Decimal),
    Flag(bool),
    /// Lists and objects: checked, read again by whoever wants them.
    Raw(&'a RawValue),
}

/// The fields of `data` that are there.
#[derive(Debug, Default)]
pub(crate) struct Data<'a> {
    fields: Vec<(&'static str, Value<'a>)>,
}

impl<'a> Data<'a> {
    pub(crate) fn get(&self, name: &str) -> Option<&Value<'a>> {
        self.fields.iter().find(|(n, _)| *n == name).map(|(_, value)| value)
    }

    /// A text; empty when absent.
    pub(crate) fn text(&self, name: &str) -> String {
        self.str(name).to_owned()
    }

    pub(crate) fn str(&self, name: &str) -> &str {
        if let Some(Value::Text(text)) = self.get(name) { text } else { "" }
    }

    pub(crate) fn integer(&self, name: &str) -> Option<i64> {
        if let Some(Value::Integer(value)) = self.get(name) { Some(*value) } else { None }
    }

    pub(crate) fn raw(&self, name: &str) -> Option<&'a RawValue> {
        if let Some(Value::Raw(raw)) = self.get(name) { Some(raw) } else { None }
    }

    fn number(&self, name: &str) -> Option<Decimal> {
        if let Some(Value::Number(value)) = self.get(name) { Some(*value) } else { None }
    }
}

/// Checks the fields of a known type.
pub(crate) fn data<'a>(kind: &Type, fields: &json::Fields<'a>) -> Result<Data<'a>, Rejection> {
    let mut data = Data::default();
    let currency = currency_of(fields);
    for (key, raw) in fields {
        let Some(field) = kind.fields.iter().find(|f| f.name == key) else {
            let problem = format!("is no field of {}; free fields belong in data.custom", kind.name);
            return Err(Rejection::new(json::join("data", key), problem));
        };
        if json::shape(raw) != Shape::Null {
            data.fields.push((field.name, value(field.kind, raw, &path(field), &currency)?));
        }
    }
    for field in kind.fields {
        needed(field, kind, &data)?;
    }
    together(kind, &data)?;
    Ok(data)
}

/// The currency of the amounts, for messages; empty where there is none.
fn currency_of<'a>(fields: &json::Fields<'a>) -> Cow<'a, str> {
    let named = fields.iter().find(|(key, _)| key == "currency");
    let code = named.and_then(|(_, raw)| json::string(raw, "").ok());
    code.filter(|code| currency::is_code(code)).unwrap_or_default()
}

fn path(field: &Field) -> String {
    format!("data.{}", field.name)
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
    Err(Rejection::new(path(field), problem))
}

fn value<'a>(kind: Kind, raw: &'a RawValue, path: &str, currency: &str) -> Result<Value<'a>, Rejection> {
    let wrong = || cure::wrong(kind, raw, path, currency);
    match kind {
        Kind::Id | Kind::Text | Kind::Long | Kind::Currency | Kind::OneOf(_) | Kind::Date | Kind::When => {
            if json::shape(raw) != Shape::String {
                return Err(wrong());
            }
            let text = json::string(raw, path)?;
            if text_fits(kind, &text) { Ok(Value::Text(text)) } else { Err(wrong()) }
        }
        Kind::Integer(least, greatest) | Kind::Money(least, greatest) => decimal(raw)
            .and_then(Decimal::integer)
            .filter(|value| (least..=greatest).contains(value))
            .map(Value::Integer)
            .ok_or_else(wrong),
        Kind::Number | Kind::NumberIn(..) | Kind::Positive => {
            let inside = |n: &Decimal| match kind {
                Kind::NumberIn(least, greatest) => *n >= Decimal::whole(least) && *n <= Decimal::whole(greatest),
                Kind::Positive => *n > Decimal::whole(0),
                _ => true,
            };
            decimal(raw).filter(inside).map(Value::Number).ok_or_else(wrong)
        }
        Kind::Flag if json::shape(raw) == Shape::Flag => Ok(Value::Flag(raw.get() == "true")),
        Kind::Lines if json::shape(raw) == Shape::List => lines(raw, path, currency).map(|_| Value::Raw(raw)),
        Kind::Traits if json::shape(raw) == Shape::Object => traits(raw, path).map(|_| Value::Raw(raw)),
        Kind::Texts if json::shape(raw) == Shape::Object => texts(raw, path).map(|()| Value::Raw(raw)),
        Kind::Flag | Kind::Lines | Kind::Traits | Kind::Texts => Err(wrong()),
    }
}

fn decimal(raw: &RawValue) -> Option<Decimal> {
    if json::shape(raw) == Shape::Number { Decimal::parse(raw.get()) } else { None }
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

/// One line of an order, as read.
pub(crate) struct Line<'a> {
    pub(crate) product: Cow<'a, str>,
    pub(crate) quantity: i64,
    pub(crate) amount: i64,
}

/// Reads the lines of an order.
pub(crate) fn lines<'a>(raw: &'a RawValue, path: &str, currency: &str) -> Result<Vec<Line<'a>>, Rejection> {
    json::list(raw.get(), path)?
        .into_iter()
        .enumerate()
        .map(|(at, item)| line(item, &format!("{path}[{at}]"), currency))
        .collect()
}

fn line<'a>(raw: &'a RawValue, path: &str, currency: &str) -> Result<Line<'a>, Rejection> {
    let (mut product, mut quantity, mut amount) = (None, None, None);
    for (key, raw) in json::object(raw.get(), path)? {
        let path = json::join(path, &key);
        if json::shape(raw) == Shape::Null {
            continue;
        }
        match &*key {
            "product" => product = Some(value(Kind::Text, raw, &path, currency)?),
            "quantity" => quantity = Some(value(schema::COUNT, raw, &path, currency)?),
            "amount" => amount = Some(value(schema::MONEY, raw, &path, currency)?),
            _ => return Err(Rejection::new(path, "is no field of a line, expected product, quantity, amount")),
        }
    }
    let product = product.unwrap_or(Value::Text(Cow::Borrowed("")));
    match (product, quantity.unwrap_or(Value::Integer(1)), amount) {
        (Value::Text(product), Value::Integer(quantity), Some(Value::Integer(amount))) => {
            Ok(Line { product, quantity, amount })
        }
        _ => Err(Rejection::new(json::join(path, "amount"), "is missing, expected a whole number of minor units")),
    }
}

/// Reads traits: names with their value as text, `None` unsets; custom ones as `custom.NAME`.
pub(crate) fn traits<'a>(raw: &'a RawValue, path: &str) -> Result<Vec<Trait<'a>>, Rejection> {
    let mut traits = Vec::new();
    for (key, raw) in json::object(raw.get(), path)? {
        let path = json::join(path, &key);
        if key != "custom" {
            if key.starts_with("custom.") {
                return Err(Rejection::new(path, "is not a name of a trait; write {\"custom\": {NAME: VALUE}}"));
            }
            traits.push(one_trait(key, raw, path)?);
            continue;
        }
        if json::shape(raw) != Shape::Object {
            return Err(Rejection::new(path, format!("is {}, expected an object", json::excerpt(raw.get()))));
        }
        for (key, raw) in json::object(raw.get(), &path)? {
            let path = json::join(&path, &key);
            traits.push(one_trait(Cow::Owned(format!("custom.{key}")), raw, path)?);
        }
    }
    traits.sort_by(|a, b| a.0.as_bytes().cmp(b.0.as_bytes()));
    Ok(traits)
}

type Trait<'a> = (Cow<'a, str>, Option<Cow<'a, str>>);

fn one_trait<'a>(name: Cow<'a, str>, raw: &'a RawValue, path: String) -> Result<Trait<'a>, Rejection> {
    if let Some(problem) = id_problem(&name) {
        return Err(Rejection::new(path, format!("its name {problem}")));
    }
    let text = match json::shape(raw) {
        Shape::Null => return Ok((name, None)),
        Shape::String => json::string(raw, &path)?,
        Shape::Flag => Cow::Borrowed(raw.get()),
        Shape::Number => number_text(raw.get()),
        Shape::List | Shape::Object => {
            let problem = format!("is {}, expected a string, number, true, false or null", json::excerpt(raw.get()));
            return Err(Rejection::new(path, problem));
        }
    };
    let currency = name == "currency" && !currency::is_code(&text);
    if currency || !text_fits(Kind::Text, &text) {
        return Err(cure::wrong(if currency { Kind::Currency } else { Kind::Text }, raw, &path, ""));
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

fn texts(raw: &RawValue, path: &str) -> Result<(), Rejection> {
    for (key, raw) in json::object(raw.get(), path)? {
        value(Kind::Text, raw, &json::join(path, &key), "")?;
    }
    Ok(())
}

/// The rules that need more than one field.
fn together(kind: &Type, data: &Data<'_>) -> Result<(), Rejection> {
    match kind.name {
        "payment.refunded" => match (data.get("order"), data.get("invoice")) {
            (Some(_), Some(_)) => {
                Err(Rejection::new("data.invoice", "is there beside data.order, expected one of them"))
            }
            (None, None) => Err(Rejection::new("data.order", "is missing, expected the order or the invoice refunded")),
            _ => Ok(()),
        },
        "identity.linked" if data.str("from") == data.str("to") => {
            Err(Rejection::new("data.to", "is the same as data.from, expected another account"))
        }
        "subscription.changed" => subscription(data),
        "survey.answered" => survey(data),
        "cost.recorded" => ordered(data, "period_from", "period_to"),
        "fx.rate_set" if data.str("base") == data.str("quote") => {
            Err(Rejection::new("data.quote", "is the same as data.base, expected another currency"))
        }
        _ => Ok(()),
    }
}

fn subscription(data: &Data<'_>) -> Result<(), Rejection> {
    if matches!(data.str("status"), "active" | "past_due") && data.get("mrr").is_none() {
        let problem = format!("is missing, expected minor units a month while the status is {}", data.str("status"));
        return Err(Rejection::new("data.mrr", problem));
    }
    ordered(data, "term_start", "term_end")
}

/// `from` < `to`, where both are dates or both are times.
fn ordered(data: &Data<'_>, from: &'static str, to: &'static str) -> Result<(), Rejection> {
    let (start, end) = (data.str(from), data.str(to));
    let dates = time::parse_date(start).zip(time::parse_date(end)).map(|(a, b)| a < b);
    let times = time::parse_rfc3339(start).zip(time::parse_rfc3339(end)).map(|(a, b)| a < b);
    if dates.or(times) == Some(false) {
        return Err(Rejection::new(format!("data.{to}"), format!("is {end}, expected later than {from} ({start})")));
    }
    Ok(())
}

fn survey(data: &Data<'_>) -> Result<(), Rejection> {
    let kind = data.str("kind");
    let (least, greatest) = match kind {
        "nps" => (0, 10),
        "ces" => (1, 7),
        _ => (1, 5),
    };
    let least = data.number("scale_min").unwrap_or(Decimal::whole(least));
    let greatest = data.number("scale_max").unwrap_or(Decimal::whole(greatest));
    let Some(score) = data.number("score") else { return Ok(()) };
    if kind == "nps" && (least, greatest) != (Decimal::whole(0), Decimal::whole(10)) {
        return Err(Rejection::new("data.scale_max", "is another scale, expected 0 to 10 for nps"));
    }
    if kind == "nps" && matches!(data.get("higher_is_better"), Some(Value::Flag(false))) {
        return Err(Rejection::new("data.higher_is_better", "is false, expected true for nps"));
    }
    if kind == "nps" && score.integer().is_none() {
        return Err(Rejection::new("data.score", "is fractional, expected a whole number for nps"));
    }
    if least >= greatest {
        return Err(Rejection::new("data.scale_max", "is not above scale_min"));
    }
    if score < least || score > greatest {
        return Err(Rejection::new("data.score", "is outside the scale (scale_min to scale_max)"));
    }
    Ok(())
}
