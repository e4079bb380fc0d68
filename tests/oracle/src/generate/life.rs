//! Events of all lifecycles. Ids are few, so that events of one lifecycle meet, out of order as they come.

use super::{DAY, Maker};
use crate::row::stamp;
use crate::{Error, Micros};
use serde_json::{Value, json};

impl Maker<'_> {
    /// An event of any lifecycle.
    pub(super) fn life(&mut self, number: usize, account: &str, time: Micros) -> Result<(), Error> {
        let mut account = account.to_owned();
        let (kind, data) = match self.random.below(100) {
            0..16 => self.subscription(time)?,
            16..24 => self.invoice(),
            24..28 => self.credit(),
            28..46 => self.ticket(),
            46..58 => self.answer(),
            58..72 => self.deal(),
            72..84 => self.lead(),
            84..88 => self.offer(),
            88..91 => self.cost(time)?,
            91..94 => self.rate(time)?,
            94..95 => self.goal(time)?,
            95..96 if self.random.chance(25) => self.link(&mut account),
            96..98 => {
                account.clear();
                self.guest()
            }
            _ => ("survey.sent", json!({"kind": "nps", "survey": "q1"})),
        };
        self.push(number, &account, kind, time, data, None, None)
    }

    /// The same payload with another amount or score.
    pub(super) fn changed(&mut self, data: &Value) -> Value {
        let mut data = data.clone();
        for name in ["amount", "gross", "mrr"] {
            if data.get(name).is_some_and(Value::is_i64) {
                data[name] = json!(self.amount());
            }
        }
        if data.get("rate").is_some() {
            data["rate"] = json!(f64::from(u32::try_from(90 + self.random.signed(30)).unwrap_or(100)) / 100.0);
        }
        if data.get("discount").is_some() {
            data["discount"] = json!(0);
        }
        data
    }

    fn date(&mut self, near: Micros, days: i64) -> Result<String, Error> {
        let at = near + self.random.signed(2 * days * DAY) - days * DAY;
        Ok(stamp(at - at.rem_euclid(DAY))?[..10].to_owned())
    }

    fn subscription(&mut self, time: Micros) -> Result<(&'static str, Value), Error> {
        let status =
            self.random.word(&["active", "active", "active", "past_due", "canceled", "paused", "unpaid", "trialing"]);
        let mut data = json!({"subscription": format!("s{}", self.random.below(3)), "status": status});
        if matches!(status, "active" | "past_due") || self.random.chance(30) {
            data["mrr"] = json!(self.random.signed(6) * 1_000);
            data["currency"] = json!(self.random.word(&["EUR", "EUR", "EUR", "USD"]));
        }
        if self.random.chance(70) {
            data["product"] = json!(self.random.word(&["crm", "mail", "tea"]));
        }
        if self.random.chance(60) {
            // Terms on a grid, so that events share one and the next begins where the last ends.
            let start = time - time.rem_euclid(30 * DAY) + 30 * DAY * self.random.signed(3) - 30 * DAY;
            let days = [30, 30, 30, 60, 31][usize::try_from(self.random.below(5)).unwrap_or(0)];
            data["term_start"] = json!(&stamp(start)?[..10]);
            data["term_end"] = json!(&stamp(start + days * DAY)?[..10]);
        }
        Ok(("subscription.changed", data))
    }

    fn invoice(&mut self) -> (&'static str, Value) {
        let status = self.random.word(&["paid", "paid", "paid", "failed", "voided", "uncollectible"]);
        let mut data = json!({"invoice": format!("i{}", self.random.below(4)), "status": status,
            "amount": self.amount(), "currency": self.random.word(&["EUR", "USD"])});
        if self.random.chance(20) {
            data["order"] = json!(format!("o{}", self.random.below(1_000)));
        }
        ("invoice.resolved", data)
    }

    /// A refund of an invoice, or of nothing.
    fn credit(&mut self) -> (&'static str, Value) {
        let mut data = json!({"amount": self.amount(), "currency": self.random.word(&["EUR", "USD"])});
        if self.random.chance(70) {
            data["invoice"] = json!(format!("i{}", self.random.below(5)));
        }
        ("payment.refunded", data)
    }

    fn ticket(&mut self) -> (&'static str, Value) {
        let mut data = json!({"ticket": format!("t{}", self.random.below(6))});
        match self.random.below(10) {
            0..3 => {
                data["channel"] = json!(self.random.word(&["email", "phone", "chat"]));
                data["opened_by"] = json!(self.random.word(&["customer", "customer", "agent"]));
                if self.random.chance(80) {
                    data["topic"] = json!(self.random.word(&["billing", "login"]));
                }
                ("ticket.opened", data)
            }
            3..7 => {
                data["author"] = json!(self.random.word(&["agent", "agent", "customer", "bot"]));
                if self.random.chance(20) {
                    data["public"] = json!(false);
                }
                ("ticket.message", data)
            }
            _ => {
                let to = ["open", "pending", "solved", "solved", "solved", "closed", "reopened", "merged"];
                data["to"] = json!(self.random.word(&to));
                ("ticket.status_changed", data)
            }
        }
    }

    fn answer(&mut self) -> (&'static str, Value) {
        let kind = self.random.word(&["nps", "ces", "csat"]);
        let mut data = json!({"kind": kind, "survey": self.random.word(&["q1", "q2"])});
        if self.random.chance(70) {
            data["respondent"] = json!(self.random.word(&["ann", "bob"]));
        }
        let (mut min, mut max) = match kind {
            "nps" => (0, 10),
            "ces" => (1, 7),
            _ => (1, 5),
        };
        if kind != "nps" && self.random.chance(30) {
            (min, max) = (0, 1 + self.random.signed(11));
            data["scale_min"] = json!(min);
            data["scale_max"] = json!(max);
        }
        if kind != "nps" && self.random.chance(30) {
            data["higher_is_better"] = json!(self.random.chance(50));
        }
        data["score"] = json!(min + self.random.signed(max - min + 1));
        ("survey.answered", data)
    }

    fn deal(&mut self) -> (&'static str, Value) {
        let mut data = json!({"opportunity": format!("d{}", self.random.below(4))});
        let what = self.random.below(10);
        if what < 7 && (what < 3 || self.random.chance(60)) {
            data["amount"] = json!(self.amount());
            data["currency"] = json!(self.random.word(&["EUR", "EUR", "EUR", "USD"]));
        }
        if what < 5 {
            data["probability"] =
                json!([0.1, 0.25, 0.5, 0.75, 1.0][usize::try_from(self.random.below(5)).unwrap_or(0)]);
            data["stage"] = json!(self.random.word(&["demo", "offer", "trial"]));
            data["owner"] = json!(self.random.word(&["ann", "bob"]));
        }
        match what {
            0..3 => {
                data["kind"] = json!(self.random.word(&["new", "expansion", "renewal"]));
                ("opportunity.opened", data)
            }
            3..5 => ("opportunity.changed", data),
            5..9 => {
                data["outcome"] = json!(self.random.word(&["won", "lost"]));
                ("opportunity.closed", data)
            }
            _ => ("opportunity.reopened", data),
        }
    }

    fn lead(&mut self) -> (&'static str, Value) {
        let mut data = json!({"lead": format!("l{}", self.random.below(self.config.accounts))});
        match self.random.below(10) {
            0..4 => {
                data["source"] = json!(self.random.word(&["ads", "web"]));
                data["owner"] = json!(self.random.word(&["ann", "bob"]));
                ("lead.created", data)
            }
            4..7 => {
                data["automated"] = json!(self.random.chance(30));
                ("lead.contacted", data)
            }
            7 => {
                data["account"] = json!("acc-1");
                ("lead.converted", data)
            }
            _ => {
                data["to"] = json!(self.random.word(&["qualified", "disqualified", "recycled"]));
                ("lead.status_changed", data)
            }
        }
    }

    fn offer(&mut self) -> (&'static str, Value) {
        let kind = self.random.word(&["offer.made", "offer.accepted"]);
        let what = self.random.word(&["upsell", "cross_sell"]);
        (kind, json!({"offer": format!("f{}", self.random.below(50)), "kind": what}))
    }

    fn cost(&mut self, time: Micros) -> Result<(&'static str, Value), Error> {
        let mut data = json!({"bucket": self.random.word(&["acquisition", "retention"]), "amount": self.amount(),
            "currency": self.random.word(&["EUR", "USD"])});
        if self.random.chance(60) {
            let (one, other) = (self.date(time, 40)?, self.date(time, 40)?);
            if one != other {
                data["period_from"] = json!(one.clone().min(other.clone()));
                data["period_to"] = json!(one.max(other));
            }
        }
        Ok(("cost.recorded", data))
    }

    fn rate(&mut self, time: Micros) -> Result<(&'static str, Value), Error> {
        let (base, quote, around) = match self.random.below(3) {
            0 => ("EUR", "USD", 110),
            1 => ("USD", "EUR", 91),
            _ => ("EUR", "JPY", 16_000),
        };
        let hundredths = around + self.random.signed(20);
        let rate = f64::from(i32::try_from(hundredths).unwrap_or(100)) / 100.0;
        let mut data = json!({"base": base, "quote": quote, "rate": rate});
        if self.random.chance(50) {
            data["valid_from"] = json!(self.date(time, 30)?);
        }
        Ok(("fx.rate_set", data))
    }

    fn goal(&mut self, time: Micros) -> Result<(&'static str, Value), Error> {
        let metric = self.random.word(&[
            "nps",
            "orders",
            "customers",
            "net_revenue",
            "win_rate",
            "new_mrr",
            "net_revenue_retention",
            "gross_revenue_retention",
            "customer_lifetime_value",
            "customer_churn_rate",
            "engagement_rate",
            "response_time_p50",
            "lead_response_time_p90",
        ]);
        let money =
            metric.ends_with("_retention") || matches!(metric, "net_revenue" | "new_mrr" | "customer_lifetime_value");
        let target = self.random.signed(100) * if metric.contains("response_time") { 3_600 } else { 1 };
        let mut data = json!({"goal": format!("g{}", self.random.below(3)), "metric": metric,
            "target": target, "window": self.random.word(&["1mo", "1q"]), "due": self.date(time + 60 * DAY, 40)?});
        if money {
            data["currency"] = json!("EUR");
        } else if self.random.chance(30) && metric != "win_rate" {
            data["dimensions"] = json!({"plan": self.random.word(&["free", "pro"])});
        }
        Ok(("goal.set", data))
    }

    /// Into an account of a greater number, so that links make no circle.
    fn link(&mut self, account: &mut String) -> (&'static str, Value) {
        let from = self.random.below(self.config.accounts);
        let to = from + 1 + self.random.below(self.config.accounts);
        *account = format!("acc-{from}");
        ("identity.linked", json!({"from": account, "to": format!("acc-{to}")}))
    }

    fn guest(&mut self) -> (&'static str, Value) {
        let order = format!("g{}", self.random.below(500));
        let amount = self.amount();
        match self.random.below(4) {
            0 => ("payment.refunded", json!({"order": order, "amount": amount, "currency": "EUR"})),
            1 => ("order.cancelled", json!({"order": order})),
            _ => ("order.completed", json!({"order": order, "gross": amount, "currency": "EUR", "channel": "web"})),
        }
    }
}
