//! A backtest for people: a line a rule, the same in words, and what each owner would have been told.

use std::io::Write;

use alert::backtest::Score;
use processor_core::calendar::DAY;

use super::report::{OfFile, Report, TOGETHER, a_week, group, percent, span};
use crate::output::{
    label::Labels,
    number,
    table::{self, Side},
    terminal::Terminal,
};

/// Owners that are shown of a rule.
const OWNERS: usize = 10;

/// Writes it.
pub(crate) fn write(report: &Report, labels: &Labels, out: &mut dyn Write) -> anyhow::Result<()> {
    let Report { span: looked, begin, .. } = report;
    let (from, to) = (labels.day(looked.from.unwrap_or(*begin)), labels.day(looked.to));
    writeln!(out, "{from} to {to}, {}; horizon {}", labels.zone(), span(looked.horizon))?;
    let rows = report.rows();
    let files = report.compares().then_some(("file", Side::Name));
    let header: Vec<(&str, Side)> = files.into_iter().chain(HEADER).collect();
    let cells = rows.iter().map(|(file, rule, score)| {
        let file = report.compares().then(|| file.name.clone());
        file.into_iter().chain(row(rule, score, looked.weeks.len())).collect()
    });
    write!(out, "{}", table::draw(&header, cells.collect(), Terminal::of_stdout()))?;
    for (file, rule, score) in &rows {
        let prefix = if report.compares() { format!("{}: ", file.name) } else { String::new() };
        writeln!(out, "{prefix}{}", report.sentence(rule, score))?;
    }
    owners(report, &rows, out)?;
    left_out(&rows, out)
}

const HEADER: [(&str, Side); 9] = [
    ("rule", Side::Name),
    ("alerts", Side::Right),
    ("a week", Side::Right),
    ("right", Side::Right),
    ("precision", Side::Right),
    ("caught", Side::Right),
    ("recall", Side::Right),
    ("lead in days", Side::Right),
    ("flaps", Side::Right),
];

fn row(rule: &str, score: &Score, weeks: usize) -> Vec<String> {
    let rate = |share: Option<f64>| share.map_or_else(|| "-".to_owned(), percent);
    let quartiles: Option<Vec<String>> =
        (1..=3).map(|quarter| score.leads.quartile(quarter).map(|lead| (lead / DAY).to_string())).collect();
    vec![
        rule.to_owned(),
        group(score.alerts),
        format!("{:.1}", a_week(score.alerts, weeks)),
        format!("{} of {}", group(score.right), group(score.judged)),
        rate(score.precision()),
        format!("{} of {}", group(score.caught), group(score.outcomes)),
        rate(score.recall()),
        quartiles.map_or_else(|| "-".to_owned(), |days| days.join(" / ")),
        group(score.flaps.all),
    ]
}

/// Alerts by owner, where rules have owners.
fn owners(report: &Report, rows: &[(&OfFile, &str, &Score)], out: &mut dyn Write) -> anyhow::Result<()> {
    let weeks = report.span.weeks.len();
    for (file, rule, score) in rows {
        if score.owners.iter().all(|owner| owner.name.is_empty()) || (*rule != TOGETHER && file.rules.len() > 1) {
            continue;
        }
        let prefix = if report.compares() { format!(", {}", file.name) } else { String::new() };
        let shown: Vec<String> = score
            .owners
            .iter()
            .take(OWNERS)
            .map(|owner| {
                let name = if owner.name.is_empty() { "nobody" } else { &owner.name };
                format!("{name} {:.1} (most {})", a_week(owner.alerts, weeks), owner.most)
            })
            .collect();
        let more = score.owners.len().saturating_sub(OWNERS);
        let more = if more > 0 { format!(", and {more} more") } else { String::new() };
        writeln!(out, "alerts a week by owner{prefix}: {}{more}", shown.join(", "))?;
    }
    Ok(())
}

/// What is in no rate.
fn left_out(rows: &[(&OfFile, &str, &Score)], out: &mut dyn Write) -> anyhow::Result<()> {
    let sum = |of: fn(&Score) -> usize| rows.iter().filter(|row| row.1 != TOGETHER).map(|row| of(row.2)).sum::<usize>();
    let censored = sum(|score| score.censored);
    if censored > 0 {
        writeln!(out, "{} in no rate: the horizon passes the end of the log", number::count_of(censored, "alert"))?;
    }
    let outcomes = rows.first().map_or(0, |row| row.2.outcomes_censored);
    if outcomes > 0 {
        writeln!(out, "{} in no rate: the horizon begins before --from", number::count_of(outcomes, "outcome"))?;
    }
    Ok(())
}
