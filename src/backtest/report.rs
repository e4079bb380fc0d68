//! Everything that a backtest says, whatever its form.

use std::io::Write;

use alert::{
    Rules,
    backtest::{Firing, Outcomes, Score, Span},
};
use processor_core::calendar::{DAY, Time};

use super::{outcome::Outcome, run::Played};
use crate::output::{self, number::grouped};

/// What a backtest says.
pub(crate) struct Report {
    /// What happened to accounts that was to be foreseen, after `that`.
    pub(crate) outcome: String,
    pub(crate) span: Span,
    /// First instant of the log.
    pub(crate) begin: Time,
    /// Records that were read.
    pub(crate) records: u64,
    pub(crate) files: Vec<OfFile>,
}

/// The rules of a file.
pub(crate) struct OfFile {
    pub(crate) name: String,
    /// By rule, in the order of the file.
    pub(crate) rules: Vec<(String, Score)>,
    /// All its rules together.
    pub(crate) together: Score,
}

impl Report {
    pub(crate) fn of<'r>(
        files: impl Iterator<Item = (String, &'r Rules)>,
        played: &Played,
        outcome: &Outcome,
        span: Span,
    ) -> Self {
        let outcomes = &played.outcomes;
        let of_file = |((name, rules), firings): ((String, &Rules), &Vec<Firing>)| {
            let score = |rule: &str| Score::of(firings.iter().filter(|firing| firing.rule == rule), outcomes, &span);
            OfFile {
                name,
                rules: rules.names().map(|rule| (rule.to_owned(), score(rule))).collect(),
                together: Score::of(firings.iter(), outcomes, &span),
            }
        };
        let files = files.zip(&played.firings).map(of_file).collect();
        Self { outcome: outcome.words(), begin: played.begin, records: played.records, files, span }
    }

    /// Whether files stand side by side.
    pub(crate) fn compares(&self) -> bool {
        self.files.len() > 1
    }

    /// All rules with the file that each is of; after those of a file with several all of these together.
    pub(crate) fn rows(&self) -> Vec<(&OfFile, &str, &Score)> {
        let mut rows = Vec::new();
        for file in &self.files {
            rows.extend(file.rules.iter().map(|(rule, score)| (file, rule.as_str(), score)));
            if file.rules.len() > 1 {
                rows.push((file, TOGETHER, &file.together));
            }
        }
        rows
    }

    /// What a rule would have done, in words.
    pub(crate) fn sentence(&self, rule: &str, score: &Score) -> String {
        let who = if rule == TOGETHER { "All rules".to_owned() } else { rule.to_owned() };
        let mut said = format!("{who} would have fired {}", times(score.alerts));
        if score.accounts > 0 {
            said.push_str(&format!(" for {}", count(score.accounts, "account")));
        }
        if score.of_no_account == score.alerts {
            return if score.alerts == 0 {
                said + "."
            } else {
                said + ", and not about accounts: no outcome is of them."
            };
        }
        if let Some(precision) = score.precision() {
            said.push_str(&format!("; {} of {} alerts were right", percent(precision), group(score.judged)));
        }
        if score.outcomes > 0 {
            let recall = percent(score.recall().unwrap_or(0.0));
            let outcomes = count(score.outcomes, "time");
            said.push_str(&format!(
                "; of {outcomes} that an account {} it caught {} ({recall})",
                self.outcome,
                group(score.caught)
            ));
        }
        if let Some(median) = score.leads.quartile(2) {
            said.push_str(&format!(", half of them {} or more before", span(median)));
        }
        said + "."
    }
}

/// The name of all rules of a file together.
pub(crate) const TOGETHER: &str = "all rules";

/// Every alert of the span as CSV.
pub(crate) fn alerts(report: &Report, played: &Played, out: &mut dyn Write) -> anyhow::Result<()> {
    let header = ["file", "rule", "account", "owner", "fired", "resolved", "right", "outcome"];
    let span = &report.span;
    let rows = report.files.iter().zip(&played.firings).flat_map(|(file, firings)| {
        let in_span = move |firing: &&Firing| span.from.is_none_or(|from| firing.at >= from) && firing.at <= span.to;
        firings.iter().filter(in_span).map(|firing| {
            let next = next_of(firing, &played.outcomes);
            let foreseen = next.filter(|at| *at <= firing.at.saturating_add(span.horizon));
            let right = match (&firing.account, foreseen) {
                (None, _) => "",
                _ if firing.at.saturating_add(span.horizon) > span.end => "censored",
                (_, Some(_)) => "yes",
                (_, None) => "no",
            };
            let time = |at: Option<Time>| at.map(ingest::render_rfc3339).unwrap_or_default();
            let account = firing.account.as_ref().map(|account| account.name.clone()).unwrap_or_default();
            let [fired, resolved, outcome] = [Some(firing.at), firing.resolved, next].map(time);
            vec![
                file.name.clone(),
                firing.rule.clone(),
                account,
                firing.owner.clone(),
                fired,
                resolved,
                right.to_owned(),
                outcome,
            ]
        })
    });
    output::csv(&header, rows, out)
}

/// The first outcome of the account after an alert.
fn next_of(firing: &Firing, outcomes: &Outcomes) -> Option<Time> {
    let times = outcomes.get(firing.account.as_ref()?)?;
    times.iter().copied().find(|at| *at > firing.at)
}

/// `93 %`.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// `34 days`, `1 day`, `5 hours`.
pub(crate) fn span(span: Time) -> String {
    let hours = span / (DAY / 24);
    let (number, noun) = if hours >= 24 { (span / DAY, "day") } else { (hours, "hour") };
    output::number::count_of(number, noun)
}

/// `1,234`.
pub(crate) fn group(number: usize) -> String {
    grouped(&number.to_string())
}

fn count(number: usize, noun: &str) -> String {
    output::number::count_of(number, noun)
}

fn times(number: usize) -> String {
    match number {
        0 => "never".to_owned(),
        1 => "once".to_owned(),
        number => count(number, "time"),
    }
}

/// Alerts a week, over all weeks of the span.
#[expect(clippy::cast_precision_loss, reason = "counts of alerts are far below 2^53")]
pub(crate) fn a_week(alerts: usize, weeks: usize) -> f64 {
    alerts as f64 / weeks.max(1) as f64
}
