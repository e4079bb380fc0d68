//! The hot state of one account: what an event in order needs to go on.
//!
//! Invariant: it is a pure function of the account's journal and the clock, but for what is said to
//! depend on the order of arrival. It knows nothing of series or storage; the encoding is versioned,
//! and is the form in which an account rests in memory, too.

use crate::{
    calendar::{Day, Time},
    codec::{Reader, put, put_signed, put_text},
    lifecycle::{
        Sections,
        customer::{Customer, Run, Traits},
    },
    series::{Names, Profiles},
    shown::{Which, Withdrawn},
};

/// Version of the encoding. Version 1 was never released.
const VERSION: u8 = 2;
/// Added to the version where sums by day follow the number of events.
const DAILY: u8 = 1;
/// Added to the version where sections of lifecycles follow these.
const SECTIONS: u8 = 2;
/// Added to the version where the score follows these.
const SCORED: u8 = 4;
/// Added to the version where sums of the latest day follow these.
const DAY_SUMS: u8 = 8;

/// What one account has bought so far, by currency in the order of first use.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Totals {
    /// Number of the currency, time of the latest order or refund in it.
    list: Vec<(u32, Time)>,
    /// For each currency one a per-account column of the plan.
    columns: Vec<i128>,
}

impl Totals {
    /// The latest time and the sums of a currency; zero if it is new.
    pub fn of(&mut self, currency: u32, width: usize) -> (&mut Time, &mut [i128]) {
        let index = self.list.iter().position(|known| known.0 == currency).unwrap_or_else(|| {
            self.list.push((currency, Time::MIN));
            self.columns.resize(self.list.len() * width, 0);
            self.list.len() - 1
        });
        (&mut self.list[index].1, &mut self.columns[index * width..(index + 1) * width])
    }

    /// Number of the currency, time of the latest order or refund in it, sums.
    pub fn iter(&self) -> impl Iterator<Item = (u32, Time, &[i128])> {
        let width = self.columns.len() / self.list.len().max(1);
        let columns = (0..self.list.len()).map(move |index| &self.columns[index * width..(index + 1) * width]);
        self.list.iter().zip(columns).map(|((currency, since), columns)| (*currency, *since, columns))
    }

    /// Becomes a copy of another, in the memory that it has.
    pub fn copy(&mut self, other: &Totals) {
        self.list.clone_from(&other.list);
        self.columns.clone_from(&other.columns);
    }

    fn encode(&self, base: Time, names: &Names, out: &mut Vec<u8>) {
        put(out, self.list.len() as u128);
        for (currency, since, columns) in self.iter() {
            put_text(out, names.text(currency));
            put_time(out, since, base);
            put(out, columns.len() as u128);
            columns.iter().for_each(|value| put_signed(out, *value));
        }
    }

    fn decode(&mut self, from: &mut Reader<'_>, base: Time, names: &mut Names) -> Option<()> {
        let Totals { list, columns } = self;
        list.clear();
        columns.clear();
        for _ in 0..from.get_count()? {
            let currency = names.number(from.get_text()?);
            list.push((currency, get_time(from, base)?));
            let width = from.get_count()?;
            for _ in 0..width {
                columns.push(from.get_signed()?);
            }
            if columns.len() != width * list.len() {
                return None;
            }
        }
        Some(())
    }
}

/// Sums of the latest local day on which one moved, by currency: those that are published.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DaySums {
    day: Day,
    sums: Totals,
    /// The sums of that day before the step that moved them, until that is asked for.
    before: Option<Totals>,
}

impl DaySums {
    /// The latest time and the sums of a currency on a day, which is not before the latest.
    pub fn of(&mut self, day: Day, currency: u32, width: usize) -> (&mut Time, &mut [i128]) {
        if day != self.day {
            debug_assert!(self.sums.list.is_empty() || day > self.day, "the facts of a day come in order");
            (self.day, self.sums) = (day, Totals::default());
        }
        self.before.get_or_insert_with(|| self.sums.clone());
        self.sums.of(currency, width)
    }

