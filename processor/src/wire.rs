//! Reads a record of `events.v1` without copying: an event borrows its text from the record.
//!
//! Invariant: accepts and says exactly what decoding `v1::Entry` by the generated code does, merging
//! of repeated fields included; a property test holds it to that. It is written by hand because the
//! owned form costs three to four times as much for each event, and every event passes here.
//!
//! What an event says in its own terms is checked here by the table of the vocabulary and left where it lies; records of
//! before their type had a message hold JSON, which is converted ([`old`]).

use std::borrow::Cow;

use processor_core::{
    calendar::Time,
    event::{Custom, Event, EventId, Fields as Data, SubjectKind},
};
use proto::vocabulary::{self, Field, Kind, Type};

mod old;

pub(crate) use old::renewed;

/// The bytes are no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Damaged;

type Result<T> = std::result::Result<T, Damaged>;

/// Between the parts of an account's key: tenant, kind of subject, subject.
pub(crate) const SEPARATOR: char = '\u{1f}';

/// What a record says.
#[derive(Debug, PartialEq)]
pub enum Entry<'a> {
    /// An event of a subject.
    Event(Subject<'a>, Event<'a>),
    /// The clock.
    Tick(Time),
    /// An account that takes part in a merge.
    Claim(Subject<'a>),
    /// What this version does not know.
    Unknown,
}

/// Whom an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject<'a> {
    tenant: &'a str,
    kind: char,
    subject: &'a str,
}

impl<'a> Subject<'a> {
    /// Another one of the same tenant and kind.
    pub(crate) fn named(self, subject: &'a str) -> Subject<'a> {
        Subject { subject, ..self }
    }

    /// Appends the key of the account.
    pub fn write_key(&self, key: &mut String) {
        key.push_str(if self.tenant.is_empty() { "default" } else { self.tenant });
        key.extend([SEPARATOR, self.kind, SEPARATOR]);
        key.push_str(self.subject);
    }
}

/// Reads a record.
///
/// # Errors
/// When it is no `v1::Entry`.
pub fn entry(bytes: &[u8]) -> Result<Entry<'_>> {
    let mut fields = Fields(bytes);
    let (mut event, mut tick, mut is_tick): (Option<Raw<'_>>, Time, bool) = (None, 0, false);
    let mut claim: Option<Subject<'_>> = None;
    while let Some((tag, value)) = fields.next()? {
        match tag {
            1 => {
                event.get_or_insert_default().merge(value.bytes()?)?;
                (tick, is_tick, claim) = (0, false, None);
            }
            2 => {
                let mut fields = Fields(value.bytes()?);
                while let Some((tag, value)) = fields.next()? {
                    if tag == 1 {
                        tick = value.signed()?;
                    }
                }
                (event, is_tick, claim) = (None, true, None);
            }
            3 => {
                let claim = claim.get_or_insert(Subject { tenant: "", kind: 'a', subject: "" });
                let mut fields = Fields(value.bytes()?);
                while let Some((tag, value)) = fields.next()? {
                    match tag {
                        1 => claim.tenant = value.text()?,
                        2 => claim.subject = value.text()?,
                        _ => {}
                    }
                }
                (event, tick, is_tick) = (None, 0, false);
            }
            _ => {}
        }
    }
    Ok(match (event, claim) {
        (Some(event), _) => event.finish(),
        (None, Some(claim)) => Entry::Claim(claim),
        (None, None) if is_tick => Entry::Tick(tick),
        (None, None) => Entry::Unknown,
    })
}

/// The event of a record; `None` if it is none.
pub(crate) fn event(bytes: &[u8]) -> Option<Event<'_>> {
    match entry(bytes) {
        Ok(Entry::Event(_, event)) => Some(event),
        _ => None,
    }
}

/// An event as it is on the wire, field by field.
#[derive(Default)]
struct Raw<'a> {
    id: EventId<'a>,
    kind: &'a str,
    time: Time,
    recorded_at: Time,
    subject: &'a str,
    subject_kind: u64,
    tenant: &'a str,
    corrects: EventId<'a>,
    /// Number of the type, and the message of it.
    data: (u32, Data<'a>),
    /// The data as JSON: of an unknown type, or of one that had no message yet.
    json: Option<&'a str>,
    custom: Vec<(&'a str, Option<Custom<'a>>)>,
}

