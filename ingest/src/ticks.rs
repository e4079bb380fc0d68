//! Ticks: pure functions from (clock, next row's time, rows since the last tick) to the next tick.
//!
//! ```text
//!   rows     r1 r2     r3        r4 (dated past M2)
//!   ticks           M1     M1+..    M2           rows dated at M come before the tick M
//! ```
//! The state is small and read back from the tail of the log, so a restart changes nothing.
//! It does not know the log or the wall clock.

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};

/// Rows after which a tick is due off the grid.
pub const ROWS_MAX: u64 = 50_000;
/// A millisecond in microseconds: the least step of the clock of a door.
pub const STEP_US: i64 = 1_000;
const DAY_US: i64 = 86_400_000_000;
const SPAN_MIN_US: i64 = 60_000_000;

/// The common grid: every local midnight, and the multiples of a span after it.
#[derive(Debug, Clone)]
pub struct Grid {
    zone: TimeZone,
    span_us: i64,
}

impl Grid {
    /// `span_us` from one minute to one day; a day means midnights only.
    ///
    /// # Errors
    /// When the span is outside that.
    pub fn new(zone: TimeZone, span_us: i64) -> crate::Result<Self> {
        if !(SPAN_MIN_US..=DAY_US).contains(&span_us) {
            let problem = "is out of range, expected from 1m to 1d".to_owned();
            return Err(crate::Error::Option { option: "--tick", problem });
        }
        Ok(Self { zone, span_us })
    }

    /// The first point of the grid later than `time_us`.
    pub fn after(&self, time_us: i64) -> i64 {
        let Some(date) = self.date(time_us) else { return i64::MAX };
        let midnight = date.checked_add(1.day()).ok().and_then(|next| self.midnight(next)).unwrap_or(i64::MAX);
        if self.span_us == DAY_US {
            return midnight;
        }
        let start = self.midnight(date).unwrap_or(time_us);
        let steps = (time_us - start).div_euclid(self.span_us) + 1;
        midnight.min(start + steps * self.span_us)
    }

    fn date(&self, time_us: i64) -> Option<Date> {
        Some(Timestamp::from_microsecond(time_us).ok()?.to_zoned(self.zone.clone()).date())
    }

    fn midnight(&self, date: Date) -> Option<i64> {
        Some(date.to_zoned(self.zone.clone()).ok()?.timestamp().as_microsecond())
    }
}

/// What the tail of the log says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Clock {
    /// The greatest tick; none in an empty log.
    pub at: Option<i64>,
    /// Rows since that tick, over all partitions.
    pub rows: u64,
    /// The least and greatest `recorded_at` of those rows.
    pub recorded: Option<(i64, i64)>,
}

impl Clock {
    /// The least time that a new tick may have.
    fn next(&self) -> i64 {
        self.at.map_or(i64::MIN, |at| at + STEP_US)
    }
}

/// Says which ticks are due, and stamps rows.
#[derive(Debug, Clone)]
pub struct Schedule {
    grid: Grid,
    clock: Clock,
    /// The next point of the grid.
    due: Option<i64>,
}

impl Schedule {
    /// Goes on from `clock`.
    pub fn new(grid: Grid, clock: Clock) -> Self {
        let mut schedule = Self { grid, clock, due: None };
        schedule.aim();
        schedule
    }

    /// The clock so far.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// In a log without ticks the grid begins at the first point at or after the least row.
    fn aim(&mut self) {
        let from = self.clock.at.or(self.clock.recorded.map(|(least, _)| least - 1));
        self.due = from.map(|from| self.grid.after(from));
    }

    /// A tick that has to come before a row dated `time_us`; ask again after it was appended.
    pub fn before(&self, time_us: i64) -> Option<i64> {
        if let Some(due) = self.due.filter(|due| *due < time_us) {
            return Some(due);
        }
        (self.clock.rows >= ROWS_MAX).then(|| self.clock.next().max(time_us - STEP_US))
    }

    /// Stamps a row dated `time_us`: `max(time, clock + 1 ms)`.
    pub fn row(&mut self, time_us: i64) -> i64 {
        let recorded = time_us.max(self.clock.next());
        self.clock.rows += 1;
        let first = self.clock.recorded.is_none();
        let (least, greatest) = self.clock.recorded.unwrap_or((recorded, recorded));
        self.clock.recorded = Some((least.min(recorded), greatest.max(recorded)));
        if self.clock.at.is_none() && (first || recorded < least) {
            self.aim();
        }
        recorded
    }

