//! Reads the entries of metric topics for a store: the hot path of a catch-up, in which the sink reads millions.
//!
//! Rows of a series differ in the window and what it shows; all else is said again in each record. So what a record says of
//! its series is looked up as bytes, and rows share what it was decoded to: where the bytes are the same, so is the series,
//! and nothing of it is looked at again. Invariant: a
//! record is read here only if it is laid out as this version writes it, with fields in the order of their tags; every other
//! one is left to [`convert`], which decides what a record means. A test compares the two.

use std::{collections::HashMap, sync::Arc};

use foldhash::fast::FixedState;
use store::{Point, Row, Series, Window};

use crate::{
    Result,
    convert::{self, Said},
};

/// Series that are known at a time: some 500 bytes each.
const SERIES_MAX: usize = 65_536;

/// Reads entries, and remembers the series that they are of.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    /// By the bytes that say which series it is, see [`Parts::name`].
    series: HashMap<Box<[u8]>, Arc<Series>, FixedState>,
    /// The bytes of the record that is being read; scratch.
    name: Vec<u8>,
    /// The last window and its bytes: rows of a window come one after the other.
    window: Option<(Box<[u8]>, Window)>,
}

/// A snapshot, taken apart.
#[derive(Debug, Default)]
struct Parts<'a> {
    identity: &'a [u8],
    window: &'a [u8],
    metric: &'a [u8],
    revision_us: i64,
    value: Option<f64>,
    num: Option<&'a str>,
    den: Option<&'a str>,
    unit: &'a [u8],
    currency: &'a [u8],
    is_final: bool,
    corrected: bool,
    reason: &'a str,
    since_us: Option<i64>,
}

impl Reader {
    /// Decodes the value of a metric topic.
    ///
    /// # Errors
    /// When it does not decode, or no store could hold it.
    pub(crate) fn metric_entry(&mut self, bytes: &[u8]) -> Result<Said> {
        let Some(parts) = Parts::read(bytes) else { return convert::metric_entry(bytes) };
        parts.name(&mut self.name);
        let known = self.series.get(self.name.as_slice());
        let window = self.window.as_ref().filter(|(seen, _)| **seen == *parts.window);
        match (known, window) {
            (Some(series), Some((_, window))) => Ok(Said::Row(parts.row(series.clone(), *window))),
            _ => self.learn(&parts, bytes),
        }
    }

    /// Decodes a row whose series or window is not known, and remembers both.
    fn learn(&mut self, parts: &Parts<'_>, bytes: &[u8]) -> Result<Said> {
        let Said::Row(mut row) = convert::metric_entry(bytes)? else { return convert::metric_entry(bytes) };
        self.window = Some((parts.window.into(), row.point.window));
        if let Some(known) = self.series.get(self.name.as_slice()) {
            row.series = known.clone();
        } else if parts.is_of(&row.series) {
            if self.series.len() >= SERIES_MAX {
                self.series.clear();
            }
            self.series.insert(self.name.as_slice().into(), row.series.clone());
        }
        Ok(Said::Row(row))
    }
}