impl<'a> Raw<'a> {
    fn merge(&mut self, bytes: &'a [u8]) -> Result<()> {
        let mut fields = Fields(bytes);
        while let Some((tag, value)) = fields.next()? {
            match tag {
                1 => self.id.id = value.text()?,
                2 => self.id.source = value.text()?,
                3 => self.kind = value.text()?,
                4 => self.time = value.signed()?,
                5 => self.recorded_at = value.signed()?,
                6 => self.subject = value.text()?,
                7 => self.subject_kind = value.number()? & 0xffff_ffff,
                8 => self.tenant = value.text()?,
                9 => self.corrects.id = value.text()?,
                10 => self.corrects.source = value.text()?,
                // Whether the time is that of its arrival: read by the journal where two events share an id.
                11 => drop(value.number()?),
                26 => {
                    self.json = Some(value.text()?);
                    self.data = Default::default();
                }
                27 => self.custom.push(custom(value.bytes()?)?),
                _ => {
                    if let Some(kind) = vocabulary::by_number(tag) {
                        self.data(kind, value.bytes()?)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// A message of the same type as before is merged into it, another one replaces it.
    fn data(&mut self, kind: &Type, bytes: &'a [u8]) -> Result<()> {
        check(kind.fields, bytes)?;
        // Messages of one type after each other are their merger.
        self.data = match std::mem::take(&mut self.data) {
            (number, data) if number == kind.number => (number, Data(Cow::Owned([&data.0, bytes].concat()))),
            _ => (kind.number, Data::from(bytes)),
        };
        self.json = None;
        Ok(())
    }

    /// The number and the message of the type, from JSON where the record is an old one.
    fn message(&mut self) -> (u32, Data<'a>) {
        let known = self.json.and_then(|json| Some((vocabulary::find(self.kind)?, json)));
        match known.and_then(|(kind, json)| Some((kind.number, old::message(kind, json)?))) {
            Some((number, bytes)) => (number, Data(Cow::Owned(bytes))),
            None => std::mem::take(&mut self.data),
        }
    }

    fn finish(mut self) -> Entry<'a> {
        let (number, data) = self.message();
        let EventId { id, source } = self.corrects;
        let corrects = EventId { id, source: if source.is_empty() { self.id.source } else { source } };
        let (kind, letter) = match self.subject_kind {
            1 => (SubjectKind::Lead, 'l'),
            2 => (SubjectKind::Tenant, 't'),
            3 => (SubjectKind::Guest, 'g'),
            _ => (SubjectKind::Account, 'a'),
        };
        let subject = Subject { tenant: self.tenant, kind: letter, subject: self.subject };
        let event = Event {
            time: self.time,
            id: self.id,
            subject: kind,
            recorded_at: self.recorded_at,
            kind: self.kind,
            corrects: (!id.is_empty()).then_some(corrects),
            number,
            data,
            custom: self.custom.into_iter().filter_map(|(name, value)| Some((name, value?))).collect(),
        };
        Entry::Event(subject, event)
    }
}

/// Refuses a message whose fields have not the types that they should: what is read later by number is as it should be.
fn check(known: &[Field], bytes: &[u8]) -> Result<()> {
    let mut fields = Fields(bytes);
    while let Some((number, value)) = fields.next()? {
        let Some(field) = known.iter().find(|field| field.number == number) else { continue };
        match field.kind {
            Kind::Integer(..) | Kind::Money(..) | Kind::Flag => drop(value.number()?),
            Kind::List(fields) => check(fields, value.bytes()?)?,
            Kind::Traits | Kind::Texts => texts(value.bytes()?)?,
            _ => drop(value.text()?),
        }
    }
    Ok(())
}

/// The same of a name and a value.
fn texts(bytes: &[u8]) -> Result<()> {
    let mut fields = Fields(bytes);
    while let Some((tag, value)) = fields.next()? {
        if tag <= 2 {
            value.text()?;
        }
    }
    Ok(())
}

fn custom(bytes: &[u8]) -> Result<(&str, Option<Custom<'_>>)> {
    let mut custom = ("", None);
    let mut fields = Fields(bytes);
    while let Some((tag, value)) = fields.next()? {
        match tag {
            1 => custom.0 = value.text()?,
            2 | 6 => custom.1 = Some(Custom::Text(value.text()?.into())),
            3 => custom.1 = Some(Custom::Integer(value.integer()?)),
            4 => custom.1 = Some(Custom::Decimal(value.double()?.to_string())),
            5 => custom.1 = Some(Custom::Flag(value.number()? != 0)),
            _ => {}
        }
    }
    Ok(custom)
}

/// The fields of a message, in the order in which they were written.
struct Fields<'a>(&'a [u8]);

/// A field's value, by wire type.
#[derive(Debug, Clone, Copy)]
enum Value<'a> {
    Number(u64),
    Double(f64),
    Bytes(&'a [u8]),
    /// Of a type that no field here has.
    Other,
}

impl<'a> Fields<'a> {
    fn next(&mut self) -> Result<Option<(u32, Value<'a>)>> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let (tag, kind) = self.key()?;
        Ok(Some((tag, self.value(tag, kind, 0)?)))
    }

    fn key(&mut self) -> Result<(u32, u32)> {
        let key = u32::try_from(self.varint()?).map_err(|_| Damaged)?;
        if key >> 3 == 0 { Err(Damaged) } else { Ok((key >> 3, key & 7)) }
    }

    fn value(&mut self, tag: u32, kind: u32, depth: u32) -> Result<Value<'a>> {
        Ok(match kind {
            0 => Value::Number(self.varint()?),
            1 => Value::Double(f64::from_le_bytes(self.take(8)?.try_into().map_err(|_| Damaged)?)),
            2 => {
                let length = self.varint()?;
                Value::Bytes(self.take(usize::try_from(length).map_err(|_| Damaged)?)?)
            }
            // The generated code goes this deep into groups that it does not know.
            3 if depth < 100 => loop {
                match self.key()? {
                    (end, 4) if end == tag => break Value::Other,
                    (_, 4) => return Err(Damaged),
                    (tag, kind) => drop(self.value(tag, kind, depth + 1)?),
                }
            },
            5 => {
                self.take(4)?;
                Value::Other
            }
            _ => return Err(Damaged),
        })
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Damaged)?;
        self.0 = rest;
        Ok(taken)
    }

    fn varint(&mut self) -> Result<u64> {
        if let Some((first, rest)) = self.0.split_first()
            && *first < 0x80
        {
            self.0 = rest;
            return Ok(u64::from(*first));
        }
        let mut value = 0;
        for (index, byte) in self.0.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (index * 7);
            if *byte < 0x80 {
                self.0 = &self.0[index + 1..];
                return if index == 9 && *byte > 1 { Err(Damaged) } else { Ok(value) };
            }
        }
        Err(Damaged)
    }
}

impl<'a> Value<'a> {
    fn number(self) -> Result<u64> {
        if let Value::Number(number) = self { Ok(number) } else { Err(Damaged) }
    }

    /// `int64`.
    fn integer(self) -> Result<i64> {
        Ok(self.number()?.cast_signed())
    }

    /// `sint64`.
    fn signed(self) -> Result<i64> {
        let number = self.number()?;
        Ok((number >> 1).cast_signed() ^ -((number & 1).cast_signed()))
    }

    fn double(self) -> Result<f64> {
        if let Value::Double(number) = self { Ok(number) } else { Err(Damaged) }
    }

    fn bytes(self) -> Result<&'a [u8]> {
        if let Value::Bytes(bytes) = self { Ok(bytes) } else { Err(Damaged) }
    }

    fn text(self) -> Result<&'a str> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Damaged)
    }
}

#[cfg(test)]
mod tests;
