//! How the product is used: by its people, less by those who are not content, and less at weekends.

use serde_json::json;

use crate::{
    account::Account,
    books::Note,
    calendar::Today,
    dice::Dice,
    event::{Outbox, Source},
    words::FEATURES,
};

/// Chance of a day in a million, by plan.
const USES: [i64; 3] = [105_000, 190_000, 380_000];
const SHOPPER_USES: i64 = 60_000;

pub(crate) fn step(account: &mut Account, today: &Today, dice: &mut Dice, out: &mut Outbox) {
    let usual = if account.shopper { SHOPPER_USES } else { USES[account.plan] };
    let wanted = match account.mood {
        ..25 => usual / 8,
        25..45 => usual / 3,
        45..80 => usual,
        _ => usual * 5 / 4,
    };
    if !dice.chance(if today.weekend { wanted / 3 } else { wanted }) {
        return;
    }
    let at_us =
        if dice.percent(15) { today.any_time(account.region, dice) } else { today.working(account.region, dice) };
    let (user, name, count) = (account.contact(dice), dice.pick(&FEATURES), dice.between(0, 12));
    let data = json!({"user": user, "name": name, "count": count});
    account.tell(out, at_us, Source::App, "usage.recorded", data, Note::Nothing);
}
