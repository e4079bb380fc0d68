//! What the demo shows: the metrics of this month and the last, and where the simulation is.
//!
//! Every number of the table is asked of the store, as `vitals query` would; only what became of the events (late,
//! duplicate, quarantined) comes from the process, where it computes, too. On a terminal the block is redrawn in place; elsewhere
//! each one is printed below the last. It does not know how the company works.

use std::{
    io::{IsTerminal as _, Write},
    path::Path,
    time::{Duration, Instant},
};

use comfy_table::{Cell, CellAlignment, ColumnConstraint, Table, Width};
use jiff::Timestamp;
use processor::account::Counters;
use store::{Alert, AlertSelect, AlertState, Read as _, Row, sqlite};

use super::signs::{self, Sign};
use crate::output::{
    label::Labels,
    number::{self, grouped},
    spark::spark,
    table,
    terminal::Terminal,
};

const WIDTHS: [u16; 4] = [25, 18, 18, 15];
/// Months of the little chart.
const MONTHS: usize = 13;
const BAR_CELLS: i64 = 30;
/// How often a terminal is redrawn, and how often a block is printed elsewhere.
const REDRAW: Duration = Duration::from_millis(150);
const REPRINT: Duration = Duration::from_secs(5);
/// Span over which events per second are counted.
const RATE: Duration = Duration::from_secs(2);

/// Where the simulation is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place {
    /// In the year `[from_us, to_us)`.
    Year {
        /// Its first instant.
        from_us: i64,
        /// The wall clock.
        to_us: i64,
    },
    /// In real time.
    Live,
    /// At its end.
    Done,
}

/// What the simulation says about itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stage {
    /// Where it is.
    pub(crate) place: Place,
    /// What passed.
    pub(crate) passed: Passed,
}

/// Events so far.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Passed {
    /// As the engine of this process counts them.
    Counted(Counters),
    /// As they were handed to a fleet.
    Sent {
        /// Handed in.
        events: u64,
        /// How many of each role live.
        alive: [(&'static str, usize); 3],
    },
}

impl Passed {
    fn events(self) -> u64 {
        match self {
            Passed::Counted(counters) => counters.accepted(),
            Passed::Sent { events, .. } => events,
        }
    }

    fn line(self) -> String {
        let number = |count: u64| grouped(&count.to_string());
        match self {
            Passed::Counted(Counters { late, duplicate, quarantined, .. }) => {
                format!("{} late, {} duplicate, {quarantined} quarantined", number(late), number(duplicate))
            }
            Passed::Sent { alive, .. } => alive.map(|(role, count)| format!("{count} {role}")).join(", "),
        }
    }
}

/// The screen.
pub(crate) struct Screen<'a> {
    out: &'a mut dyn Write,
    title: String,
    labels: Labels,
    read: sqlite::Reader,
    terminal: bool,
    lines: usize,
    started: Instant,
    drawn: Option<Instant>,
    first: Option<Duration>,
    rate: (Instant, u64, f64),
}

impl<'a> Screen<'a> {
    /// A screen over the store of a data directory.
    pub(crate) fn open(
        out: &'a mut dyn Write,
        title: String,
        data: &Path,
        settings: &store::Settings,
        started: Instant,
    ) -> anyhow::Result<Self> {
        let read = sqlite::Reader::open(&data.join(sqlite::FILE))?;
        let terminal = std::io::stdout().is_terminal();
        let rate = (started, 0, 0.0);
        let labels = Labels::of(settings)?;
        let screen = Self { out, title, labels, read, terminal, lines: 0, started, drawn: None, first: None, rate };
        if screen.terminal {
            screen.out.write_all(b"\x1b[?25l")?;
        }
        Ok(screen)
    }

    /// How far the store is: everything up to then is in it.
    pub(crate) fn clock_us(&mut self) -> anyhow::Result<Option<i64>> {
        self.read.refresh()?;
        Ok(self.read.clocks()?.iter().map(|clock| clock.at_us).min())
    }

    /// Draws, when it is time to.
    pub(crate) fn show(&mut self, stage: Stage) -> anyhow::Result<()> {
        // Until the first metric is there nothing is worth the wait.
        let every = if self.first.is_none() || self.terminal { REDRAW } else { REPRINT };
        match self.drawn {
            Some(drawn) if drawn.elapsed() < every => Ok(()),
            _ => self.draw(stage),
        }
    }

    /// Prints lines that stay, above what is drawn next.
    pub(crate) fn say(&mut self, lines: &str) -> anyhow::Result<()> {
        if self.lines > 0 {
            write!(self.out, "\x1b[{}A\r\x1b[J", std::mem::take(&mut self.lines))?;
        }
        self.drawn = None;
        write!(self.out, "{lines}")?;
        Ok(self.out.flush()?)
    }

    /// Draws the last time, and gives the cursor back.
    pub(crate) fn close(&mut self, stage: Stage) -> anyhow::Result<Option<Duration>> {
        self.draw(stage)?;
        if self.terminal {
            self.out.write_all(b"\x1b[?25h")?;
        }
        self.out.flush()?;
        Ok(self.first)
    }

