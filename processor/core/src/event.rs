//! An event as the engine sees it: the wire twin is converted at the edge.
//!
//! Invariant: it borrows its text from the record that it came in, so that reading one copies nothing.

use std::borrow::Cow;

use crate::calendar::Time;

/// Every type of the vocabulary; a test compares it with what doors know.
pub const TYPES: [&str; 28] = [
    "account.updated",
    "contact.updated",
    "cost.recorded",
    "fx.rate_set",
    "goal.set",
    "identity.linked",
    "invoice.resolved",
    "lead.contacted",
    "lead.converted",
    "lead.created",
    "lead.status_changed",
    "offer.accepted",
    "offer.made",
    "opportunity.changed",
    "opportunity.closed",
    "opportunity.opened",
    "opportunity.reopened",
    "order.cancelled",
    "order.completed",
    "payment.refunded",
    "retracted",
    "subscription.changed",
    "survey.answered",
    "survey.sent",
    "ticket.message",
    "ticket.opened",
    "ticket.status_changed",
    "usage.recorded",
];

/// Identity of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct EventId<'a> {
    /// Who sent it.
    pub source: &'a str,
    /// Unique within the source.
    pub id: &'a str,
}

/// Identity of the event behind a change, kept beyond its record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// Who sent it.
    pub source: Box<str>,
    /// Unique within the source.
    pub id: Box<str>,
}

impl From<EventId<'_>> for Cause {
    fn from(id: EventId<'_>) -> Cause {
        Cause { source: id.source.into(), id: id.id.into() }
    }
}

/// One customer-interaction event of one subject.
#[derive(Debug, Clone, PartialEq)]
pub struct Event<'a> {
    /// When it happened.
    pub time: Time,
    /// Its identity.
    pub id: EventId<'a>,
    /// When a door accepted it.
    pub recorded_at: Time,
    /// Type, as in the vocabulary.
    pub kind: &'a str,
    /// The event that it replaces.
    pub corrects: Option<EventId<'a>>,
    /// Its content, of the types that the account itself reads.
    pub body: Body<'a>,
    /// Its content, of every type of the vocabulary: the message of that type.
    pub data: Fields<'a>,
    /// `data.custom`.
    pub custom: Vec<(&'a str, Custom<'a>)>,
}

impl<'a> Event<'a> {
    /// Order of facts: (time, source, id), bytewise.
    pub fn order(&self) -> (Time, &'a str, &'a str) {
        (self.time, self.id.source, self.id.id)
    }
}

/// The content of an event, as it came: a protobuf message, read where it lies.
///
/// A field is asked for by its number. The bytes were checked when the event was read, so that a field that does not read is
/// an absent one. Where a field is there twice the later one holds, as protobuf has it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fields<'a>(pub Cow<'a, [u8]>);

#[cfg(test)]
impl Fields<'static> {
    /// The message with these texts; a number that begins with `#` is a whole number, one with `?` a flag.
    pub(crate) fn of(fields: &[(u32, &str)]) -> Fields<'static> {
        let mut bytes = Vec::new();
        for (number, text) in fields.iter().filter(|(_, text)| !text.is_empty()) {
            let key = u128::from(*number) << 3;
            match text.strip_prefix(['#', '?']) {
                Some(value) => {
                    crate::codec::put(&mut bytes, key);
                    let value = value.parse::<i64>().unwrap().cast_unsigned();
                    crate::codec::put(&mut bytes, value.into());
                }
                None => {
                    crate::codec::put(&mut bytes, key | 2);
                    crate::codec::put_text(&mut bytes, text);
                }
            }
        }
        Fields(Cow::Owned(bytes))
    }
}

/// A field on the wire.
enum Wire<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    Other,
}

impl Fields<'_> {
    /// A text; empty where it is absent.
    pub fn text(&self, number: u32) -> &str {
        match self.find(number) {
            Some(Wire::Bytes(bytes)) => std::str::from_utf8(bytes).unwrap_or_default(),
            _ => "",
        }
    }

    /// A whole number.
    pub fn integer(&self, number: u32) -> Option<i64> {
        match self.find(number) {
            Some(Wire::Number(value)) => Some(value.cast_signed()),
            _ => None,
        }
    }

    /// True or false.
    pub fn flag(&self, number: u32) -> Option<bool> {
        self.integer(number).map(|value| value != 0)
    }

    /// The messages of a list.
    pub fn messages(&self, number: u32) -> impl Iterator<Item = Fields<'_>> {
        self.all().filter_map(move |(found, value)| match value {
            Wire::Bytes(bytes) if found == number => Some(Fields(Cow::Borrowed(bytes))),
            _ => None,
        })
    }

    fn find(&self, number: u32) -> Option<Wire<'_>> {
        self.all().filter(|(found, _)| *found == number).last().map(|(_, value)| value)
    }

    /// The fields up to the first that is damaged.
    fn all(&self) -> impl Iterator<Item = (u32, Wire<'_>)> {
        let mut rest = &*self.0;
        std::iter::from_fn(move || next(&mut rest))
    }
}

