//! Surveys: NPS each quarter; CSAT and CES after a ticket, on two scales and in both directions.
//!
//! Scores follow the mood of the account. A few people answer the same survey twice: their last answer counts.

use serde_json::{Value, json};

use crate::{
    account::Account,
    books::{Class, Note},
    calendar::{DAY_US, HOUR_US, MINUTE_US, Today},
    dice::Dice,
    event::{Outbox, Source},
};

/// Days between two waves; each account has its own day.
const WAVE: i64 = 91;

/// A day of an account that uses the product.
pub(crate) fn step(account: &mut Account, today: &Today, dice: &mut Dice, out: &mut Outbox) {
    if (today.day + i64::from(account.number) * 13) % WAVE != 0 {
        return;
    }
    let survey = format!("nps-{}-{:02}", today.year, today.month);
    for contact in 1..=account.contacts.min(2) {
        let respondent = format!("{}-c{contact}", account.id());
        let base = json!({"survey": survey, "respondent": respondent, "kind": "nps"});
        let sent_us = today.working(account.region, dice);
        account.tell(out, sent_us, Source::Surveys, "survey.sent", base.clone(), Note::Nothing);
        if dice.percent(55) {
            let at_us = sent_us + dice.between(5, 12_000) * MINUTE_US;
            let class = recommend(account, at_us, &base, None, dice, out);
            if dice.percent(6) {
                let again_us = at_us + dice.between(1, 72) * HOUR_US;
                recommend(account, again_us, &base, Some((at_us, class)), dice, out);
            }
        }
    }
}

fn recommend(
    account: &mut Account,
    at_us: i64,
    base: &Value,
    replaces: Option<(i64, Class)>,
    dice: &mut Dice,
    out: &mut Outbox,
) -> Class {
    let score = would_recommend(account.mood, dice);
    let mut data = base.clone();
    data["score"] = score.into();
    if dice.percent(15) {
        data["comment"] = (if score >= 9 { "does what it should" } else { "could be better" }).into();
    }
    let class = match score {
        9.. => "promoters",
        7..9 => "passives",
        _ => "detractors",
    };
    account.tell(out, at_us, Source::Surveys, "survey.answered", data, Note::Recommends { class, replaces });
    class
}

/// 0 to 10, by mood.
fn would_recommend(mood: i64, dice: &mut Dice) -> i64 {
    match mood {
        70.. => dice.pick(&[(10, 35), (9, 25), (8, 20), (7, 12), (6, 5), (5, 3)]),
        45..70 => dice.pick(&[(10, 8), (9, 12), (8, 25), (7, 25), (6, 15), (5, 10), (4, 5)]),
        _ => dice.pick(&[(8, 6), (7, 9), (6, 15), (5, 15), (4, 15), (3, 15), (2, 10), (1, 5), (0, 10)]),
    }
}

/// Questions after a solved ticket.
pub(crate) fn of_ticket(account: &mut Account, ticket: &str, solved_us: i64, dice: &mut Dice, out: &mut Outbox) {
    let respondent = account.contact(dice);
    for (kind, asked, answered) in [("csat", 55, 50), ("ces", 30, 45)] {
        if !dice.percent(asked) {
            continue;
        }
        let base =
            json!({"survey": format!("{kind}-ticket"), "respondent": respondent, "ticket": ticket, "kind": kind});
        let sent_us = solved_us + HOUR_US;
        account.tell(out, sent_us, Source::Surveys, "survey.sent", base.clone(), Note::Nothing);
        if dice.percent(answered) {
            let data = on_scale(account, kind, base, dice);
            let at_us = sent_us + dice.below(2 * DAY_US / MINUTE_US) * MINUTE_US;
            account.tell(out, at_us, Source::Surveys, "survey.answered", data, Note::Nothing);
        }
    }
}

/// How good it was, in fifths, on the scale of the region.
fn on_scale(account: &Account, kind: &str, mut data: Value, dice: &mut Dice) -> Value {
    let fifths = match account.mood {
        70.. => dice.pick(&[(5, 55), (4, 30), (3, 10), (2, 3), (1, 2)]),
        45..70 => dice.pick(&[(5, 20), (4, 35), (3, 25), (2, 12), (1, 8)]),
        _ => dice.pick(&[(4, 12), (3, 23), (2, 30), (1, 35)]),
    };
    let americas = account.region == 1;
    match (kind, americas) {
        // 1 to 5, higher is better.
        ("csat", false) => data["score"] = fifths.into(),
        ("csat", true) => {
            data["score"] = (fifths * 2).into();
            (data["scale_min"], data["scale_max"]) = (0.into(), 10.into());
        }
        // Effort of 1 to 7, lower is better.
        (_, false) => data["score"] = (7 - fifths).into(),
        // Agreement that it was easy.
        (_, true) => {
            data["score"] = (fifths + 2).into();
            (data["scale_min"], data["scale_max"]) = (1.into(), 7.into());
            data["higher_is_better"] = true.into();
        }
    }
    data
}