    fn draw(&mut self, stage: Stage) -> anyhow::Result<()> {
        self.drawn = Some(Instant::now());
        let clock_us = self.clock_us()?;
        let Some(block) = clock_us.map(|clock_us| self.block(clock_us, stage)).transpose()?.flatten() else {
            return Ok(());
        };
        self.first.get_or_insert_with(|| self.started.elapsed());
        if self.terminal {
            if self.lines > 0 {
                write!(self.out, "\x1b[{}A\r", self.lines)?;
            }
            for line in block.lines() {
                writeln!(self.out, "{line}\x1b[K")?;
            }
            self.out.write_all(b"\x1b[J")?;
            self.lines = block.lines().count();
        } else {
            writeln!(self.out, "{block}")?;
        }
        Ok(self.out.flush()?)
    }

    /// The block of lines; `None` before there is a metric.
    fn block(&mut self, clock_us: i64, stage: Stage) -> anyhow::Result<Option<String>> {
        let unicode = Terminal::of_stdout().unicode;
        let mut table = Table::new();
        table.load_style(table::style(unicode));
        let right = CellAlignment::Right;
        let head = |text| Cell::new(text).set_alignment(right);
        table.set_header([Cell::new(""), head("this month"), head("last month"), Cell::new("month by month")]);
        let (from, mut any) = (self.date(clock_us - 400 * 86_400_000_000, "%Y-%m-01"), false);
        for Sign { title, rows } in signs::read(&self.read, &from, MONTHS)? {
            any |= rows.iter().any(|row| row.point.revision_us.is_some());
            let cell = |back: usize| Cell::new(rows.iter().rev().nth(back).map_or("-".to_owned(), text));
            let line = spark(&rows.iter().map(|row| row.point.value).collect::<Vec<_>>(), unicode);
            table.add_row([
                Cell::new(title),
                cell(0).set_alignment(right),
                cell(1).set_alignment(right),
                Cell::new(line),
            ]);
        }
        if !any {
            return Ok(None);
        }
        // A table that changes its width with every value is no pleasure to look at.
        for (at, width) in WIDTHS.into_iter().enumerate() {
            let least = ColumnConstraint::LowerBoundary(Width::Fixed(width));
            table.column_mut(at).map(|column| column.set_constraint(least));
        }
        let events = stage.passed.events();
        let per_second = self.per_second(events);
        let place = match stage.place {
            Place::Year { from_us, to_us } => bar(from_us, clock_us, to_us),
            Place::Live => "live; Ctrl-C ends the demo".to_owned(),
            Place::Done => "the end".to_owned(),
        };
        let day = self.date(clock_us, "%a %d %b %Y %H:%M:%S %Z");
        let (title, alerts) = (&self.title, self.alerts()?);
        Ok(Some(format!(
            " {title}\n {day}   {place}\n{}\n {} events: {}; {} a second\n {alerts}\n",
            table.trim_fmt(),
            grouped(&events.to_string()),
            stage.passed.line(),
            grouped(&format!("{per_second:.0}")),
        )))
    }

    fn alerts(&self) -> anyhow::Result<String> {
        let firing = self.read.alerts(&AlertSelect { state: Some(AlertState::Firing), ..AlertSelect::default() })?;
        let latest = firing.iter().max_by_key(|alert| alert.since_us);
        let latest = latest.map_or(String::new(), |alert| format!("; the latest: {}", self.alert(alert)));
        Ok(format!("{} firing{latest}", number::count_of(firing.len(), "alert")))
    }

    fn alert(&self, alert: &Alert) -> String {
        let account = alert.account.as_deref().unwrap_or_default();
        format!("{} {account} since {}", alert.rule, self.labels.day(alert.since_us))
    }

    fn per_second(&mut self, events: u64) -> f64 {
        let (since, before, rate) = self.rate;
        let span = since.elapsed();
        if span < RATE && rate > 0.0 {
            return rate;
        }
        // Exact below 2^53, far above what a demo counts to.
        let count = f64::from(u32::try_from(events.saturating_sub(before)).unwrap_or(u32::MAX));
        self.rate = (Instant::now(), events, count / span.as_secs_f64().max(1e-3));
        self.rate.2
    }

    fn date(&self, at_us: i64, format: &str) -> String {
        let at = Timestamp::from_microsecond(at_us).unwrap_or_default();
        at.to_zoned(self.labels.time_zone()).strftime(format).to_string()
    }
}

fn text(row: &Row) -> String {
    let Some(value) = row.point.value else { return format!("({})", row.point.reason) };
    number::alone(value, &row.series.unit, &row.series.currency)
}

fn bar(from_us: i64, at_us: i64, to_us: i64) -> String {
    let done = |cells: i64| ((at_us - from_us).max(0) * cells / (to_us - from_us).max(1)).min(cells);
    let cells = usize::try_from(done(BAR_CELLS)).unwrap_or(0);
    let rest = usize::try_from(BAR_CELLS).unwrap_or(0) - cells;
    format!("{}{} {} % of the year", "━".repeat(cells), "╌".repeat(rest), done(100))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_ends_with_the_year() {
        assert_eq!(bar(0, 50, 100), format!("{}{} 50 % of the year", "━".repeat(15), "╌".repeat(15)));
        assert_eq!(bar(0, 200, 100), format!("{} 100 % of the year", "━".repeat(30)));
    }
}
