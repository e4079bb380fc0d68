//! A backtest as a page: one file, charts in it, no script, nothing from elsewhere.
//!
//! Invariants: every text of the report is escaped; the page forbids itself by its own policy to load or run anything.

mod chart;

use alert::backtest::Score;
use processor_core::calendar::DAY;

use super::report::{OfFile, Report, a_week, group, percent, span};
use crate::output::label::Labels;
use chart::{Bars, Series};

/// Days of lead that one bar of the distribution holds.
const LEAD_STEPS: usize = 12;

/// The page.
pub(crate) fn draw(report: &Report, labels: &Labels) -> String {
    let looked = &report.span;
    let (from, to) = (labels.day(looked.from.unwrap_or(report.begin)), labels.day(looked.to));
    let files: Vec<&str> = report.files.iter().map(|file| file.name.as_str()).collect();
    let mut page = format!(
        "{HEAD}<h1>Backtest of {}</h1>\n<p>{} to {}, times in {}. An alert is right if the account {} within {} after it; what \
         happened is caught if an alert lies within {} before it.</p>\n",
        escape(&files.join(" and ")),
        escape(&from),
        escape(&to),
        escape(labels.zone()),
        escape(&report.outcome),
        span(looked.horizon),
        span(looked.horizon),
    );
    page.push_str(&table(report));
    page.push_str("<ul>\n");
    for (file, rule, score) in report.rows() {
        let prefix = if report.compares() { format!("{}: ", file.name) } else { String::new() };
        page.push_str(&format!("<li>{}</li>\n", escape(&format!("{prefix}{}", report.sentence(rule, score)))));
    }
    page.push_str("</ul>\n");
    page.push_str(&charts(report, labels));
    page.push_str("</body></html>\n");
    page
}

