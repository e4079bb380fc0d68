//! The list of metrics, by the groups in which people look for them.
//!
//! Windows that most metrics have are said once, below the table, and not in each row. It does not know what a group means:
//! the catalog names them.

use std::io::Write;

use anyhow::Result;
use store::{MetricInfo, window::Kind};

use crate::output::{
    table::{self, Side},
    terminal::Terminal,
};

/// Where metrics stand that are in no group.
const OTHERS: &str = "others";

/// Writes the list.
pub(super) fn write(catalog: &[MetricInfo], terminal: Terminal, out: &mut dyn Write) -> Result<()> {
    if catalog.is_empty() {
        return Ok(writeln!(out, "no rows")?);
    }
    let common = common(catalog);
    let header = [("name", Side::Name), ("unit", Side::Name), ("windows", Side::Name), ("title", Side::Left)];
    let mut rows: Vec<Vec<String>> = Vec::new();
    for (group, metrics) in groups(catalog) {
        if let Some(group) = group {
            rows.extend((!rows.is_empty()).then(|| line("")));
            rows.push(line(&group.to_uppercase()));
        }
        rows.extend(metrics.into_iter().map(|metric| cells(metric, common.as_deref())));
    }
    out.write_all(table::draw(&header, rows, terminal).as_bytes())?;
    if let Some(windows) = common {
        writeln!(out, " windows are {windows} where none are named")?;
    }
    Ok(writeln!(out, " `vitals metrics NAME` says what it counts, and by which dimensions it is kept")?)
}

/// The groups in the order of the catalog, those in none last; without a name where there are no groups at all.
fn groups(catalog: &[MetricInfo]) -> Vec<(Option<&str>, Vec<&MetricInfo>)> {
    let mut groups: Vec<(&str, Vec<&MetricInfo>)> = Vec::new();
    for metric in catalog {
        match groups.iter_mut().find(|(group, _)| *group == metric.group) {
            Some((_, metrics)) => metrics.push(metric),
            None => groups.push((&metric.group, vec![metric])),
        }
    }
    groups.sort_by_key(|(group, _)| group.is_empty());
    let named = groups.iter().any(|(group, _)| !group.is_empty());
    groups.iter_mut().filter(|(group, _)| group.is_empty()).for_each(|(group, _)| *group = OTHERS);
    groups.into_iter().map(|(group, metrics)| (named.then_some(group), metrics)).collect()
}

/// A row that is a heading.
fn line(text: &str) -> Vec<String> {
    [text, "", "", ""].map(str::to_owned).to_vec()
}

fn cells(metric: &MetricInfo, common: Option<&str>) -> Vec<String> {
    let windows = Some(windows(&metric.windows)).filter(|windows| Some(windows.as_str()) != common);
    vec![metric.name.clone(), metric.unit.clone(), windows.unwrap_or_default(), metric.title.clone()]
}

/// The windows that more than half of the metrics have, if there are a few of them.
fn common(catalog: &[MetricInfo]) -> Option<String> {
    let all: Vec<String> = catalog.iter().map(|metric| windows(&metric.windows)).collect();
    let has_most = |of: &&String| all.iter().filter(|windows| windows == of).count() * 2 > all.len();
    all.iter().find(has_most).filter(|_| all.len() > 2).cloned()
}

/// Kinds of windows in few words: three and more that follow each other are a range, `1d-1y`.
fn windows(kinds: &[Kind]) -> String {
    const CALENDAR: [Kind; 6] = [Kind::Hour, Kind::Day, Kind::Week, Kind::Month, Kind::Quarter, Kind::Year];
    let place = |kind: &Kind| CALENDAR.iter().position(|known| known == kind);
    let follows = |a: &Kind, b: &Kind| place(a).zip(place(b)).is_some_and(|(a, b)| b == a + 1);
    let run = |kinds: &[Kind]| match kinds {
        [first, .., last] if kinds.len() > 2 => vec![format!("{first}-{last}")],
        few => few.iter().map(ToString::to_string).collect(),
    };
    kinds.chunk_by(follows).flat_map(run).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use processor_core::{plan::Plan, settings::Settings};

    use super::*;

    fn shown(catalog: &[MetricInfo]) -> String {
        let mut out = Vec::new();
        write(catalog, Terminal { width: None, unicode: false }, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn metrics_stand_in_their_groups_within_100_columns() {
        let catalog = crate::describe::catalog(&Plan::built_in(&Settings::default()).unwrap());
        let all = shown(&catalog);
        let widest = all.lines().map(|line| line.chars().count()).max();
        assert!(widest.is_some_and(|widest| widest <= 100), "{widest:?}\n{all}");
        let groups: Vec<&str> = all.lines().map(str::trim).filter(|line| *line == line.to_uppercase()).collect();
        let groups: Vec<&str> = groups.into_iter().filter(|line| line.starts_with(char::is_alphabetic)).collect();
        assert_eq!(groups, ["RETENTION AND REVENUE", "LOYALTY", "SALES", "SUPPORT"]);

        let of = |names: [&str; 5]| catalog.iter().filter(|metric| names.contains(&&*metric.name)).cloned().collect();
        let mut few: Vec<MetricInfo> = of(["orders", "nps", "silence", "response_time", "customers"]);
        few[0].group.clear();
        expect![[r#"
            ----------------------------------------------------------------
             name                    unit      windows   title
            ----------------------------------------------------------------
             RETENTION AND REVENUE
             customers               count               Customers

             LOYALTY
             nps                     points              Net Promoter Score
             silence                 days      1d        Silence

             SUPPORT
             response_time           seconds             Response time

             OTHERS
             orders                  count               Orders
            ----------------------------------------------------------------
             windows are 1d-1y, trailing 30d where none are named
             `vitals metrics NAME` says what it counts, and by which dimensions it is kept
        "#]]
        .assert_eq(&shown(&few));
    }

    #[test]
    fn without_groups_there_are_no_headings() {
        let mut catalog = crate::describe::catalog(&Plan::built_in(&Settings::default()).unwrap());
        catalog.truncate(2);
        catalog.iter_mut().for_each(|metric| metric.group.clear());
        expect![[r#"
            -----------------------------------------------
             name     unit    windows               title
            -----------------------------------------------
             events   count   1d-1y, trailing 30d   Events
             orders   count   1d-1y, trailing 30d   Orders
            -----------------------------------------------
             `vitals metrics NAME` says what it counts, and by which dimensions it is kept
        "#]]
        .assert_eq(&shown(&catalog));
    }
}
