//! An answer for people: heading, table or bars, legend, and what was left out.
//!
//! Windows are rows and the values of one dimension columns ([`grid`](super::grid)), where that is a table; else each row
//! stands for itself ([`list`](super::list)).

use store::{MetricInfo, Point, Row, Window, usual::Compared, window::Kind};

use super::{Args, chart, grid, list};
use crate::output::{label, label::Labels, number, terminal::Terminal};

/// Rows to be shown, and all that the output depends on.
pub(crate) struct Answer<'a> {
    /// The metric.
    pub(crate) metric: &'a MetricInfo,
    /// Rows in their order, at least one.
    pub(crate) rows: Vec<Row>,
    /// With `--usual` the range of each row, if it has one.
    pub(crate) ranges: Vec<Option<Compared>>,
    /// Rows of the whole, beside those of one dimension.
    pub(crate) all: Vec<Row>,
    /// How many rows there were before `--limit`.
    pub(crate) found: usize,
    /// What was asked.
    pub(crate) args: &'a Args,
    /// How windows are called.
    pub(crate) labels: Labels,
    /// Where it is shown.
    pub(crate) terminal: Terminal,
}

impl Answer<'_> {
    /// Everything, each line with its newline.
    pub(crate) fn text(&self) -> String {
        let is_grid = self.args.may_be_grid(self.metric) && self.kind() != Kind::ToDate;
        match (is_grid, self.args.chart) {
            (true, false) => grid::draw(self),
            (true, true) => chart::of_grid(self),
            (false, false) => list::draw(self),
            (false, true) => chart::of_list(self),
        }
    }

    /// Kind of the windows; all rows have the same.
    pub(crate) fn kind(&self) -> Kind {
        self.rows[0].point.window.kind
    }

    /// Names of the dimensions.
    pub(crate) fn dimensions(&self) -> Vec<&str> {
        self.rows[0].series.dimensions.keys().map(String::as_str).collect()
    }

    /// Currencies of the rows, in order; none where it is no money.
    pub(crate) fn currencies(&self) -> Vec<&str> {
        let mut found: Vec<&str> = self.rows.iter().map(|row| row.series.currency.as_str()).collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// What is shown: `Net revenue in EUR, by month and channel (Europe/Berlin)`.
    pub(crate) fn heading(&self, currency: &str) -> String {
        let mut heading = self.metric.title.clone();
        if !currency.is_empty() {
            heading += &format!(" in {currency}");
        }
        let kind = self.kind();
        match kind {
            Kind::Trailing(days) => heading += &format!(" over {}", number::count_of(days, "day")),
            Kind::ToDate => heading += " so far",
            _ => {}
        }
        let window = (!matches!(kind, Kind::Trailing(_) | Kind::ToDate)).then(|| label::noun(kind));
        let account = (self.metric.per_account && self.args.account.is_none()).then_some("account");
        let by: Vec<&str> = window.into_iter().chain(self.dimensions()).chain(account).collect();
        if !by.is_empty() {
            heading += &format!(", by {}", by.join(" and "));
        }
        for (name, value) in &self.args.filter {
            heading += &format!(", {name} {value}");
        }
        if let Some(account) = &self.args.account {
            heading += &format!(", account {account}");
        }
        if kind != Kind::ToDate {
            heading += &format!(" ({})", self.labels.zone());
        }
        heading
    }

    /// The one year of these windows, where their labels leave it out.
    pub(crate) fn year(&self, windows: impl Iterator<Item = Window>) -> Option<i16> {
        match self.kind() {
            Kind::Hour | Kind::Day => self.labels.year_of_all(windows.filter_map(|window| window.start_us)),
            // The last day of the window, which ends where the next day begins.
            Kind::Trailing(_) => {
                self.labels.year_of_all(windows.filter_map(|window| Some(window.end_us?.saturating_sub(1))))
            }
            _ => None,
        }
    }

    /// Title of the column of windows: `month`, `day, 2026`.
    pub(crate) fn window_title(&self, year: Option<i16>) -> String {
        let noun = label::noun(self.kind());
        year.map_or_else(|| noun.to_owned(), |year| format!("{noun}, {year}"))
    }

    /// A window with its mark.
    pub(crate) fn window(&self, window: &Window, year: Option<i16>, open: bool) -> String {
        let label = self.labels.window(window, year.is_none());
        if open { format!("{label} *") } else { label }
    }
}

/// What the marks in cells mean, gathered while they are written.
#[derive(Debug, Default)]
pub(crate) struct Legend {
    /// Some window is open.
    pub(crate) open: bool,
    /// Some value was corrected.
    pub(crate) corrected: bool,
    /// Why values are null, by their marks.
    reasons: Vec<String>,
}

impl Legend {
    /// A value with its mark, or the mark of why there is none.
    pub(crate) fn cell(&mut self, point: &Point, notation: &number::Notation, unicode: bool) -> String {
        self.corrected |= point.corrected;
        let text = match point.value {
            Some(value) => notation.text(value),
            None => self.null(&point.reason, unicode),
        };
        if point.corrected { format!("{text} ~") } else { text }
    }

    fn null(&mut self, reason: &str, unicode: bool) -> String {
        let known = self.reasons.iter().position(|known| known == reason);
        let at = known.unwrap_or_else(|| {
            self.reasons.push(reason.to_owned());
            self.reasons.len() - 1
        });
        mark(at, unicode)
    }

    /// One line, or none.
    pub(crate) fn line(&self, unicode: bool) -> Option<String> {
        let mut parts = Vec::new();
        if self.open {
            parts.push("* still open".to_owned());
        }
        if self.corrected {
            parts.push("~ corrected after it was final".to_owned());
        }
        for (at, reason) in self.reasons.iter().enumerate().filter(|(_, reason)| !reason.is_empty()) {
            parts.push(format!("{} {reason}", mark(at, unicode)));
        }
        (!parts.is_empty()).then(|| format!(" {}\n", parts.join("   ")))
    }
}

/// `–`, `–2`, `–3`: a null, by its reason.
fn mark(at: usize, unicode: bool) -> String {
    let dash = if unicode { "–" } else { "-" };
    if at == 0 { dash.to_owned() } else { format!("{dash}{}", at + 1) }
}

/// Numbers of a column keep their places where some of them have a mark.
pub(crate) fn aligned(cells: &mut [String]) {
    if cells.iter().any(|cell| cell.ends_with(" ~")) {
        for cell in cells.iter_mut().filter(|cell| !cell.ends_with(" ~")) {
            cell.push_str("  ");
        }
    }
}