    /// The sums of the day before the latest step and after it; `None` where that moved none.
    pub fn take_step(&mut self) -> Option<(Totals, Totals)> {
        self.before.take().map(|before| (before, self.sums.clone()))
    }
}

/// Sums by local day, that are not published: days follow each other, as facts do, and only the latest is added to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Daily {
    /// Those before, encoded: day, number of sums, sums.
    past: Vec<u8>,
    day: Day,
    /// Empty before the first.
    row: Vec<i128>,
}

impl Daily {
    /// The sums of a day, not before the latest.
    pub fn of(&mut self, day: Day, width: usize) -> &mut [i128] {
        if self.row.is_empty() || day != self.day {
            put_day(&mut self.past, self.day, &self.row);
            self.day = day;
            self.row.clear();
            self.row.resize(width, 0);
        }
        &mut self.row
    }

    /// The days after `since` on which a sum is above 0, ascending; `None` if it never was.
    pub fn days(&self, column: usize, since: Day) -> Option<Vec<Day>> {
        let (mut ever, mut days) = (false, Vec::new());
        let mut from = Reader(&self.past);
        let past = std::iter::from_fn(|| get_day_with(&mut from, column)).filter(|(_, above)| *above);
        let latest = self.row.get(column).is_some_and(|sum| *sum > 0).then_some(self.day);
        for day in past.map(|(day, _)| day).chain(latest) {
            ever = true;
            days.extend((day > since).then_some(day));
        }
        ever.then_some(days)
    }

    /// Forgets the days up to `since`, but for the last one on which a sum is above 0 that no later day has.
    pub fn prune(&mut self, since: Day) {
        let first = get_day(&mut Reader(&self.past)).map_or(self.day, |(day, _)| day);
        if first > since {
            return;
        }
        let mut rows = self.rows();
        let mut seen = vec![false; self.row.len()];
        let mut kept = Vec::new();
        while let Some((day, row)) = rows.pop() {
            let fresh = row.iter().zip(&seen).any(|(sum, seen)| *sum > 0 && !seen);
            seen.iter_mut().zip(&row).for_each(|(seen, sum)| *seen |= *sum > 0);
            if day > since || fresh || kept.is_empty() {
                kept.push((day, row));
            }
        }
        self.past.clear();
        kept[1..].iter().rev().for_each(|(day, row)| put_day(&mut self.past, *day, row));
    }

    /// The latest day, if there is one.
    pub fn latest(&self) -> Option<Day> {
        (!self.row.is_empty()).then_some(self.day)
    }

    /// All days with their sums; those that do not decode are left out.
    pub fn rows(&self) -> Vec<(Day, Vec<i128>)> {
        let mut from = Reader(&self.past);
        let mut rows: Vec<_> = std::iter::from_fn(|| get_day(&mut from)).collect();
        rows.push((self.day, self.row.clone()));
        rows.retain(|(_, row)| !row.is_empty());
        rows
    }

    fn encode(&self, out: &mut Vec<u8>) {
        put(out, self.past.len() as u128);
        out.extend_from_slice(&self.past);
        put_day(out, self.day, &self.row);
    }

    fn decode(&mut self, from: &mut Reader<'_>) -> Option<()> {
        let length = from.get_count()?;
        let (past, rest) = from.0.split_at_checked(length)?;
        from.0 = rest;
        self.past.extend_from_slice(past);
        (self.day, self.row) = get_day(from)?;
        Some(())
    }

    fn clear(&mut self) {
        self.past.clear();
        self.row.clear();
    }
}

fn put_day(out: &mut Vec<u8>, day: Day, row: &[i128]) {
    if !row.is_empty() {
        put_signed(out, day.into());
        put(out, row.len() as u128);
        row.iter().for_each(|value| put_signed(out, *value));
    }
}

/// A day, and whether one of its sums is above 0.
fn get_day_with(from: &mut Reader<'_>, column: usize) -> Option<(Day, bool)> {
    let day = Day::try_from(from.get_signed()?).ok()?;
    let mut above = false;
    for place in 0..from.get_count()? {
        let sum = from.get_signed()?;
        above |= place == column && sum > 0;
    }
    Some((day, above))
}

