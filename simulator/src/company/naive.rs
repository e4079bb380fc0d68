//! Totals counted from the lines alone, as plainly as possible: every state is asked of the whole past, again and again.
//!
//! It shares no code with the books, and knows no noise: lines of a company without drafts, mistakes and duplicates.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;

use crate::Totals;

const SILENT_US: i64 = 90 * 86_400_000_000;

/// Figure, month and group.
type Key = (String, String, String);

struct Event {
    at_us: i64,
    kind: String,
    account: String,
    data: Value,
}

impl Event {
    fn text(&self, field: &str) -> String {
        self.data[field].as_str().unwrap_or_default().to_owned()
    }

    fn number(&self, field: &str) -> i64 {
        self.data[field].as_i64().unwrap_or(0)
    }
}

fn instant(text: &str) -> i64 {
    text.parse::<Timestamp>().unwrap().as_microsecond()
}

fn month(at_us: i64) -> String {
    Timestamp::from_microsecond(at_us).unwrap().to_string()[..7].to_owned()
}

/// Sums and counts of what happened, by the month in which it counts.
fn flows(events: &[Event]) -> BTreeMap<Key, i64> {
    let mut flows = BTreeMap::new();
    let mut add = |figure: &str, at_us: i64, group: &str, amount: i64| {
        *flows.entry((figure.to_owned(), month(at_us), group.to_owned())).or_default() += amount;
    };
    let of = |kind: &'static str| events.iter().filter(move |event| event.kind == kind);
    let last = |kind: &'static str, id: &'static str| {
        of(kind).map(|event| (event.text(id), event)).collect::<BTreeMap<String, &Event>>()
    };

    let cancelled: BTreeSet<String> = of("order.cancelled").map(|event| event.text("order")).collect();
    for order in of("order.completed").filter(|event| !cancelled.contains(&event.text("order"))) {
        let net = order.number("gross") - order.number("discount");
        add("orders", order.at_us, "", 1);
        for figure in ["order_revenue", "order_revenue_net", "net_revenue"] {
            add(figure, order.at_us, &order.text("currency"), net);
        }
    }
    for refund in of("payment.refunded") {
        add("net_revenue", refund.at_us, &refund.text("currency"), -refund.number("amount"));
        if refund.data.get("order").is_some() {
            add("order_revenue_net", refund.at_us, &refund.text("currency"), -refund.number("amount"));
        }
    }
    let mut paid = BTreeSet::new();
    for invoice in of("invoice.resolved").filter(|event| event.data["status"] == "paid") {
        if invoice.data.get("order").is_none() && paid.insert(invoice.text("invoice")) {
            add("net_revenue", invoice.at_us, &invoice.text("currency"), invoice.number("amount"));
        }
    }

    let created = last("lead.created", "lead");
    created.values().for_each(|lead| add("leads_created", lead.at_us, "", 1));
    let converted = last("lead.converted", "lead");
    converted.keys().for_each(|lead| add("leads_converted", created[lead].at_us, "", 1));

    of("ticket.opened").for_each(|ticket| add("tickets_opened", ticket.at_us, "", 1));
    let to = |to: &'static str| {
        let changes = of("ticket.status_changed").filter(move |event| event.data["to"] == to);
        changes.map(|event| (event.text("ticket"), event.at_us)).rev().collect::<BTreeMap<String, i64>>()
    };
    let mut solved = to("closed");
    solved.extend(to("solved"));
    solved.values().for_each(|at_us| add("tickets_solved", *at_us, "", 1));

    for ((survey, _), answer) in of("survey.answered")
        .filter(|event| event.data["kind"] == "nps")
        .map(|event| ((event.text("survey"), event.text("respondent")), event))
        .collect::<BTreeMap<_, _>>()
    {
        assert!(survey.starts_with("nps"), "{survey}");
        let score = answer.number("score");
        let class = if score >= 9 {
            "promoters"
        } else if score >= 7 {
            "passives"
        } else {
            "detractors"
        };
        add("nps_answers", answer.at_us, class, 1);
    }
    deals(events, &mut add);
    flows
}

/// The last outcome of each deal, unless it was reopened after.
fn deals(events: &[Event], add: &mut impl FnMut(&str, i64, &str, i64)) {
    let mut amounts = BTreeMap::<String, (String, i64)>::new();
    let mut outcomes = BTreeMap::<String, (String, i64)>::new();
    for event in events.iter().filter(|event| event.kind.starts_with("opportunity.")) {
        let deal = event.text("opportunity");
        if event.data.get("amount").is_some() {
            amounts.insert(deal.clone(), (event.text("currency"), event.number("amount")));
        }
        match event.kind.as_str() {
            "opportunity.closed" => drop(outcomes.insert(deal, (event.text("outcome"), event.at_us))),
            "opportunity.reopened" => drop(outcomes.remove(&deal)),
            _ => {}
        }
    }
    for (deal, (outcome, at_us)) in outcomes {
        let (currency, amount) = &amounts[&deal];
        match outcome.as_str() {
            "won" => {
                add("deals_won", at_us, currency, 1);
                add("deals_won_amount", at_us, currency, *amount);
            }
            _ => add("deals_lost", at_us, "", 1),
        }
    }
}

