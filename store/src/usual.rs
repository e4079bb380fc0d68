//! Rows with their usual ranges: where the windows before a row lead one to expect its value.
//!
//! What a range is, `processor_core::usual` knows: rules of alerts use the same. A range rests on windows before the one that
//! is shown: those before the question's `from` are read too, as far back as a range reaches, and passed over after they were
//! seen. Filled-in windows count as the store fills them in.

use std::{ops::ControlFlow, sync::Arc};

use jiff::tz::TimeZone;
use processor_core::{
    calendar,
    catalog::Direction as Side,
    usual::{Seen, WINDOWS},
};

pub use processor_core::usual::{Usual, VALUES_MIN, Verdict};

use crate::{
    Ask, Direction, Error, MetricInfo, Read, Result, Row, Series, Settings, ask,
    window::{Calendar, Kind},
};

/// A row's usual range, and how its value compares with it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Compared {
    /// The least usual value.
    pub low: f64,
    /// Mean of the windows before.
    pub centre: f64,
    /// The greatest usual value.
    pub high: f64,
    /// None for a null.
    pub verdict: Option<Verdict>,
}

impl Compared {
    fn of(range: &Usual, value: Option<f64>, direction: Option<Side>) -> Self {
        let verdict = value.map(|value| range.verdict(value, direction));
        Self { low: range.low(), centre: range.centre(), high: range.high(), verdict }
    }
}

/// Calls `visit` for each row of the answer with its range, if it has one, until it breaks.
///
/// # Errors
/// `Reject` for a question that cannot be answered, and what the store or the visitor say.
pub fn each(
    read: &dyn Read,
    metric: &MetricInfo,
    asked: &Ask,
    visit: &mut dyn FnMut(Row, Option<Compared>) -> Result<ControlFlow<()>>,
) -> Result<()> {
    let settings = read.settings()?;
    let mut course = Course::of(metric, &settings)?;
    let (from_us, earlier) = earlier(read, metric, asked, &settings)?;
    ask(read, &earlier, &mut |row| {
        let range = course.next(&row);
        let is_before = row.point.window.selector_us().is_some_and(|at| at < from_us);
        if is_before { Ok(ControlFlow::Continue(())) } else { visit(row, range) }
    })
}

/// The first instant of what is asked for, and the question that has the windows before, too.
fn earlier(read: &dyn Read, metric: &MetricInfo, asked: &Ask, settings: &Settings) -> Result<(i64, Ask)> {
    let calendar = Calendar::of(settings)?;
    let (kind, span) = ask::selected(read, asked, metric, &calendar)?;
    if span.from_us == i64::MIN {
        return Ok((i64::MIN, asked.clone()));
    }
    let clock_us = ask::clock_us(&read.clocks()?, &metric.name).unwrap_or(i64::MAX);
    let grace_us = settings.allowed_lateness_us.max(metric.maturity_us);
    // A range takes final windows alone: those that end a grace before the clock.
    let last_us = span.from_us.min(clock_us.saturating_sub(grace_us));
    let windows = u32::try_from(WINDOWS).unwrap_or(u32::MAX) + 2;
    let windows = if let Kind::Trailing(days) = kind { windows * u32::from(days) } else { windows };
    let from = calendar.back_us(kind, last_us, windows).map(crate::window::rfc3339).ok();
    Ok((span.from_us, Ask { from, newest: None, ..asked.clone() }))
}

/// The windows seen of one series.
pub struct Course {
    series: Option<Arc<Series>>,
    seen: Vec<Seen>,
    direction: Option<Side>,
    calendar: calendar::Calendar,
}

impl std::fmt::Debug for Course {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Course").field("series", &self.series).field("seen", &self.seen.len()).finish_non_exhaustive()
    }
}

impl Course {
    /// Of a metric in the tenant's calendar.
    ///
    /// # Errors
    /// `Fatal` if the zone is not known.
    pub fn of(metric: &MetricInfo, settings: &Settings) -> Result<Self> {
        let name = &settings.time_zone;
        let zone = TimeZone::get(name).map_err(|_| Error::Zone { zone: name.clone() })?;
        let direction = metric.direction.map(|direction| match direction {
            Direction::Up => Side::Up,
            Direction::Down => Side::Down,
        });
        let calendar = calendar::Calendar::new(zone, settings.week_start, settings.fiscal_year_start);
        Ok(Self { series: None, seen: Vec::new(), direction, calendar })
    }

    /// Passes over rows of the series that is next.
    pub fn pass(&mut self, rows: &[Row]) {
        let Some(first) = rows.first() else { return };
        self.series = Some(first.series.clone());
        self.seen.clear();
        let seen = |row: &Row| {
            let end = row.point.window.end_us?;
            Some(Seen { end, value: row.point.value, is_final: row.point.is_final })
        };
        self.seen.extend(rows.iter().filter_map(seen));
    }

    /// The range of the next row, which belongs to the same series or begins another.
    pub fn next(&mut self, row: &Row) -> Option<Compared> {
        if !self.series.as_ref().is_some_and(|series| Arc::ptr_eq(series, &row.series)) {
            self.series = Some(row.series.clone());
            self.seen.clear();
        }
        let (end, point) = (row.point.window.end_us?, &row.point);
        let kind: calendar::Kind = point.window.kind.to_string().parse().ok()?;
        let range = Usual::before(kind, end, &self.seen, &mut self.calendar);
        self.seen.push(Seen { end, value: point.value, is_final: point.is_final });
        range.map(|range| Compared::of(&range, point.value, self.direction))
    }
}
