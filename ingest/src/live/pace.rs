//! When a live door ticks, and whether its clock can be believed: pure functions of the clocks and the log's clock.
//!
//! ```text
//!   records      r1 r2        r3                                 stamped when they are appended
//!   grid     |-----------|-----------|-----------|- ... -|       every 100 ms
//!   ticks                T1          T2          T3      idle: every second
//! ```
//! T2 closes r3, the first point of the grid at or after its stamp. T3 is an *echo*: another door may have put T2 before
//! r3, and then this door's T2 changed nothing.
//!
//! It does not know the log, nor requests.

use std::{fmt, time::Duration};

use crate::{
    clock::Now,
    ticks::{ROWS_MAX, Schedule},
};

/// An idle door ticks on the multiples of this.
const IDLE_US: i64 = 1_000_000;
/// Wall and monotonic clock may part by this.
const APART_MAX_US: i64 = 5_000_000;
/// A door may be this far behind the log's clock.
const BEHIND_MAX_US: i64 = 300_000_000;

/// The grid of a busy door.
#[derive(Debug, Clone)]
pub(super) struct Pace {
    tick_us: i64,
    echo: bool,
}

impl Pace {
    /// Ticks every `tick`, a part of a second.
    pub(super) fn new(tick: Duration) -> Self {
        Self { tick_us: i64::try_from(tick.as_micros()).unwrap_or(IDLE_US).clamp(1, IDLE_US), echo: false }
    }

    /// The tick that is due; ask again after it was appended. Local midnights that passed come first.
    pub(super) fn due(&self, wall_us: i64, schedule: &Schedule) -> Option<i64> {
        let clock = schedule.clock();
        let grid_us = floor(wall_us, self.tick_us);
        let target_us = match clock.recorded {
            Some(_) if clock.rows >= ROWS_MAX => schedule.last()?,
            Some((_, greatest)) if grid_us >= greatest => grid_us,
            Some((_, greatest)) if wall_us >= greatest => return None,
            None if self.echo => grid_us,
            _ => floor(wall_us, IDLE_US),
        };
        if clock.at.is_none() { Some(target_us) } else { schedule.towards(target_us) }
    }

    /// Says that a tick was appended, after records or not.
    pub(super) fn ticked(&mut self, after_records: bool) {
        self.echo = after_records;
    }

    /// How long until a tick may be due if nothing comes.
    pub(super) fn wait(&self, wall_us: i64, schedule: &Schedule) -> Duration {
        let clock = schedule.clock();
        let next_us = clock.at.map_or(wall_us, |at| at + 1);
        let busy = clock.recorded.map(|(_, greatest)| greatest.max(next_us)).or(self.echo.then_some(next_us));
        let due_us = busy.map_or(i64::MAX, |at| ceiling(at, self.tick_us)).min(ceiling(next_us, IDLE_US));
        Duration::from_micros(u64::try_from(due_us - wall_us).unwrap_or(0))
    }
}

fn floor(time_us: i64, span_us: i64) -> i64 {
    time_us - time_us.rem_euclid(span_us)
}

fn ceiling(time_us: i64, span_us: i64) -> i64 {
    floor(time_us + span_us - 1, span_us)
}

/// Why a door must not say what time it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Somebody set the wall clock.
    Apart {
        /// Forward, or back when negative.
        by_us: i64,
    },
    /// The wall clock is far behind the log's.
    Behind {
        /// How far.
        by_us: i64,
    },
}