fn next<'a>(rest: &mut &'a [u8]) -> Option<(u32, Wire<'a>)> {
    let key = varint(rest)?;
    let value = match key & 7 {
        0 => Wire::Number(varint(rest)?),
        2 => {
            let length = usize::try_from(varint(rest)?).ok()?;
            let (bytes, after) = rest.split_at_checked(length)?;
            *rest = after;
            Wire::Bytes(bytes)
        }
        1 | 5 => {
            *rest = rest.get(if key & 7 == 1 { 8 } else { 4 }..)?;
            Wire::Other
        }
        _ => return None,
    };
    Some((u32::try_from(key >> 3).ok()?, value))
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for (shift, byte) in (0..64).step_by(7).zip(rest.iter()) {
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            *rest = &rest[shift / 7 + 1..];
            return Some(value);
        }
    }
    None
}

/// Value of a custom field.
///
/// Values with the same text are one: 12, 12.0 and "12" are the dimension value `12`, true and "true" are `true`. In a
/// filter such a value is a number beside a number, a text beside a text, a flag as a condition.
#[derive(Debug, Clone, PartialEq)]
pub enum Custom<'a> {
    /// Text, or the text of what filters do not look into.
    Text(Cow<'a, str>),
    /// A whole number.
    Integer(i64),
    /// A decimal, as its shortest text.
    Decimal(String),
    /// True or false.
    Flag(bool),
}

impl Custom<'_> {
    /// The same value, kept beyond its event.
    pub fn own(&self) -> Custom<'static> {
        match self {
            Custom::Text(text) => Custom::Text(Cow::Owned(text.clone().into_owned())),
            Custom::Integer(number) => Custom::Integer(*number),
            Custom::Decimal(text) => Custom::Decimal(text.clone()),
            Custom::Flag(flag) => Custom::Flag(*flag),
        }
    }

    /// The value as a dimension has it: `12`, `1.5`, `true`, the text itself.
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Custom::Text(text) => Cow::Borrowed(text.as_ref()),
            Custom::Integer(number) => Cow::Owned(number.to_string()),
            Custom::Decimal(text) => Cow::Borrowed(if text == "-0" { "0" } else { text }),
            Custom::Flag(flag) => Cow::Borrowed(if *flag { "true" } else { "false" }),
        }
    }
}

/// What an event says.
#[derive(Debug, Clone, PartialEq)]
pub enum Body<'a> {
    /// `order.completed`.
    Order(Order<'a>),
    /// `order.cancelled`: the order's id.
    Cancelled(&'a str),
    /// `payment.refunded` of an order.
    Refund(Refund<'a>),
    /// `account.updated`: names with values, `None` unsets.
    Traits(Vec<(&'a str, Option<&'a str>)>),
    /// `usage.recorded`.
    Usage(Usage<'a>),
    /// `retracted`.
    Retracted(EventId<'a>),
    /// A type without a lifecycle: it counts as an event, no more.
    Other,
}

/// An order; amounts in minor units of `currency`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Order<'a> {
    /// Unique within the account.
    pub order: &'a str,
    /// Before discount.
    pub gross: i64,
    /// Off the gross.
    pub discount: i64,
    /// ISO 4217.
    pub currency: &'a str,
    /// Empty if absent.
    pub channel: &'a str,
    /// Empty if absent.
    pub source: &'a str,
    /// Products with amounts before discount.
    pub lines: Vec<(&'a str, i64)>,
}

impl Order<'_> {
    /// Gross less discount.
    pub fn net(&self) -> i128 {
        i128::from(self.gross) - i128::from(self.discount)
    }
}

/// A refund of an order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Refund<'a> {
    /// Unique within the account.
    pub refund: &'a str,
    /// The order.
    pub order: &'a str,
    /// Minor units.
    pub amount: i64,
    /// ISO 4217.
    pub currency: &'a str,
}

/// Use of the product.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Usage<'a> {
    /// Who.
    pub user: &'a str,
    /// What.
    pub name: &'a str,
    /// How often; 0 is no usage.
    pub count: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_where_they_lie() {
        let data = Fields::of(&[(1, "t-1"), (2, "#300"), (3, "?1"), (40, "later"), (1, "t-2")]);
        assert_eq!((data.text(1), data.text(40), data.text(9)), ("t-2", "later", ""), "the later one holds");
        assert_eq!((data.integer(2), data.flag(3), data.integer(1)), (Some(300), Some(true), None));
        let damaged = Fields(Cow::Borrowed(&[0x0a, 0x7f, b'a']));
        assert_eq!((damaged.text(1), damaged.messages(1).count()), ("", 0));
    }

    #[test]
    fn equal_values_have_one_text() {
        let decimal = |number: f64| Custom::Decimal(number.to_string());
        for (text, values) in [
            ("12", [Custom::Integer(12), decimal(12.0), Custom::Text("12".into())]),
            ("1.5", [decimal(1.5), decimal(1.50), Custom::Text("1.5".into())]),
            ("0", [Custom::Integer(0), decimal(-0.0), Custom::Text("0".into())]),
            ("true", [Custom::Flag(true), Custom::Text("true".into()), Custom::Flag(true)]),
            ("-7", [Custom::Integer(-7), decimal(-7.0), Custom::Text("-7".into())]),
        ] {
            values.iter().for_each(|value| assert_eq!(value.text(), text, "{value:?}"));
        }
    }
}
