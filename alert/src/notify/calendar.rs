//! Times of a receiver: its quiet hours, its digest, its days. Pure functions of the wall clock, in its own zone.
//!
//! Invariant: a span from 20:00 to 08:00 goes over midnight and belongs to the day on which it begins. A local time that
//! is skipped or comes twice is taken as `jiff` takes it: the later and the earlier one.

use jiff::{
    Timestamp, ToSpan as _,
    civil::{Date, Time, Weekday},
    tz::TimeZone,
};

/// Hours in which messages are held.
#[derive(Debug, Clone)]
pub(super) struct Quiet {
    /// When they begin.
    pub(super) from: Time,
    /// When they end; not after `from`: on the next day.
    pub(super) to: Time,
    /// The zone of both.
    pub(super) zone: TimeZone,
    /// The days on which they begin; whole days among them where `from` is `to`.
    pub(super) days: Vec<Weekday>,
    /// Severities that are not held.
    pub(super) except: Vec<String>,
}

impl Quiet {
    /// The end of the quiet hours that this instant lies in; spans that touch are one.
    pub(super) fn end_us(&self, at_us: i64) -> Option<i64> {
        let mut end = None;
        let mut at = at_us;
        // A week of whole days touches itself for ever.
        for _ in 0..8 {
            let Some(next) = self.span_end_us(at) else { break };
            (end, at) = (Some(next), next);
        }
        end
    }

    fn span_end_us(&self, at_us: i64) -> Option<i64> {
        let today = local(at_us, &self.zone)?.date();
        [today.yesterday().ok()?, today].into_iter().filter(|day| self.days.contains(&day.weekday())).find_map(|day| {
            let last = if self.to <= self.from { day.tomorrow().ok()? } else { day };
            let (begin, end) = (at(day, self.from, &self.zone)?, at(last, self.to, &self.zone)?);
            (begin <= at_us && at_us < end).then_some(end)
        })
    }
}

/// When a digest is sent: at this time of each of these days.
#[derive(Debug, Clone)]
pub(super) struct Daily {
    /// The local time.
    pub(super) at: Time,
    /// The days.
    pub(super) days: Vec<Weekday>,
    /// The zone.
    pub(super) zone: TimeZone,
}

impl Daily {
    /// The first one after this instant.
    pub(super) fn next_us(&self, at_us: i64) -> i64 {
        let next = || {
            let today = local(at_us, &self.zone)?.date();
            (0..=8)
                .filter_map(|days| today.checked_add(i64::from(days).days()).ok())
                .filter(|day| self.days.contains(&day.weekday()))
                .find_map(|day| at(day, self.at, &self.zone).filter(|time| *time > at_us))
        };
        next().unwrap_or(at_us)
    }
}

/// The local date, and when the next one begins.
pub(super) fn day(at_us: i64, zone: &TimeZone) -> (String, i64) {
    let date = local(at_us, zone).map(|local| local.date()).unwrap_or_default();
    let next = date.tomorrow().ok().and_then(|date| at(date, Time::midnight(), zone)).unwrap_or(at_us);
    (date.to_string(), next)
}

fn local(at_us: i64, zone: &TimeZone) -> Option<jiff::Zoned> {
    Some(Timestamp::from_microsecond(at_us).ok()?.to_zoned(zone.clone()))
}

fn at(date: Date, time: Time, zone: &TimeZone) -> Option<i64> {
    Some(date.to_datetime(time).to_zoned(zone.clone()).ok()?.timestamp().as_microsecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEEK: [Weekday; 7] = [
        Weekday::Monday,
        Weekday::Tuesday,
        Weekday::Wednesday,
        Weekday::Thursday,
        Weekday::Friday,
        Weekday::Saturday,
        Weekday::Sunday,
    ];

    fn us(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_microsecond()
    }

    fn berlin() -> TimeZone {
        TimeZone::get("Europe/Berlin").unwrap()
    }

    #[test]
    fn quiet_hours_go_over_midnight_in_the_zone_of_the_receiver() {
        let time = |hour| Time::constant(hour, 0, 0, 0);
        let quiet = Quiet { from: time(20), to: time(8), zone: berlin(), days: WEEK.to_vec(), except: Vec::new() };
        assert_eq!(quiet.end_us(us("2026-01-15T18:59:59Z")), None);
        assert_eq!(quiet.end_us(us("2026-01-15T19:00:00Z")), Some(us("2026-01-16T07:00:00Z")));
        assert_eq!(quiet.end_us(us("2026-01-16T06:59:59Z")), Some(us("2026-01-16T07:00:00Z")));
        assert_eq!(quiet.end_us(us("2026-01-16T07:00:00Z")), None);
        // The clock goes forward in this night.
        assert_eq!(quiet.end_us(us("2026-03-28T20:00:00Z")), Some(us("2026-03-29T06:00:00Z")));

        // From Friday evening over a weekend of whole days to Monday morning.
        let weekend = [Weekday::Saturday, Weekday::Sunday].to_vec();
        let whole = Quiet { from: time(0), to: time(0), days: weekend, ..quiet };
        assert_eq!(whole.end_us(us("2026-01-17T12:00:00Z")), Some(us("2026-01-18T23:00:00Z")));
        assert_eq!(whole.end_us(us("2026-01-16T12:00:00Z")), None);
    }

    #[test]
    fn a_digest_comes_at_its_time_of_the_day() {
        let daily = Daily { at: Time::constant(9, 0, 0, 0), days: WEEK[..5].to_vec(), zone: berlin() };
        assert_eq!(daily.next_us(us("2026-01-15T07:59:59Z")), us("2026-01-15T08:00:00Z"));
        assert_eq!(daily.next_us(us("2026-01-15T08:00:00Z")), us("2026-01-16T08:00:00Z"));
        assert_eq!(daily.next_us(us("2026-01-16T08:00:00Z")), us("2026-01-19T08:00:00Z"), "not at weekends");
        assert_eq!(day(us("2026-01-15T23:30:00Z"), &berlin()), ("2026-01-16".to_owned(), us("2026-01-16T23:00:00Z")));
    }
}