impl<'a> Parts<'a> {
    /// The parts of a snapshot that is laid out as expected.
    fn read(bytes: &'a [u8]) -> Option<Parts<'a>> {
        let mut entry = Fields(bytes);
        let (1, Field::Bytes(snapshot)) = entry.next()? else { return None };
        if !entry.0.is_empty() {
            return None;
        }

        let mut parts = Parts::default();
        let (mut fields, mut last) = (Fields(snapshot), 0);
        while !fields.0.is_empty() {
            let (tag, field) = fields.next()?;
            if tag < last || (tag == last && !REPEATED.contains(&tag)) {
                return None;
            }
            last = tag;
            match (tag, field) {
                (1, Field::Bytes(key)) => (parts.identity, parts.window) = split(key)?,
                (2, Field::Bytes(metric)) => parts.metric = metric,
                (3, Field::Varint(revision)) => parts.revision_us = unzigzag(revision),
                (4, Field::Fixed64(value)) => parts.value = Some(f64::from_bits(value)),
                (5, Field::Bytes(num)) => parts.num = Some(text(num)?),
                (6, Field::Bytes(den)) => parts.den = Some(text(den)?),
                (7, Field::Bytes(unit)) => parts.unit = unit,
                (8, Field::Bytes(currency)) => parts.currency = currency,
                (9, Field::Varint(flag)) => parts.is_final = flag != 0,
                (10, Field::Varint(flag)) => parts.corrected = flag != 0,
                (11, Field::Bytes(reason)) => parts.reason = text(reason)?,
                (12, Field::Varint(since)) => parts.since_us = Some(unzigzag(since)),
                (tag, Field::Bytes(message)) if is_reason(tag, message) => {}
                _ => return None,
            }
        }
        (!parts.window.is_empty()).then_some(parts)
    }

    /// All bytes that say which series it is. Each part but the last has its length before it, so that no two series share
    /// a name.
    fn name(&self, out: &mut Vec<u8>) {
        out.clear();
        for part in [self.metric, self.unit, self.currency] {
            out.extend_from_slice(&part.len().to_le_bytes());
            out.extend_from_slice(part);
        }
        out.extend_from_slice(self.identity);
    }

    /// Whether what the snapshot says of its series beside the key is what the series has.
    fn is_of(&self, series: &Series) -> bool {
        self.metric == series.metric.as_bytes()
            && self.unit == series.unit.as_bytes()
            && self.currency == series.currency.as_bytes()
    }

    fn row(&self, series: Arc<Series>, window: Window) -> Row {
        let point = Point {
            window,
            value: self.value,
            num: self.num.map(str::to_owned),
            den: self.den.map(str::to_owned),
            revision_us: Some(self.revision_us),
            is_final: self.is_final,
            corrected: self.corrected,
            first: None,
            since_us: self.since_us,
            reason: self.reason.to_owned(),
        };
        Row { series, point }
    }
}

/// Causes, contributions, projection and traits: they say why a row is what it is and of whom. Of a series of an account the
/// latest are read apart ([`convert::seen`]).
const REPEATED: std::ops::RangeInclusive<u64> = 13..=16;

/// Whether one of [`REPEATED`] is laid out as expected: then it would decode, and it is passed over.
fn is_reason(tag: u64, message: &[u8]) -> bool {
    match tag {
        13 => all(message, |tag, field| match field {
            Field::Bytes(part) => matches!(tag, 1 | 2) && text(part).is_some(),
            field => matches!((tag, field), (3, Field::Varint(_))),
        }),
        16 => all(message, |tag, field| match field {
            Field::Bytes(part) => matches!(tag, 1 | 2) && text(part).is_some(),
            _ => false,
        }),
        14 => all(message, |tag, field| match field {
            Field::Bytes(name) => tag == 1 && text(name).is_some(),
            field => matches!((tag, field), (2, Field::Varint(_))),
        }),
        15 => all(message, |tag, field| match field {
            Field::Bytes(reason) if tag == 3 => text(reason).is_some(),
            Field::Bytes(moved) => tag == 4 && is_moved(moved),
            field => matches!((tag, field), (1, Field::Varint(_)) | (2, Field::Fixed64(_))),
        }),
        _ => false,
    }
}

/// Whether a component of a projection is laid out as expected.
fn is_moved(message: &[u8]) -> bool {
    all(message, |tag, field| match field {
        Field::Bytes(name) => tag == 1 && text(name).is_some(),
        field => matches!((tag, field), (2, Field::Fixed64(_))),
    })
}

/// Whether every field of a message is one of those expected.
fn all(message: &[u8], expected: impl Fn(u64, Field<'_>) -> bool) -> bool {
    let mut fields = Fields(message);
    while !fields.0.is_empty() {
        if !fields.next().is_some_and(|(tag, field)| expected(tag, field)) {
            return false;
        }
    }
    true
}

/// A key as its identity and its window, which is its last field.
fn split(key: &[u8]) -> Option<(&[u8], &[u8])> {
    const WINDOW: u64 = 5;
    let mut fields = Fields(key);
    loop {
        let before = fields.0.len();
        let (tag, field) = fields.next()?;
        match field {
            Field::Bytes(window) if tag == WINDOW => {
                return fields.0.is_empty().then_some((&key[..key.len() - before], window));
            }
            Field::Bytes(_) if tag < WINDOW => {}
            _ => return None,
        }
    }
}

/// A field of a message, in the wire types that are read here.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Field<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
}

/// The fields of a message.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    #[inline]
    fn next(&mut self) -> Option<(u64, Field<'a>)> {
        let tag = self.varint()?;
        let field = match tag & 7 {
            0 => Field::Varint(self.varint()?),
            1 => {
                let (bytes, rest) = self.0.split_first_chunk()?;
                self.0 = rest;
                Field::Fixed64(u64::from_le_bytes(*bytes))
            }
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                let (bytes, rest) = self.0.split_at_checked(length)?;
                self.0 = rest;
                Field::Bytes(bytes)
            }
            _ => return None,
        };
        Some((tag >> 3, field))
    }

    #[inline]
    fn varint(&mut self) -> Option<u64> {
        // Tags, flags and nearly all lengths are one byte.
        if let [byte @ ..0x80, rest @ ..] = self.0 {
            self.0 = rest;
            return Some(u64::from(*byte));
        }
        let mut value = 0;
        for (at, byte) in self.0.iter().enumerate().take(9) {
            value |= u64::from(byte & 0x7f) << (7 * at);
            if byte & 0x80 == 0 {
                self.0 = &self.0[at + 1..];
                return Some(value);
            }
        }
        // Ten bytes: only negative numbers of types that are not used here, and what the reader of all layouts decides.
        None
    }
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests;