/// What is wrong `now` with a door that began at `start`, in a log whose clock is `clock_us`.
pub(super) fn fault(start: Now, now: Now, clock_us: Option<i64>) -> Option<Fault> {
    let passed = i64::try_from(now.steady.saturating_sub(start.steady).as_micros()).unwrap_or(i64::MAX);
    let apart_us = (now.wall_us - start.wall_us).saturating_sub(passed);
    let behind_us = clock_us.map_or(0, |at| at.saturating_sub(now.wall_us));
    if apart_us.abs() > APART_MAX_US {
        Some(Fault::Apart { by_us: apart_us })
    } else if behind_us > BEHIND_MAX_US {
        Some(Fault::Behind { by_us: behind_us })
    } else {
        None
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Apart { by_us } => write!(
                f,
                "the wall clock was set {} by {} s while this door ran: set it right, or restart the door",
                if *by_us > 0 { "forward" } else { "back" },
                by_us.abs() / 1_000_000
            ),
            Self::Behind { by_us } => write!(
                f,
                "the wall clock is {} s behind the clock of the log: set it right, or wait until it is there",
                by_us / 1_000_000
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::ticks::{Clock, Grid};

    const MS: i64 = 1_000;
    const SECOND: i64 = 1_000 * MS;
    const DAY: i64 = 86_400 * SECOND;
    const NOON: i64 = 20_000 * DAY + DAY / 2;

    fn schedule(at: Option<i64>) -> Schedule {
        let grid = Grid::new(TimeZone::UTC, DAY).expect("a day is a grid");
        Schedule::new(grid, Clock { at, ..Clock::default() })
    }

    fn tick(pace: &mut Pace, schedule: &mut Schedule, wall_us: i64) -> Vec<i64> {
        let mut ticks = Vec::new();
        while let Some(at_us) = pace.due(wall_us, schedule) {
            let busy = schedule.clock().rows > 0;
            assert!(schedule.tick(at_us), "{at_us} changes nothing");
            pace.ticked(busy);
            ticks.push(at_us - NOON);
        }
        ticks
    }

    #[test]
    fn a_record_is_closed_on_the_grid_and_once_more() {
        let (mut pace, mut schedule) = (Pace::new(Duration::from_millis(100)), schedule(Some(NOON)));
        let wait = |pace: &Pace, schedule: &Schedule, wall| pace.wait(wall, schedule).as_micros();
        assert_eq!(wait(&pace, &schedule, NOON + 10 * MS), 990_000);
        assert_eq!(schedule.row(NOON + 130 * MS), NOON + 130 * MS);
        assert_eq!(wait(&pace, &schedule, NOON + 130 * MS), 70_000);
        assert_eq!(tick(&mut pace, &mut schedule, NOON + 199 * MS), [0; 0]);
        assert_eq!(tick(&mut pace, &mut schedule, NOON + 203 * MS), [200 * MS]);
        assert_eq!(wait(&pace, &schedule, NOON + 203 * MS), 97_000);
        assert_eq!(tick(&mut pace, &mut schedule, NOON + 301 * MS), [300 * MS]);
        assert_eq!(wait(&pace, &schedule, NOON + 301 * MS), 699_000);
        assert_eq!(tick(&mut pace, &mut schedule, NOON + 999 * MS), [0; 0]);
        assert_eq!(tick(&mut pace, &mut schedule, NOON + 1_950 * MS), [SECOND]);
    }

    #[test]
    fn an_empty_log_gets_a_clock_at_once() {
        let (mut pace, mut schedule) = (Pace::new(Duration::from_millis(100)), schedule(None));
        assert_eq!(tick(&mut pace, &mut schedule, NOON + 1_234 * MS), [SECOND]);
    }

    #[test]
    fn missed_midnights_come_first() {
        let (mut pace, mut schedule) = (Pace::new(Duration::from_millis(100)), schedule(Some(NOON)));
        let ticks = tick(&mut pace, &mut schedule, NOON + 3 * DAY + 50 * MS);
        assert_eq!(ticks, [DAY / 2, DAY + DAY / 2, 2 * DAY + DAY / 2, 3 * DAY]);
    }

    #[test]
    fn many_records_are_closed_off_the_grid() {
        let (mut pace, mut schedule) = (Pace::new(Duration::from_millis(100)), schedule(Some(NOON)));
        let now = NOON + 7 * MS;
        for _ in 0..ROWS_MAX {
            assert_eq!(pace.due(now, &schedule), None);
            schedule.row(now);
        }
        assert_eq!(tick(&mut pace, &mut schedule, now), [7 * MS]);
        assert_eq!(schedule.row(now), now + MS);
    }

    #[test]
    fn a_clock_ahead_of_the_wall_waits() {
        let (mut pace, mut schedule) = (Pace::new(Duration::from_millis(100)), schedule(Some(NOON)));
        assert_eq!(schedule.row(NOON - SECOND), NOON + MS);
        assert_eq!(tick(&mut pace, &mut schedule, NOON - SECOND + 500 * MS), [0; 0]);
        assert_eq!(tick(&mut pace, &mut schedule, NOON + 100 * MS), [100 * MS]);
    }

    #[test]
    fn clocks_that_lie_are_named() {
        let now = |wall_us, seconds| Now { wall_us, steady: Duration::from_secs(seconds) };
        let start = now(NOON, 100);
        let said = |now, clock| fault(start, now, clock).map(|fault| fault.to_string());
        assert_eq!(said(now(NOON + 10 * SECOND, 110), Some(NOON + 310 * SECOND)), None);
        assert_eq!(said(now(NOON + 15 * SECOND, 110), None), None);
        assert_eq!(
            said(now(NOON + 16 * SECOND, 110), None).as_deref(),
            Some("the wall clock was set forward by 6 s while this door ran: set it right, or restart the door")
        );
        assert_eq!(
            said(now(NOON - 3_600 * SECOND, 100), None).as_deref(),
            Some("the wall clock was set back by 3600 s while this door ran: set it right, or restart the door")
        );
        assert_eq!(
            said(now(NOON, 100), Some(NOON + 301 * SECOND)).as_deref(),
            Some("the wall clock is 301 s behind the clock of the log: set it right, or wait until it is there")
        );
    }
}
