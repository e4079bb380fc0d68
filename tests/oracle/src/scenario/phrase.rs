//! What can happen, in words.
//!
//! ```text
//! ACCOUNT is plan=pro region=eu                          traits; an empty value unsets one
//! ACCOUNT orders o1 100.00 EUR [less 10.00] [line:tea=50.00]
//! ACCOUNT cancels o1
//! ACCOUNT is-refunded r1 30.00 EUR [order=o1 | invoice=i1]
//! ACCOUNT invoice i1 paid 100.00 EUR [order=o1]
//! ACCOUNT subscription s1 active [100.00 EUR] [term=2024-01-01..2025-01-01] [product=crm]
//! ACCOUNT uses app [count=3]
//! ACCOUNT answers nps 9 [respondent=ann] [survey=q1] [ticket=t1] [scale=1..5] [higher_is_better=true]
//! ACCOUNT ticket t1 opened [opened_by=agent] [channel=email] [topic=billing]
//! ACCOUNT ticket t1 agent-writes | customer-writes | bot-writes [public=false]
//! ACCOUNT ticket t1 open | pending | solved | closed | reopened | merged
//! ACCOUNT deal d1 opened 100.00 EUR [kind=new] [stage=demo] [owner=ann] [probability=0.5]
//! ACCOUNT deal d1 changed [100.00 EUR] [stage=offer] ... | won [90.00] | lost | reopened [stage=demo]
//! ACCOUNT offer f1 made | accepted upsell | cross_sell
//! ACCOUNT merges-into OTHER
//! lead l1 created [source=ads] [owner=ann] | contacted [automated=true] | qualified | converted ACCOUNT
//! cost acquisition | retention 300.00 EUR [period=2024-01-01..2024-04-01]
//! rate EUR 1.10 USD [valid_from=2024-01-01]              1 EUR is 1.10 USD
//! goal g1 nps 50 due=2024-12-31 [window=1q] [direction=down] [currency=EUR] [for=plan:pro]
//! ACCOUNT retracts ID
//! ```
//!
//! `nobody` is no account. Amounts are in major units. Every line may have `id=` and `corrects=`; an event's id is else
//! its line, such as `line-007`.

use crate::row::stamp;
use crate::{Error, Micros, decimal};
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

/// The event of a line, without its time.
pub(super) fn event(at: Micros, number: usize, words: &[&str], zone: &TimeZone) -> Result<Value, Error> {
    let (who, rest) = words.split_first().ok_or_else(|| Error("who?".to_owned()))?;
    let (plain, options): (Vec<&str>, Vec<&str>) = rest.iter().partition(|word| !word.contains('='));
    let mut told = Told { kind: String::new(), data: Map::new(), id: format!("line-{number:03}"), corrects: None };
    match *who {
        "lead" => lead(&plain, &mut told)?,
        "cost" => {
            told.set("cost.recorded", "bucket", word(&plain, 0)?);
            told.money("amount", &plain, 1)?;
        }
        "rate" => {
            told.set("fx.rate_set", "base", word(&plain, 0)?);
            told.data.insert("rate".to_owned(), number_of(word(&plain, 1)?)?);
            told.data.insert("quote".to_owned(), json!(word(&plain, 2)?));
        }
        "goal" => {
            told.set("goal.set", "goal", word(&plain, 0)?);
            told.data.insert("metric".to_owned(), json!(word(&plain, 1)?));
            let target = if word(&plain, 2)? == "none" { Value::Null } else { number_of(plain[2])? };
            told.data.insert("target".to_owned(), target);
        }
        _ => account(who, &plain, &mut told)?,
    }
    for option in options {
        told.option(option, zone)?;
    }
    let mut event = json!({"specversion": "1.0", "id": told.id, "source": "story", "type": told.kind,
        "time": stamp(at)?, "data": told.data});
    if !matches!(*who, "lead" | "cost" | "rate" | "goal" | "nobody") {
        event["account"] = json!(who);
    }
    if let Some(corrected) = told.corrects {
        event["corrects"] = json!(corrected);
    }
    Ok(event)
}

/// What a line tells.
struct Told {
    kind: String,
    data: Map<String, Value>,
    id: String,
    corrects: Option<String>,
}

fn word<'w>(words: &[&'w str], at: usize) -> Result<&'w str, Error> {
    words.get(at).copied().ok_or_else(|| Error(format!("word {} is missing", at + 1)))
}

fn number_of(text: &str) -> Result<Value, Error> {
    serde_json::from_str(text).map_err(|_| Error(format!("not a number: {text}")))
}

/// Minor units of an amount with two decimals.
fn minor(text: &str) -> Result<i64, Error> {
    let wrong = || Error(format!("not an amount: {text}"));
    let (num, den) = decimal::parse(text).ok_or_else(wrong)?;
    i64::try_from(num * 100 / den).map_err(|_| wrong())
}

impl Told {
    fn set(&mut self, kind: &str, field: &str, value: &str) {
        self.kind = kind.to_owned();
        self.data.insert(field.to_owned(), json!(value));
    }

    /// An amount and its currency, from this word on.
    fn money(&mut self, field: &str, words: &[&str], at: usize) -> Result<(), Error> {
        self.data.insert(field.to_owned(), json!(minor(word(words, at)?)?));
        if let Some(currency) = words.get(at + 1) {
            self.data.insert("currency".to_owned(), json!(currency));
        }
        Ok(())
    }

