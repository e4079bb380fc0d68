//! The hot state of one account: what an event in order needs to go on.
//!
//! Invariant: it is a pure function of the account's journal and the clock. It knows nothing of
//! series or storage; the encoding is versioned.

use std::collections::BTreeSet;

use crate::{
    calendar::{Day, Time},
    codec::{Reader, put, put_signed, put_text},
    lifecycle::customer::{Customer, Run, Traits},
    map::Set,
    series::Profiles,
};

/// Version of the encoding.
const VERSION: u8 = 1;
/// The same, with sums by day before the ids.
const WITH_DAILY: u8 = 2;

/// What one account has bought so far in one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Total {
    /// ISO 4217.
    pub currency: Box<str>,
    /// One a per-account column of the plan.
    pub columns: Vec<i128>,
    /// Time of the latest order or refund in it.
    pub since: Time,
}

/// Silence as last published: a step in days, reached or left at `since`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Silence {
    /// Days; 0 below the first step.
    pub step: u16,
    /// When it was reached or left.
    pub since: Time,
}

/// Hot state of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// Sums by currency, in the order of first use.
    pub totals: Vec<Total>,
    /// Sums by local day that are not published.
    pub daily: Daily,
    /// Silence.
    pub silence: Silence,
    /// Local days whose silence was published and then taken back: what carries over them may still
    /// change. Depends on the order of arrival, unlike the rest.
    pub withdrawn: BTreeSet<Day>,
    /// Which ids the journal may hold.
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
            totals: Vec::new(),
            daily: Daily::default(),
            silence: Silence::default(),
            withdrawn: BTreeSet::new(),
            ids: Fingerprints::default(),
            events: 0,
            timer: Time::MAX,
        }
    }

    /// Appends the encoding.
    pub fn encode(&self, profiles: &Profiles, out: &mut Vec<u8>) {
        out.push(if self.daily.days.is_empty() { VERSION } else { WITH_DAILY });
        // Times close to each other: differences to the latest event are short.
        let base = self.last;
        put_signed(out, base.into());
        let time = |out: &mut Vec<u8>, at: Time| match at {
            Time::MIN => out.push(0),
            Time::MAX => out.push(1),
            at => {
                out.push(2);
                put_signed(out, i128::from(at) - i128::from(base));
            }
        };
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
        put(out, self.totals.len() as u128);
        for total in &self.totals {
            put_text(out, &total.currency);
            time(out, total.since);
            put(out, total.columns.len() as u128);
            total.columns.iter().for_each(|value| put_signed(out, *value));
        }
        put(out, self.silence.step.into());
        time(out, self.silence.since);
        put(out, self.withdrawn.len() as u128);
        self.withdrawn.iter().for_each(|day| put_signed(out, (*day).into()));
        put(out, self.events.into());
        if !self.daily.days.is_empty() {
            self.daily.encode(out);
        }
        self.ids.encode(out);
    }

    /// Decodes; `None` if the bytes are damaged or of another version.
    pub fn decode(bytes: &[u8], profiles: &mut Profiles, traits: usize) -> Option<Account> {
        let (version, rest) = bytes.split_first()?;
        if ![VERSION, WITH_DAILY].contains(version) {
            return None;
        }
        let mut from = Reader(rest);
        let base = from.get_time()?;
        let mut account = Account::new(0);
        account.last = base;
        account.fired = get_time(&mut from, base)?;
        account.timer = get_time(&mut from, base)?;
        for _ in 0..from.get_count()? {
            let at = get_time(&mut from, base)?;
            account.traits.changes.push((at, get_profile(&mut from, profiles, traits)?));
        }
        account.customer.last_order = Some(get_time(&mut from, base)?).filter(|at| *at != Time::MIN);
        for _ in 0..from.get_count()? {
            let (start, end) = (get_time(&mut from, base)?, get_time(&mut from, base)?);
            account.customer.runs.push(Run { start, end, profile: get_profile(&mut from, profiles, traits)? });
        }
        for _ in 0..from.get_count()? {
            account.active.push(get_time(&mut from, base)?);
        }
        for _ in 0..from.get_count()? {
            let currency = from.get_text()?.into();
            let since = get_time(&mut from, base)?;
            let columns = (0..from.get_count()?).map(|_| from.get_signed()).collect::<Option<_>>()?;
            account.totals.push(Total { currency, columns, since });
        }
        account.silence.step = u16::try_from(from.get()?).ok()?;
        account.silence.since = get_time(&mut from, base)?;
        for _ in 0..from.get_count()? {
            account.withdrawn.insert(Day::try_from(from.get_signed()?).ok()?);
        }
        account.events = u64::try_from(from.get()?).ok()?;
        if *version == WITH_DAILY {
            account.daily = Daily::decode(&mut from)?;
        }
        account.ids = Fingerprints::decode(from.0)?;
        Some(account)
    }
}

fn get_time(from: &mut Reader<'_>, base: Time) -> Option<Time> {
    let (tag, rest) = from.0.split_first()?;
    from.0 = rest;
    match tag {
        0 => Some(Time::MIN),
        1 => Some(Time::MAX),
        2 => Time::try_from(from.get_signed()? + i128::from(base)).ok(),
        _ => None,
    }
}

