//! An explanation for people: three tables, in the tenant's time.

use std::{collections::BTreeMap, io::Write};

use anyhow::Result;
use processor_core::{
    engine::explain::{Brought, Explanation, Part},
    projection::Projected,
    score::{Component, Share},
    shown::points,
};

use super::{
    Answer,
    words::{NOTHING, number, words},
};
use crate::output::{
    label::Labels,
    table::{self, Side},
    terminal::Terminal,
};

/// Writes the tables.
pub(super) fn write(answer: &Answer<'_>, labels: &Labels, out: &mut dyn Write) -> Result<()> {
    // The instant that `at` ends with.
    let day = labels.day(answer.at.saturating_sub(1));
    if answer.asked != answer.account {
        writeln!(out, " {} was merged into {}: this is {}", answer.asked, answer.account, answer.account)?;
    }
    writeln!(out, " {}, {day} ({}): {}", answer.account, labels.zone(), score_of(answer))?;
    if !answer.merged.is_empty() {
        writeln!(out, " with the events of {}, which count as its own", answer.merged.join(", "))?;
    }
    components(answer, out)?;
    if let Some((since, explanation)) = &answer.change {
        change(answer, labels, (*since, explanation), out)?;
    }
    projection(answer, labels, out)
}

fn score_of(answer: &Answer<'_>) -> String {
    match answer.standing.tenths() {
        Some(tenths) => {
            let band = &answer.score.bands[answer.score.band(tenths)].name;
            format!("{:.1}, {}", points(tenths), band.replace('_', " "))
        }
        None => format!("no score ({})", answer.standing.reason()),
    }
}

fn components(answer: &Answer<'_>, out: &mut dyn Write) -> Result<()> {
    let Some(rated) = &answer.standing.rated else { return Ok(()) };
    let row = |(of, share): (&Component, &Share)| {
        vec![
            of.name.clone(),
            of.weight.to_string(),
            share.points.map_or_else(String::new, number),
            share.points.map_or_else(String::new, |_| tenth(share.tenths)),
            share.input.map_or_else(|| NOTHING.to_owned(), |input| words(of, input)),
        ]
    };
    let header = [
        ("component", Side::Name),
        ("weight", Side::Right),
        ("points", Side::Right),
        ("adds", Side::Right),
        ("because of", Side::Left),
    ];
    let rows = answer.score.components.iter().zip(&rated.shares).map(row).collect();
    Ok(write!(out, "{}", table::draw(&header, rows, Terminal::of_stdout()))?)
}

fn change(
    answer: &Answer<'_>,
    labels: &Labels,
    (since, explanation): (i64, &Explanation),
    out: &mut dyn Write,
) -> Result<()> {
    let was = match explanation.published.tenths() {
        Some(tenths) => format!("{:.1}", points(tenths)),
        None => format!("no score ({})", explanation.published.reason()),
    };
    writeln!(out, "\n Since {}: {}, from {was}", labels.moment(since, true), signed(explanation.change()))?;
    if explanation.parts.is_empty() {
        return Ok(writeln!(out, " nothing moved it")?);
    }
    let row = |part: &Part| {
        let moved: i64 = part.by.values().sum();
        vec![
            labels.moment(part.at, true),
            signed(moved),
            part.tenths.map_or_else(|| "none".to_owned(), tenth),
            brought(&part.brought),
            by(&part.by),
        ]
    };
    let header = [
        ("when", Side::Name),
        ("change", Side::Right),
        ("score", Side::Right),
        ("brought by", Side::Left),
        ("component", Side::Left),
    ];
    let rows = explanation.parts.iter().map(row).collect();
    write!(out, "{}", table::draw(&header, rows, Terminal::of_stdout()))?;
    totals(answer, &explanation.parts, out)
}

fn brought(brought: &Brought) -> String {
    match brought {
        Brought::Time => "time".to_owned(),
        Brought::Event(cause) => format!("event {} of {}", cause.id, cause.source),
        Brought::Correction(cause) => format!("correction: event {} of {} came later", cause.id, cause.source),
        Brought::Definition => "another definition".to_owned(),
    }
}

fn by(by: &BTreeMap<String, i64>) -> String {
    let each: Vec<String> = by.iter().map(|(name, tenths)| format!("{name} {}", signed(*tenths))).collect();
    each.join(", ")
}

/// What brought how much of each component.
fn totals(answer: &Answer<'_>, parts: &[Part], out: &mut dyn Write) -> Result<()> {
    let column = |part: &Part| match part.brought {
        Brought::Time => 0,
        Brought::Event(_) => 1,
        Brought::Correction(_) => 2,
        Brought::Definition => 3,
    };
    let mut sums: BTreeMap<&str, [i64; 5]> = BTreeMap::new();
    for part in parts {
        for (name, tenths) in &part.by {
            let of = sums.entry(name).or_default();
            of[column(part)] += tenths;
            of[4] += tenths;
        }
    }
    let all = sums.values().fold([0; 5], |sum: [i64; 5], of| std::array::from_fn(|at| sum[at] + of[at]));
    let order = |name: &&str| answer.score.components.iter().position(|of| of.name == **name);
    let mut names: Vec<&str> = sums.keys().copied().collect();
    names.sort_by_key(order);
    let cells = |name: &str, of: &[i64; 5]| [vec![name.to_owned()], of.map(signed).to_vec()].concat();
    let mut rows: Vec<Vec<String>> = names.iter().map(|name| cells(name, &sums[name])).collect();
    rows.push(cells("all", &all));
    let header = [
        ("component", Side::Name),
        ("time", Side::Right),
        ("events", Side::Right),
        ("corrections", Side::Right),
        ("definition", Side::Right),
        ("all", Side::Right),
    ];
    Ok(write!(out, "{}", table::draw(&header, rows, Terminal::of_stdout()))?)
}

fn projection(answer: &Answer<'_>, labels: &Labels, out: &mut dyn Write) -> Result<()> {
    if answer.coming.is_empty() {
        return Ok(writeln!(out, "\n If nothing happens, it will not change in the next 90 days.")?);
    }
    writeln!(out, "\n If nothing happens, in the next 90 days:")?;
    let row = |of: &Projected| {
        let moved = of.moved.iter().map(|(place, points)| match (&answer.score.components[*place].name, points) {
            (name, Some(points)) => format!("{name} {}", number(*points)),
            (name, None) => format!("{name} has no input any more"),
        });
        let why = if of.reason.is_empty() { moved.collect::<Vec<_>>().join(", ") } else { of.reason.to_owned() };
        vec![labels.moment(of.at, true), of.tenths.map_or_else(|| "none".to_owned(), tenth), why]
    };
    let header = [("when", Side::Name), ("score", Side::Right), ("because of", Side::Left)];
    Ok(write!(out, "{}", table::draw(&header, answer.coming.iter().map(row).collect(), Terminal::of_stdout()))?)
}

/// Tenths as points.
fn tenth(tenths: i64) -> String {
    format!("{:.1}", points(tenths))
}

fn signed(tenths: i64) -> String {
    if tenths == 0 { "0".to_owned() } else { format!("{:+.1}", points(tenths)) }
}