fn get_day(from: &mut Reader<'_>) -> Option<(Day, Vec<i128>)> {
    let day = Day::try_from(from.get_signed()?).ok()?;
    let row = (0..from.get_count()?).map(|_| from.get_signed()).collect::<Option<_>>()?;
    Some((day, row))
}

/// Silence as last published: a step in days, reached or left at `since`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Silence {
    /// Days; 0 below the first step.
    pub step: u16,
    /// When it was reached or left.
    pub since: Time,
}

/// The score of an account as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scored {
    /// In tenths of points; `None` without a score.
    pub tenths: Option<i64>,
    /// When it came into its band, with the traits that the account has now.
    pub banded: Time,
    /// The next midnight at which a component moves if nothing happens; [`Time::MAX`] for none.
    pub due: Time,
}

impl Default for Scored {
    fn default() -> Scored {
        Scored { tenths: None, banded: Time::MIN, due: Time::MAX }
    }
}

/// Hot state of an account.
#[derive(Debug, Clone, PartialEq)]
pub struct Account {
    /// Time of the latest event applied.
    pub last: Time,
    /// Latest due time that fired.
    pub fired: Time,
    /// Traits over time.
    pub traits: Traits,
    /// Times as a customer.
    pub customer: Customer,
    /// Time of the latest event of each activity; [`Time::MIN`] for none.
    pub active: Vec<Time>,
    /// Sums by currency.
    pub totals: Totals,
    /// Sums of the latest day on which one moved.
    pub day_sums: DaySums,
    /// Sums by day.
    pub daily: Daily,
    /// State of each lifecycle.
    pub sections: Sections,
    /// Silence.
    pub silence: Silence,
    /// Its score.
    pub scored: Scored,
    /// Values of local days that were published and then taken back: what carries over them may still
    /// change. Depends on the order of arrival, unlike the rest.
    pub withdrawn: Withdrawn,
    /// Which ids the journal may hold. Beyond the first few, which they are depends on the order of
    /// arrival.
    pub ids: Fingerprints,
    /// Events in the journal.
    pub events: u64,
    /// When its timer is set to; not after the next due time. [`Time::MAX`] for none.
    pub timer: Time,
}

impl Account {
    /// An account without events.
    pub fn new(activities: usize) -> Account {
        Account {
            last: Time::MIN,
            fired: Time::MIN,
            traits: Traits::default(),
            customer: Customer::default(),
            active: vec![Time::MIN; activities],
            totals: Totals::default(),
            day_sums: DaySums::default(),
            daily: Daily::default(),
            sections: Sections::default(),
            silence: Silence::default(),
            scored: Scored::default(),
            withdrawn: Withdrawn::new(),
            ids: Fingerprints::default(),
            events: 0,
            timer: Time::MAX,
        }
    }

    /// Forgets what lifecycles have long done with: the journal has it.
    ///
    /// By the latest event, not by the clock, so that a journal folded again keeps the same.
    pub fn prune(&mut self) {
        if !self.sections.is_empty() {
            self.sections.prune(self.last);
        }
    }

