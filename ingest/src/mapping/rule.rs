//! A rule: which records become an event of one type, and how its parts are made.
//!
//! Invariants: an event is made of the record, the mapping and the [`Context`] alone; a record that a rule cannot read is
//! refused with the reason.

use std::borrow::Cow;

use proto::v1::Event;
use serde_json::value::RawValue;

use super::{
    Identity,
    names::List,
    time,
    value::{self, Expression, Value},
    view::View,
};
use crate::{
    Rejection,
    cloudevents::{self, Envelope},
    event::{self, Context},
    given::{Fields, Given},
};

/// One rule, checked.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) when: Option<Expression>,
    /// An event for each item of this list.
    pub(super) each: Option<List>,
    pub(super) account: Option<Value>,
    pub(super) id: Option<Value>,
    /// Whether the id is that of the record, which other rules share: then the rule's name follows it.
    pub(super) shares_id: bool,
    pub(super) time: time::Reader,
    pub(super) currency: Option<Value>,
    /// Whether the type has a field for it.
    pub(super) has_currency: bool,
    pub(super) constants: Vec<(String, Box<RawValue>)>,
    pub(super) data: Vec<(String, Value)>,
    pub(super) lines: Option<Lines>,
    /// The field that is the event's id where nothing is mapped to it.
    pub(super) filled: Option<&'static str>,
    /// Only events that say other things than the one before of the same account.
    pub(super) changes: bool,
}

/// How the lines of an order are made.
#[derive(Debug)]
pub(super) struct Lines {
    pub(super) when: Option<Expression>,
    pub(super) each: Option<List>,
    pub(super) fields: Vec<(&'static str, Value)>,
    /// Whether the order has no other `gross` than the sum of its lines.
    pub(super) are_gross: bool,
}

/// An event, with how its identity was made.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) event: Event,
    pub(crate) identity: Identity,
    /// The rule, if its events count only where they say other things than the one before of the same account.
    pub(crate) changes_of: Option<String>,
}

impl Rule {
    /// Makes its events of a record; none where the record does not fit.
    pub(super) fn make(
        &self,
        view: &View<'_>,
        record_id: &str,
        identity: Identity,
        context: &Context,
        out: &mut Vec<Made>,
    ) -> Result<(), Rejection> {
        let Some(list) = &self.each else {
            if self.fits(view)? {
                out.push(self.one(view, record_id, None, identity, context)?);
            }
            return Ok(());
        };
        for (place, item) in view.each_item(list)?.iter().enumerate() {
            if self.fits(item)? {
                out.push(self.one(item, record_id, Some(place), identity, context)?);
            }
        }
        Ok(())
    }

    fn fits(&self, view: &View<'_>) -> Result<bool, Rejection> {
        self.when.as_ref().map_or(Ok(true), |when| value::holds(when, view))
    }

    fn one(
        &self,
        view: &View<'_>,
        record_id: &str,
        place: Option<usize>,
        identity: Identity,
        context: &Context,
    ) -> Result<Made, Rejection> {
        let given = self.id.as_ref().map(|id| id.text(view)).transpose()?;
        let (base, identity) = match given {
            // An object without an id is known by its content; a row that lacks one is most likely a mistake.
            Some(id) if id.is_empty() && view.is_object() => (Cow::Borrowed(record_id), identity),
            Some(id) if id.is_empty() => {
                return Err(self.placed(Rejection::new("id", "is empty, expected at least one character"), view));
            }
            Some(id) => (id, Identity::Given),
            None => (Cow::Borrowed(record_id), identity),
        };
        let id = match (self.shares_id, place) {
            (false, None) => base.clone(),
            (false, Some(_)) if self.id.is_some() => base.clone(),
            (false, Some(place)) => Cow::Owned(super::id_of(format!("{base}/{place}"))),
            (true, None) => Cow::Owned(super::id_of(format!("{base}/{}", self.name))),
            (true, Some(place)) => Cow::Owned(super::id_of(format!("{base}/{}/{place}", self.name))),
        };
        // Rows without an id are numbered later, and what is filled with it.
        let filled = if identity == Identity::Joined { &id } else { &base };
        let (fields, custom) = self.fields(view, filled)?;
        let account = self.account.as_ref().map(|account| account.text(view)).transpose()?;
        let account = account.filter(|account| !account.is_empty());
        let envelope = Envelope {
            id: cloudevents::name(Cow::Borrowed(&*id), "id").map_err(|reason| self.placed(reason, view))?,
            source: Some(Cow::Borrowed(view.mapping().source())),
            kind: Cow::Borrowed(&self.kind),
            time: self.time.read(view)?.map(cloudevents::Time::Us),
            account: account.map(|account| cloudevents::name(account, "account")).transpose()?,
            ..Envelope::default()
        };
        let event = event::build(envelope, fields, custom, context).map_err(|reason| self.placed(reason, view))?;
        let changes_of = self.changes.then(|| self.name.clone());
        Ok(Made { event, identity, changes_of })
    }

