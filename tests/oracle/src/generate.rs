//! Random events in order of arrival, for end-to-end tests: late and out of order, sent twice (also with other
//! content), corrected, retracted, cancelled, refunded before and after their order, order and refund ids used again,
//! trait changes, usage, several currencies, lines with products, other types, and times that meet: the same instant,
//! midnight, exactly 90 days after an order. With `all` every type of the vocabulary: leads, deals, subscriptions, invoices,
//! tickets, surveys, offers, costs, rates, goals, merged accounts, guests. The same configuration gives the same bytes.

mod life;

use crate::row::stamp;
use crate::{Error, Micros};
use serde_json::{Map, Value, json};
use std::io::Write;

const SECOND: Micros = 1_000_000;
const DAY: Micros = 86_400 * SECOND;

/// What to make.
#[derive(Clone, Debug)]
pub struct Config {
    /// Equal seeds, equal events.
    pub seed: u64,
    /// How many events; duplicates come on top.
    pub events: usize,
    /// Among how many accounts.
    pub accounts: u64,
    /// The first possible event time.
    pub start: Micros,
    /// Over how many days.
    pub days: i64,
    /// One event in twenty arrives up to so many days late.
    pub late_days: i64,
    /// Every type of the vocabulary, and not only those of a shop.
    pub all: bool,
    /// As in a log: each event with `recordedat` (its arrival), ticks at midnights (UTC) and at the end.
    pub log: bool,
}

