//! Terms: the events of a subscription that carry one `term_start`.
//!
//! A paid term ends when the clock reaches its end, also when it was cancelled before. It is renewed by a later paid term of
//! its subscription that begins by its end + 30 d, inclusive, and has begun; also by one that begins before the end. What is
//! emitted is a function of the terms and of the time up to which they are known ([`Terms::shown`]); every step emits the
//! difference. Amounts of two currencies are not compared: a renewal in another one keeps nothing of the old amount.

use super::{DAY, FactType, FieldType, Lifecycle, Paid, Sort, Spelling, Subscriptions, Type};
use crate::{
    account::{Decoder, Writer},
    calendar::Time,
    lifecycle::{self, Fact, FactId, Out, Slot},
};

/// A term may be renewed until this long after its end.
const GRACE: Time = 30 * DAY;

/// The end of a paid term, at its end. `mrr` is the last of the term, `kept` what the first of the next one keeps of it;
/// minor units.
pub const ENDED: FactType = FactType {
    name: "term_ended",
    event: "",
    sort: Sort::Happening,
    fields: &[
        FieldType::new("renewed", Type::Flag, Spelling::Short),
        FieldType::dimension("product", Spelling::Both),
        FieldType::new("mrr", Type::Money, Spelling::Short),
        FieldType::new("kept", Type::Money, Spelling::Short),
    ],
    whole: 4,
    money: true,
    stays: false,
    has_event: true,
    reads: Subscriptions::READS,
};
const ID: FactId = lifecycle::id(&ENDED);

/// One term.
#[derive(Debug, Clone, Default, PartialEq)]
struct Term {
    start: Time,
    /// The last end that an event gave it.
    end: Option<Time>,
    /// Amount and currency of its first paid event; none for a term that is not paid.
    first: Option<(i64, Box<str>)>,
    /// What its last paid event says.
    last: Option<Paid>,
    /// The end that was counted, and the traits as of it.
    ended: Option<(Time, u32)>,
}

/// A term that has ended, as it is counted.
#[derive(Debug, Clone, PartialEq)]
struct Shown {
    start: Time,
    end: Time,
    renewed: bool,
    kept: i64,
    last: Paid,
}

/// The terms of a subscription.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Terms {
    /// By start.
    list: Vec<Term>,
    /// Up to when they are counted.
    now: Time,
    /// Terms that begin up to here are in the journal, or change what is only there.
    forgotten: Time,
}

impl Default for Terms {
    fn default() -> Terms {
        Terms { list: Vec::new(), now: Time::MIN, forgotten: Time::MIN }
    }
}