fn put_profile(out: &mut Vec<u8>, profiles: &Profiles, number: u32) {
    if number == 0 {
        return out.push(0);
    }
    out.push(1);
    profiles.values(number).iter().for_each(|value| put_text(out, value));
}

fn get_profile(from: &mut Reader<'_>, profiles: &mut Profiles, traits: usize) -> Option<u32> {
    let (tag, rest) = from.0.split_first()?;
    from.0 = rest;
    match tag {
        0 => Some(0),
        1 => Some(profiles.number((0..traits).map(|_| from.get_text().map(Box::from)).collect::<Option<_>>()?)),
        _ => None,
    }
}

/// Rows of integers by local day, in the order of days.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Daily {
    days: Vec<Day>,
    /// Row after row.
    sums: Vec<i128>,
}

impl Daily {
    /// The row of a day, `width` numbers as all are, to add to.
    pub fn row(&mut self, day: Day, width: usize) -> &mut [i128] {
        // Events come in order, or nearly so.
        let after = self.days.iter().rposition(|known| *known <= day);
        let place = match after {
            Some(place) if self.days[place] == day => place,
            _ => {
                let place = after.map_or(0, |place| place + 1);
                self.days.insert(place, day);
                let at = place * width;
                self.sums.splice(at..at, std::iter::repeat_n(0, width));
                place
            }
        };
        &mut self.sums[place * width..][..width]
    }

    /// Days with their rows.
    pub fn rows(&self) -> impl Iterator<Item = (Day, &[i128])> {
        self.days.iter().copied().zip(self.sums.chunks(self.width()))
    }

    fn width(&self) -> usize {
        (self.sums.len() / self.days.len().max(1)).max(1)
    }

    fn encode(&self, out: &mut Vec<u8>) {
        put(out, self.days.len() as u128);
        put(out, self.width() as u128);
        let mut before = 0;
        for (day, row) in self.rows() {
            put_signed(out, (day - before).into());
            row.iter().for_each(|value| put_signed(out, *value));
            before = day;
        }
    }

    fn decode(from: &mut Reader<'_>) -> Option<Daily> {
        let (count, width) = (from.get_count()?, from.get_count()?);
        let mut daily = Daily::default();
        let mut day: Day = 0;
        for _ in 0..count {
            day = day.checked_add(Day::try_from(from.get_signed()?).ok()?)?;
            daily.days.push(day);
            for _ in 0..width {
                daily.sums.push(from.get_signed()?);
            }
        }
        Some(daily)
    }
}

/// Fingerprints of ids: says "certainly not there" or "look into the journal".
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fingerprints {
    few: Vec<u32>,
    many: Set<u32>,
}

/// Up to here a scan beats a hash set.
const FEW: usize = 64;

impl Fingerprints {
    /// Whether the id may be there.
    pub fn may_hold(&self, id: u32) -> bool {
        self.few.contains(&id) || (!self.many.is_empty() && self.many.contains(&id))
    }

    /// Adds an id.
    pub fn insert(&mut self, id: u32) {
        if self.few.len() < FEW { self.few.push(id) } else { self.many.extend(self.few.drain(..).chain([id])) }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        let mut all: Vec<u32> = self.few.iter().chain(&self.many).copied().collect();
        all.sort_unstable();
        all.dedup();
        all.iter().for_each(|id| out.extend_from_slice(&id.to_le_bytes()));
    }

    fn decode(bytes: &[u8]) -> Option<Fingerprints> {
        let mut ids = Fingerprints::default();
        let chunks = bytes.chunks_exact(4);
        if !chunks.remainder().is_empty() {
            return None;
        }
        let list: Vec<u32> = chunks.map(|c| u32::from_le_bytes([c[0], c[1], c[2], c[3]])).collect();
        if list.len() < FEW {
            ids.few = list
        } else {
            ids.many = list.into_iter().collect()
        }
        Some(ids)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{plan::Plan, settings::Settings};

    /// An account as version 1 wrote it; it must load for ever.
    const FIXTURE: &str = "018080f2818389850602ffff94e789c6040280c0cbacf6220102ffffd187e2bc2d010370726f0002657502ffbfa8ca9a3a\
                           0102ffbfa8ca9a3a01010370726f00026575010200010345555202ffbfa8ca9a3a0209e0120702ffff94e789c60401f0a80203\
                           efbeadde";

    #[test]
    fn the_encoding_of_version_1_loads() {
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
        account.totals.push(Total { currency: "EUR".into(), columns: vec![-5, 1_200], since: 1_699_000_000_000_000 });
        account.silence = Silence { step: 7, since: 1_690_000_000_000_000 };
        account.withdrawn.insert(19_000);
        account.events = 3;
        account.ids.insert(0xdead_beef);
        let mut bytes = Vec::new();
        account.encode(&profiles, &mut bytes);
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, FIXTURE);
        assert_eq!(Account::decode(&bytes, &mut Profiles::new(&plan), 3), Some(account));
    }
}
