//! From the document to the rules: every name is known, every expression lowered, every mistake told with its place.
//!
//! Invariants: a built rule never fails because of the mapping alone, so a mistake in the mapping is reported once, and
//! not for each row.

use jiff::tz::TimeZone;
use proto::vocabulary::{self, Field, Fill, Kind, Need, Subject};
use serde_json::value::to_raw_value;
use serde_saphyr::Spanned;

use super::{
    at,
    document::{As, Cell, Document, Entries, Event, Format, Gather, LeaveOut, Lines, Table},
    names::{self, FieldId, List, Names, Root},
    rule::{self, Rule},
    time::{self, Time},
    value::{Expression, From, Value},
};
use crate::{currency, near::UnknownTypes, validate};

type Result<T> = std::result::Result<T, String>;

/// The names, gathered while rules are built.
pub(super) struct Builder<'a> {
    pub(super) names: Names,
    pub(super) format: Format,
    pub(super) tables: &'a std::collections::BTreeMap<String, Entries>,
    /// Whether rows are gathered in groups.
    pub(super) groups: bool,
    pub(super) zone: &'a TimeZone,
    pub(super) unknown: UnknownTypes,
}

/// The events of a document: those that it lists, or the only one.
pub(super) fn events(document: &mut Document) -> Result<Vec<Event>> {
    let kind = document.r#type.take();
    if document.events.is_empty() {
        let kind = kind.ok_or("type: is missing, expected the type of the events, or events with several of them")?;
        return Ok(vec![Event {
            name: None,
            r#type: kind,
            when: document.when.take(),
            each: document.each.take(),
            account: None,
            id: None,
            time: None,
            currency: None,
            constants: std::mem::take(&mut document.constants),
            data: std::mem::take(&mut document.data),
            lines: document.lines.take(),
            changes: document.changes.take(),
        }]);
    }
    let there = [
        ("type", kind.is_some()),
        ("when", document.when.is_some()),
        ("each", document.each.is_some()),
        ("data", !document.data.is_empty()),
        ("lines", document.lines.is_some()),
        ("changes", document.changes.is_some()),
    ];
    match there.into_iter().find(|(_, is_there)| *is_there) {
        Some((key, _)) => Err(format!("{key}: is there beside events, expected it in one of them")),
        None => Ok(std::mem::take(&mut document.events)),
    }
}

