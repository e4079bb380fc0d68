//! Deals: opened, moved from stage to stage with changing amounts and chances, closed, and now and then opened again.
//!
//! An account has one deal at a time. A new one that is won starts the subscription; of an expansion the seats grow; a
//! renewal says what the account decides anyway.

use serde_json::json;

use crate::{
    account::{Account, Standing},
    books::{Money, Note},
    calendar::Today,
    dice::Dice,
    event::{Outbox, Source},
    subscription,
    words::OWNERS,
};

/// What a deal is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    New,
    Expansion,
    Renewal,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::New => "new",
            Kind::Expansion => "expansion",
            Kind::Renewal => "renewal",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// Closed then.
    Lost(i64),
    Won(i64),
}

/// The deal of an account.
#[derive(Debug, Clone)]
pub(crate) struct Deal {
    number: u32,
    kind: Kind,
    state: State,
    /// Index of [`STAGES`].
    stage: usize,
    /// Day of its next step.
    next: i64,
    /// Minor units.
    amount: i64,
    /// It was closed before, and won then.
    before: Option<bool>,
}

/// Stages, and how likely a win is in them.
const STAGES: [(&str, &str); 3] = [("discovery", "0.2"), ("proposal", "0.5"), ("negotiation", "0.75")];
/// Chance of a day in a million that an account talks about more seats.
const EXPANSION: i64 = 1_100;

fn id(account: &Account, deal: &Deal) -> String {
    format!("deal-{}-{}", account.id(), deal.number)
}

/// Opens a deal, unless another one is open.
pub(crate) fn open(account: &mut Account, today: &Today, dice: &mut Dice, out: &mut Outbox, kind: Kind) {
    if account.deal.as_ref().is_some_and(|deal| deal.state == State::Open) {
        return;
    }
    account.deals += 1;
    let monthly = account.subscription.as_ref().map(subscription::Subscription::mrr);
    let monthly = monthly.filter(|mrr| *mrr > 0).unwrap_or_else(|| account.price() * account.seats(dice));
    let amount = if kind == Kind::Expansion { monthly * dice.between(1, 4) } else { monthly * 12 };
    let next = today.day + dice.between(3, 15);
    let deal = Deal { number: account.deals, kind, state: State::Open, stage: 0, next, amount, before: None };
    let (stage, probability) = STAGES[0];
    let data = json!({"opportunity": id(account, &deal), "kind": kind.name(), "stage": stage, "amount": amount,
        "currency": account.currency, "probability": number(probability), "owner": account.owner});
    account.tell(out, today.working(account.region, dice), Source::Crm, "opportunity.opened", data, Note::Nothing);
    account.deal = Some(deal);
}

fn number(text: &str) -> serde_json::Value {
    text.parse::<f64>().unwrap_or_default().into()
}

/// A day of the open deal, or of none.
pub(crate) fn step(account: &mut Account, today: &Today, dice: &mut Dice, out: &mut Outbox) {
    let Some(deal) = account.deal.take() else {
        if account.subscription.is_some() && account.mood >= 60 && dice.chance(EXPANSION) {
            open(account, today, dice, out, Kind::Expansion);
        }
        return;
    };
    if today.day < deal.next {
        account.deal = Some(deal);
        return;
    }
    account.deal = match deal.state {
        State::Open if deal.stage + 1 < STAGES.len() => Some(advance(account, deal, today, dice, out)),
        State::Open => close(account, deal, today, dice, out),
        State::Lost(_) | State::Won(_) => Some(reopen(account, deal, today, dice, out)),
    };
}

fn advance(account: &mut Account, mut deal: Deal, today: &Today, dice: &mut Dice, out: &mut Outbox) -> Deal {
    deal.stage += 1;
    deal.next = today.day + dice.between(2, 18);
    let (stage, probability) = STAGES[deal.stage];
    let mut data = json!({"opportunity": id(account, &deal), "stage": stage, "probability": number(probability)});
    if dice.percent(40) {
        deal.amount = deal.amount * dice.between(70, 131) / 100;
        data["amount"] = deal.amount.into();
        data["currency"] = account.currency.into();
    }
    if dice.percent(5) {
        data["owner"] = dice.any(&OWNERS).into();
    }
    account.tell(out, today.working(account.region, dice), Source::Crm, "opportunity.changed", data, Note::Nothing);
    deal
}

fn close(account: &mut Account, mut deal: Deal, today: &Today, dice: &mut Dice, out: &mut Outbox) -> Option<Deal> {
    let at_us = today.working(account.region, dice);
    let won = wins(account, &deal, dice);
    let mut data = json!({"opportunity": id(account, &deal), "outcome": if won { "won" } else { "lost" }});
    if won && dice.percent(50) {
        deal.amount = deal.amount * dice.between(80, 101) / 100;
        data["amount"] = deal.amount.into();
        data["currency"] = account.currency.into();
    }
    if !won {
        data["reason"] = dice.pick(&[("price", 40), ("competitor", 35), ("no decision", 25)]).into();
    }
    let money = Money { currency: account.currency, amount: deal.amount };
    let note = if won { Note::Won(money) } else { Note::Lost };
    account.tell(out, at_us, Source::Crm, "opportunity.closed", data, note);
    if deal.before != Some(true) {
        follow(account, deal.kind, won, today);
    }
    // Few deals are opened again, and none twice.
    let again = deal.before.is_none() && dice.percent(if won { 2 } else { 8 });
    deal.before = Some(won);
    deal.next = today.day + dice.between(3, 25);
    deal.state = if won { State::Won(at_us) } else { State::Lost(at_us) };
    again.then_some(deal)
}

fn wins(account: &Account, deal: &Deal, dice: &mut Dice) -> bool {
    let percent = match deal.kind {
        _ if deal.before == Some(true) => 100,
        Kind::New => 62,
        Kind::Expansion => account.mood.min(75),
        Kind::Renewal if account.mood < 40 => 25,
        Kind::Renewal => 92,
    };
    dice.percent(percent)
}

/// What an outcome brings about.
fn follow(account: &mut Account, kind: Kind, won: bool, today: &Today) {
    match (kind, won) {
        (Kind::New, true) => {
            account.standing = Standing::Active;
            account.upgrades = 0;
            subscription::agree(account, today.day + 1);
        }
        (Kind::New, false) => account.standing = Standing::Declined,
        (Kind::Expansion, true) => account.upgrades = today.day + 1,
        _ => {}
    }
}

fn reopen(account: &mut Account, mut deal: Deal, today: &Today, dice: &mut Dice, out: &mut Outbox) -> Deal {
    let money = Money { currency: account.currency, amount: deal.amount };
    let note = match deal.state {
        State::Won(closed_us) => Note::WonReopened { closed_us, money },
        State::Lost(closed_us) => Note::LostReopened { closed_us },
        State::Open => Note::Nothing,
    };
    deal.state = State::Open;
    deal.stage = STAGES.len() - 1;
    deal.next = today.day + dice.between(2, 12);
    let data = json!({"opportunity": id(account, &deal), "stage": STAGES[deal.stage].0});
    account.tell(out, today.working(account.region, dice), Source::Crm, "opportunity.reopened", data, note);
    deal
}
