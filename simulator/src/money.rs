//! What concerns the whole company: costs, rates of exchange, and goals.
//!
//! Costs are of the day on which they are recorded, or of a period named in them; one rate comes late.

use serde_json::{Value, json};

use crate::{
    books::Note,
    calendar::{DAY_US, HOUR_US, Today, date, last_of_quarter, stamp},
    dice::Dice,
    event::{Event, Outbox, Source},
};

/// The company as a reporter of events.
#[derive(Debug)]
pub(crate) struct Money {
    events: u32,
    accounts: i64,
    /// How many dollars a euro is worth, in ten-thousandths.
    rate: i64,
}

impl Money {
    pub(crate) fn new(accounts: u32) -> Self {
        Self { events: 0, accounts: accounts.into(), rate: 10_850 }
    }

    fn tell(&mut self, out: &mut Outbox, at_us: i64, kind: &'static str, data: Value) {
        self.events += 1;
        let id = format!("company.{}", self.events);
        out.event(
            Event { at_us, source: Source::Finance, kind, id, account: None, corrects: None, data },
            Note::Nothing,
        );
    }

    pub(crate) fn step(&mut self, today: &Today, dice: &mut Dice, out: &mut Outbox) {
        if today.day == 0 || today.day % 7 == 3 {
            self.rates(today, dice, out);
        }
        if today.day % 7 == 5 {
            self.advertise(today, dice, out);
        }
        if today.of_month == 2 {
            self.salaries(today, dice, out);
        }
        if today.day == 0 || today.of_month == 1 && (today.month - 1) % 3 == 0 {
            self.goals(today, out);
        }
    }

    fn rates(&mut self, today: &Today, dice: &mut Dice, out: &mut Outbox) {
        self.rate = (self.rate + dice.between(-120, 121)).clamp(9_500, 12_500);
        let rate = format!("1.{:04}", self.rate - 10_000);
        let rate = if self.rate < 10_000 { format!("0.{:04}", self.rate) } else { rate };
        let number = rate.parse::<f64>().unwrap_or(1.0);
        // Every eighth week the rate comes two days late, and says since when it holds.
        let late = today.day % 56 == 3;
        let at_us = today.start_us + if late { 2 * DAY_US } else { 0 };
        let mut data = json!({"base": "EUR", "quote": "USD", "rate": number});
        if late {
            data["valid_from"] = stamp(today.start_us).into();
        }
        self.tell(out, at_us, "fx.rate_set", data);
        let inverse = f64::from(u32::try_from(100_000_000 / self.rate).unwrap_or(0)) / 10_000.0;
        self.tell(out, at_us, "fx.rate_set", json!({"base": "USD", "quote": "EUR", "rate": inverse}));
    }

    fn advertise(&mut self, today: &Today, dice: &mut Dice, out: &mut Outbox) {
        for (source, currency) in [("search", "EUR"), ("search", "USD"), ("newsletter", "EUR")] {
            let amount = self.accounts * dice.between(400, 900) / 10;
            let data = json!({"bucket": "acquisition", "amount": amount, "currency": currency, "channel": "online",
                "source": source});
            self.tell(out, today.start_us + 18 * HOUR_US, "cost.recorded", data);
        }
    }

    /// Salaries of the month before; a fair of a whole quarter at its beginning.
    fn salaries(&mut self, today: &Today, dice: &mut Dice, out: &mut Outbox) {
        let to_us = today.start_us - DAY_US;
        let from_us = to_us - 28 * DAY_US;
        for (bucket, currency, share) in
            [("retention", "EUR", 150), ("retention", "USD", 90), ("acquisition", "EUR", 120)]
        {
            let data = json!({"bucket": bucket, "amount": self.accounts * share + dice.below(1_000),
                "currency": currency, "period_from": date(from_us), "period_to": date(to_us)});
            self.tell(out, today.start_us + 9 * HOUR_US, "cost.recorded", data);
        }
        if today.month % 3 == 1 {
            let data = json!({"bucket": "acquisition", "amount": self.accounts * 333 + 1, "currency": "EUR",
                "channel": "fair", "source": "fair", "period_from": date(today.start_us),
                "period_to": date(today.start_us + 89 * DAY_US)});
            self.tell(out, today.start_us + 10 * HOUR_US, "cost.recorded", data);
        }
    }

    /// Goals of a quarter; one of them is given up half-way.
    fn goals(&mut self, today: &Today, out: &mut Outbox) {
        let at_us = today.start_us + 8 * HOUR_US;
        let quarter = format!("{}-q{}", today.year, (today.month - 1) / 3 + 1);
        let due = last_of_quarter(today.start_us);
        let goals = [
            ("nps", "up", json!(45)),
            ("customer_churn_rate", "down", json!(0.03)),
            ("response_time", "down", json!(21_600)),
            ("net_revenue", "up", json!(self.accounts * 50_000)),
        ];
        for (metric, direction, target) in goals {
            let mut data = json!({"goal": format!("{metric}-{quarter}"), "metric": metric, "target": target,
                "direction": direction, "due": due, "title": format!("{metric} of {quarter}"), "owner": "amara"});
            if metric == "net_revenue" {
                data["currency"] = "EUR".into();
                data["window"] = "1q".into();
            }
            self.tell(out, at_us, "goal.set", data);
        }
        let given_up = json!({"goal": format!("response_time-{quarter}"), "target": null});
        self.tell(out, at_us + 45 * DAY_US, "goal.set", given_up);
    }
}