    /// Appends the encoding.
    pub fn encode(&self, profiles: &Profiles, names: &Names, out: &mut Vec<u8>) {
        let daily = if self.daily.row.is_empty() { 0 } else { DAILY };
        let sections = if self.sections.is_empty() { 0 } else { SECTIONS };
        let has_score = self.scored != Scored::default() || self.days_withdrawn(Which::Score).next().is_some();
        let scored = if has_score { SCORED } else { 0 };
        let day_sums = if self.day_sums.sums.list.is_empty() { 0 } else { DAY_SUMS };
        out.push(VERSION + daily + sections + scored + day_sums);
        put(out, self.ids.more.into());
        // Times close to each other: differences to the latest event are short.
        let base = self.last;
        put_signed(out, base.into());
        let time = |out: &mut Vec<u8>, at: Time| put_time(out, at, base);
        time(out, self.fired);
        time(out, self.timer);
        put(out, self.traits.changes.len() as u128);
        for (at, profile) in &self.traits.changes {
            time(out, *at);
            put_profile(out, profiles, *profile);
        }
        time(out, self.customer.last_order.unwrap_or(Time::MIN));
        put(out, self.customer.runs.len() as u128);
        for run in &self.customer.runs {
            time(out, run.start);
            time(out, run.end);
            put_profile(out, profiles, run.profile);
        }
        put(out, self.active.len() as u128);
        self.active.iter().for_each(|at| time(out, *at));
        self.totals.encode(base, names, out);
        put(out, self.silence.step.into());
        time(out, self.silence.since);
        self.encode_withdrawn(Which::Silence, out);
        put(out, self.events.into());
        if daily > 0 {
            self.daily.encode(out);
        }
        if sections > 0 {
            self.sections.encode(&mut Writer { out, base, profiles });
        }
        if scored > 0 {
            put_signed(out, self.scored.tenths.unwrap_or(-1).into());
            put_time(out, self.scored.banded, base);
            put_time(out, self.scored.due, base);
            self.encode_withdrawn(Which::Score, out);
        }
        if day_sums > 0 {
            put_signed(out, self.day_sums.day.into());
            self.day_sums.sums.encode(base, names, out);
        }
        self.ids.few.iter().for_each(|id| out.extend_from_slice(&id.to_le_bytes()));
    }

    /// Becomes what is encoded, in the memory that it has; `None` if the bytes are damaged or of
    /// another version.
    pub fn decode(&mut self, bytes: &[u8], profiles: &mut Profiles, names: &mut Names) -> Option<()> {
        let (version, rest) = bytes.split_first()?;
        let flags = parts_of(*version)?;
        let mut from = Reader(rest);
        let from = &mut from;
        self.ids.more = u64::try_from(from.get()?).ok()?;
        let base = from.get_time()?;
        self.last = base;
        self.fired = get_time(from, base)?;
        self.timer = get_time(from, base)?;
        self.traits.changes.clear();
        for _ in 0..from.get_count()? {
            let at = get_time(from, base)?;
            self.traits.changes.push((at, get_profile(from, profiles)?));
        }
        self.customer.last_order = Some(get_time(from, base)?).filter(|at| *at != Time::MIN);
        self.customer.runs.clear();
        for _ in 0..from.get_count()? {
            let (start, end) = (get_time(from, base)?, get_time(from, base)?);
            self.customer.runs.push(Run { start, end, profile: get_profile(from, profiles)? });
        }
        self.active.clear();
        for _ in 0..from.get_count()? {
            self.active.push(get_time(from, base)?);
        }
        self.totals.decode(from, base, names)?;
        self.silence.step = u16::try_from(from.get()?).ok()?;
        self.silence.since = get_time(from, base)?;
        self.withdrawn.clear();
        self.decode_withdrawn(Which::Silence, from)?;
        self.events = u64::try_from(from.get()?).ok()?;
        self.daily.clear();
        if flags & DAILY > 0 {
            self.daily.decode(from)?;
        }
        self.sections.clear();
        if flags & SECTIONS > 0 {
            self.sections.decode(&mut Decoder { from, base, profiles })?;
        }
        self.scored = Scored::default();
        if flags & SCORED > 0 {
            let tenths = i64::try_from(from.get_signed()?).ok().filter(|tenths| *tenths >= 0);
            self.scored = Scored { tenths, banded: get_time(from, base)?, due: get_time(from, base)? };
            self.decode_withdrawn(Which::Score, from)?;
        }
        self.day_sums = DaySums::default();
        if flags & DAY_SUMS > 0 {
            self.day_sums.day = Day::try_from(from.get_signed()?).ok()?;
            self.day_sums.sums.decode(from, base, names)?;
        }
        let ids = from.0.chunks_exact(4);
        if !ids.remainder().is_empty() || ids.len() > FEW {
            return None;
        }
        self.ids.few.clear();
        self.ids.few.extend(ids.map(|id| u32::from_le_bytes([id[0], id[1], id[2], id[3]])));
        self.ids.few.is_sorted().then_some(())
    }

    fn days_withdrawn(&self, which: Which) -> impl Iterator<Item = Day> {
        self.withdrawn.iter().filter(move |(of, _)| *of == which).map(|(_, day)| *day)
    }

