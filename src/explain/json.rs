//! An explanation as one JSON object: exact, times in UTC.

use std::{collections::BTreeMap, io::Write};

use processor_core::{
    engine::explain::{Brought, Part, Standing},
    projection::Projected,
    rational::Rational,
    score::Score,
};
use serde::Serialize;
use store::window::rfc3339;

use super::Answer;

#[derive(Serialize)]
struct Object<'a> {
    account: &'a str,
    /// The account that was asked for, where it was merged into `account`.
    #[serde(skip_serializing_if = "Option::is_none")]
    asked: Option<&'a str>,
    /// The accounts that were merged into `account`.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    merged: &'a [&'a str],
    at: String,
    #[serde(flatten)]
    standing: Stands<'a>,
    projection: Vec<Coming<'a>>,
    #[serde(flatten)]
    change: Option<Change<'a>>,
}

/// A score, or why there is none.
#[derive(Serialize)]
struct Stands<'a> {
    tenths: Option<i64>,
    #[serde(skip_serializing_if = "str::is_empty")]
    reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    band: Option<&'a str>,
    components: Vec<Component<'a>>,
}

#[derive(Serialize)]
struct Component<'a> {
    name: &'a str,
    weight: u32,
    /// Absent without input.
    input: Option<String>,
    points: Option<String>,
    /// In tenths.
    contribution: i64,
}

#[derive(Serialize)]
struct Coming<'a> {
    at: String,
    tenths: Option<i64>,
    #[serde(skip_serializing_if = "str::is_empty")]
    reason: &'static str,
    /// New points by component; null where it loses its input.
    moved: BTreeMap<&'a str, Option<String>>,
}

#[derive(Serialize)]
struct Change<'a> {
    since: String,
    /// What was published for that instant then.
    published: Option<i64>,
    /// In tenths; where there is no score it counts as 0. The parts add up to it.
    change: i64,
    parts: Vec<Moved<'a>>,
}

#[derive(Serialize)]
struct Moved<'a> {
    at: String,
    brought: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    /// The score after it, in tenths.
    tenths: Option<i64>,
    /// What it adds by component, in tenths.
    by: &'a BTreeMap<String, i64>,
}

/// Writes the object, and a newline.
pub(super) fn write(answer: &Answer<'_>, out: &mut dyn Write) -> anyhow::Result<()> {
    let change = answer.change.as_ref().map(|(since, explanation)| Change {
        since: rfc3339(*since),
        published: explanation.published.tenths(),
        change: explanation.change(),
        parts: explanation.parts.iter().map(moved).collect(),
    });
    let object = Object {
        account: answer.account,
        asked: (answer.asked != answer.account).then_some(answer.asked),
        merged: answer.merged,
        at: rfc3339(answer.at),
        standing: stands(answer.score, &answer.standing),
        projection: answer.coming.iter().map(|of| coming(answer.score, of)).collect(),
        change,
    };
    serde_json::to_writer(&mut *out, &object)?;
    Ok(out.write_all(b"\n")?)
}

fn stands<'a>(score: &'a Score, standing: &'a Standing) -> Stands<'a> {
    let shares = standing.rated.iter().flat_map(|rated| &rated.shares);
    let components = score.components.iter().zip(shares).map(|(of, share)| Component {
        name: &of.name,
        weight: of.weight,
        input: share.input.map(exact),
        points: share.points.map(exact),
        contribution: share.tenths,
    });
    Stands {
        tenths: standing.tenths(),
        reason: standing.reason(),
        band: standing.tenths().map(|tenths| score.bands[score.band(tenths)].name.as_str()),
        components: components.collect(),
    }
}

fn coming<'a>(score: &'a Score, of: &Projected) -> Coming<'a> {
    let name = |place: usize| score.components[place].name.as_str();
    let moved = of.moved.iter().map(|(place, points)| (name(*place), points.map(exact))).collect();
    Coming { at: rfc3339(of.at), tenths: of.tenths, reason: of.reason, moved }
}

fn moved(part: &Part) -> Moved<'_> {
    let (brought, cause) = match &part.brought {
        Brought::Time => ("time", None),
        Brought::Event(cause) => ("event", Some(cause)),
        Brought::Correction(cause) => ("correction", Some(cause)),
        Brought::Definition => ("definition", None),
    };
    Moved {
        at: rfc3339(part.at),
        brought,
        source: cause.map(|cause| &*cause.source),
        id: cause.map(|cause| &*cause.id),
        tenths: part.tenths,
        by: &part.by,
    }
}

/// An integer, or a fraction like `200/3`.
fn exact(number: Rational) -> String {
    if number.den() == 1 { number.num().to_string() } else { format!("{}/{}", number.num(), number.den()) }
}