    /// The reason with the column that the field comes from.
    fn placed(&self, mut reason: Rejection, view: &View<'_>) -> Rejection {
        let from = match reason.field.as_ref() {
            "id" => self.id.as_ref(),
            "account" => self.account.as_ref(),
            "data.currency" => self.currency.as_ref(),
            field => field
                .strip_prefix("data.")
                .and_then(|name| self.data.iter().find(|(known, _)| known == name))
                .map(|(_, value)| value),
        };
        if let Some(value) = from {
            let place = value.from.describe(view);
            let is_empty = if reason.problem.starts_with("is missing") { " is empty" } else { "" };
            reason.problem = format!("{} ({place}{is_empty})", reason.problem);
        }
        reason
    }

    /// The fields of `data`, and those of `data.custom`.
    fn fields<'v>(&'v self, view: &View<'v>, id: &str) -> Result<(Fields<'v>, Fields<'v>), Rejection> {
        let mut data = Data::default();
        let code = self.code(view)?;
        for (name, value) in &self.data {
            if let Some(given) = value.given(view, &code)? {
                data.put(name, given);
            }
        }
        self.constants.iter().for_each(|(name, value)| data.put(name, Given::Json(value)));
        if let Some(lines) = &self.lines {
            let (lines, sum) = lines.make(view, &code)?;
            if let Some(gross) = sum {
                data.put("gross", Given::Number(gross.to_string().into()));
            }
            if !lines.is_empty() {
                data.put("lines", Given::List(lines));
            }
        }
        if self.has_currency && !code.is_empty() {
            data.put("currency", Given::Text(code));
        }
        if let Some(name) = self.filled {
            data.put(name, Given::Text(Cow::Owned(id.to_owned())));
        }
        Ok((data.fields, data.custom))
    }

    /// The ISO 4217 code of the amounts of a record, in capital letters; empty where there is none.
    fn code<'v>(&'v self, view: &View<'v>) -> Result<Cow<'v, str>, Rejection> {
        let Some(currency) = &self.currency else { return Ok(Cow::Borrowed("")) };
        let text = currency.text(view)?;
        Ok(if text.bytes().any(|byte| byte.is_ascii_lowercase()) {
            Cow::Owned(text.to_ascii_uppercase())
        } else {
            text
        })
    }
}

impl Lines {
    /// The lines of a record, and the sum of their amounts where that is the order's.
    fn make<'v>(&'v self, view: &View<'v>, code: &str) -> Result<(Vec<Given<'v>>, Option<i64>), Rejection> {
        let views = match &self.each {
            Some(list) => view.each_item(list)?,
            None => view.each_row(),
        };
        let (mut lines, mut sum) = (Vec::with_capacity(views.len()), 0_i64);
        for view in views {
            if !self.when.as_ref().map_or(Ok(true), |when| value::holds(when, &view))? {
                continue;
            }
            let mut line = Fields::with_capacity(self.fields.len());
            for (name, value) in &self.fields {
                let Some(given) = value.given(&view, code)? else { continue };
                let amount = (*name == "amount").then(|| given.decimal().and_then(|amount| amount.integer())).flatten();
                sum = sum.saturating_add(amount.unwrap_or(0));
                line.push(((*name).into(), given));
            }
            lines.push(Given::Object(line));
        }
        let gross = (self.are_gross && !lines.is_empty()).then_some(sum);
        Ok((lines, gross))
    }
}

/// The fields of an event while they are gathered.
#[derive(Default)]
struct Data<'v> {
    fields: Fields<'v>,
    custom: Fields<'v>,
}

impl<'v> Data<'v> {
    /// Puts a field in its place: `custom.NAME`, `traits.NAME`, `traits.custom.NAME`, or `NAME`.
    fn put(&mut self, name: &'v str, value: Given<'v>) {
        match name.split_once('.') {
            Some(("custom", name)) => self.custom.push((name.into(), value)),
            Some((object, name)) => put_in(&mut self.fields, object, name, value),
            None if name == "custom" => match value {
                // All fields of an object.
                Given::Json(raw) => {
                    if let Ok(fields) = crate::json::object(raw.get(), "data.custom") {
                        self.custom.extend(crate::given::fields(fields));
                    }
                }
                value => self.custom.push((name.into(), value)),
            },
            None => self.fields.push((name.into(), value)),
        }
    }
}

fn put_in<'v>(fields: &mut Fields<'v>, object: &'v str, name: &'v str, value: Given<'v>) {
    let place = fields.iter().position(|(known, _)| known == object).unwrap_or_else(|| {
        fields.push((object.into(), Given::Object(Vec::new())));
        fields.len() - 1
    });
    if let (_, Given::Object(inner)) = &mut fields[place] {
        match name.split_once('.') {
            Some((object, name)) => put_in(inner, object, name, value),
            None => inner.push((name.into(), value)),
        }
    }
}
