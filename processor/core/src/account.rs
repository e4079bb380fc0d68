//! The hot state of one account: what an event in order needs to go on.
//!
//! Invariant: it is a pure function of the account's journal and the clock, but for what is said to
//! depend on the order of arrival. It knows nothing of series or storage; the encoding is versioned,
//! and is the form in which an account rests in memory, too.

mod daily;
mod packed;

pub use daily::Daily;
pub use packed::{Decoder, Writer};

use packed::Seen;

use crate::{
    calendar::{Day, Time},
    codec::{Reader, put},
    lifecycle::{
        Sections,
        customer::{Customer, Run, Traits},
    },
    series::{Names, Profiles},
    shown::{Which, Withdrawn},
};

/// Version of the encoding without any of the parts below. Version 1 was never released; in 2 to 17 a time said again was
/// written again ([`packed`]).
const VERSION: u8 = 32;
/// The first version of before.
const OLD: u8 = 2;
/// Added to the version where sums by day follow the number of events.
const DAILY: u8 = 1;
/// Added to the version where sections of lifecycles follow these.
const SECTIONS: u8 = 2;
/// Added to the version where the score follows these.
const SCORED: u8 = 4;
/// Added to the version where sums of the latest day follow these.
const DAY_SUMS: u8 = 8;
/// Added to the version where silence comes before the number of events; in the old ones it always does.
const SILENCE: u8 = 16;
/// Added to the version where the day of the latest projection follows the score.
const TOLD: u8 = 32;

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

    fn encode(&self, names: &Names, out: &mut Writer<'_>) {
        let sums = self.iter();
        out.list(sums.collect::<Vec<_>>().into_iter(), |out, (currency, since, columns)| {
            out.text(names.text(currency));
            out.time(since);
            out.row(columns);
        });
    }

    fn decode(&mut self, from: &mut Decoder<'_, '_>, names: &mut Names) -> Option<()> {
        let Totals { list, columns } = self;
        list.clear();
        columns.clear();
        for _ in 0..from.count()? {
            let currency = names.number(from.text()?);
            list.push((currency, from.time()?));
            let before = columns.len();
            from.row(columns)?;
            let width = columns.len() - before;
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
    /// Step of silence that was reached, in days; 0 below the first.
    pub silence: u16,
    /// Its score.
    pub scored: Scored,
    /// The local day on which its projection was published last; [`Day::MIN`] for none. Depends on the instants, unlike the
    /// rest.
    pub told: Day,
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
            silence: 0,
            scored: Scored::default(),
            told: Day::MIN,
            withdrawn: Withdrawn::new(),
            ids: Fingerprints::default(),
            events: 0,
            timer: Time::MAX,
        }
    }

    /// Becomes one without events, in the memory that it has.
    pub fn reset(&mut self, activities: usize) {
        (self.last, self.fired, self.timer) = (Time::MIN, Time::MIN, Time::MAX);
        self.traits.changes.clear();
        self.customer.runs.clear();
        self.customer.last_order = None;
        self.active.clear();
        self.active.resize(activities, Time::MIN);
        self.totals.list.clear();
        self.totals.columns.clear();
        self.day_sums = DaySums::default();
        self.daily.clear();
        self.sections.clear();
        (self.silence, self.scored, self.told) = (0, Scored::default(), Day::MIN);
        self.withdrawn.clear();
        self.ids.few.clear();
        (self.ids.more, self.events) = (0, 0);
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
        self.write(profiles, names, out, &mut |_, _| {});
    }

    /// Bytes of each part of the encoding, in its order.
    pub fn weigh(&self, profiles: &Profiles, names: &Names) -> Vec<(&'static str, usize)> {
        let (mut parts, mut bytes, mut from) = (Vec::new(), Vec::new(), 0);
        self.write(profiles, names, &mut bytes, &mut |part, end| {
            parts.push((part, end - from));
            from = end;
        });
        parts
    }

    /// Appends the encoding; `mark` gets the name of each part and where it ends.
    fn write(&self, profiles: &Profiles, names: &Names, out: &mut Vec<u8>, mark: &mut impl FnMut(&'static str, usize)) {
        out.push(VERSION + self.parts());
        put(out, self.ids.more.into());
        let mut seen = Seen::begin(self.last, out);
        let mut writer = Writer::new(out, profiles, &mut seen);
        let out = &mut writer;
        mark("version and latest event", out.length());
        out.time(self.fired);
        out.time(self.timer);
        mark("timer", out.length());
        out.list(self.traits.changes.iter(), |out, (at, profile)| {
            out.time(*at);
            out.profile(*profile);
        });
        mark("traits", out.length());
        out.time(self.customer.last_order.unwrap_or(Time::MIN));
        out.list(self.customer.runs.iter(), |out, run| {
            out.time(run.start);
            out.time(run.end);
            out.profile(run.profile);
        });
        mark("times as a customer", out.length());
        out.list(self.active.iter(), |out, at| out.time(*at));
        mark("activities", out.length());
        self.totals.encode(names, out);
        mark("sums to date", out.length());
        if self.is_silent() {
            out.number(self.silence.into());
            self.encode_withdrawn(Which::Silence, out);
        }
        out.number(self.events);
        mark("silence and number of events", out.length());
        if !self.daily.is_empty() {
            self.daily.encode(out);
        }
        mark("sums by day", out.length());
        if !self.sections.is_empty() {
            self.sections.encode(out, mark);
        }
        if self.has_score() {
            out.integer(self.scored.tenths.unwrap_or(-1));
            out.time(self.scored.banded);
            out.time(self.scored.due);
            self.encode_withdrawn(Which::Score, out);
        }
        if self.told != Day::MIN {
            out.integer(self.told.into());
        }
        mark("score", out.length());
        if !self.day_sums.sums.list.is_empty() {
            out.integer(self.day_sums.day.into());
            self.day_sums.sums.encode(names, out);
        }
        mark("sums of the latest day", out.length());
        self.ids.few.iter().for_each(|id| out.bytes(&id.to_le_bytes()[..SHORT]));
        mark("ids", out.length());
    }

    /// Which parts its encoding has.
    fn parts(&self) -> u8 {
        let has = [
            (DAILY, !self.daily.is_empty()),
            (SECTIONS, !self.sections.is_empty()),
            (SCORED, self.has_score()),
            (DAY_SUMS, !self.day_sums.sums.list.is_empty()),
            (SILENCE, self.is_silent()),
            (TOLD, self.told != Day::MIN),
        ];
        has.into_iter().map(|(part, has)| if has { part } else { 0 }).sum()
    }

    fn has_score(&self) -> bool {
        self.scored != Scored::default() || self.days_withdrawn(Which::Score).next().is_some()
    }

    /// Whether something is known of its silence.
    fn is_silent(&self) -> bool {
        self.silence > 0 || self.days_withdrawn(Which::Silence).next().is_some()
    }

    /// Becomes what is encoded, in the memory that it has; `None` if the bytes are damaged or of
    /// another version.
    pub fn decode(&mut self, bytes: &[u8], profiles: &mut Profiles, names: &mut Names) -> Option<()> {
        let (version, rest) = bytes.split_first()?;
        let (parts, old) = parts_of(*version)?;
        let mut reader = Reader(rest);
        self.ids.more = u64::try_from(reader.get()?).ok()?;
        let mut seen = Seen::read(&mut reader, old)?;
        self.last = seen.base();
        let mut from = Decoder::new(&mut reader, profiles, &mut seen, old);
        let from = &mut from;
        self.fired = from.time()?;
        self.timer = from.time()?;
        self.traits.changes.clear();
        for _ in 0..from.count()? {
            self.traits.changes.push((from.time()?, from.profile()?));
        }
        self.customer.last_order = Some(from.time()?).filter(|at| *at != Time::MIN);
        self.customer.runs.clear();
        for _ in 0..from.count()? {
            let (start, end) = (from.time()?, from.time()?);
            self.customer.runs.push(Run { start, end, profile: from.profile()? });
        }
        self.active.clear();
        for _ in 0..from.count()? {
            self.active.push(from.time()?);
        }
        self.totals.decode(from, names)?;
        self.silence = 0;
        self.withdrawn.clear();
        if parts & SILENCE > 0 {
            self.silence = u16::try_from(from.number()?).ok()?;
            if old {
                // Since when, which nothing asks for.
                from.time()?;
            }
            self.decode_withdrawn(Which::Silence, from)?;
        }
        self.events = from.number()?;
        self.daily.clear();
        if parts & DAILY > 0 {
            self.daily.decode(from)?;
        }
        self.sections.clear();
        if parts & SECTIONS > 0 {
            self.sections.decode(from)?;
        }
        self.scored = Scored::default();
        if parts & SCORED > 0 {
            let tenths = Some(from.integer()?).filter(|tenths| *tenths >= 0);
            self.scored = Scored { tenths, banded: from.time()?, due: from.time()? };
            self.decode_withdrawn(Which::Score, from)?;
        }
        self.told = if parts & TOLD > 0 { Day::try_from(from.integer()?).ok()? } else { Day::MIN };
        self.day_sums = DaySums::default();
        if parts & DAY_SUMS > 0 {
            self.day_sums.day = Day::try_from(from.integer()?).ok()?;
            self.day_sums.sums.decode(from, names)?;
        }
        self.ids.decode(reader.0, old)
    }

    fn days_withdrawn(&self, which: Which) -> impl Iterator<Item = Day> {
        self.withdrawn.iter().filter(move |(of, _)| *of == which).map(|(_, day)| *day)
    }

    fn encode_withdrawn(&self, which: Which, out: &mut Writer<'_>) {
        let days: Vec<Day> = self.days_withdrawn(which).collect();
        out.list(days.into_iter(), |out, day| out.integer(day.into()));
    }

    fn decode_withdrawn(&mut self, which: Which, from: &mut Decoder<'_, '_>) -> Option<()> {
        for _ in 0..from.count()? {
            self.withdrawn.insert((which, Day::try_from(from.integer()?).ok()?));
        }
        Some(())
    }
}

