//! The content of an event where it lies: the bytes of a protobuf message, asked field by field.
//!
//! Invariants: it copies nothing and never panics. Who makes it checked the bytes once, so that a field here that does not read
//! cannot be; it counts as absent. Where a field is there twice the later one holds, as protobuf has it. Messages of
//! events are small: to look through one is faster than to keep a table of it.
//!
//! It knows numbers and wire types, not names: those are in [`crate::vocabulary`].

use std::borrow::Cow;

use crate::rational::Rational;

/// The fields of one protobuf message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fields<'a>(pub Cow<'a, [u8]>);

/// A message within a message, or a whole one: the same questions, answered for as long as the bytes are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Message<'a>(&'a [u8]);

/// The value of a field, by wire type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// A whole number or a flag.
    Number(u64),
    /// A text or a message.
    Bytes(&'a [u8]),
    /// Of a type that no field of the vocabulary has.
    Other,
}

impl<'a> Value<'a> {
    /// A text; empty for what is none.
    pub fn text(self) -> &'a str {
        match self {
            Value::Bytes(bytes) => std::str::from_utf8(bytes).unwrap_or_default(),
            _ => "",
        }
    }

    /// A whole number (`int64`); `None` for what is none.
    pub fn integer(self) -> Option<i64> {
        if let Value::Number(value) = self { Some(value.cast_signed()) } else { None }
    }
}

impl<'a> From<&'a [u8]> for Fields<'a> {
    fn from(bytes: &'a [u8]) -> Fields<'a> {
        Fields(Cow::Borrowed(bytes))
    }
}

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

    /// The same with these messages in a repeated field.
    pub(crate) fn with(self, number: u32, messages: &[Fields<'_>]) -> Fields<'static> {
        let mut bytes = self.0.into_owned();
        for message in messages {
            crate::codec::put(&mut bytes, u128::from(number) << 3 | 2);
            crate::codec::put(&mut bytes, message.0.len() as u128);
            bytes.extend_from_slice(&message.0);
        }
        Fields(Cow::Owned(bytes))
    }
}

impl Fields<'_> {
    /// The message, to be read for as long as these fields are there.
    pub fn message(&self) -> Message<'_> {
        Message(&self.0)
    }

    /// Whether the field is on the wire. An empty text, 0 or false of a field without presence is not written.
    pub fn has(&self, number: u32) -> bool {
        self.message().has(number)
    }

    /// A text; empty where it is absent.
    pub fn text(&self, number: u32) -> &str {
        self.message().text(number)
    }

    /// A whole number (`int64`); an amount is minor units.
    pub fn integer(&self, number: u32) -> Option<i64> {
        self.message().integer(number)
    }

    /// True or false.
    pub fn flag(&self, number: u32) -> Option<bool> {
        self.message().flag(number)
    }

    /// An exact decimal, which is kept as text.
    pub fn decimal(&self, number: u32) -> Option<Rational> {
        self.message().decimal(number)
    }

    /// The messages of a repeated field, in the order written.
    pub fn messages(&self, number: u32) -> impl Iterator<Item = Message<'_>> {
        self.message().messages(number)
    }

    /// The texts of a repeated field, in the order written.
    pub fn texts(&self, number: u32) -> impl Iterator<Item = &str> {
        self.message().all(number).map(|bytes| std::str::from_utf8(bytes).unwrap_or_default())
    }
}

impl<'a> Message<'a> {
    /// Whether the field is on the wire.
    pub fn has(self, number: u32) -> bool {
        self.last(number).is_some()
    }

    /// A text; empty where it is absent.
    pub fn text(self, number: u32) -> &'a str {
        self.last(number).map(Value::text).unwrap_or_default()
    }

    /// A whole number (`int64`); an amount is minor units.
    pub fn integer(self, number: u32) -> Option<i64> {
        self.last(number)?.integer()
    }

    /// True or false.
    pub fn flag(self, number: u32) -> Option<bool> {
        self.integer(number).map(|value| value != 0)
    }

    /// An exact decimal, which is kept as text.
    pub fn decimal(self, number: u32) -> Option<Rational> {
        let text = self.text(number);
        if text.is_empty() { None } else { decimal(text) }
    }

    /// The messages of a repeated field, in the order written.
    pub fn messages(self, number: u32) -> impl Iterator<Item = Message<'a>> {
        self.all(number).map(Message)
    }

    /// Numbers and values of the fields in the order written, up to the first that is damaged: for what reads many.
    pub fn each(self) -> impl Iterator<Item = (u32, Value<'a>)> {
        let mut rest = self.0;
        std::iter::from_fn(move || next(&mut rest))
    }

    fn all(self, number: u32) -> impl Iterator<Item = &'a [u8]> {
        self.each().filter_map(move |(found, value)| match value {
            Value::Bytes(bytes) if found == number => Some(bytes),
            _ => None,
        })
    }

    fn last(self, number: u32) -> Option<Value<'a>> {
        self.each().filter(|(found, _)| *found == number).map(|(_, value)| value).last()
    }
}

fn next<'a>(rest: &mut &'a [u8]) -> Option<(u32, Value<'a>)> {
    let key = varint(rest)?;
    let number = u32::try_from(key >> 3).ok()?;
    Some((number, value(rest, number, key & 7, 0)?))
}

