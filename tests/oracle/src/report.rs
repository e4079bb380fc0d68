//! From the log to all rows, as of the last tick; frozen ones (`keep`) as of the last tick that still corrected them.

use crate::calendar::{self, Kind, Window};
use crate::known::Known;
use crate::read::{Event, Log};
use crate::row::{ALL, Answer, Row, Series};
use crate::settings::Counted;
use crate::values::Kept;
use crate::{
    Error, Micros, Settings, account, base, cost, deal, filtered, goal, health, history, lead, local, merge, renewal,
    repair,
};
use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

/// What must stand after the last tick.
#[derive(Debug)]
pub struct Truth {
    /// The clock.
    pub clock: Micros,
    /// All windows from the first event on, by kind, each ascending.
    pub windows: Vec<(Kind, Vec<Window>)>,
    /// Added to a window's end for it to be final.
    pub allowed_lateness: Micros,
    /// Windows of an hour that end up to here had been past their keep by the first tick: nobody knows what they hold.
    pub past_keep: Micros,
    /// The rows, sorted by series and end of the window.
    pub rows: Vec<Row>,
}

impl Truth {
    /// Whether a window of a metric is final.
    pub fn is_final(&self, metric: &str, window: Window) -> bool {
        is_final(metric, window, self.clock, self.allowed_lateness)
    }

    /// Where the rows of a series are.
    pub fn series(&self, series: &Series<'_>) -> Range<usize> {
        let start = self.rows.partition_point(|row| row.series() < *series);
        start..start + self.rows[start..].partition_point(|row| row.series() == *series)
    }

    /// Leaves the rows of some questions: those that a catalog answers, say.
    pub fn only(&mut self, asked: impl Fn(&Row) -> bool) {
        self.rows.retain(asked);
    }
}

/// A window is final once the clock has passed its end by the allowed lateness and by the metric's own maturity.
fn is_final(metric: &str, window: Window, clock: Micros, allowed_lateness: Micros) -> bool {
    let wait = allowed_lateness.max(maturity(metric));
    window.kind != Kind::ToDate && clock >= window.end.saturating_add(wait)
}

/// How long a metric may change after the end of a window without any event being late.
fn maturity(metric: &str) -> Micros {
    const DAY: Micros = 86_400_000_000;
    match metric {
        "renewal_rate" | "renewal_rate_dollar" => renewal::GRACE,
        "first_contact_resolution" => 7 * DAY,
        "lead_sla_rate" => lead::SLA,
        _ => 0,
    }
}

/// Recomputes everything.
pub fn truth(log: &Log, settings: &Settings) -> Result<Truth, Error> {
    let last = log.events.iter().map(|e| e.recorded.unwrap_or(e.time)).max();
    let clock = settings.clock.or(log.ticks.last().copied()).or(last).unwrap_or(0);
    let past_keep = log.ticks.first().map_or(Micros::MIN, |first| first.saturating_sub(settings.keep));
    let (windows, allowed_lateness) = (Vec::new(), settings.allowed_lateness);
    let mut truth = Truth { clock, windows, allowed_lateness, past_keep, rows: Vec::new() };
    let log = &merge::merged(log, settings, clock);
    let distinct = repair::distinct(log, settings, clock);
    let costs = cost::shares(&repair::effective(&distinct), settings);
    // A cost may be of an earlier day than its event, and a term may have ended before it.
    let terms = distinct.iter().filter_map(|event| local::instant(event.text("term_end")?, &settings.zone));
    let dated = distinct.iter().map(|event| event.time).chain(costs.first().map(|share| share.day)).chain(terms);
    let Some(from) = dated.min() else { return Ok(truth) };
    for kind in Kind::BOUNDED.into_iter().chain(settings.hours.then_some(Kind::Hour)) {
        truth.windows.push((kind, calendar::windows(kind, settings, from, clock)?));
    }
    let mut shown: BTreeMap<Micros, Vec<Window>> = BTreeMap::new();
    for window in truth.windows.iter().flat_map(|(_, windows)| windows).chain([&Window::TO_DATE]) {
        if let Some(instant) = last_shown(*window, log, settings, clock) {
            shown.entry(instant).or_default().push(*window);
        }
    }
    let days = truth.windows.iter().find(|(kind, _)| *kind == Kind::Day).map_or(&[][..], |(_, days)| days);
    let kept = Kept::of(log, settings, clock);
    for (instant, windows) in &shown {
        rows_at(*instant, log, settings, windows, days, &kept, &mut truth.rows)?;
    }
    truth.rows.sort_unstable_by(|a, b| (a.series(), a.window.end).cmp(&(b.series(), b.window.end)));
    Ok(truth)
}