    /// Moves the clock; `false` when the tick is not after it and must not be appended.
    pub fn tick(&mut self, at_us: i64) -> bool {
        if self.clock.at.is_some_and(|at| at >= at_us) {
            return false;
        }
        self.clock = Clock { at: Some(at_us), rows: 0, recorded: None };
        self.aim();
        true
    }

    /// Moves the clock because another door did; what this one appended still waits for a tick.
    pub fn observe(&mut self, at_us: i64) {
        if self.clock.at.is_none_or(|at| at < at_us) {
            self.clock.at = Some(at_us);
            self.aim();
        }
    }

    /// The tick that closes what was appended: at the greatest `recorded_at` since the last one.
    /// (The greatest, not the latest: so rows in another order end at the same clock.)
    pub fn last(&self) -> Option<i64> {
        let (_, greatest) = self.clock.recorded?;
        Some(greatest.max(self.clock.next()))
    }

    /// The tick of a door that goes: after all that is known. None where there was none yet.
    pub fn closing(&self) -> Option<i64> {
        self.last().or_else(|| self.clock.at.map(|_| self.clock.next()))
    }

    /// The next tick on the way to `until_us`, which is one itself.
    pub fn towards(&self, until_us: i64) -> Option<i64> {
        let at = self.clock.at.filter(|at| *at < until_us)?;
        Some(self.grid.after(at).min(until_us))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = DAY_US;

    fn schedule(zone: &str, span_us: i64) -> Schedule {
        let zone = TimeZone::get(zone).expect("zone");
        Schedule::new(Grid::new(zone, span_us).expect("grid"), Clock::default())
    }

    fn drain(schedule: &mut Schedule, time: i64) -> Vec<i64> {
        let mut ticks = Vec::new();
        while let Some(at) = schedule.before(time) {
            assert!(schedule.tick(at));
            ticks.push(at);
        }
        ticks
    }

    #[test]
    fn midnights_come_after_their_rows() {
        let mut s = schedule("UTC", DAY);
        let start = 10_000 * DAY;
        assert!(drain(&mut s, start).is_empty());
        assert_eq!(s.row(start), start);
        assert!(drain(&mut s, start).is_empty());
        assert_eq!(s.row(start), start);
        assert_eq!(drain(&mut s, start + 1), [start]);
        assert_eq!(s.row(start + 1), start + STEP_US);
        assert_eq!(drain(&mut s, start + 3 * DAY), [start + DAY, start + 2 * DAY]);
        s.row(start + 3 * DAY);
        assert_eq!(s.last(), Some(start + 3 * DAY));
        s.tick(start + 3 * DAY);
        assert_eq!(s.last(), None);
        assert_eq!(s.towards(start + 4 * DAY + 5), Some(start + 4 * DAY));
        s.tick(start + 4 * DAY);
        assert_eq!(s.towards(start + 4 * DAY + 5), Some(start + 4 * DAY + 5));
        assert!(!s.tick(start));
    }

    #[test]
    fn counts_tick_between() {
        let mut s = schedule("UTC", DAY);
        let start = 10_000 * DAY + 5_000_000;
        for _ in 0..ROWS_MAX {
            assert_eq!(s.before(start), None);
            s.row(start);
        }
        assert_eq!(drain(&mut s, start), [start - STEP_US]);
        assert_eq!(s.row(start), start);
        assert_eq!(s.row(start - DAY), start);
    }

    #[test]
    fn short_days_and_hours() {
        let spring = crate::parse_rfc3339("2026-03-29T00:30:00+01:00").expect("time");
        let grid = Grid::new(TimeZone::get("Europe/Berlin").expect("zone"), 3_600_000_000).expect("grid");
        let mut at = spring;
        let mut seen = Vec::new();
        for _ in 0..24 {
            at = grid.after(at);
            seen.push(at);
        }
        // 23 hours: the 23rd point is the next midnight.
        assert_eq!(crate::render_rfc3339(seen[22]), "2026-03-29T22:00:00Z");
        assert_eq!(crate::render_rfc3339(seen[23]), "2026-03-29T23:00:00Z");
    }
}