/// What an account paid a month, and whether it was a customer, at any instant.
#[derive(Default)]
struct Past {
    currency: String,
    /// By subscription: what is paid from an instant on.
    paying: BTreeMap<String, Vec<(i64, i64)>>,
    orders: Vec<i64>,
}

impl Past {
    fn mrr(&self, at_us: i64) -> i64 {
        let last =
            |changes: &Vec<(i64, i64)>| changes.iter().rev().find(|(from, _)| *from < at_us).map(|(_, mrr)| *mrr);
        self.paying.values().filter_map(last).sum()
    }

    fn is_customer(&self, at_us: i64) -> bool {
        self.mrr(at_us) > 0 || self.orders.iter().any(|order| *order < at_us && at_us <= order + SILENT_US)
    }

    /// Instants after which it may be none any more.
    fn ends(&self) -> BTreeSet<i64> {
        let paying = self.paying.values().flatten().map(|(at_us, _)| *at_us);
        paying.chain(self.orders.iter().map(|order| order + SILENT_US)).collect()
    }
}

fn pasts(events: &[Event]) -> BTreeMap<String, Past> {
    let of = |kind: &'static str| events.iter().filter(move |event| event.kind == kind);
    let linked: BTreeMap<String, String> =
        of("identity.linked").map(|event| (event.text("from"), event.text("to"))).collect();
    let cancelled: BTreeSet<String> = of("order.cancelled").map(|event| event.text("order")).collect();
    let mut pasts = BTreeMap::<String, Past>::new();
    for event in events.iter().filter(|event| !event.account.is_empty()) {
        let past = pasts.entry(linked.get(&event.account).unwrap_or(&event.account).clone()).or_default();
        match event.kind.as_str() {
            "order.completed" if !cancelled.contains(&event.text("order")) => past.orders.push(event.at_us),
            "subscription.changed" => {
                let paid = ["active", "past_due"].contains(&event.text("status").as_str());
                let term_us = event.data["term_start"].as_str().filter(|_| paid).map_or(0, instant);
                let changes = past.paying.entry(event.text("subscription")).or_default();
                changes.push((event.at_us.max(term_us), if paid { event.number("mrr") } else { 0 }));
                if paid {
                    past.currency = event.text("currency");
                }
            }
            _ => {}
        }
    }
    pasts
}

/// Fails unless the totals are what the lines say; returns how many figures were compared.
pub(super) fn assert_true(totals: &Totals, lines: &[String], to_us: i64) -> usize {
    let parse = |line: &String| {
        let event: Value = serde_json::from_str(line).unwrap();
        let text = |field: &str| event[field].as_str().unwrap_or_default().to_owned();
        Event {
            at_us: instant(&text("time")),
            kind: text("type"),
            account: text("account"),
            data: event["data"].clone(),
        }
    };
    let mut events: Vec<Event> = lines.iter().map(parse).collect();
    events.sort_by_key(|event| event.at_us);

    let mut expected = flows(&events);
    let pasts = pasts(&events);
    let months: BTreeSet<String> = totals.figures().map(|(_, month, ..)| month.to_owned()).collect();
    for month in &months {
        let start = instant(&format!("{month}-01T00:00:00Z"));
        let next = months.range(month.clone()..).nth(1).map_or(to_us, |next| instant(&format!("{next}-01T00:00:00Z")));
        let mut add = |figure: &str, group: &str, amount| {
            *expected.entry((figure.to_owned(), month.clone(), group.to_owned())).or_default() += amount;
        };
        for past in pasts.values() {
            add("customers", "", i64::from(past.is_customer(next)));
            add("mrr", &past.currency, past.mrr(next));
            add("net_new_mrr", &past.currency, past.mrr(next) - past.mrr(start));
        }
    }
    expected.retain(|_, amount| *amount != 0);
    let known = totals.figures().filter(|(.., amount)| *amount != 0);
    let known: BTreeMap<Key, i64> = known
        .map(|(figure, month, group, amount)| ((figure.to_owned(), month.to_owned(), group.to_owned()), amount))
        .collect();
    for (key, amount) in &expected {
        assert_eq!(known.get(key), Some(amount), "{key:?}");
    }
    assert_eq!(known, expected);

    let mut lost = Vec::new();
    for (account, past) in &pasts {
        let ends = past.ends().into_iter().filter(|at| *at < to_us);
        lost.extend(
            ends.filter(|at| past.is_customer(*at) && !past.is_customer(at + 1)).map(|at| (at, account.clone())),
        );
    }
    lost.sort();
    assert_eq!(totals.lost, lost);
    expected.keys().map(|(figure, ..)| figure).collect::<BTreeSet<_>>().len()
}