impl Builder<'_> {
    /// Builds one rule; what it leaves open is taken from the document.
    pub(super) fn rule(&mut self, mut event: Event, document: &Document, is_listed: bool) -> Result<Rule> {
        let written = &event.r#type;
        self.unknown.check(&written.value).map_err(|rejection| format!("{}: {rejection}", at(written)))?;
        let known = vocabulary::find(&written.value);
        let each = self.each(event.each.as_ref(), false)?;
        let of_item = each.is_some();

        let currency = self.currency(&mut event, document, of_item)?;
        // What all share is given to those that have the field.
        let has = |name: &str| known.is_none_or(|kind| kind.field(name).is_some() || name.starts_with("custom."));
        let shared = document.constants.iter().filter(|(name, _)| has(name) && !event.data.contains_key(*name));
        let shared: Vec<_> = shared.map(|(name, value)| (name.clone(), value.clone())).collect();
        for (name, value) in shared {
            event.constants.entry(name).or_insert(value);
        }
        let kind = &event.r#type;
        check_fields(&event, known, currency.is_some())?;
        check_major(&event, currency.is_some())?;
        let shares_id = is_listed && event.id.is_none();
        let id = self.inherited(event.id.as_ref(), document.id.as_ref(), of_item)?;
        let account = self.inherited(event.account.as_ref(), document.account.as_ref(), of_item)?;
        let lines = event.lines.as_ref().map(|lines| self.lines(lines, &event, known, of_item)).transpose()?;
        let filled = filled(&event);
        check_needs(&event, known, account.is_some(), currency.is_some(), lines.is_some(), filled)?;

        let time = event.time.as_ref().or(document.time.as_ref()).ok_or("time: is missing, expected {column: NAME}")?;
        let time = self.time(time, of_item)?;
        let data = event.data.iter().map(|(name, cell)| {
            let field = known.and_then(|kind| kind.field(name));
            Ok((name.clone(), self.field(name, field, cell, of_item)?))
        });
        let data = data.collect::<Result<_>>()?;
        let constants = event.constants.iter().map(|(name, value)| {
            to_raw_value(value).map(|value| (name.clone(), value)).map_err(|e| format!("constants.{name}: {e}"))
        });
        Ok(Rule {
            name: event.name.as_ref().unwrap_or(kind).value.clone(),
            kind: kind.value.clone(),

            when: self.condition(event.when.as_ref(), of_item)?,
            each,
            account,
            changes: event.changes.unwrap_or(kind.value == "account.updated" && event.id.is_none()),
            id,
            shares_id,
            time,
            has_currency: has("currency"),
            currency,
            constants: constants.collect::<Result<_>>()?,
            data,
            lines,
            filled,
        })
    }

    /// Builds the conditions on which rows become nothing.
    pub(super) fn left_out(&mut self, left_out: &[LeaveOut]) -> Result<Vec<(String, Expression)>> {
        let one = |left_out: &LeaveOut| {
            let when = self.condition(Some(&left_out.when), false)?.ok_or("leave_out: when is missing")?;
            Ok((left_out.name.clone(), when))
        };
        left_out.iter().map(one).collect()
    }

    /// Numbers a column that the mapping names.
    pub(super) fn column(&mut self, name: &Spanned<String>) -> FieldId {
        self.names.add(Root::Row, &name.value, at(name), self.format)
    }

    fn each(&self, each: Option<&Spanned<String>>, of_item: bool) -> Result<Option<List>> {
        match (each, self.format) {
            (Some(each), Format::Delimited) => {
                Err(format!("{}: each is of lists in JSON (format: json); rows are gathered by group", at(each)))
            }
            (each, _) => Ok(each.map(|each| List::parse(&each.value, of_item))),
        }
    }

    fn inherited(
        &mut self,
        own: Option<&Spanned<Cell>>,
        shared: Option<&Spanned<Cell>>,
        of_item: bool,
    ) -> Result<Option<Value>> {
        own.or(shared).map(|cell| self.value(cell, of_item)).transpose()
    }

    fn condition(&mut self, when: Option<&Spanned<String>>, of_item: bool) -> Result<Option<Expression>> {
        let Some(when) = when else { return Ok(None) };
        let mut expression = self.expression(when, of_item)?;
        let kind = expression.lowered.kind;
        let fitting = expression.lowered.fit(expr::Type::Flag);
        expression.lowered =
            fitting.ok_or_else(|| format!("{}: is {kind:?}, expected a condition such as a == \"b\"", at(when)))?;
        Ok(Some(expression))
    }

    fn expression(&mut self, source: &Spanned<String>, of_item: bool) -> Result<Expression> {
        let mut scope = names::Expression { names: &mut self.names, place: at(source), format: self.format, of_item };
        let lowered = expr::Expr::lower(&source.value, &mut scope).map_err(|problem| {
            let before: String = source.value.chars().take(problem.at).collect();
            let after: String = source.value.chars().skip(problem.at).collect();
            format!("{}: in the expression {before}>>{after}: {}", at(source), problem.message)
        })?;
        Ok(Expression { lowered, source: source.value.clone() })
    }

    /// A value of a field, read as the field is unless the mapping says otherwise.
    fn field(&mut self, name: &str, field: Option<&Field>, cell: &Spanned<Cell>, of_item: bool) -> Result<Value> {
        let mut value = self.value(cell, of_item)?;
        let of_row = self.format == Format::Delimited || matches!(value.from, From::Expression(_));
        value.r#as = match (value.r#as, field.map(|field| field.kind)) {
            (None, Some(Kind::Money(..))) if of_row => {
                return Err(format!("{}: data.{name} is money, expected as: major or as: minor", place_of(cell)));
            }
            (None, Some(Kind::Integer(..))) => Some(As::Integer),
            (None, Some(Kind::Number | Kind::NumberIn(..) | Kind::Positive)) => Some(As::Number),
            (None, Some(Kind::Flag)) => Some(As::Flag),
            (Some(As::Time), Some(Kind::Date)) => {
                value.is_day = true;
                Some(As::Time)
            }
            (None, Some(Kind::Id | Kind::Text | Kind::Long | Kind::OneOf(_) | Kind::Date | Kind::When)) => {
                Some(As::Text)
            }
            (given, _) => given,
        };
        Ok(value)
    }

    fn value(&mut self, cell: &Spanned<Cell>, of_item: bool) -> Result<Value> {
        let Cell { column, item, place: _, cel, each, r#as, format, table, default, gather } = &cell.value;
        let place = place_of(cell);
        let each = self.each(each.as_ref(), of_item)?;
        let of_item = of_item || each.is_some();
        let from = match (column, item, cel) {
            (Some(name), None, None) => From::Field(self.names.add(Root::Row, name, place.clone(), self.format)),
            (None, Some(_), None) if !of_item => {
                return Err(format!("{place}: there is no item here: what has `each` has one"));
            }
            (None, Some(name), None) => From::Field(self.names.add(Root::Item, name, place.clone(), self.format)),
            (None, None, Some(source)) => From::Expression(Box::new(self.expression(source, of_item)?)),
            (None, None, None) if default.is_some() => From::Text(String::new()),
            _ => return Err(format!("{place}: expected one of column, item and cel")),
        };
        let gather = gather.unwrap_or_default();
        if gather != Gather::First && !self.groups && each.is_none() {
            return Err(format!(
                "{place}: gather is of the rows of a group, expected group: [COLUMN] in the mapping; or of a list in JSON, \
                 expected each beside it"
            ));
        }
        if gather == Gather::Sum && !matches!(r#as, Some(As::Integer | As::Major | As::Minor)) {
            return Err(format!(
                "{place}: gather: sum adds whole numbers and money, expected as: integer, major or minor"
            ));
        }
        let table = table.as_ref().map(|table| self.table(table, &place)).transpose()?.unwrap_or_default();
        let is_time = format.is_some() || *r#as == Some(As::Time);
        let format = is_time.then(|| time::Formats::new(format, None, self.zone)).transpose()?;
        let r#as = if is_time { Some(As::Time) } else { *r#as };
        Ok(Value { from, each, is_day: false, r#as, format, table, default: default.clone(), gather })
    }

    fn table(&self, table: &Table, place: &str) -> Result<Vec<(String, Option<String>)>> {
        let entries = match table {
            Table::Here(entries) => entries,
            Table::Named(name) => self.tables.get(name).ok_or_else(|| {
                let known = self.tables.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
                format!("{place}: no table {name} in tables, there are {known}")
            })?,
        };
        Ok(entries.iter().map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    fn currency(&mut self, event: &mut Event, document: &Document, of_item: bool) -> Result<Option<Value>> {
        let data = event.data.remove("currency");
        if let (Some(_), Some(cell)) = (&event.currency, &data) {
            return Err(format!("{}: data.currency is there beside currency, expected one of them", at(cell)));
        }
        if document.currency.is_some() && data.is_some() && document.events.is_empty() {
            return Err("currency: is there beside data.currency, expected one of them".to_owned());
        }
        let is_data = data.is_some();
        let Some(cell) = data.as_ref().or(event.currency.as_ref()).or(document.currency.as_ref()) else {
            return Ok(None);
        };
        let code = cell.value.column.as_deref().filter(|_| cell.value.is_text() && !is_data);
        match code {
            Some(code) if currency::is_code(code) => Ok(Some(Value::new(From::Text(code.to_owned())))),
            Some(code) => Err(format!(
                "{}: currency is {code}, expected three capital letters (ISO 4217), or {{column: NAME}}",
                at(cell)
            )),
            None => self.value(cell, of_item).map(Some),
        }
    }

    fn time(&mut self, written: &Time, of_item: bool) -> Result<time::Reader> {
        let mut from = Vec::new();
        for column in written.column.iter().chain(&written.columns) {
            from.push(Value::new(From::Field(self.column(column))));
        }
        if let Some(item) = &written.item {
            if !of_item {
                return Err(format!("{}: there is no item here: what has `each` has one", at(item)));
            }
            from.push(Value::new(From::Field(self.names.add(Root::Item, &item.value, at(item), self.format))));
        }
        if let Some(cel) = &written.cel {
            from.push(Value::new(From::Expression(Box::new(self.expression(cel, of_item)?))));
        }
        match (from.as_mut_slice(), &written.default) {
            ([], Some(default)) => from.push(Value::new(From::Text(default.clone()))),
            ([one], default) => one.default.clone_from(default),
            _ => {}
        }
        let zone_field = written.zone_column.as_ref().map(|column| self.column(column));
        let plus = written.plus.as_ref().map(|plus| self.column(&plus.column));
        written.reader(from, zone_field, plus, self.zone)
    }

    fn lines(
        &mut self,
        lines: &Lines,
        event: &Event,
        known: Option<&'static vocabulary::Type>,
        of_item: bool,
    ) -> Result<rule::Lines> {
        let has_lines = known.and_then(|known| known.field("lines")).is_some();
        if !has_lines {
            return Err(format!("lines: {} has none, expected order.completed", event.r#type.value));
        }
        let each = self.each(lines.each.as_ref(), of_item)?;
        let of_item = of_item || each.is_some();
        let cells = [
            ("product", lines.product.as_ref()),
            ("quantity", lines.quantity.as_ref()),
            ("amount", Some(&lines.amount)),
        ];
        let fields = cells.into_iter().filter_map(|(name, cell)| cell.map(|cell| (name, cell)));
        let kinds = match known.and_then(|kind| kind.field("lines")).map(|lines| lines.kind) {
            Some(Kind::List(kinds)) => kinds,
            _ => &[],
        };
        let fields = fields.map(|(name, cell)| {
            let kind = kinds.iter().find(|kind| kind.name == name);
            Ok((name, self.field(&format!("lines.{name}"), kind, cell, of_item)?))
        });
        let fields = fields.collect::<Result<_>>()?;
        Ok(rule::Lines {
            when: self.condition(lines.when.as_ref(), of_item)?,
            each,
            fields,
            are_gross: !event.data.contains_key("gross") && !event.constants.contains_key("gross"),
        })
    }
}

/// Where the name of a column stands, else the value itself.
fn place_of(cell: &Spanned<Cell>) -> String {
    cell.value.place.clone().unwrap_or_else(|| at(cell))
}

impl Cell {
    /// Whether it is a text alone.
    fn is_text(&self) -> bool {
        self.column.is_some() && self.place.is_none()
    }
}

/// The field that is the event's id where nothing is mapped to it.
fn filled(event: &Event) -> Option<&'static str> {
    let kind = vocabulary::find(&event.r#type.value)?;
    let field = kind.fields.iter().find(|field| field.fill == Fill::RowId)?;
    let given = event.data.contains_key(field.name) || event.constants.contains_key(field.name);
    (!given).then_some(field.name)
}

/// Refuses fields that the type does not have, and such as are there twice.
fn check_fields(event: &Event, known: Option<&'static vocabulary::Type>, has_currency: bool) -> Result<()> {
    let twice =
        event.constants.keys().find(|name| event.data.contains_key(*name) || (*name == "currency" && has_currency));
    if let Some(name) = twice {
        return Err(format!("constants.{name}: is there in data or as currency, too, expected one of them"));
    }
    let Some(kind) = known else { return Ok(()) };
    for name in event.data.keys().chain(event.constants.keys()) {
        let (field, has_key) = name.split_once('.').map_or((name.as_str(), false), |(field, _)| (field, true));
        let fits = |field: &Field| matches!(field.kind, Kind::Traits | Kind::Texts) || !has_key;
        if field != "custom" && !kind.field(field).is_some_and(fits) {
            let names = validate::names(kind.fields);
            return Err(format!("data.{name}: is no field of {}, expected {names} or custom.NAME", kind.name));
        }
    }
    Ok(())
}

fn check_major(event: &Event, has_currency: bool) -> Result<()> {
    let lines = event.lines.iter().map(|lines| ("lines.amount", &lines.amount));
    let mut cells = event.data.iter().map(|(name, cell)| (name.as_str(), cell)).chain(lines);
    match cells.find(|(_, cell)| cell.value.r#as == Some(As::Major)) {
        Some((name, cell)) if !has_currency && !event.constants.contains_key("currency") => {
            Err(format!("{}: data.{name} is in major units, expected a currency beside it", place_of(cell)))
        }
        _ => Ok(()),
    }
}

/// Refuses a rule whose every event would lack a field that has to be there.
fn check_needs(
    event: &Event,
    known: Option<&'static vocabulary::Type>,
    has_account: bool,
    has_currency: bool,
    has_lines: bool,
    filled: Option<&str>,
) -> Result<()> {
    let Some(kind) = known else { return Ok(()) };
    if kind.subject == Subject::Account && !has_account {
        return Err(format!("{}: {} needs an account, expected account: COLUMN", at(&event.r#type), kind.name));
    }
    let is_there = |name: &str| {
        let below = |key: &String| key.split_once('.').is_some_and(|(object, _)| object == name);
        (event.data.contains_key(name) || event.data.keys().any(below))
            || (event.constants.contains_key(name) || event.constants.keys().any(below))
            || (name == "currency" && has_currency)
            || (matches!(name, "lines" | "gross") && has_lines)
            || filled == Some(name)
    };
    let lacks = |field: &&Field| {
        let needed = field.need == Need::Required && field.fill == Fill::Nothing;
        (needed || kind.subject == Subject::Lead && field.name == "lead") && !is_there(field.name)
    };
    match kind.fields.iter().find(lacks) {
        Some(field) => {
            Err(format!("{}: {} needs data.{}, which nothing is mapped to", at(&event.r#type), kind.name, field.name))
        }
        None => Ok(()),
    }
}

/// Refuses two rules of one name: their events would have the same ids.
pub(super) fn check_names(rules: &[Rule]) -> Result<()> {
    let twice = (1..rules.len()).find(|later| rules[..*later].iter().any(|rule| rule.name == rules[*later].name));
    match twice {
        Some(twice) => {
            Err(format!("events: {} is there twice, expected a name of its own for each", rules[twice].name))
        }
        None => Ok(()),
    }
}
