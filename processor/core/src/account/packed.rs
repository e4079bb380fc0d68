//! How the parts of an account are written: numbers, times, texts, sections of lifecycles.
//!
//! An account says the same few times and traits again and again (its latest order is the latest event, its score moves
//! when its timer rings): said again, one is a byte.
//!
//! ```text
//!     time:    0 for the beginning of time, 1 for its end, 2 + n for the n-th that was said,
//!              2 + count of those + the difference to the latest event, in the largest unit in which it is whole
//!     traits:  0 for none, 1 and their texts, 2 + n for the n-th that were said
//! ```
//!
//! Invariant: what is read in the order in which it was written is what was written; bytes may be hostile.

use crate::{
    calendar::{HOUR, SECOND, Time},
    codec::{Reader, put, put_signed, put_text},
    series::Profiles,
};

/// The tag of no section.
const END: u8 = 0;

/// What an encoding has said so far, as far as it fits: accounts have few times.
#[derive(Debug)]
pub(super) struct Seen {
    /// The latest event, from which times are counted; it is the first of those said.
    base: Time,
    times: [Time; 16],
    times_count: usize,
    profiles: [u32; 8],
    profiles_count: usize,
}

impl Seen {
    fn new(base: Time) -> Seen {
        Seen { base, times: [base; 16], times_count: 1, profiles: [0; 8], profiles_count: 0 }
    }

    /// Appends the latest event and counts times from it.
    pub(super) fn begin(base: Time, out: &mut Vec<u8>) -> Seen {
        put(out, literal(base, 0));
        Seen::new(base)
    }

    /// Reads the latest event.
    pub(super) fn read(from: &mut Reader<'_>, old: bool) -> Option<Seen> {
        let base = if old { from.get_time()? } else { time_of(from.get()?, 0)? };
        Some(Seen::new(base))
    }

    /// The latest event.
    pub(super) fn base(&self) -> Time {
        self.base
    }

    fn times(&self) -> &[Time] {
        &self.times[..self.times_count]
    }

    fn say_time(&mut self, at: Time) {
        if let Some(place) = self.times.get_mut(self.times_count) {
            *place = at;
            self.times_count += 1;
        }
    }

    fn profiles(&self) -> &[u32] {
        &self.profiles[..self.profiles_count]
    }

    fn say_profile(&mut self, number: u32) {
        if let Some(place) = self.profiles.get_mut(self.profiles_count) {
            *place = number;
            self.profiles_count += 1;
        }
    }

    /// The least number that is of no time said.
    fn first(&self) -> u128 {
        2 + self.times_count as u128
    }
}

/// Units of times, from the smallest on. Midnights are whole half hours nearly everywhere.
const UNITS: [Time; 4] = [1, 1_000, SECOND, HOUR / 2];

/// A time as a number: its difference to `base` in a unit, and which.
fn literal(at: Time, base: Time) -> u128 {
    let unit = (1..UNITS.len()).rev().find(|unit| at % UNITS[*unit] == 0).unwrap_or(0);
    let difference = i128::from(at.div_euclid(UNITS[unit])) - i128::from(base.div_euclid(UNITS[unit]));
    let folded = ((difference << 1) ^ (difference >> 127)).cast_unsigned();
    folded << 2 | unit as u128
}

/// The time of such a number.
fn time_of(number: u128, base: Time) -> Option<Time> {
    let (unit, folded) = (UNITS[usize::try_from(number & 3).ok()?], number >> 2);
    let difference = (folded >> 1).cast_signed() ^ -((folded & 1).cast_signed());
    let at = difference.checked_add(base.div_euclid(unit).into())?;
    Time::try_from(at.checked_mul(unit.into())?).ok()
}

/// Writes the parts of an account.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut Vec<u8>,
    profiles: &'a Profiles,
    seen: &'a mut Seen,
}

