//! A backtest as one JSON object: times in UTC, spans in seconds, rates as numbers.

use std::io::Write;

use alert::backtest::Score;
use ingest::render_rfc3339;
use processor_core::calendar::SECOND;
use serde_json::{Value, json};

use super::report::Report;

/// Writes it.
pub(crate) fn write(report: &Report, out: &mut dyn Write) -> anyhow::Result<()> {
    let span = &report.span;
    let files: Vec<Value> = report
        .files
        .iter()
        .map(|file| {
            let rules = file.rules.iter().map(|(rule, score)| of_score(Some(rule), score));
            json!({ "file": file.name, "rules": rules.collect::<Vec<_>>(), "together": of_score(None, &file.together) })
        })
        .collect();
    let all = json!({
        "outcome": report.outcome,
        "horizon": span.horizon / SECOND,
        "from": render_rfc3339(span.from.unwrap_or(report.begin)),
        "to": render_rfc3339(span.to),
        "end_of_log": render_rfc3339(span.end),
        "records": report.records,
        "weeks": span.weeks.iter().map(|week| render_rfc3339(*week)).collect::<Vec<_>>(),
        "files": files,
    });
    serde_json::to_writer(&mut *out, &all)?;
    Ok(out.write_all(b"\n")?)
}

fn of_score(rule: Option<&str>, score: &Score) -> Value {
    let lead = |quarter| score.leads.quartile(quarter).map(|lead| lead / SECOND);
    let owners = score.owners.iter().map(|of| json!({ "owner": of.name, "alerts": of.alerts, "most_a_week": of.most }));
    let mut value = json!({
        "alerts": score.alerts,
        "accounts": score.accounts,
        "censored": score.censored,
        "of_no_account": score.of_no_account,
        "judged": score.judged,
        "right": score.right,
        "precision": score.precision(),
        "outcomes": score.outcomes,
        "outcomes_censored": score.outcomes_censored,
        "caught": score.caught,
        "recall": score.recall(),
        "lead": { "quarter": lead(1), "median": lead(2), "three_quarters": lead(3) },
        "flaps": { "all": score.flaps.all, "again": score.flaps.again, "short": score.flaps.short },
        "alerts_by_week": score.weeks,
        "owners": owners.collect::<Vec<_>>(),
    });
    if let (Some(rule), Some(fields)) = (rule, value.as_object_mut()) {
        fields.insert("rule".to_owned(), rule.into());
    }
    value
}