    fn option(&mut self, option: &str, zone: &TimeZone) -> Result<(), Error> {
        let Some((name, value)) = option.split_once('=') else { return Ok(()) };
        let mut insert = |name: &str, value: Value| drop(self.data.insert(name.to_owned(), value));
        let range = |value: &str| {
            let (from, to) = value.split_once("..").ok_or_else(|| Error(format!("not a range: {value}")))?;
            Ok::<_, Error>((from.to_owned(), to.to_owned()))
        };
        match name {
            "id" => self.id = value.to_owned(),
            "corrects" => self.corrects = Some(value.to_owned()),
            "term" | "period" => {
                let (from, to) = range(value)?;
                let (start, end) =
                    if name == "term" { ("term_start", "term_end") } else { ("period_from", "period_to") };
                insert(start, json!(from));
                insert(end, json!(to));
            }
            "scale" => {
                let (min, max) = range(value)?;
                insert("scale_min", number_of(&min)?);
                insert("scale_max", number_of(&max)?);
            }
            "for" => {
                let (dimension, value) = value.split_once(':').ok_or_else(|| Error(format!("for what? {value}")))?;
                insert("dimensions", json!({dimension: value}));
            }
            "count" | "probability" => insert(name, number_of(value)?),
            "public" | "automated" | "higher_is_better" => insert(name, json!(value == "true")),
            "valid_from" if value.len() > 10 => insert(name, json!(stamp(super::time(value, zone)?)?)),
            _ if self.kind == "account.updated" => {
                let value = if value.is_empty() { Value::Null } else { json!(value) };
                self.data["traits"][name] = value;
            }
            _ if name.starts_with("line:") => {
                let line = json!({"product": &name[5..], "amount": minor(value)?});
                match self.data.get_mut("lines").and_then(Value::as_array_mut) {
                    Some(lines) => lines.push(line),
                    None => drop(self.data.insert("lines".to_owned(), json!([line]))),
                }
            }
            _ => insert(name, json!(value)),
        }
        Ok(())
    }
}

fn lead(words: &[&str], told: &mut Told) -> Result<(), Error> {
    let (kind, status) = match word(words, 1)? {
        "created" => ("lead.created", None),
        "contacted" => ("lead.contacted", None),
        "converted" => ("lead.converted", None),
        status => ("lead.status_changed", Some(status)),
    };
    told.set(kind, "lead", word(words, 0)?);
    if let Some(status) = status {
        told.data.insert("to".to_owned(), json!(status));
    }
    if kind == "lead.converted" {
        told.data.insert("account".to_owned(), json!(word(words, 2)?));
    }
    Ok(())
}

fn account(who: &str, words: &[&str], told: &mut Told) -> Result<(), Error> {
    match word(words, 0)? {
        "is" => {
            told.kind = "account.updated".to_owned();
            told.data.insert("traits".to_owned(), json!({}));
        }
        "orders" => {
            told.set("order.completed", "order", word(words, 1)?);
            told.money("gross", words, 2)?;
            if words.get(4) == Some(&"less") {
                told.data.insert("discount".to_owned(), json!(minor(word(words, 5)?)?));
            }
        }
        "cancels" => told.set("order.cancelled", "order", word(words, 1)?),
        "is-refunded" => {
            told.set("payment.refunded", "refund", word(words, 1)?);
            told.money("amount", words, 2)?;
        }
        "invoice" => {
            told.set("invoice.resolved", "invoice", word(words, 1)?);
            told.data.insert("status".to_owned(), json!(word(words, 2)?));
            told.money("amount", words, 3)?;
        }
        "subscription" => {
            told.set("subscription.changed", "subscription", word(words, 1)?);
            told.data.insert("status".to_owned(), json!(word(words, 2)?));
            if words.len() > 3 {
                told.money("mrr", words, 3)?;
            }
        }
        "uses" => told.set("usage.recorded", "name", word(words, 1)?),
        "answers" => {
            told.set("survey.answered", "kind", word(words, 1)?);
            told.data.insert("score".to_owned(), number_of(word(words, 2)?)?);
        }
        "ticket" => ticket(words, told)?,
        "deal" => deal(words, told)?,
        "offer" => {
            told.set(&format!("offer.{}", word(words, 2)?), "offer", word(words, 1)?);
            told.data.insert("kind".to_owned(), json!(word(words, 3)?));
        }
        "merges-into" => {
            told.set("identity.linked", "from", who);
            told.data.insert("to".to_owned(), json!(word(words, 1)?));
        }
        "retracts" => told.set("retracted", "event", word(words, 1)?),
        other => return Err(Error(format!("nobody knows what {other} is"))),
    }
    Ok(())
}

fn ticket(words: &[&str], told: &mut Told) -> Result<(), Error> {
    let what = word(words, 2)?;
    let (kind, field) = match what {
        "opened" => ("ticket.opened", None),
        "agent-writes" | "customer-writes" | "bot-writes" => ("ticket.message", Some("author")),
        _ => ("ticket.status_changed", Some("to")),
    };
    told.set(kind, "ticket", word(words, 1)?);
    if let Some(field) = field {
        told.data.insert(field.to_owned(), json!(what.trim_end_matches("-writes")));
    }
    Ok(())
}

fn deal(words: &[&str], told: &mut Told) -> Result<(), Error> {
    let what = word(words, 2)?;
    let kind = if matches!(what, "won" | "lost") { "closed" } else { what };
    told.set(&format!("opportunity.{kind}"), "opportunity", word(words, 1)?);
    match what {
        "opened" => drop(told.data.insert("kind".to_owned(), json!("new"))),
        "won" | "lost" => drop(told.data.insert("outcome".to_owned(), json!(what))),
        _ => {}
    }
    if words.len() > 3 {
        told.money("amount", words, 3)?;
    }
    Ok(())
}