impl<'a> Writer<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>, profiles: &'a Profiles, seen: &'a mut Seen) -> Writer<'a> {
        Writer { out, profiles, seen }
    }

    /// Number of bytes so far, with those before the account.
    pub fn length(&self) -> usize {
        self.out.len()
    }

    /// Appends bytes.
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// Appends a number that is not negative.
    pub fn number(&mut self, value: u64) {
        put(self.out, value.into());
    }

    /// Appends a number.
    pub fn integer(&mut self, value: i64) {
        put_signed(self.out, value.into());
    }

    /// Appends a sum of amounts.
    pub fn amount(&mut self, value: i128) {
        put_signed(self.out, value);
    }

    /// Appends a flag.
    pub fn flag(&mut self, flag: bool) {
        self.out.push(flag.into());
    }

    /// Appends a time.
    pub fn time(&mut self, at: Time) {
        let number = match at {
            Time::MIN => 0,
            Time::MAX => 1,
            at => match self.seen.times().iter().position(|known| *known == at) {
                Some(place) => 2 + place as u128,
                None => {
                    let number = self.seen.first() + literal(at, self.seen.base);
                    self.seen.say_time(at);
                    number
                }
            },
        };
        put(self.out, number);
    }

    /// Appends a text.
    pub fn text(&mut self, text: &str) {
        put_text(self.out, text);
    }

    /// Appends texts in their order: of each how much it has in common with the one before, and the rest.
    pub fn sorted<'t>(&mut self, texts: impl ExactSizeIterator<Item = &'t str>) {
        let mut before = "";
        self.list(texts, |out, text| {
            let common = common(before, text);
            let (same, rest) = (common as u64, &text[common..]);
            let length = rest.len() as u64;
            // Both in one number, which is mostly a byte.
            if same < 16 && (1..8).contains(&length) {
                out.number(same << 3 | length);
            } else {
                out.number(0);
                out.number(same);
                out.number(length);
            }
            out.bytes(rest.as_bytes());
            before = text;
        });
    }

    /// Appends sums: which of them are not 0, with a 1 above the last, and those.
    pub fn row(&mut self, row: &[i128]) {
        if row.len() > 60 {
            self.number(0);
            return self.list(row.iter(), |out, value| out.amount(*value));
        }
        let bits = row.iter().rev().fold(1, |bits, value| bits << 1 | u64::from(*value != 0));
        self.number(bits);
        row.iter().filter(|value| **value != 0).for_each(|value| self.amount(*value));
    }

    /// Appends a number that says what a text is, and the text.
    pub fn tagged(&mut self, kind: i64, text: &str) {
        self.integer(kind);
        self.text(text);
    }

    /// Appends traits.
    pub fn profile(&mut self, number: u32) {
        if number == 0 {
            return self.out.push(0);
        }
        if let Some(place) = self.seen.profiles().iter().position(|known| *known == number) {
            return put(self.out, 2 + place as u128);
        }
        self.seen.say_profile(number);
        self.out.push(1);
        self.out.extend_from_slice(self.profiles.bytes(number));
    }

    /// Appends the number of items and the items.
    pub fn list<T>(&mut self, items: impl ExactSizeIterator<Item = T>, mut each: impl FnMut(&mut Self, T)) {
        put(self.out, items.len() as u128);
        items.for_each(|item| each(self, item));
    }

    /// Ends a list of sections.
    pub fn end(&mut self) {
        self.out.push(END);
    }

    /// Appends a section: its tag, its length, what `write` appends.
    pub fn section(&mut self, tag: u8, write: impl FnOnce(&mut Writer<'_>)) {
        self.out.push(tag);
        let start = self.out.len();
        write(&mut Writer { out: self.out, profiles: self.profiles, seen: self.seen });
        let end = self.out.len();
        // The length comes first: it is mostly one byte.
        put(self.out, (end - start) as u128);
        self.out[start..].rotate_left(end - start);
    }
}

/// Bytes that two texts begin with alike, up to the end of a character.
fn common(one: &str, other: &str) -> usize {
    let same = one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
    (0..=same).rev().find(|end| other.is_char_boundary(*end)).unwrap_or(0)
}

/// Reads what a [`Writer`] wrote; all methods give `None` for damaged bytes.
#[derive(Debug)]
pub struct Decoder<'a, 'b> {
    from: &'a mut Reader<'b>,
    profiles: &'a mut Profiles,
    seen: &'a mut Seen,
    old: bool,
}

