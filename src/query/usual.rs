//! Rows with their usual ranges (`--usual`).
//!
//! A range rests on windows before the one shown: those before `--from` are read too, and passed over after they were seen.
//! What a range is, `processor_core::usual` knows; filled-in windows count as the store fills them in.

use std::{ops::ControlFlow, sync::Arc};

use anyhow::{Context as _, Result};
use jiff::tz::TimeZone;
use processor_core::{
    calendar::{self, Kind},
    catalog::Direction,
    usual::{Seen, Usual, Verdict},
};
use store::{Ask, MetricInfo, Read as _, Row, Series, ask, sqlite, window::Calendar};

/// A row's usual range, and how its value compares with it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Compared {
    /// The least usual value.
    pub(crate) low: f64,
    /// Mean of the windows before.
    pub(crate) centre: f64,
    /// The greatest usual value.
    pub(crate) high: f64,
    /// None for a null.
    pub(crate) verdict: Option<Verdict>,
}

impl Compared {
    fn of(range: &Usual, value: Option<f64>, direction: Option<Direction>) -> Self {
        let verdict = value.map(|value| range.verdict(value, direction));
        Self { low: range.low(), centre: range.centre(), high: range.high(), verdict }
    }
}

/// Calls `visit` for each row of the answer with its range, if it has one, until it breaks.
pub(crate) fn each(
    read: &sqlite::Reader,
    metric: &MetricInfo,
    asked: &Ask,
    visit: &mut dyn FnMut(Row, Option<Compared>) -> ControlFlow<()>,
) -> Result<()> {
    let from_us = from_us(read, asked)?;
    let mut course = Course::of(metric, &read.settings()?)?;
    ask(read, &Ask { from: None, ..asked.clone() }, &mut |row| {
        let range = course.next(&row);
        let is_before = row.point.window.selector_us().is_some_and(|at| at < from_us);
        Ok(if is_before { ControlFlow::Continue(()) } else { visit(row, range) })
    })?;
    Ok(())
}

fn from_us(read: &sqlite::Reader, asked: &Ask) -> Result<i64> {
    let Some(from) = &asked.from else { return Ok(i64::MIN) };
    Ok(Calendar::of(&read.settings()?)?.parse_us(from)?)
}

/// The windows seen of one series.
struct Course {
    series: Option<Arc<Series>>,
    seen: Vec<Seen>,
    direction: Option<Direction>,
    calendar: calendar::Calendar,
}

impl Course {
    fn of(metric: &MetricInfo, settings: &store::Settings) -> Result<Self> {
        let name = &settings.time_zone;
        let zone = TimeZone::get(name).with_context(|| format!("time zone {name:?} of the store is not known here"))?;
        let direction = metric.direction.map(|direction| match direction {
            store::Direction::Up => Direction::Up,
            store::Direction::Down => Direction::Down,
        });
        let calendar = calendar::Calendar::new(zone, settings.week_start, settings.fiscal_year_start);
        Ok(Self { series: None, seen: Vec::new(), direction, calendar })
    }

    /// The range of the next row, which belongs to the same series or begins another.
    fn next(&mut self, row: &Row) -> Option<Compared> {
        if !self.series.as_ref().is_some_and(|series| Arc::ptr_eq(series, &row.series)) {
            self.series = Some(row.series.clone());
            self.seen.clear();
        }
        let (end, point) = (row.point.window.end_us?, &row.point);
        let kind: Kind = point.window.kind.to_string().parse().ok()?;
        let range = Usual::before(kind, end, &self.seen, &mut self.calendar);
        self.seen.push(Seen { end, value: point.value, is_final: point.is_final });
        range.map(|range| Compared::of(&range, point.value, self.direction))
    }
}