impl Default for Config {
    fn default() -> Self {
        // 2024-01-01T00:00:00Z
        Self {
            seed: 1,
            events: 10_000,
            accounts: 500,
            start: 1_704_067_200 * SECOND,
            days: 400,
            late_days: 30,
            all: false,
            log: false,
        }
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    fn signed(&mut self, bound: i64) -> i64 {
        i64::try_from(self.below(bound.max(1).unsigned_abs())).unwrap_or(0)
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> Option<T> {
        let index = usize::try_from(self.below(from.len().try_into().unwrap_or(u64::MAX))).unwrap_or(0);
        from.get(index).cloned()
    }

    fn word(&mut self, from: &[&'static str]) -> &'static str {
        self.pick(from).unwrap_or_default()
    }
}

/// A made event, as later ones refer to it.
#[derive(Clone, Debug)]
struct Made {
    account: String,
    source: &'static str,
    id: String,
    time: Micros,
    order: Option<(String, i64, &'static str)>,
    kind: &'static str,
    /// Kept for corrections of any type.
    data: Value,
}

struct Maker<'c> {
    config: &'c Config,
    random: Random,
    made: Vec<Made>,
    /// Arrival, serial number, event.
    arrivals: Vec<(Micros, usize, Value)>,
}

const SOURCES: [&str; 3] = ["shop", "app", "crm"];

/// Writes the events, one JSON object a line.
pub fn write(config: &Config, out: &mut impl Write) -> Result<(), Error> {
    let mut maker = Maker { config, random: Random(config.seed), made: Vec::new(), arrivals: Vec::new() };
    for number in 0..config.events {
        maker.make(number)?;
    }
    maker.arrivals.sort_by_key(|(at, serial, _)| (*at, *serial));
    let mut midnight = config.start;
    for (at, _, event) in &mut maker.arrivals {
        if config.log {
            while midnight < *at {
                tick(midnight, out)?;
                midnight += DAY;
            }
            event["recordedat"] = json!(stamp(*at)?);
        }
        writeln!(out, "{event}")?;
    }
    match maker.arrivals.last() {
        Some((at, _, _)) if config.log => tick(*at, out),
        _ => Ok(()),
    }
}

fn tick(at: Micros, out: &mut impl Write) -> Result<(), Error> {
    writeln!(out, "{}", json!({"tick": stamp(at)?, "partition": 0}))?;
    Ok(())
}

impl Maker<'_> {
    fn make(&mut self, number: usize) -> Result<(), Error> {
        let account = self.account();
        let time = self.time(&account);
        if self.config.all && self.random.chance(70) {
            return self.life(number, &account, time);
        }
        match self.random.below(100) {
            0..38 => self.order(number, &account, time),
            38..62 => self.usage(number, &account, time),
            62..72 => self.traits(number, &account, time),
            72..77 => self.cancel(number, account, time),
            77..86 => self.refund(number, account, time),
            86..91 => self.correct(number, time),
            91..94 => self.retract(number, time),
            _ => self.other(number, &account, time),
        }
    }

    /// Some accounts are busy, many are quiet for months.
    fn account(&mut self) -> String {
        let (a, b) = (self.random.below(self.config.accounts), self.random.below(self.config.accounts));
        format!("acc-{}", if self.random.chance(50) { a.min(b) } else { a })
    }

    fn time(&mut self, account: &str) -> Micros {
        let end = self.config.start + self.config.days * DAY;
        let any = self.config.start + self.random.signed(self.config.days * DAY);
        let rounded = match self.random.below(10) {
            0 => any - any % DAY,
            1 => any - any % (3_600 * SECOND),
            2 => self.meeting(account).unwrap_or(any),
            3..8 => any - any % SECOND,
            _ => any,
        };
        rounded.min(end - 1)
    }

    /// An instant at which something of the account falls due.
    fn meeting(&mut self, account: &str) -> Option<Micros> {
        let own: Vec<Micros> =
            self.made.iter().rev().filter(|m| m.account == account).take(8).map(|m| m.time).collect();
        let days = [0, 7, 14, 30, 60, 90, 90, 90][usize::try_from(self.random.below(8)).unwrap_or(0)];
        Some(self.random.pick(&own)? + days * DAY + self.random.signed(3) - 1)
    }

    fn amount(&mut self) -> i64 {
        self.random.signed(50_000)
    }

    fn currency(&mut self, account: &str) -> &'static str {
        let home =
            ["EUR", "EUR", "USD", "EUR", "JPY"][account.len() * account.bytes().map(usize::from).sum::<usize>() % 5];
        // Nobody ever says what a pound is worth.
        let others: &[&'static str] =
            if self.config.all { &["EUR", "USD", "JPY", "GBP"] } else { &["EUR", "USD", "JPY"] };
        if self.random.chance(8) { self.random.word(others) } else { home }
    }

    fn order_data(&mut self, account: &str) -> (Value, (String, i64, &'static str)) {
        let order = format!("o{}", self.random.below(1_000));
        let (gross, currency) = (self.amount(), self.currency(account));
        let mut data = json!({"order": order, "gross": gross, "currency": currency});
        if self.random.chance(30) {
            data["discount"] = json!(self.random.signed(gross + 1));
        }
        if self.random.chance(80) {
            data["channel"] = json!(self.random.word(&["web", "store", "phone"]));
        }
        if self.random.chance(50) {
            data["source"] = json!(self.random.word(&["ads", "mail"]));
        }
        if self.random.chance(60) {
            data["lines"] = self.lines(gross);
        }
        (data, (order, gross, currency))
    }

    fn lines(&mut self, gross: i64) -> Value {
        let mut left = gross;
        let mut lines = Vec::new();
        for _ in 0..self.random.below(4) {
            let amount = if self.random.chance(30) { left } else { self.random.signed(left + 1) };
            left -= amount;
            let mut line = json!({"quantity": 1 + self.random.below(3), "amount": amount});
            if self.random.chance(95) {
                line["product"] = json!(self.random.word(&["tea", "cup", "pot", "kettle", "tray"]));
            }
            lines.push(line);
        }
        json!(lines)
    }

    fn order(&mut self, number: usize, account: &str, time: Micros) -> Result<(), Error> {
        let (data, order) = self.order_data(account);
        self.push(number, account, "order.completed", time, data, Some(order), None)
    }

    fn usage(&mut self, number: usize, account: &str, time: Micros) -> Result<(), Error> {
        let data = self.usage_data();
        self.push(number, account, "usage.recorded", time, data, None, None)
    }

    fn usage_data(&mut self) -> Value {
        let mut data = json!({"user": format!("u{}", self.random.below(5)), "name": "login"});
        if self.random.chance(50) {
            data["count"] = json!(self.random.below(4));
        }
        data
    }

    fn traits(&mut self, number: usize, account: &str, time: Micros) -> Result<(), Error> {
        let data = self.traits_data();
        self.push(number, account, "account.updated", time, data, None, None)
    }

    fn traits_data(&mut self) -> Value {
        let mut traits = Map::new();
        let values: [(&str, &[&'static str]); 3] =
            [("plan", &["free", "pro", "team"]), ("segment", &["smb", "ent"]), ("region", &["eu", "us", "apac"])];
        for (name, words) in values {
            match self.random.below(10) {
                0..5 => drop(traits.insert(name.to_owned(), json!(self.random.word(words)))),
                5 => drop(traits.insert(name.to_owned(), Value::Null)),
                _ => {}
            }
        }
        json!({"traits": traits})
    }

    /// An order made earlier, with its account; sometimes one that nobody knows.
    fn known_order(&mut self, account: String) -> (String, (String, i64, &'static str), Option<Micros>) {
        let recent: Vec<Made> = (0..20).filter_map(|_| self.random.pick(&self.made)).collect();
        match recent.into_iter().find_map(|m| Some((m.account, m.order?, Some(m.time)))) {
            Some(found) if !self.random.chance(5) => found,
            _ => (account, ("unknown".to_owned(), 1_000, "EUR"), None),
        }
    }

    fn cancel(&mut self, number: usize, account: String, time: Micros) -> Result<(), Error> {
        let (account, (order, _, _), at) = self.known_order(account);
        let time = self.near(at, time);
        self.push(number, &account, "order.cancelled", time, json!({"order": order}), None, None)
    }

    fn refund(&mut self, number: usize, account: String, time: Micros) -> Result<(), Error> {
        let (account, (order, gross, currency), at) = self.known_order(account);
        let mut data = json!({"order": order, "amount": self.random.signed(gross + 1), "currency": currency});
        if self.random.chance(70) {
            data["refund"] = json!(format!("r{}", self.random.below(2_000)));
        }
        let time = self.near(at, time);
        self.push(number, &account, "payment.refunded", time, data, None, None)
    }

    /// Mostly some days after, sometimes just before.
    fn near(&mut self, at: Option<Micros>, otherwise: Micros) -> Micros {
        let Some(at) = at.filter(|_| self.random.chance(80)) else { return otherwise };
        let end = self.config.start + self.config.days * DAY - 1;
        let shift = if self.random.chance(10) { -self.random.signed(DAY) } else { self.random.signed(20 * DAY) };
        (at + shift).clamp(self.config.start, end)
    }

    fn correct(&mut self, number: usize, time: Micros) -> Result<(), Error> {
        let Some(old) = self.random.pick(&self.made) else { return Ok(()) };
        let account = if self.random.chance(5) { self.account() } else { old.account.clone() };
        let again = if self.config.all { 8 } else { 3 };
        let (kind, data, order) = match self.random.below(again) {
            3.. => {
                let data = self.changed(&old.data);
                return self.push(number, &account, old.kind, old.time, data, old.order, Some((old.source, old.id)));
            }
            0 => ("usage.recorded", self.usage_data(), None),
            1 => ("account.updated", self.traits_data(), None),
            _ => {
                let (data, order) = self.order_data(&account);
                ("order.completed", data, Some(order))
            }
        };
        let time = if self.random.chance(60) { old.time } else { self.near(Some(old.time), time) };
        self.push(number, &account, kind, time, data, order, Some((old.source, old.id)))
    }

    fn retract(&mut self, number: usize, time: Micros) -> Result<(), Error> {
        let Some(old) = self.random.pick(&self.made) else { return Ok(()) };
        let account = if self.random.chance(5) { self.account() } else { old.account.clone() };
        let time = self.near(Some(old.time), time);
        let mut data = json!({"event": old.id, "of_source": old.source});
        if let Some(lead) = old.data.get("lead").filter(|_| account.is_empty()) {
            data["lead"] = lead.clone();
        }
        self.push(number, &account, "retracted", time, data, None, None)
    }

    fn other(&mut self, number: usize, account: &str, time: Micros) -> Result<(), Error> {
        let serial = format!("x{number}");
        let (kind, data) = match self.random.below(4) {
            0 => (
                "ticket.opened",
                json!({"ticket": serial, "channel": "email", "topic": "billing", "priority": "normal", "opened_by": "customer"}),
            ),
            1 => ("survey.answered", json!({"survey": "s1", "respondent": serial, "kind": "nps", "score": 9})),
            2 => ("lead.created", json!({"lead": serial, "source": "ads", "owner": "ann"})),
            _ => ("cost.recorded", json!({"bucket": "acquisition", "amount": 5_000, "currency": "EUR"})),
        };
        self.push(number, account, kind, time, data, None, None)
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of an event, each named at the call")]
    fn push(
        &mut self,
        number: usize,
        account: &str,
        kind: &'static str,
        time: Micros,
        data: Value,
        order: Option<(String, i64, &'static str)>,
        corrects: Option<(&'static str, String)>,
    ) -> Result<(), Error> {
        let source = self.random.word(&SOURCES);
        // An id may be another source's too.
        // Not where accounts are merged: which of two events of one id then holds is nobody's to say.
        let id = format!("e{}", if self.random.chance(3) && !self.config.all { number / 2 } else { number });
        let mut event =
            json!({"specversion": "1.0", "id": id, "source": source, "type": kind, "time": stamp(time)?, "data": data});
        let of_account = !["lead.", "cost.", "fx.", "goal."].iter().any(|family| kind.starts_with(family));
        if of_account && !account.is_empty() {
            event["account"] = json!(account);
        }
        if of_account || self.config.all {
            let account = if of_account { account.to_owned() } else { String::new() };
            let data = if self.config.all { event["data"].clone() } else { Value::Null };
            self.made.push(Made { account, source, id, time, order, kind, data });
        }
        if let Some((of, id)) = corrects {
            event["corrects"] = json!(id);
            if of != source {
                event["ofsource"] = json!(of);
            }
        }
        self.arrive(number, kind, time, event);
        Ok(())
    }

    fn arrive(&mut self, number: usize, kind: &str, time: Micros, event: Value) {
        let delay = match self.random.below(20) {
            0 => self.random.signed(self.config.late_days * DAY),
            1..4 => self.random.signed(3 * DAY),
            _ => self.random.signed(30 * SECOND),
        };
        let at = time + delay;
        if self.random.chance(4) {
            let mut again = event.clone();
            if kind == "order.completed" && self.random.chance(40) {
                again["data"]["gross"] = json!(60_000);
            }
            self.arrivals.push((at + self.random.signed(10 * DAY), number, again));
        }
        self.arrivals.push((at, number, event));
    }
}
