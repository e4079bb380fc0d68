//! From the log to all rows, as of the last tick.

use crate::calendar::{Kind, Window, windows};
use crate::read::Log;
use crate::row::{ALL, Answer, Row};
use crate::settings::Counted;
use crate::{Error, Micros, Settings, account, base, history, money, repair};

/// What must stand after the last tick.
#[derive(Debug)]
pub struct Truth {
    /// The clock.
    pub clock: Micros,
    /// All windows from the first event on, by kind, each ascending.
    pub windows: Vec<(Kind, Vec<Window>)>,
    /// Added to a window's end for it to be final.
    pub allowed_lateness: Micros,
    /// The rows, sorted.
    pub rows: Vec<Row>,
}

impl Truth {
    /// Whether a window is final.
    pub fn is_final(&self, window: Window) -> bool {
        window.kind != Kind::ToDate && self.clock >= window.end.saturating_add(self.allowed_lateness)
    }
}

/// Recomputes everything.
pub fn truth(log: Log, settings: &Settings) -> Result<Truth, Error> {
    let last = log.events.iter().map(|e| e.recorded.unwrap_or(e.time)).max();
    let clock = settings.clock.or(log.tick).or(last).unwrap_or(0);
    let events = repair::distinct(log, settings, clock);
    let effective = repair::effective(&events);
    let accounts = history::accounts(&effective, settings, clock);
    let facts = money::facts(&accounts);
    let seen = base::seen(&effective, &accounts, &facts);
    let mut counted: Vec<Micros> = match settings.events {
        Counted::Accepted => events.iter().map(|e| e.time).collect(),
        Counted::Effective => effective.iter().map(|e| e.time).collect(),
    };
    counted.sort_unstable();
    let mut truth = Truth { clock, windows: Vec::new(), allowed_lateness: settings.allowed_lateness, rows: Vec::new() };
    let Some(from) = events.iter().map(|e| e.time).min() else { return Ok(truth) };
    for kind in Kind::BOUNDED {
        truth.windows.push((kind, windows(kind, &settings.zone, from, clock)?));
    }
    let mut rows = Vec::new();
    for &window in truth.windows.iter().flat_map(|(_, windows)| windows) {
        let money = money::sum(&facts, window);
        let base = base::count(&accounts, window, clock);
        money::rows(&money, window, &mut rows);
        base::Tables { window, money: &money, base: &base, margin: settings.margin }.rows(&seen, &mut rows);
        events_row(&counted, window, &mut rows);
    }
    let days = truth.windows.iter().find(|(kind, _)| *kind == Kind::Day).map_or(&[][..], |(_, days)| days);
    for account in &accounts {
        account::values(account, &mut rows);
        account::silences(account, days, clock, &mut rows);
    }
    truth.rows = finish(rows, &truth);
    Ok(truth)
}

fn events_row(times: &[Micros], window: Window, rows: &mut Vec<Row>) {
    let before = |at: Micros| times.partition_point(|&t| t < at);
    let count = before(window.end) - before(window.start);
    if count > 0 {
        let count = i128::try_from(count).unwrap_or(i128::MAX);
        rows.push(Row::aggregate("events", window, ALL, None, Answer::Whole(count)));
    }
}

fn finish(mut rows: Vec<Row>, truth: &Truth) -> Vec<Row> {
    for row in &mut rows {
        row.is_final = truth.is_final(row.window);
    }
    rows.sort_by(|a, b| key(a).cmp(&key(b)));
    rows
}

type SortKey<'a> =
    (&'a str, &'a Option<(crate::row::By, String)>, &'a Option<String>, &'a Option<String>, Kind, Micros);

fn key(row: &Row) -> SortKey<'_> {
    (row.metric, &row.group, &row.account, &row.currency, row.window.kind, row.window.start)
}
