//! Scenarios: what happens, when, and what each metric then says, as text that a person can check by hand.
//!
//! ```text
//! # A comment, for the reader.
//! setting time_zone = Europe/Berlin
//! 2024-01-05T10:00  acme  answers nps 9 respondent=ann
//! now 2024-03-01
//! expect nps in 1mo by plan
//!     2024-01  pro  100/1
//! ```
//!
//! `phrase` has what can happen, `expect` how rows are compared. A scenario is over rows as `vitals query --format json`
//! prints them, so that the same file holds for the oracle and for the product. Times are local to the setting
//! `time_zone`; a date is its first instant.

mod expect;
mod phrase;

pub use expect::{Expectation, Number, Wanted};

use crate::settings::{self, Settings};
use crate::{Error, Micros, local, read, row, truth};
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};

/// One file.
#[derive(Clone, Debug, Default)]
pub struct Scenario {
    /// Names and values of settings, as in `[settings]` of the product's configuration.
    pub settings: Vec<(String, String)>,
    /// CloudEvents in the order of their arrival.
    pub events: Vec<Value>,
    /// The clock; microseconds.
    pub now: Micros,
    /// What must be.
    pub expectations: Vec<Expectation>,
}

/// Reads a scenario. An error names the line.
pub fn parse(text: &str) -> Result<Scenario, Error> {
    let mut scenario = Scenario::default();
    let mut question = None;
    for (number, line) in text.lines().enumerate() {
        let line = line.split(" # ").next().unwrap_or_default();
        if line.trim().is_empty() || line.trim_start().starts_with('#') {
            continue;
        }
        scenario.read(line, number + 1, &mut question).map_err(|e| Error(format!("line {}: {e}", number + 1)))?;
    }
    Ok(scenario)
}

impl Scenario {
    fn read(&mut self, line: &str, number: usize, question: &mut Option<expect::Question>) -> Result<(), Error> {
        let zone = self.zone()?;
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[0] {
            "setting" => {
                let (name, value) = line
                    .trim()
                    .trim_start_matches("setting")
                    .split_once('=')
                    .ok_or_else(|| Error("expected: setting NAME = VALUE".to_owned()))?;
                self.settings.push((name.trim().to_owned(), value.trim().to_owned()));
            }
            "now" => self.now = time(words.get(1).copied().unwrap_or_default(), &zone)?,
            "expect" => *question = Some(expect::Question::parse(&words[1..])?),
            _ if line.starts_with([' ', '\t']) => {
                let question = question.as_ref().ok_or_else(|| Error("nothing is expected yet".to_owned()))?;
                self.expectations.push(Expectation::parse(question, number, &words, &zone)?);
            }
            when => {
                let at = time(when, &zone)?;
                self.events.push(phrase::event(at, number, &words[1..], &zone)?);
            }
        }
        Ok(())
    }

    fn zone(&self) -> Result<TimeZone, Error> {
        let name = self.settings.iter().find(|(name, _)| name == "time_zone");
        name.map_or(Ok(TimeZone::UTC), |(_, zone)| settings::zone(zone))
    }

    /// The settings in the oracle's form.
    pub fn settings(&self) -> Result<Settings, Error> {
        let mut settings = Settings::default();
        for (name, value) in &self.settings {
            match name.as_str() {
                "time_zone" => settings.zone = settings::zone(value)?,
                "week_start" => settings.week_start = settings::weekday(value)?,
                "reporting_currency" => settings.reporting_currency = Some(value.clone()),
                "margin" => settings.margin = settings::fraction(value)?,
                "silent_after" => settings.silent_after = settings::duration(value)?,
                _ => return Err(Error(format!("unknown setting {name}"))),
            }
        }
        Ok(settings)
    }

    /// The rows of the oracle, as JSON.
    pub fn solve(&self) -> Result<Vec<Value>, Error> {
        let mut lines = String::new();
        for event in &self.events {
            lines.push_str(&event.to_string());
            lines.push('\n');
        }
        lines.push_str(&json!({"tick": row::stamp(self.now)?}).to_string());
        let truth = truth(&read::log(lines.as_bytes())?, &self.settings()?)?;
        // Of the metrics that are asked for.
        let asked: HashSet<&str> = self.expectations.iter().map(|wanted| wanted.metric.as_str()).collect();
        truth.rows.iter().filter(|row| asked.contains(row.metric)).map(row::Row::json).collect()
    }

    /// What the rows, as JSON, say otherwise than expected.
    pub fn differences(&self, rows: &[Value]) -> Result<Vec<String>, Error> {
        let zone = self.zone()?;
        let mut by_metric: HashMap<&str, Vec<&Value>> = HashMap::new();
        for row in rows {
            by_metric.entry(row["metric"].as_str().unwrap_or_default()).or_default().push(row);
        }
        let of = |metric: &str| by_metric.get(metric).map_or(&[][..], Vec::as_slice);
        let differences = self.expectations.iter().filter_map(|wanted| wanted.difference(of(&wanted.metric), &zone));
        Ok(differences.collect())
    }
}

/// A date, or a local time such as `2024-01-05T10:00`.
fn time(text: &str, zone: &TimeZone) -> Result<Micros, Error> {
    let wrong = || Error(format!("not a time: {text}"));
    if let Some(at) = local::instant(text, zone) {
        return Ok(at);
    }
    let civil: jiff::civil::DateTime = text.parse().map_err(|_| wrong())?;
    Ok(civil.to_zoned(zone.clone()).map_err(|_| wrong())?.timestamp().as_microsecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "2024-01-05 acme answers nps 9\n2024-01-06 acme answers nps 3\nnow 2024-02-01\nexpect nps in 1mo\n";

    fn differences(expected: &str) -> Vec<String> {
        let scenario = parse(&format!("{TEXT}{expected}")).unwrap();
        scenario.differences(&scenario.solve().unwrap()).unwrap()
    }

    #[test]
    fn what_differs_is_named_with_its_line() {
        assert_eq!(differences("    2024-01  0/2\n    2024-02  nothing\n"), [""; 0]);
        let wrong = differences("    2024-01  100/2\n    2024-02  0/1");
        assert_eq!(wrong.len(), 2);
        assert!(wrong[0].starts_with("line 5: nps 1mo 2024-01"), "{wrong:?}");
        assert_eq!(differences("    2024-01  nothing\n").len(), 1);
    }

    #[test]
    fn what_cannot_be_read_is_named_with_its_line() {
        let wrong = |text: &str| parse(text).unwrap_err().to_string();
        assert_eq!(wrong("now 2024-01-01\n2024-01-05 acme dances"), "line 2: nobody knows what dances is");
        assert_eq!(wrong("  2024-01 3"), "line 1: nothing is expected yet");
        assert!(wrong("yesterday acme cancels o1").starts_with("line 1: not a time"));
    }
}