fn value<'a>(rest: &mut &'a [u8], number: u32, kind: u64, depth: u32) -> Option<Value<'a>> {
    Some(match kind {
        0 => Value::Number(varint(rest)?),
        1 => take(rest, 8).map(|_| Value::Other)?,
        2 => {
            let length = usize::try_from(varint(rest)?).ok()?;
            Value::Bytes(take(rest, length)?)
        }
        // A group, which only a later version could write: passed over.
        3 if depth < 100 => loop {
            let key = varint(rest)?;
            match (u32::try_from(key >> 3).ok()?, key & 7) {
                (end, 4) if end == number => break Value::Other,
                (_, 4) => return None,
                (inner, kind) => value(rest, inner, kind, depth + 1).map(drop)?,
            }
        },
        5 => take(rest, 4).map(|_| Value::Other)?,
        _ => return None,
    })
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(taken)
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    // Keys and lengths are mostly one byte.
    if let Some((first, after)) = rest.split_first()
        && *first < 0x80
    {
        *rest = after;
        return Some(u64::from(*first));
    }
    let mut value = 0;
    for (index, byte) in rest.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (index * 7);
        if *byte < 0x80 {
            *rest = &rest[index + 1..];
            return Some(value);
        }
    }
    None
}

/// Reads `-12.5`, without a copy of its digits; the rare other forms are left to [`Rational::parse`].
fn decimal(text: &str) -> Option<Rational> {
    let (negative, unsigned) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (mut digits, mut power, mut fraction) = (0_i128, 1_i128, false);
    for byte in unsigned.bytes() {
        match byte {
            b'0'..=b'9' => {
                digits = digits.checked_mul(10)?.checked_add(i128::from(byte - b'0'))?;
                if fraction {
                    power = power.checked_mul(10)?;
                }
            }
            b'.' if !fraction => fraction = true,
            _ => return Rational::parse(text),
        }
    }
    Rational::new(if negative { -digits } else { digits }, power)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Field 1 is the text `ab`, field 2 is -3, field 3 is true, field 4 is the text `-12.5`.
    const MESSAGE: &[u8] = &[
        10, 2, b'a', b'b', 16, 253, 255, 255, 255, 255, 255, 255, 255, 255, 1, 24, 1, 34, 5, b'-', b'1', b'2', b'.',
        b'5',
    ];

    #[test]
    fn fields_are_read_by_number() {
        let fields = Fields::from(MESSAGE);
        assert_eq!((fields.text(1), fields.integer(2), fields.flag(3)), ("ab", Some(-3), Some(true)));
        assert_eq!(fields.decimal(4), Rational::new(-25, 2));
        assert_eq!((fields.has(4), fields.has(5)), (true, false));
        assert_eq!((fields.text(5), fields.integer(5), fields.flag(5), fields.decimal(5)), ("", None, None, None));
        assert_eq!((fields.text(2), fields.integer(1)), ("", None), "another type than is asked for");
    }

    #[test]
    fn tests_write_what_is_read() {
        let data = Fields::of(&[(1, "t-1"), (2, "#300"), (3, "?1"), (40, "later"), (1, "t-2")]);
        assert_eq!((data.text(1), data.text(40), data.text(9)), ("t-2", "later", ""));
        assert_eq!((data.integer(2), data.flag(3), data.integer(1)), (Some(300), Some(true), None));
    }

    #[test]
    fn the_later_of_two_holds_and_a_list_has_both() {
        let bytes = [10, 1, b'a', 10, 0, 10, 1, b'b'];
        let fields = Fields::from(&bytes[..]);
        assert_eq!(fields.text(1), "b");
        assert_eq!(fields.texts(1).collect::<Vec<_>>(), ["a", "", "b"]);
        assert_eq!(fields.messages(1).map(|message| message.0.len()).collect::<Vec<_>>(), [1, 0, 1]);
    }

    #[test]
    fn damage_ends_the_message() {
        for cut in 0..MESSAGE.len() {
            let fields = Fields::from(&MESSAGE[..cut]);
            assert_eq!(fields.text(1), if cut < 4 { "" } else { "ab" }, "{cut}");
            assert_eq!(fields.decimal(4), None, "{cut}");
        }
        for bytes in [&[0xff; 12][..], &[11, 11, 12, 11], &[9, 0], &[13, 0], &[15]] {
            assert!(!Fields::from(bytes).has(1), "{bytes:?}");
        }
    }

    #[test]
    fn groups_and_fixed_numbers_are_passed_over() {
        let bytes = [19, 8, 1, 20, 25, 0, 0, 0, 0, 0, 0, 0, 0, 37, 0, 0, 0, 0, 10, 1, b'x'];
        assert_eq!(Fields::from(&bytes[..]).text(1), "x");
    }

    #[test]
    fn decimals_are_exact() {
        for (text, num, den) in [("0", 0, 1), ("-0.25", -1, 4), ("8.50", 17, 2), ("1e3", 1000, 1), ("5e-1", 1, 2)] {
            assert_eq!(decimal(text), Rational::new(num, den), "{text}");
        }
        assert_eq!((decimal("x"), decimal("1.2.3"), decimal(&"9".repeat(60))), (None, None, None));
    }
}