/// Whether an encoded account has ids that are kept apart.
pub fn ids_apart(bytes: &[u8]) -> bool {
    let more = bytes.split_first().filter(|(version, _)| parts_of(**version).is_some());
    more.and_then(|(_, rest)| Reader(rest).get()).is_some_and(|more| more > 0)
}

/// Which parts a version has, and whether it is an old one; `None` for another version.
fn parts_of(version: u8) -> Option<(u8, bool)> {
    const MOST: u8 = DAILY + SECTIONS + SCORED + DAY_SUMS;
    let new = version.checked_sub(VERSION).filter(|parts| *parts <= MOST + SILENCE + TOLD).map(|parts| (parts, false));
    let old = version.checked_sub(OLD).filter(|parts| *parts <= MOST).map(|parts| (parts + SILENCE, true));
    new.or(old)
}

/// Fingerprints of ids: says "certainly not there" or "look into the journal".
///
/// The first few are 24 bits each and part of the state, the others 64 bits and kept apart, so that
/// state stays small and a hot account is hardly ever looked into for nothing: of 64 that it has, one in 260,000.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fingerprints {
    /// Sorted.
    few: Vec<u32>,
    /// Number of those kept apart.
    more: u64,
}

/// This many are part of the state.
const FEW: usize = 64;

