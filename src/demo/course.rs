//! The company of a demo, day by day as its clock goes on: what arrives, as events that a door would accept.
//!
//! Invariants: what is planned is a function of seed, accounts and first day, however a [`Course`] is asked for it; every
//! line passes the parser of the doors. It does not know the log, nor the wall clock.

use ingest::{
    event::{self, Context},
    near::UnknownTypes,
};
use jiff::{ToSpan as _, civil::Date, tz::TimeZone};
use proto::v1::Event;
use simulator::{Company, LINKED, Settings, Shares};

/// A company whose days are asked for as they begin in the zone of the tenant.
#[derive(Debug)]
pub(crate) struct Course {
    company: Company,
    seed: u64,
    /// Its first day.
    from: Date,
    zone: TimeZone,
    /// Days that were asked for.
    days: i64,
    /// How far it was asked for.
    at_us: i64,
}

impl Course {
    /// On the morning of the first day.
    pub(crate) fn new(seed: u64, accounts: u32, from: Date, zone: TimeZone) -> anyhow::Result<Self> {
        // Days of a company are of UTC; west of it the first local day begins within one.
        let morning = from.to_zoned(zone.clone())?.with_time_zone(TimeZone::UTC).datetime();
        let first = if morning.date() < from || morning.time() == jiff::civil::Time::midnight() {
            from
        } else {
            from.tomorrow()?
        };
        let company =
            Company::new(Settings { seed, accounts, linked: LINKED, from: first, shares: Shares::default() })?;
        let mut course = Self { company, seed, from, zone, days: 0, at_us: 0 };
        course.at_us = course.midnight(0)?;
        Ok(course)
    }

    /// When the `index`th day begins.
    pub(crate) fn midnight(&self, index: i64) -> Result<i64, jiff::Error> {
        let date = self.from.checked_add(index.days())?;
        Ok(date.to_zoned(self.zone.clone())?.timestamp().as_microsecond())
    }

    /// How far it was asked for.
    pub(crate) fn at_us(&self) -> i64 {
        self.at_us
    }

    /// Goes on towards `now_us`, at most to the end of the day: until when, and what arrives before that.
    pub(crate) fn towards(&mut self, now_us: i64) -> anyhow::Result<(i64, Vec<(i64, Event)>)> {
        if self.at_us >= self.midnight(self.days)? && self.at_us < now_us {
            self.days += 1;
        }
        self.at_us = self.at_us.max(self.midnight(self.days)?.min(now_us));
        let arrivals = self.company.arrivals(self.at_us)?;
        let events = arrivals.into_iter().map(|(at_us, line)| Ok((at_us, parse(&line)?)));
        Ok((self.at_us, events.collect::<anyhow::Result<_>>()?))
    }

    /// One event that was not planned, of some account that uses the product; what is planned stays as it is, so that
    /// it is planned again after a restart, without this.
    pub(crate) fn now(&self, now_us: i64) -> anyhow::Result<Option<Event>> {
        self.company.now(now_us, self.seed).map(|line| parse(&line)).transpose()
    }
}

/// The event of a line, by the parser of every door.
fn parse(line: &str) -> anyhow::Result<Event> {
    let context = Context {
        now_us: 0,
        until_us: i64::MAX,
        floor_us: i64::MIN,
        source: String::new(),
        tenant: String::new(),
        unknown_types: UnknownTypes::default(),
    };
    let refused = |rejection| anyhow::anyhow!("the door refuses an event of the simulation: {rejection}: {line}");
    event::parse(line.as_bytes(), &context).map_err(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_US: i64 = 3_600_000_000;
    const DAY_US: i64 = 24 * HOUR_US;

    fn course(seed: u64, zone: &str) -> Course {
        Course::new(seed, 200, jiff::civil::date(2024, 10, 4), TimeZone::get(zone).unwrap()).unwrap()
    }

    /// What arrives until `to_us`, by a clock that goes on in steps of up to `step_us`.
    fn pass(course: &mut Course, to_us: i64, step_us: i64) -> Vec<(i64, Event)> {
        let mut events = Vec::new();
        while course.at_us() < to_us {
            let (before_us, now_us) = (course.at_us(), to_us.min(course.at_us() + step_us));
            let (until_us, arrivals) = course.towards(now_us).unwrap();
            assert!(before_us < until_us && until_us <= now_us);
            assert!(
                arrivals.iter().all(|(at_us, event)| (before_us..until_us).contains(at_us) && event.time_us <= *at_us)
            );
            events.extend(arrivals);
        }
        events
    }

    fn days(seed: u64, zone: &str, count: i64) -> Vec<(i64, Event)> {
        let mut course = course(seed, zone);
        let start_us = course.at_us();
        pass(&mut course, start_us + count * DAY_US, DAY_US)
    }

    #[test]
    fn the_same_seed_is_the_same_year_in_every_zone() {
        for zone in ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"] {
            let events = days(7, zone, 60);
            assert!(events.len() > 1_000, "{zone}: {}", events.len());
            assert_eq!(days(7, zone, 60), events, "{zone}");
            assert!(days(8, zone, 60) != events, "{zone}");
        }
    }

    #[test]
    fn live_days_go_on_as_planned() {
        let mut course = course(7, "UTC");
        let start_us = course.at_us();
        let (live_us, end_us) = (start_us + 60 * DAY_US + 10 * HOUR_US, start_us + 90 * DAY_US);
        let mut events = pass(&mut course, live_us, 2 * DAY_US);
        // Live, with other events between; the clock stands, and once the machine slept for some days.
        for to_us in [live_us + 7 * DAY_US, live_us + 11 * DAY_US, end_us] {
            events.extend(pass(&mut course, to_us, if to_us < end_us { 7 * HOUR_US } else { 5 * DAY_US }));
            assert_eq!(course.towards(to_us).unwrap(), (to_us, Vec::new()));
            let unplanned = course.now(to_us).unwrap().unwrap();
            assert_eq!((unplanned.time_us, unplanned.id), (to_us, format!("live-{to_us}")));
        }
        assert_eq!(events, days(7, "UTC", 90));
    }
}