impl<'a, 'b> Decoder<'a, 'b> {
    pub(super) fn new(
        from: &'a mut Reader<'b>,
        profiles: &'a mut Profiles,
        seen: &'a mut Seen,
        old: bool,
    ) -> Decoder<'a, 'b> {
        Decoder { from, profiles, seen, old }
    }

    /// Whether a version wrote it that said everything again.
    pub fn is_old(&self) -> bool {
        self.old
    }

    /// The next bytes, whose number comes first.
    pub(super) fn bytes(&mut self) -> Option<&'b [u8]> {
        let length = self.from.get_count()?;
        self.take(length)
    }

    fn take(&mut self, length: usize) -> Option<&'b [u8]> {
        let (own, rest) = self.from.0.split_at_checked(length)?;
        self.from.0 = rest;
        Some(own)
    }

    /// The next number that is not negative.
    pub fn number(&mut self) -> Option<u64> {
        u64::try_from(self.from.get()?).ok()
    }

    /// The next number of items.
    pub(super) fn count(&mut self) -> Option<usize> {
        self.from.get_count()
    }

    /// The next number.
    pub fn integer(&mut self) -> Option<i64> {
        self.from.get_time()
    }

    /// The next sum of amounts.
    pub fn amount(&mut self) -> Option<i128> {
        self.from.get_signed()
    }

    /// The next flag.
    pub fn flag(&mut self) -> Option<bool> {
        let flag = self.byte()?;
        (flag < 2).then_some(flag == 1)
    }

    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.from.0.split_first()?;
        self.from.0 = rest;
        Some(*byte)
    }

    /// The next time.
    pub fn time(&mut self) -> Option<Time> {
        if self.old {
            return self.old_time();
        }
        let number = self.from.get()?;
        Some(match number {
            0 => Time::MIN,
            1 => Time::MAX,
            number => {
                let said = usize::try_from(number - 2).ok().and_then(|place| self.seen.times().get(place));
                if let Some(at) = said {
                    return Some(*at);
                }
                let at = time_of(number.checked_sub(self.seen.first())?, self.seen.base)?;
                self.seen.say_time(at);
                at
            }
        })
    }

    fn old_time(&mut self) -> Option<Time> {
        match self.byte()? {
            0 => Some(Time::MIN),
            1 => Some(Time::MAX),
            2 => Time::try_from(self.from.get_signed()?.checked_add(self.seen.base.into())?).ok(),
            _ => None,
        }
    }

    /// The next text.
    pub fn text(&mut self) -> Option<&'b str> {
        self.from.get_text()
    }

    /// The next texts in their order, see [`Writer::sorted`]; in old states they were in any.
    pub fn sorted(&mut self) -> Option<Vec<Box<str>>> {
        if self.old {
            let mut texts: Vec<Box<str>> = self.list(|from| Some(from.text()?.into()))?;
            texts.sort_unstable();
            return Some(texts);
        }
        let mut texts: Vec<Box<str>> = Vec::new();
        for _ in 0..self.count()? {
            let (same, length) = match self.number()? {
                0 => (self.number()?, self.number()?),
                both => (both >> 3, both & 7),
            };
            let rest = self.take(usize::try_from(length).ok()?)?;
            let before = texts.last().map_or("", |text| text).get(..usize::try_from(same).ok()?)?;
            texts.push([before, std::str::from_utf8(rest).ok()?].concat().into());
        }
        texts.is_sorted().then_some(texts)
    }

    /// Appends the sums that [`Writer::row`] wrote to others.
    pub fn row(&mut self, row: &mut Vec<i128>) -> Option<()> {
        let bits = if self.old { 0 } else { self.number()? };
        if bits == 0 {
            for _ in 0..self.count()? {
                row.push(self.amount()?);
            }
            return Some(());
        }
        for place in 0..bits.ilog2() {
            row.push(if bits >> place & 1 == 1 { self.amount()? } else { 0 });
        }
        Some(())
    }

    /// The next traits.
    pub fn profile(&mut self) -> Option<u32> {
        match usize::try_from(self.from.get()?).ok()? {
            0 => Some(0),
            1 => {
                let number = self.profiles.read(self.from)?;
                self.seen.say_profile(number);
                Some(number)
            }
            place => self.seen.profiles().get(place - 2).copied(),
        }
    }

    /// The next items.
    pub fn list<T>(&mut self, mut each: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        (0..self.from.get_count()?).map(|_| each(self)).collect()
    }

    /// Whether the list of sections ends here; reads the end.
    pub fn ends(&mut self) -> Option<bool> {
        let ends = *self.from.0.first()? == END;
        if ends {
            self.byte()?;
        }
        Some(ends)
    }

    /// The next section: its tag, and what `read` makes of its bytes, all of which it must read.
    pub fn section<T>(&mut self, read: impl FnOnce(u8, &mut Decoder<'_, 'b>) -> Option<T>) -> Option<T> {
        let tag = self.byte()?;
        let mut own = Reader(self.bytes()?);
        let Decoder { profiles, seen, old, .. } = self;
        let read = read(tag, &mut Decoder { from: &mut own, profiles, seen, old: *old })?;
        own.0.is_empty().then_some(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use crate::{plan::Plan, settings::Settings};

    static PLAN: LazyLock<Plan> = LazyLock::new(|| Plan::built_in(&Settings::default()).unwrap());

    /// Times, texts and sums.
    type Written = (Vec<Time>, Vec<Box<str>>, Vec<i128>);

    /// Reads as many times as were written, the texts, and the sums.
    fn read(bytes: &[u8], base: Time, times: usize) -> Option<Written> {
        let mut profiles = Profiles::new(&PLAN);
        let (mut reader, mut seen) = (Reader(bytes), Seen::new(base));
        let mut from = Decoder::new(&mut reader, &mut profiles, &mut seen, false);
        let times = (0..times).map(|_| from.time()).collect::<Option<_>>()?;
        let (texts, mut row) = (from.sorted()?, Vec::new());
        from.row(&mut row)?;
        Some((times, texts, row))
    }

    fn time() -> impl Strategy<Value = Time> {
        prop_oneof![
            Just(Time::MIN),
            Just(Time::MAX),
            any::<i64>(),
            (-90_i64..90).prop_map(|seconds| seconds * SECOND),
            0_i64..9
        ]
    }

    proptest! {
        #[test]
        fn times_and_texts_are_read_as_they_were_written(
            base in time(),
            times in proptest::collection::vec(time(), 0..40),
            texts in proptest::collection::btree_set("[aß]{0,20}", 0..6),
            row in proptest::collection::vec(-3_i128..3, 0..70),
        ) {
            let profiles = Profiles::new(&PLAN);
            let (mut bytes, mut seen) = (Vec::new(), Seen::new(base));
            let mut out = Writer::new(&mut bytes, &profiles, &mut seen);
            times.iter().for_each(|at| out.time(*at));
            let sorted: Vec<&str> = texts.iter().map(String::as_str).collect();
            out.sorted(sorted.into_iter());
            out.row(&row);
            let texts: Vec<Box<str>> = texts.into_iter().map(Box::from).collect();
            prop_assert_eq!(read(&bytes, base, times.len()), Some((times, texts, row)));
        }

        #[test]
        fn hostile_bytes_are_no_panic(bytes: Vec<u8>, base in time()) {
            let _ = read(&bytes, base, 3);
        }
    }

    #[test]
    fn a_time_said_again_is_a_byte() {
        let profiles = Profiles::new(&PLAN);
        let (mut bytes, mut seen) = (Vec::new(), Seen::new(1_700_000_000_123_456));
        let mut out = Writer::new(&mut bytes, &profiles, &mut seen);
        let lengths: Vec<usize> = [1_700_000_000_123_456, 1_699_920_000_000_000, 1_699_920_000_000_000]
            .into_iter()
            .map(|at| {
                let before = out.length();
                out.time(at);
                out.length() - before
            })
            .collect();
        assert_eq!(lengths, [1, 2, 1]);
    }
}