impl Terms {
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether an event with this `term_start` concerns nothing that was forgotten.
    pub(super) fn reach(&self, start: &str) -> bool {
        if start.is_empty() || self.forgotten == Time::MIN {
            return true;
        }
        // A date is a local one: its midnight is at most a day before that of UTC.
        let date = start.parse::<jiff::civil::Date>().ok().filter(|_| start.len() == 10);
        let earliest = match date.and_then(|date| date.to_zoned(jiff::tz::TimeZone::UTC).ok()) {
            Some(midnight) => Some(midnight.timestamp().as_microsecond() - DAY),
            None => start.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_microsecond),
        };
        earliest.is_none_or(|earliest| earliest > self.forgotten)
    }

    /// Applies an event at `at` of the term from `start` to `end`.
    pub(super) fn apply(
        &mut self,
        at: Time,
        start: Option<Time>,
        end: Option<Time>,
        paid: Option<Paid>,
        out: &mut Out<'_, '_>,
    ) {
        let before = self.shown();
        if paid.is_none() {
            // It ends the terms that are still to come.
            for term in self.list.iter_mut().filter(|term| term.start > at) {
                (term.first, term.last) = (None, None);
            }
        }
        if let Some(start) = start {
            let place = self.list.partition_point(|term| term.start < start);
            if self.list.get(place).is_none_or(|term| term.start != start) {
                self.list.insert(place, Term { start, ..Term::default() });
            }
            let term = &mut self.list[place];
            term.end = end.or(term.end);
            term.first = term.first.take().or_else(|| paid.as_ref().map(|paid| (paid.mrr, paid.currency.clone())));
            term.last = paid.or(term.last.take());
        }
        self.now = at;
        self.show(before, out);
    }

    /// Counts what ends or is renewed up to `now`.
    pub(super) fn advance(&mut self, now: Time, out: &mut Out<'_, '_>) {
        if self.due().is_some_and(|due| due <= now) {
            let before = self.shown();
            self.now = now;
            self.show(before, out);
        }
    }

    /// When the next one ends, or is renewed by a term that begins.
    pub(super) fn due(&self) -> Option<Time> {
        let due = |(place, term): (usize, &Term)| {
            let end = term.end.filter(|_| term.last.is_some())?;
            if end > self.now {
                return Some(end);
            }
            let next = self.next(place).map(|next| next.start);
            next.filter(|start| *start > self.now && *start <= end + GRACE)
        };
        self.list.iter().enumerate().filter_map(due).min()
    }

    /// The paid term after that at a place.
    fn next(&self, place: usize) -> Option<&Term> {
        self.list[place + 1..].iter().find(|term| term.first.is_some())
    }

    /// Every paid term that has ended.
    fn shown(&self) -> Vec<Shown> {
        let shown = |(place, term): (usize, &Term)| {
            let (end, last) = (term.end.filter(|end| *end <= self.now)?, term.last.clone()?);
            let next = self.next(place).filter(|next| next.start <= self.now.min(end + GRACE));
            let kept = match next.and_then(|next| next.first.as_ref()) {
                Some((mrr, currency)) if *currency == last.currency => last.mrr.min(*mrr),
                _ => 0,
            };
            Some(Shown { start: term.start, end, renewed: next.is_some(), kept, last })
        };
        self.list.iter().enumerate().filter_map(shown).collect()
    }

    /// Emits what has changed since `before`.
    fn show(&mut self, before: Vec<Shown>, out: &mut Out<'_, '_>) {
        let after = self.shown();
        for old in before.iter().filter(|old| !after.contains(old)) {
            self.add(old, -1, out);
        }
        for new in after.iter().filter(|new| !before.contains(new)) {
            self.add(new, 1, out);
        }
    }

    fn add(&mut self, shown: &Shown, times: i128, out: &mut Out<'_, '_>) {
        let place = self.list.partition_point(|term| term.start < shown.start);
        let term = &mut self.list[place];
        let (_, profile) = *match &mut term.ended {
            Some(ended) if ended.0 == shown.end => ended,
            ended => ended.insert((shown.end, out.traits.before(shown.end))),
        };
        let values = [
            Slot::Flag(shown.renewed),
            Slot::Text(&shown.last.product),
            Slot::Integer(shown.last.mrr),
            Slot::Integer(shown.kept),
        ];
        let (currency, opening) = (out.context.currency(&shown.last.currency), shown.last.custom.fields());
        let fact = Fact { currency, values: &values, opening: &opening, ..Fact::new(shown.end, profile, None) };
        out.add(ID, &fact, times);
    }

    /// Forgets terms that nothing in order changes any more.
    pub(super) fn prune(&mut self, horizon: Time) {
        let over = |term: &Term| term.end.unwrap_or(term.start).max(term.start).saturating_add(GRACE);
        // The oldest only: a term is renewed by a later one.
        let old = self.list.iter().take_while(|term| over(term) < horizon).count();
        let forgotten = self.list.drain(..old).map(|term| over(&term)).max();
        self.forgotten = self.forgotten.max(forgotten.unwrap_or(Time::MIN));
    }

    pub(super) fn encode(&self, out: &mut Writer<'_>) {
        out.time(self.now);
        out.time(self.forgotten);
        out.list(self.list.iter(), |out, term| {
            out.time(term.start);
            out.time(term.end.unwrap_or(Time::MIN));
            out.list(term.first.iter(), |out, (mrr, currency)| out.tagged(*mrr, currency));
            out.list(term.last.iter(), |out, paid| paid.encode(out));
            out.list(term.ended.iter(), |out, (at, profile)| {
                out.time(*at);
                out.profile(*profile);
            });
        });
    }

    pub(super) fn decode(from: &mut Decoder<'_, '_>) -> Option<Terms> {
        let (now, forgotten) = (from.time()?, from.time()?);
        let list = from.list(|from| {
            Some(Term {
                start: from.time()?,
                end: Some(from.time()?).filter(|end| *end != Time::MIN),
                first: from.list(|from| Some((from.integer()?, from.text()?.into())))?.pop(),
                last: from.list(Paid::decode)?.pop(),
                ended: from.list(|from| Some((from.time()?, from.profile()?)))?.pop(),
            })
        })?;
        Some(Terms { list, now, forgotten })
    }
}