/// Bytes of each of these.
const SHORT: usize = 3;

fn short(id: u64) -> u32 {
    u32::try_from(id >> 40).unwrap_or(0)
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

    /// Reads those that are part of the state; in old states they had 32 bits.
    fn decode(&mut self, bytes: &[u8], old: bool) -> Option<()> {
        let ids = bytes.chunks_exact(if old { 4 } else { SHORT });
        if !ids.remainder().is_empty() || ids.len() > FEW {
            return None;
        }
        let number = |id: &[u8]| id.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte));
        self.few.clear();
        self.few.extend(ids.map(|id| if old { number(id) >> 8 } else { number(id) }));
        self.few.is_sorted().then_some(())
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
        account.silence = 7;
        account.withdrawn.insert((Which::Silence, 19_000));
        account.events = 3;
        account.ids.insert(0xdead_be00 << 32);
        let decoded = |bytes: &[u8], profiles: &mut Profiles, names: &mut Names| {
            let mut decoded = Account::new(0);
            decoded.decode(bytes, profiles, names).unwrap();
            decoded
        };
        let digits = |place: usize| u8::from_str_radix(&FIXTURE[place..place + 2], 16).unwrap();
        let old: Vec<u8> = (0..FIXTURE.len()).step_by(2).map(digits).collect();
        assert_eq!(decoded(&old, &mut profiles, &mut names), account);
        let mut bytes = Vec::new();
        account.encode(&profiles, &names, &mut bytes);
        assert!(bytes.len() < old.len(), "{} is not shorter than {}", bytes.len(), old.len());
        assert_eq!(decoded(&bytes, &mut profiles, &mut names), account);
    }
}