    fn encode_withdrawn(&self, which: Which, out: &mut Vec<u8>) {
        put(out, self.days_withdrawn(which).count() as u128);
        self.days_withdrawn(which).for_each(|day| put_signed(out, day.into()));
    }

    fn decode_withdrawn(&mut self, which: Which, from: &mut Reader<'_>) -> Option<()> {
        for _ in 0..from.get_count()? {
            self.withdrawn.insert((which, Day::try_from(from.get_signed()?).ok()?));
        }
        Some(())
    }
}

/// Whether an encoded account has ids that are kept apart.
pub fn ids_apart(bytes: &[u8]) -> bool {
    let more = bytes.split_first().filter(|(version, _)| parts_of(**version).is_some());
    more.and_then(|(_, rest)| Reader(rest).get()).is_some_and(|more| more > 0)
}

/// Which parts a version has; `None` for another version.
fn parts_of(version: u8) -> Option<u8> {
    version.checked_sub(VERSION).filter(|parts| *parts <= DAILY + SECTIONS + SCORED + DAY_SUMS)
}

/// The tag of no section.
const END: u8 = 0;

/// Writes the section of a lifecycle.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut Vec<u8>,
    base: Time,
    profiles: &'a Profiles,
}

impl Writer<'_> {
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
        put_time(self.out, at, self.base);
    }

    /// Appends a text.
    pub fn text(&mut self, text: &str) {
        put_text(self.out, text);
    }

    /// Appends a number that says what a text is, and the text.
    pub fn tagged(&mut self, kind: i64, text: &str) {
        self.integer(kind);
        self.text(text);
    }

    /// Appends traits.
    pub fn profile(&mut self, number: u32) {
        put_profile(self.out, self.profiles, number);
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
        let mut bytes = Vec::new();
        write(&mut Writer { out: &mut bytes, base: self.base, profiles: self.profiles });
        self.out.push(tag);
        put(self.out, bytes.len() as u128);
        self.out.extend_from_slice(&bytes);
    }
}

/// Reads what a [`Writer`] wrote; all methods give `None` for damaged bytes.
#[derive(Debug)]
pub struct Decoder<'a, 'b> {
    from: &'a mut Reader<'b>,
    base: Time,
    profiles: &'a mut Profiles,
}

impl<'b> Decoder<'_, 'b> {
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
        let (flag, rest) = self.from.0.split_first()?;
        self.from.0 = rest;
        (*flag < 2).then_some(*flag == 1)
    }

    /// The next time.
    pub fn time(&mut self) -> Option<Time> {
        get_time(self.from, self.base)
    }

    /// The next text.
    pub fn text(&mut self) -> Option<&'b str> {
        self.from.get_text()
    }

    /// The next traits.
    pub fn profile(&mut self) -> Option<u32> {
        get_profile(self.from, self.profiles)
    }

    /// The next items.
    pub fn list<T>(&mut self, mut each: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        (0..self.from.get_count()?).map(|_| each(self)).collect()
    }

    /// Whether the list of sections ends here; reads the end.
    pub fn ends(&mut self) -> Option<bool> {
        let (tag, rest) = self.from.0.split_first()?;
        if *tag == END {
            self.from.0 = rest;
        }
        Some(*tag == END)
    }

    /// The next section: its tag, and what `read` makes of its bytes, all of which it must read.
    pub fn section<T>(&mut self, read: impl FnOnce(u8, &mut Decoder<'_, 'b>) -> Option<T>) -> Option<T> {
        let (tag, rest) = self.from.0.split_first()?;
        self.from.0 = rest;
        let (own, rest) = rest_of(self.from)?;
        self.from.0 = rest;
        let mut own = Reader(own);
        let read = read(*tag, &mut Decoder { from: &mut own, base: self.base, profiles: self.profiles })?;
        own.0.is_empty().then_some(read)
    }
}

/// The next bytes, whose length comes first, and those after them.
fn rest_of<'b>(from: &mut Reader<'b>) -> Option<(&'b [u8], &'b [u8])> {
    let length = from.get_count()?;
    from.0.split_at_checked(length)
}

