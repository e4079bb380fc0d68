//! The rules that need more than one field of an event. What one field may be says the table of the vocabulary.

use proto::vocabulary::Type;

use super::{Data, Value};
use crate::{Rejection, decimal::Decimal, json, time};

/// Checks the rules of this type.
pub(super) fn check(kind: &Type, data: &Data<'_>) -> Result<(), Rejection> {
    match kind.name {
        // One that names neither is a credit note.
        "payment.refunded" if data.get("order").is_some() && data.get("invoice").is_some() => {
            Err(Rejection::new("data.invoice", "is there beside data.order, expected one of them"))
        }
        "identity.linked" if data.str("from") == data.str("to") => {
            Err(Rejection::new("data.to", "is the same as data.from, expected another account"))
        }
        "subscription.changed" => subscription(data),
        "survey.answered" => survey(data),
        "cost.recorded" => ordered(data, "period_from", "period_to"),
        "goal.set" => goal(data),
        "fx.rate_set" if data.str("base") == data.str("quote") => {
            Err(Rejection::new("data.quote", "is the same as data.base, expected another currency"))
        }
        _ => Ok(()),
    }
}

fn subscription(data: &Data<'_>) -> Result<(), Rejection> {
    if matches!(data.str("status"), "active" | "past_due") && data.get("mrr").is_none() {
        let problem = format!("is missing, expected minor units a month while the status is {}", data.str("status"));
        return Err(Rejection::new("data.mrr", problem));
    }
    ordered(data, "term_start", "term_end")
}

/// `from` < `to`, where both are dates or both are times.
fn ordered(data: &Data<'_>, from: &'static str, to: &'static str) -> Result<(), Rejection> {
    let (start, end) = (data.str(from), data.str(to));
    let dates = time::parse_date(start).zip(time::parse_date(end)).map(|(a, b)| a < b);
    let times = time::parse_rfc3339(start).zip(time::parse_rfc3339(end)).map(|(a, b)| a < b);
    if dates.or(times) == Some(false) {
        return Err(Rejection::new(format!("data.{to}"), format!("is {end}, expected later than {from} ({start})")));
    }
    Ok(())
}

/// A goal is on a metric of the whole business: what each account shows is known to its own partition alone.
fn goal(data: &Data<'_>) -> Result<(), Rejection> {
    if matches!(data.get("dimensions"), Some(Value::Pairs(pairs)) if pairs.iter().any(|(name, _)| name == "account")) {
        let problem = "is there, but a goal is on a metric of the whole business; leave it out, and name such a metric";
        return Err(Rejection::new("data.dimensions.account", problem));
    }
    window(data.str("window"))
}

/// The kinds of windows that a goal can have.
fn window(text: &str) -> Result<(), Rejection> {
    let trailing = text.strip_prefix("trailing ").and_then(|rest| rest.strip_suffix('d'));
    let days = trailing.is_some_and(|days| days.parse::<u32>().is_ok_and(|days| days > 0));
    if days || matches!(text, "" | "1h" | "1d" | "1w" | "1mo" | "1q" | "1y") {
        return Ok(());
    }
    let problem =
        format!("is {}, expected 1h, 1d, 1w, 1mo, 1q, 1y or trailing Nd, as in trailing 30d", json::excerpt(text));
    Err(Rejection::new("data.window", problem))
}

fn survey(data: &Data<'_>) -> Result<(), Rejection> {
    let kind = data.str("kind");
    let (least, greatest) = match kind {
        "nps" => (0, 10),
        "ces" => (1, 7),
        _ => (1, 5),
    };
    let least = data.number("scale_min").unwrap_or(Decimal::whole(least));
    let greatest = data.number("scale_max").unwrap_or(Decimal::whole(greatest));
    let Some(score) = data.number("score") else { return Ok(()) };
    if kind == "nps" && (least, greatest) != (Decimal::whole(0), Decimal::whole(10)) {
        return Err(Rejection::new("data.scale_max", "is another scale, expected 0 to 10 for nps"));
    }
    if kind == "nps" && matches!(data.get("higher_is_better"), Some(Value::Flag(false))) {
        return Err(Rejection::new("data.higher_is_better", "is false, expected true for nps"));
    }
    if kind == "nps" && score.integer().is_none() {
        return Err(Rejection::new("data.score", "is fractional, expected a whole number for nps"));
    }
    if least >= greatest {
        return Err(Rejection::new("data.scale_max", "is not above scale_min"));
    }
    if score < least || score > greatest {
        return Err(Rejection::new("data.score", "is outside the scale (scale_min to scale_max)"));
    }
    Ok(())
}
