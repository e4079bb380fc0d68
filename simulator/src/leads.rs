//! Leads: most of them come to nothing; some become an account.
//!
//! A lead's whole life is planned when it is created. A program greets most of them at once; people call the good ones.
//! Some are never contacted at all, some are recycled and qualified later.

use serde_json::{Value, json};

use crate::{
    account::Account,
    books::Note,
    calendar::{DAY_US, HOUR_US, MINUTE_US, Today},
    dice::Dice,
    event::{Event, Outbox, Source},
    words::{AGENTS, OWNERS, SOURCES},
};

/// One lead, as its events are made.
struct Lead<'a> {
    id: String,
    events: u32,
    out: &'a mut Outbox,
}

impl Lead<'_> {
    fn tell(&mut self, at_us: i64, kind: &'static str, mut data: Value, note: Note) {
        self.events += 1;
        data["lead"] = self.id.clone().into();
        let id = format!("{}.{}", self.id, self.events);
        self.out.event(Event { at_us, source: Source::Crm, kind, id, account: None, corrects: None, data }, note);
    }

    fn create(&mut self, at_us: i64, currency: &str, dice: &mut Dice) {
        let (source, owner, value) = (dice.pick(&SOURCES), dice.any(&OWNERS), dice.between(50, 5_000) * 100);
        let data = json!({"source": source, "owner": owner, "value": value, "currency": currency});
        self.tell(at_us, "lead.created", data, Note::LeadCreated);
        if dice.percent(70) {
            let data = json!({"channel": "email", "automated": true});
            self.tell(at_us + dice.between(1, 10) * MINUTE_US, "lead.contacted", data, Note::Nothing);
        }
    }

    fn call(&mut self, at_us: i64, dice: &mut Dice) {
        let (channel, agent) = (dice.pick(&[("phone", 60), ("email", 40)]), dice.any(&AGENTS));
        let data = json!({"channel": channel, "automated": false, "agent": agent});
        self.tell(at_us, "lead.contacted", data, Note::Nothing);
    }

    fn becomes(&mut self, at_us: i64, to: &str) {
        self.tell(at_us, "lead.status_changed", json!({"to": to}), Note::Nothing);
    }
}

/// When somebody calls: mostly within hours, sometimes after days.
fn called(created_us: i64, dice: &mut Dice) -> i64 {
    let hours = if dice.percent(80) { dice.between(1, 20) } else { dice.between(20, 120) };
    created_us + hours * HOUR_US + dice.below(60) * MINUTE_US
}

/// The lead that becomes this account; returns the day of that.
pub(crate) fn of_account(account: &Account, today: &Today, dice: &mut Dice, out: &mut Outbox) -> i64 {
    let mut lead = Lead { id: format!("lead-{}", account.id()), events: 0, out };
    let created_us = today.working(account.region, dice);
    lead.create(created_us, account.currency, dice);
    let called_us = called(created_us, dice);
    lead.call(called_us, dice);
    // A few are converted without anybody having said that they are qualified.
    if dice.percent(92) {
        lead.becomes(called_us + dice.between(1, 48) * HOUR_US, "qualified");
    }
    let days = dice.between(8, 22);
    let converted_us = created_us + days * DAY_US;
    let data = json!({"account": account.id()});
    lead.tell(converted_us, "lead.converted", data, Note::LeadConverted { created_us });
    today.day + days
}

/// A lead that does not become an account.
pub(crate) fn cold(number: i64, today: &Today, dice: &mut Dice, out: &mut Outbox) {
    let mut lead = Lead { id: format!("lead-{number:06}"), events: 0, out };
    let region = dice.pick(&[(0, 50), (1, 35), (2, 15)]);
    let created_us = today.working(region, dice);
    lead.create(created_us, if region == 1 { "USD" } else { "EUR" }, dice);
    if dice.percent(15) {
        return;
    }
    let called_us = called(created_us, dice);
    lead.call(called_us, dice);
    let mut at_us = called_us + dice.between(1, 72) * HOUR_US;
    match dice.below(100) {
        ..45 => lead.becomes(at_us, "disqualified"),
        45..70 => {
            lead.becomes(at_us, "qualified");
            at_us += dice.between(5, 30) * DAY_US;
            lead.becomes(at_us, "disqualified");
        }
        70..85 => {
            lead.becomes(at_us, "recycled");
            at_us += dice.between(10, 40) * DAY_US;
            lead.becomes(at_us, "qualified");
        }
        _ => {}
    }
}