fn put_time(out: &mut Vec<u8>, at: Time, base: Time) {
    match at {
        Time::MIN => out.push(0),
        Time::MAX => out.push(1),
        at => {
            out.push(2);
            put_signed(out, i128::from(at) - i128::from(base));
        }
    }
}

fn get_time(from: &mut Reader<'_>, base: Time) -> Option<Time> {
    let (tag, rest) = from.0.split_first()?;
    from.0 = rest;
    match tag {
        0 => Some(Time::MIN),
        1 => Some(Time::MAX),
        2 => Time::try_from(from.get_signed()?.checked_add(base.into())?).ok(),
        _ => None,
    }
}

fn put_profile(out: &mut Vec<u8>, profiles: &Profiles, number: u32) {
    if number == 0 {
        return out.push(0);
    }
    out.push(1);
    out.extend_from_slice(profiles.bytes(number));
}

fn get_profile(from: &mut Reader<'_>, profiles: &mut Profiles) -> Option<u32> {
    let (tag, rest) = from.0.split_first()?;
    from.0 = rest;
    match tag {
        0 => Some(0),
        1 => profiles.read(from),
        _ => None,
    }
}

/// Fingerprints of ids: says "certainly not there" or "look into the journal".
///
/// The first few are 32 bits each and part of the state, the others 64 bits and kept apart, so that
/// state stays small and a hot account is hardly ever looked into for nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fingerprints {
    /// Sorted.
    few: Vec<u32>,
    /// Number of those kept apart.
    more: u64,
}

/// This many are part of the state.
const FEW: usize = 64;

fn short(id: u64) -> u32 {
    u32::try_from(id >> 32).unwrap_or(0)
}

impl Fingerprints {
    /// Whether the id may be among the first few.
    pub fn may_hold(&self, id: u64) -> bool {
        self.few.binary_search(&short(id)).is_ok()
    }

    /// Whether there are others, kept apart.
    pub fn apart(&self) -> bool {
        self.more > 0
    }

    /// Adds an id that is not there; false if it has to be kept apart.
    pub fn insert(&mut self, id: u64) -> bool {
        if self.few.len() == FEW {
            self.more += 1;
            return false;
        }
        let place = self.few.partition_point(|known| *known < short(id));
        self.few.insert(place, short(id));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{plan::Plan, settings::Settings};

    /// An account as version 2 wrote it; it must load for ever.
    const FIXTURE: &str = "02008080f2818389850602ffff94e789c6040280c0cbacf6220102ffffd187e2bc2d010370726f0002657502ffbfa8ca9a3a\
                           0102ffbfa8ca9a3a01010370726f00026575010200010345555202ffbfa8ca9a3a0209e0120702ffff94e789c60401f0a80203\
                           efbeadde";

    #[test]
    fn the_encoding_of_version_2_loads() {
        let plan = Plan::built_in(&Settings::default()).unwrap();
        let mut profiles = Profiles::new(&plan);
        let profile = profiles.number(["pro".into(), "".into(), "eu".into()].into());
        let mut account = Account::new(1);
        account.last = 1_700_000_000_000_000;
        account.fired = 1_690_000_000_000_000;
        account.timer = 1_700_600_000_000_000;
        account.traits.set(1_600_000_000_000_000, profile);
        account.customer.last_order = Some(1_699_000_000_000_000);
        account.customer.runs.push(Run { start: 1_699_000_000_000_000, end: Time::MAX, profile });
        account.active = vec![1_700_000_000_000_000];
        let mut names = Names::default();
        let (since, columns) = account.totals.of(names.number("EUR"), 2);
        *since = 1_699_000_000_000_000;
        columns.copy_from_slice(&[-5, 1_200]);
        account.silence = Silence { step: 7, since: 1_690_000_000_000_000 };
        account.withdrawn.insert((Which::Silence, 19_000));
        account.events = 3;
        account.ids.insert(0xdead_beef << 32);
        let mut bytes = Vec::new();
        account.encode(&profiles, &names, &mut bytes);
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, FIXTURE);
        let mut decoded = Account::new(0);
        decoded.decode(&bytes, &mut profiles, &mut names).unwrap();
        assert_eq!(decoded, account);
    }
}