const HEAD: &str = "<!doctype html>
<html lang=\"en\"><head><meta charset=\"utf-8\">
<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">
<title>Backtest</title>
<style>
body{font:15px/1.5 system-ui,sans-serif;max-width:960px;margin:2rem auto;padding:0 1rem;color:#1c2430;background:#fff}
table{border-collapse:collapse;width:100%}th,td{padding:.3rem .6rem;text-align:right;border-bottom:1px solid #d9dee5}
th:first-child,td:first-child{text-align:left}h2{margin-top:2rem}svg{width:100%;height:auto}
text{font:12px system-ui,sans-serif;fill:#4a5462}
</style></head><body>
";

fn name(report: &Report, file: &str, rule: &str) -> String {
    if report.compares() { format!("{rule} ({file})") } else { rule.to_owned() }
}

fn table(report: &Report) -> String {
    let mut table =
        "<table><tr><th>rule</th><th>alerts</th><th>a week</th><th>right</th><th>precision</th><th>caught</th>\
                     <th>recall</th><th>lead, days</th><th>flaps</th></tr>\n"
            .to_owned();
    let rate = |share: Option<f64>| share.map_or_else(|| "-".to_owned(), percent);
    for (file, rule, score) in report.rows() {
        let quartiles: Option<Vec<String>> =
            (1..=3).map(|quarter| score.leads.quartile(quarter).map(|lead| (lead / DAY).to_string())).collect();
        let cells = [
            name(report, &file.name, rule),
            group(score.alerts),
            format!("{:.1}", a_week(score.alerts, report.span.weeks.len())),
            format!("{} of {}", group(score.right), group(score.judged)),
            rate(score.precision()),
            format!("{} of {}", group(score.caught), group(score.outcomes)),
            rate(score.recall()),
            quartiles.map_or_else(|| "-".to_owned(), |days| days.join(" / ")),
            group(score.flaps.all),
        ];
        let cells: String = cells.iter().map(|cell| format!("<td>{}</td>", escape(cell))).collect();
        table.push_str(&format!("<tr>{cells}</tr>\n"));
    }
    table + "</table>\n"
}

fn charts(report: &Report, labels: &Labels) -> String {
    let rows = report.rows();
    let series = |values: &dyn Fn(&Score) -> Vec<f64>| -> Vec<Series> {
        let one = |(file, rule, score): &(&OfFile, &str, &Score)| {
            let name = name(report, &file.name, rule);
            Series { name, values: values(score) }
        };
        rows.iter().map(one).collect()
    };
    let weeks: Vec<String> = report.span.weeks.iter().map(|week| labels.day(*week)).collect();
    let alerts = series(&|score| score.weeks.iter().map(|alerts| number(*alerts)).collect());
    let rates = series(&|score| [score.precision(), score.recall()].map(|share| share.unwrap_or(0.0) * 100.0).to_vec());
    let step = (report.span.horizon / DAY).cast_unsigned().div_ceil(LEAD_STEPS as u64).max(1).cast_signed();
    let bins = usize::try_from((report.span.horizon / DAY).cast_unsigned().div_ceil(step.cast_unsigned())).unwrap_or(1);
    let leads = series(&|score| {
        let mut counts = vec![0; bins.max(1)];
        for lead in score.leads.all() {
            // A lead of whole steps ends the bar before.
            let bin = usize::try_from((lead - 1) / (step * DAY)).unwrap_or(0).min(counts.len() - 1);
            counts[bin] += 1;
        }
        counts.into_iter().map(number).collect()
    });
    let days = (1..=bins.max(1)).map(|bin| format!("to {} d", bin * usize::try_from(step).unwrap_or(1))).collect();
    [
        ("Alerts a week", Bars { labels: weeks, series: alerts, unit: "" }),
        (
            "Precision and recall",
            Bars { labels: vec!["precision".to_owned(), "recall".to_owned()], series: rates, unit: " %" },
        ),
        ("How long before, from the first alert in the horizon", Bars { labels: days, series: leads, unit: "" }),
    ]
    .into_iter()
    .map(|(title, bars)| format!("<h2>{title}</h2>\n{}", bars.draw(title)))
    .collect()
}

#[expect(clippy::cast_precision_loss, reason = "counts of alerts are far below 2^53")]
fn number(count: usize) -> f64 {
    count as f64
}

/// Text as HTML.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use alert::backtest::{Account, Firing, Span};

    use super::*;

    /// A report of a rule with a hostile name.
    fn report() -> Report {
        let account = |name: &str| Account { tenant: "default".to_owned(), name: name.to_owned() };
        let firing = |name: &str, day: i64| Firing {
            rule: "<script>\"x\" & 'y'".to_owned(),
            account: Some(account(name)),
            at: day * DAY,
            resolved: None,
            owner: String::new(),
            again: false,
        };
        let firings = [firing("a", 10), firing("b", 12)];
        let outcomes = BTreeMap::from([(account("a"), vec![44 * DAY])]);
        let weeks = (0..12).map(|week| (4 + week * 7) * DAY).collect();
        let span = Span { from: None, to: 90 * DAY, end: 90 * DAY, horizon: 60 * DAY, weeks };
        let score = Score::of(firings.iter(), &outcomes, &span);
        let rules = vec![(firings[0].rule.clone(), score.clone())];
        let files = vec![OfFile { name: "<img src=x>.yaml".to_owned(), rules, together: score }];
        Report { outcome: "churned".to_owned(), span, begin: 0, records: 0, files }
    }

    #[test]
    fn a_page_is_whole_and_names_are_escaped() {
        let labels = Labels::of(&store::Settings::default()).unwrap();
        let page = draw(&report(), &labels);
        assert!(!page.contains("<script") && !page.contains("<img") && !page.contains("http:"), "{page}");
        assert!(!page.contains("https:") && !page.contains("url("), "nothing comes from elsewhere");
        assert!(page.contains("&lt;script&gt;&quot;x&quot; &amp; &#39;y&#39;"));
        assert_eq!(page.matches("<svg").count(), 3);
        assert_eq!(page.matches("<svg").count(), page.matches("</svg>").count());
        assert!(
            page.contains(
                "of 1 time that an account churned it caught 1 (100 %), half of them 34 days or more before."
            )
        );
        assert!(!page.contains("NaN"));
    }
}