/// The last instant that changes rows of `window`: the clock, or the last tick before they are frozen.
fn last_shown(window: Window, log: &Log, settings: &Settings, clock: Micros) -> Option<Micros> {
    let frozen = settings.frozen_at(window);
    let instant = if clock < frozen { clock } else { *log.ticks.range(..frozen).next_back()? };
    (window.opens <= instant).then_some(instant)
}

/// The rows of `windows` at `instant`, from the events recorded by then and the timers due by then.
fn rows_at(
    instant: Micros,
    log: &Log,
    settings: &Settings,
    windows: &[Window],
    days: &[Window],
    kept: &Kept,
    found: &mut Vec<Row>,
) -> Result<(), Error> {
    let events = repair::distinct(log, settings, instant);
    let effective = repair::effective(&events);
    let accounts = history::accounts(&effective, settings, instant);
    let known = Known::of(&effective, &accounts, instant, settings, kept);
    let seen = base::seen(&effective, &accounts, &known.facts, kept, &known.converter);
    let bounded: Vec<Window> = windows.iter().copied().filter(|window| window.kind != Kind::ToDate).collect();
    let mut rows = Vec::new();
    known.rows(&bounded, &seen, &mut rows);
    let counted = counted(&events, &effective, settings);
    for &window in &bounded {
        filtered::rows(&accounts, window, instant, &seen, settings, &mut rows);
        events_row(&counted, window, &mut rows);
    }

    let days = &days[..days.partition_point(|day| day.opens <= instant)];
    for account in accounts.iter().filter(|account| !account.guest) {
        account::values(account, &known.native, &mut rows);
        account::silences(account, days, instant, &mut rows);
        account::movements(account, days, &known.native, &mut rows);
        deal::listed(account, &mut rows);
    }
    for (account, changes) in &known.scores {
        health::rows(account, changes, days, &mut rows);
    }
    goal::Goals::of(&known, &seen).rows(days, &mut rows)?;
    // Accounts and goals tell of all their windows.
    let asked: HashSet<Window> = windows.iter().copied().collect();
    rows.retain(|row| asked.contains(&row.window));
    for row in &mut rows {
        row.is_final = is_final(row.metric, row.window, instant, settings.allowed_lateness);
    }
    found.append(&mut rows);
    Ok(())
}

/// Times of the events that `events` counts, ascending.
fn counted(accepted: &[&Event], effective: &[&Event], settings: &Settings) -> Vec<Micros> {
    let events = match settings.events {
        Counted::Accepted => accepted,
        Counted::Effective => effective,
    };
    let mut times: Vec<Micros> = events.iter().map(|e| e.time).collect();
    times.sort_unstable();
    times
}

fn events_row(times: &[Micros], window: Window, rows: &mut Vec<Row>) {
    let before = |at: Micros| times.partition_point(|&t| t < at);
    let count = before(window.end) - before(window.start);
    if count > 0 {
        let count = i128::try_from(count).unwrap_or(i128::MAX);
        rows.push(Row::aggregate("events", window, ALL, None, Answer::Whole(count)));
    }
}
