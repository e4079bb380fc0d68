//! The engine against itself: any order of arrival gives the same numbers as the order of facts.

use proptest::prelude::*;

use std::collections::BTreeSet;

use super::{explain::Brought, *};
use crate::{
    calendar::{DAY, HOUR, Kind},
    catalog::{BUILT_IN, Catalog},
    event::{Custom, EventId, Fields},
    lifecycle::golden::Said,
    projection::Projected,
    settings::Settings,
};

mod mrr;

/// A number as text that lives as long as the tests.
fn text(number: impl ToString) -> &'static str {
    Box::leak(number.to_string().into())
}

fn event(time: Time, id: u32, corrects: Option<u32>, said: Said) -> Event<'static> {
    let corrects = corrects.map(|id| EventId { source: "s", id: text(id) });
    Event { corrects, ..said.event(time, text(id)) }
}

/// An event of a type that nobody knows.
fn other() -> Said {
    Said::new("other", &[])
}

/// Everything that was ever added, by series and slice, as text.
#[derive(Default)]
struct Sums(BTreeMap<(usize, Vec<String>, Time), Vec<i128>>);

impl Sums {
    fn add(&mut self, engine: &Engine, rows: Rows) {
        for ((series, slice), row) in rows {
            let (bundle, values) = engine.describe(series);
            let key = (bundle, values.into_iter().map(str::to_owned).collect(), slice);
            let sums = self.0.entry(key).or_insert_with(|| vec![0; row.len()]);
            sums.iter_mut().zip(row.iter()).for_each(|(sum, value)| *sum += value);
        }
        self.0.retain(|_, sums| sums.iter().any(|sum| *sum != 0));
    }
}

/// The built-in catalog, what is kept by account and day, and measures of accounts with filters.
fn plan() -> Arc<Plan> {
    plan_with(&Settings::default())
}

fn plan_with(settings: &Settings) -> Arc<Plan> {
    const KEPT: &str = "
  - name: kept
    title: Usage of a day
    description: Not published.
    unit: count
    per: account
    publish: false
    windows: [1d]
    measures:
      events: {count: event}
      used: {sum: usage.recorded, of: data.count}
      amount: {sum: usage.recorded, of: data.custom.amount, where: data.count > 0}
    value: events

  - name: answers
    title: Answers
    description: Every field of an answer.
    unit: count
    windows: [1d, 1mo, trailing 30d]
    by: [[], [region], [kind], [survey, custom.bot]]
    measures:
      promoters: {count: survey.answered, where: 'data.kind == \"nps\" && data.score >= 9'}
      effort: {sum: answer, of: effort, where: kind == \"ces\"}
      satisfaction: {sum: answer, of: satisfaction}
      middle: {quantile: answer, of: effort, where: kind == \"ces\"}
      easy: {count: answer, where: easy}
      satisfied: {count: answer, where: 'satisfied && !data.custom.bot'}
    value: middle + promoters + effort + satisfaction + easy + satisfied

  - name: recurring
    title: Recurring
    description: Every fact of subscriptions.
    unit: count
    windows: [1d, 1mo, trailing 30d]
    by: [[], [region], [product]]
    measures:
      paying: {level: mrr, where: amount > 100}
      begun: {count: subscription_begun}
      ended: {count: term_ended, where: '!data.custom.bot'}
      renewed: {count: term_ended, where: renewed}
      cheaper: {count: term_ended, where: kept < mrr}
    value: paying + begun + ended + renewed + cheaper

  - name: revenue
    title: Revenue
    description: Amounts of subscriptions.
    unit: money
    windows: [1d, 1mo, trailing 30d]
    by: [[], [region]]
    measures:
      begun: {sum: subscription_begun, of: mrr}
      ended: {sum: term_ended, of: mrr}
      kept: {sum: term_ended, of: kept}
      up: {sum: mrr_moved, of: amount, where: 'kind in [\"new\", \"expansion\", \"reactivation\"]'}
      down: {sum: mrr_moved, of: amount, where: 'kind in [\"contraction\", \"churn\"] && !data.custom.bot'}
      invoiced: {sum: invoice_paid, of: amount, where: '!data.custom.bot'}
      credited: {sum: credit, of: amount, where: invoice != \"3\"}
      gained: {cohort: mrr, then: changed}
      churned: {cohort: mrr, then: lost, where: 'plan == \"1\"'}
    value: begun + ended + kept + up + down + invoiced - credited + gained - churned

  - name: worth
    title: Worth
    description: Revenue of each account.
    unit: money
    per: account
    windows: [to-date]
    measures:
      sold: {sum: order, of: net}
      refunded: {sum: refund, of: amount}
      invoiced: {sum: invoice_paid, of: amount}
      credited: {sum: credit, of: amount}
    value: sold - refunded + invoiced - credited

  - name: worth_of_day
    title: Worth of a day
    description: Revenue of each account by day.
    unit: money
    per: account
    windows: [1d]
    measures:
      sold: {sum: order, of: net}
      refunded: {sum: refund, of: amount}
      invoiced: {sum: invoice_paid, of: amount}
      credited: {sum: credit, of: amount}
      offered: {count: offer_accepted}
    value: sold - refunded + invoiced - credited + offered

  - name: leads
    title: Leads
    description: Every fact of leads.
    unit: count
    windows: [1d, 1mo, trailing 30d]
    by: [[], [region], [source], [owner, custom.bot]]
    measures:
      created: {count: lead, where: 'data.source == \"1\" || custom.bot'}
      converted: {count: lead_converted}
      qualified: {count: lead_qualified}
      decided: {count: lead_decided}
      in_time: {count: lead_decided, where: in_time}
      elapsed: {mean: lead_response, of: elapsed}
    value: created + converted + qualified + decided + in_time + elapsed

  - name: deals
    title: Deals
    description: Every fact of deals but the time by stage.
    unit: money
    every_window: true
    windows: [1d, 1mo, trailing 30d]
    by: [[], [region], [kind], [owner, custom.bot]]
    measures:
      amount: {level: deal_open, of: amount}
      weighted: {level: deal_open, of: weighted, at: start, where: 'data.stage != \"1\"'}
      standing: {level: deal_open}
      opened: {count: deal, where: 'type == \"opportunity.opened\"'}
      closed: {count: deal_closed, where: '!data.custom.bot && type == \"opportunity.closed\"'}
      sold: {sum: deal_closed, of: amount, where: won && data.reason != \"ann\"}
      elapsed: {mean: deal_closed, of: elapsed}
    value: amount * (standing + opened + closed + elapsed) + weighted + sold

  - name: offers
    title: Offers
    description: Every field of accepted offers.
    unit: money
    windows: [1d]
    by: [[], [kind, custom.bot], [product, region]]
    measures:
      value: {sum: offer_accepted, of: value, where: offer != \"1\"}
    value: value

  - name: costs
    title: Costs
    description: Costs as they are spent and later, and what is sold more.
    unit: money
    windows: [1d, trailing 30d]
    by: [[], [custom.bot]]
    measures:
      spent: {sum: cost, of: amount, where: 'bucket == \"retention\"'}
      before: {sum: cost, of: amount, lag: 7d}
      up: {count: upsell}
      cross: {count: cross_sell}
      rates: {count: rate, where: 'base == \"EUR\"'}
    value: spent + before * (up + cross + rates)

  - name: deal_stages
    title: Deals by stage
    description: The levels and the visits.
    unit: count
    windows: [1d, trailing 30d]
    by: [[], [stage], [stage, owner, region, custom.bot]]
    measures:
      took: {mean: deal_time, of: elapsed}
    value: took

  - name: deal_levels
    title: Open deals by stage
    description: The levels.
    unit: count
    every_window: true
    windows: [1d]
    by: [[], [stage], [stage, region]]
    measures:
      open: {level: deal_open}
    value: open

  - name: tickets
    title: Tickets
    description: Every fact of tickets.
    unit: count
    every_window: true
    windows: [1d, 1mo, trailing 30d]
    by: [[], [region], [channel, custom.bot], [topic, priority, opened_by]]
    measures:
      opened: {count: ticket.opened, where: '!data.custom.bot'}
      contacts: {count: customer_contact}
      answered: {count: ticket_answered}
      elapsed: {sum: ticket_answered, of: elapsed}
      solved: {count: ticket_solved, where: '!data.custom.bot && plan != \"1\"'}
      at_first_contact: {count: ticket_solved, where: first_contact}
      waiting: {level: ticket_waiting, where: 'topic == \"1\" || region == \"1\"'}
      open: {level: tickets_open}
      oldest: {min: ticket_waiting, of: opened}
      slowest: {max: ticket_answered, of: elapsed, where: '!data.custom.bot'}
    value: oldest + slowest + opened + contacts + answered + elapsed + solved + at_first_contact + waiting + open

  - name: filtered
    title: Filtered
    description: Every kind of measure of accounts, of some of them only.
    unit: count
    windows: [1d, 1mo, trailing 30d]
    by: [[], [region]]
    measures:
      customers: {level: customer, where: 'plan == \"1\"'}
      not_tests: {level: customer, where: '!traits.test'}
      started: {count: customer_started, where: 'plan == \"1\"'}
      lost: {count: customer_lost, where: 'plan == \"1\"'}
      lost_of_start: {count: customer_lost, traits: start, where: 'plan == \"1\"'}
      churned: {cohort: customer, then: lost, where: '!traits.test'}
      engaged: {distinct: meaningful, among: customer, where: '!traits.test && data.custom.bot != true'}
      big: {distinct: order, where: net > 2000 && !data.custom.bot}
      refunded: {distinct: refund, where: '!data.custom.bot'}
      begun: {distinct: customer_started}
      moving: {distinct: mrr_moved, among: customer, where: 'kind != \"churn\"'}
      gone: {distinct: customer_lost, where: 'plan == \"1\"'}
      cancelled: {distinct: order.cancelled}
      touched: {distinct: event}
      dealing: {distinct: deal_closed, where: won}
      accepting: {distinct: offer.accepted, where: 'kind == \"upsell\"'}
      answering: {distinct: answer, among: customer, where: 'score > 3 && plan == \"1\"'}
      banded: {level: scored, where: 'band != \"critical\"'}
      writing: {distinct: customer_contact, where: topic == \"1\"}
      upsold: {distinct: upsell, among: customer, at: start, where: 'plan == \"1\"'}
      cross_sold: {distinct: cross_sell, among: customer, at: start}
    value: banded + upsold + cross_sold + writing + answering + moving + customers + not_tests + started + lost + lost_of_start + churned + engaged + big + refunded + begun + gone + cancelled + touched + dealing + accepting
";
    let catalog = Catalog::parse(&format!("{BUILT_IN}{KEPT}")).unwrap();
    Arc::new(Plan::lower(&catalog, settings).unwrap())
}

#[test]
fn what_is_not_published_is_kept_by_account_and_day() {
    let usage = |time, id, count, amount| Event {
        custom: vec![("amount", Custom::Integer(amount))],
        ..event(time, id, None, Said::usage(count))
    };
    let plan = plan();
    assert!(plan.metrics.iter().all(|metric| metric.name != "kept"), "it has no topic");
    let mut engine = Engine::new(plan, Time::MIN);
    let slot = engine.load("a", &[], []).unwrap();
    let in_order = vec![usage(10 * DAY + HOUR, 1, 2, 5), usage(12 * DAY, 2, 3, -7), usage(12 * DAY + HOUR, 3, 0, 100)];
    for event in &in_order {
        assert_eq!(
            engine.apply(slot, event, None),
            Outcome::Applied { late: false, waits: false, measured: true, found: Found::default() }
        );
    }
    // Late, so that the journal is folded again.
    let late = usage(11 * DAY, 4, 1, 1);
    assert_eq!(engine.apply(slot, &late, None), Outcome::NeedsJournal);
    engine.apply(slot, &late, Some(in_order));
    // Days with usage, which the score counts; then measures in the order of their names.
    let rows = [(10, vec![1, 5, 1, 2]), (11, vec![1, 1, 1, 1]), (12, vec![1, -7, 2, 3])];
    assert_eq!(daily(&mut engine, slot), rows);
    engine.close(13 * DAY, |_| {});
    let mut stored = Vec::new();
    engine.flush(0, |_, _, bytes, _| stored = bytes.to_vec());
    let slot = engine.load("a", &stored, []).unwrap();
    assert_eq!(daily(&mut engine, slot), rows, "it comes back from disk");
    engine.apply(slot, &usage(900 * DAY, 9, 1, 1), None);
    assert_eq!(daily(&mut engine, slot), [(900, vec![1, 1, 1, 1])], "no window looks back to the days before");
}

#[test]
fn what_waits_counts_once_what_it_names_has_come() {
    let mut engine = Engine::new(plan(), Time::MIN);
    let slot = engine.load("a", &[], []).unwrap();
    let mut journal = Vec::new();
    let mut apply = |event: Event<'static>| {
        let mut outcome = engine.apply(slot, &event, None);
        if outcome == Outcome::NeedsJournal {
            outcome = engine.apply(slot, &event, Some(journal.clone()));
        }
        journal.push(event);
        let Outcome::Applied { waits, found, .. } = outcome else { panic!("{outcome:?}") };
        (waits, found.on_time + found.late)
    };
    let refund = |refund| Said::refund(refund, "o", "", 5);
    let order = |order| Said::order(order, 100, 0, "USD", &[]);
    assert_eq!(apply(event(2 * DAY, 1, None, refund("1"))), (true, 0), "its order is not there");
    assert_eq!(apply(event(3 * DAY, 2, None, Said::cancelled("o"))), (true, 0));
    assert_eq!(apply(event(3 * DAY, 3, None, order("p"))), (false, 0), "another order");
    assert_eq!(apply(event(DAY, 4, None, order("o"))), (false, 2), "both count");
    assert_eq!(apply(event(4 * DAY, 5, None, refund("2"))), (false, 0), "it is there");
    assert_eq!(apply(event(4 * DAY, 6, None, order("o"))), (false, 0), "nobody waits any more");
    assert_eq!(apply(event(5 * DAY, 7, None, Said::retracted("9"))), (true, 0));
    assert_eq!(apply(event(5 * DAY, 8, Some(9), order("q"))), (false, 0), "a correction is an event like any other");
    assert_eq!(apply(event(5 * DAY, 9, None, Said::usage(0))), (false, 1));
}

fn daily(engine: &mut Engine, slot: Slot) -> Vec<(Day, Vec<i128>)> {
    let index = engine.open(slot);
    engine.hot.opened(index).account.daily.rows().map(|(day, sums)| (day, sums.to_vec())).collect()
}

/// What each instant projects, by its clock.
type Coming = BTreeMap<Time, Vec<Projected>>;

/// What comes if nothing happens, as of the clock.
fn coming_of(engine: &mut Engine, slot: Slot) -> Vec<Projected> {
    let index = engine.open(slot);
    let Tools { plan, groups, calendar, profiles, names, .. } = &mut engine.tools;
    let deltas = &mut Deltas::default();
    let context = Context { plan, groups, calendar, profiles, names, deltas, sign: 0 };
    projection::project(context, &engine.hot.opened(index).account, engine.clock)
}

/// A metric and the start of a day.
type OfDay = (usize, String, Time);
/// A value and its cause's time.
type Point = (Option<f64>, Option<Time>);
/// Values of an account by day, as they were published last.
type Published = BTreeMap<OfDay, Point>;

/// What stands on each day on which either publication has a row: the last row up to it.
fn standing(one: &Published, other: &Published) -> Vec<(OfDay, Point)> {
    let first = |metric: usize, plan: &Plan| (if plan.metrics[metric].score { None } else { Some(0.0) }, None);
    let plan = plan();
    let keys: BTreeSet<OfDay> = one.keys().chain(other.keys()).cloned().collect();
    let last = |key: &OfDay| {
        // Sums of a day have nothing of the day before.
        let from = if plan.metrics[key.0].day_sums.is_empty() { Time::MIN } else { key.2 };
        one.range((key.0, key.1.clone(), from)..=key.clone()).next_back().map(|(_, value)| *value)
    };
    let stands = |key: OfDay| {
        let point = last(&key).unwrap_or_else(|| first(key.0, &plan));
        (key, point)
    };
    keys.into_iter().map(stands).collect()
}

/// Runs events through an engine, with ticks at the given places, and a last tick.
fn run(events: &[Event<'static>], ticks: &[Time], end: Time) -> (Sums, Vec<u8>, Published, Coming) {
    run_with(&plan(), events, ticks, end)
}

fn run_with(
    plan: &Arc<Plan>,
    events: &[Event<'static>],
    ticks: &[Time],
    end: Time,
) -> (Sums, Vec<u8>, Published, Coming) {
    let (mut published, mut coming, mut announced) = (Published::new(), Coming::new(), Coming::new());
    let mut engine = Engine::new(plan.clone(), Time::MIN);
    let (mut sums, mut journal, mut timers) = (Sums::default(), Vec::<Event<'_>>::new(), Vec::new());
    let set = |engine: &mut Engine, timers: &mut Vec<Time>| timers.extend(engine.timers().map(|(due, _)| due));
    let slot = engine.load("a", &[], []).unwrap();
    let mut listed = BTreeMap::new();
    let mut tick = |engine: &mut Engine, timers: &mut Vec<Time>, at: Time| {
        while let Some(index) = timers.iter().position(|due| *due <= at) {
            let due = timers.remove(index);
            engine.ring(slot, due, at);
            set(engine, timers);
        }
        let rows = engine.close(at, |change| {
            announced.extend(change.outlook.iter().map(|coming| (at, coming.clone())));
            for value in change.values.iter().filter(|value| !value.dimensions.is_empty()) {
                let by: Vec<Box<str>> = value.dimensions.iter().map(|(_, value)| (*value).into()).collect();
                let key = (<[Box<str>; 4]>::try_from(by).unwrap(), Box::from(value.currency));
                match value.value {
                    Some(amount) => listed.insert(key, (amount, value.since.unwrap())),
                    None => Some(listed.remove(&key).expect("only a row that was there ends")),
                };
            }
            for value in change.values.iter().filter(|value| value.window.kind == Kind::Day) {
                let total: i64 = value.contributions.iter().map(|(_, tenths)| tenths).sum();
                assert!(value.contributions.is_empty() || value.value == Some(total as f64 / 10.0), "{value:?}");
                let key = (value.metric, value.currency.to_owned(), value.window.start);
                published.insert(key, (value.value, value.since));
                if !value.projection.is_empty() {
                    announced.insert(at, value.projection.clone());
                }
            }
        });
        let index = engine.open(slot);
        let deals: Vec<_> = engine.hot.opened(index).account.sections.deal.standing().collect();
        let stands = |deal: &Standing| ((deal.by.clone(), deal.currency.clone()), (deal.amount as f64, deal.since));
        assert_eq!(listed, deals.iter().map(stands).collect(), "rows that have a value are the open deals");
        sums.add(engine, rows);
        let projected = coming_of(engine, slot);
        let announced = announced.remove(&at);
        assert!(announced.is_none_or(|announced| announced == projected), "{at}");
        coming.insert(at, projected);
        if at / DAY % 2 == 0 {
            engine.hot.rest(&engine.tools.profiles, &engine.tools.names);
        }
    };
    for (index, event) in events.iter().enumerate() {
        let mut outcome = engine.apply(slot, event, None);
        if outcome == Outcome::NeedsJournal {
            outcome = engine.apply(slot, event, Some(journal.clone()));
        }
        if let Outcome::Applied { .. } = outcome {
            journal.push(event.clone());
        }
        set(&mut engine, &mut timers);
        if let Some(at) = ticks.get(index).filter(|at| **at > engine.clock()) {
            tick(&mut engine, &mut timers, *at);
        }
    }
    tick(&mut engine, &mut timers, end);
    let Tools { profiles, names, .. } = &mut engine.tools;
    let index = engine.hot.open(slot, 0, profiles, names).unwrap();
    let mut account = engine.hot.opened(index).account.clone();
    // Which depend on the instants.
    (account.timer, account.told) = (0, Day::MIN);
    account.withdrawn.clear();
    if account.ids.apart() {
        account.ids = Default::default();
    }
    let mut bytes = Vec::new();
    account.encode(profiles, names, &mut bytes);
    (sums, bytes, published, coming)
}

/// An event of a type that a lifecycle reads where it lies.
fn of_lifecycle() -> impl Strategy<Value = Said> {
    let answer = (0_u8..3, 0_u8..3, 0_u8..4, 0_u8..11).prop_map(|(kind, survey, respondent, score)| {
        let kind = ["nps", "ces", "csat"][usize::from(kind)];
        let respondent = if respondent > 0 { text(respondent) } else { "" };
        Said {
            kind: "survey.answered",
            data: Fields::of(&[(1, text(survey)), (2, respondent), (4, kind), (5, text(score))]),
        }
    });
    let subscription = (0_u8..3, 0_u8..3, 0_u8..5, 1_i64..4, any::<bool>(), 0_i32..500, 0_i32..4).prop_map(
        |(id, product, status, mrr, euro, start, term)| {
            let status = ["active", "active", "past_due", "canceled", "trialing"][usize::from(status)];
            let (start, end) = if term > 0 { (date(start), date(start + term * 25)) } else { ("", "") };
            let currency = if euro { "EUR" } else { "USD" };
            let product = if product > 0 { text(product) } else { "" };
            subscribed(text(id), status, &format!("#{}", mrr * 100), currency, product, (start, end))
        },
    );
    let invoice = (0_u32..5, proptest::option::weighted(0.2, 0_u32..12), 0_u8..3, 1_i64..500).prop_map(
        |(id, order, status, amount)| {
            let status = ["paid", "failed", "voided"][usize::from(status)];
            let fields =
                [(1, text(id)), (2, order.map_or("", text)), (3, status), (4, text(format!("#{amount}"))), (5, "USD")];
            Said { kind: "invoice.resolved", data: Fields::of(&fields) }
        },
    );
    let lead = (0_u8..4, 0_u8..3, 0_u8..2).prop_map(|(kind, other, flag)| {
        let flag = text(format!("?{flag}"));
        let (kind, data) = match kind {
            0 => ("lead.created", Fields::of(&[(2, text(other)), (3, flag)])),
            1 => ("lead.contacted", Fields::of(&[(3, flag)])),
            2 => ("lead.status_changed", Fields::of(&[(2, ["qualified", "recycled"][usize::from(other % 2)])])),
            _ => ("lead.converted", Fields::default()),
        };
        Said { kind, data }
    });
    let offer = (0_u8..4, 0_u8..2, 0_i64..3).prop_map(|(offer, kind, value)| {
        let kind = ["upsell", "cross_sell"][usize::from(kind)];
        let fields = [(1, text(offer)), (2, kind), (3, "p1"), (4, text(format!("#{value}"))), (5, "USD")];
        Said { kind: "offer.accepted", data: Fields::of(&fields) }
    });
    let deal = (0_u8..8, 0_u8..3, 0_u8..3, 0_i64..9, 0_u8..3).prop_map(|(kind, deal, stage, amount, other)| {
        let (deal, stage) = (text(deal), if stage > 0 { text(stage) } else { "" });
        let (amount, other) = (if amount > 0 { text(format!("#{amount}")) } else { "" }, usize::from(other));
        let (currency, share, owner) =
            (["", "EUR", "USD"][other], ["", "0.5", "0.25"][other], ["", "ann", "bob"][other]);
        let fields = [(1, deal), (3, stage), (4, amount), (5, currency), (6, share), (7, owner)];
        let (kind, data) = match kind {
            0..3 => ("opportunity.opened", Fields::of(&fields)),
            3 | 4 => ("opportunity.changed", Fields::of(&fields)),
            5 | 6 => {
                let outcome = if stage.is_empty() { "lost" } else { "won" };
                ("opportunity.closed", Fields::of(&[(1, deal), (2, outcome), (3, amount), (5, owner)]))
            }
            _ => ("opportunity.reopened", Fields::of(&[(1, deal), (2, stage)])),
        };
        Said { kind, data }
    });
    let cost = (0_u8..2, 0_i64..200, 0_i32..500, 0_i32..40).prop_map(|(bucket, amount, start, days)| {
        let bucket = ["acquisition", "retention"][usize::from(bucket)];
        let (from, to) = if days > 0 { (date(start), date(start + days)) } else { ("", "") };
        let fields = [(1, bucket), (2, text(format!("#{amount}"))), (3, "USD"), (4, "web"), (6, from), (7, to)];
        Said { kind: "cost.recorded", data: Fields::of(&fields) }
    });
    let rate = (1_u8..9, 0_i32..500, any::<bool>()).prop_map(|(tenths, day, has)| {
        let fields = [(1, "EUR"), (2, "USD"), (3, text(format!("1.{tenths}"))), (4, if has { date(day) } else { "" })];
        Said { kind: "fx.rate_set", data: Fields::of(&fields) }
    });
    prop_oneof![
        1 => answer,
        4 => subscription,
        1 => invoice,
        1 => lead,
        2 => deal,
        2 => ticket(),
        1 => offer,
        1 => cost,
        1 => rate,
    ]
}

/// The date of a day since 1970-01-01.
fn date(day: Day) -> &'static str {
    text(jiff::civil::date(1970, 1, 1) + jiff::Span::new().days(day))
}

/// An event of one of a few tickets of two topics.
fn ticket() -> impl Strategy<Value = Said> {
    let opened = (0_u8..3, 0_u8..2, 0_u8..3).prop_map(|(channel, topic, by)| {
        let by = ["", "customer", "agent"][usize::from(by)];
        ("ticket.opened", vec![(2, text(channel)), (3, text(topic)), (4, "high"), (5, by)])
    });
    let message = (0_u8..4, 0_u8..3).prop_map(|(author, public)| {
        let author = ["agent", "agent", "customer", "bot"][usize::from(author)];
        ("ticket.message", vec![(2, author), (3, ["", "?0", "?1"][usize::from(public)])])
    });
    let status = (0_u8..8).prop_map(|to| {
        let to = ["open", "pending", "solved", "solved", "solved", "closed", "reopened", "merged"][usize::from(to)];
        ("ticket.status_changed", vec![(2, to)])
    });
    (0_u8..4, prop_oneof![2 => opened, 2 => message, 3 => status]).prop_map(|(ticket, (kind, mut data))| {
        data.push((1, text(ticket)));
        Said { kind, data: Fields::of(&data) }
    })
}

/// `subscription.changed`
fn subscribed(id: &str, status: &str, mrr: &str, currency: &str, product: &str, (start, end): (&str, &str)) -> Said {
    let fields = [(1, id), (2, product), (3, status), (4, mrr), (5, currency), (7, start), (8, end)];
    Said::new("subscription.changed", &fields)
}

fn said() -> impl Strategy<Value = Said> {
    prop_oneof![
        2 => of_account(),
        1 => of_lifecycle(),
    ]
}

/// An event of a type that the account itself reads.
fn of_account() -> impl Strategy<Value = Said> {
    let order = (0_u32..12, 0_i64..5000, 0_i64..500, 0_u8..3).prop_map(|(order, gross, discount, lines)| {
        let lines: Vec<_> = (0..lines).map(|n| (text(format!("p{n}")), gross / 3)).collect();
        let currency = if order % 4 == 0 { "EUR" } else { "USD" };
        Said::order(text(order), gross, discount, currency, &lines)
    });
    let refund = (0_u32..5, 0_u32..12, 0_u32..5, 1_i64..100).prop_map(|(refund, order, invoice, amount)| {
        let (order, invoice) = match invoice {
            0 | 1 => (text(order), ""),
            2 => ("", ""),
            _ => ("", text(invoice)),
        };
        Said::refund(text(refund), order, invoice, amount)
    });
    let traits = (0_u8..3, 0_u8..3, 0_u8..3).prop_map(|(plan, region, test)| {
        let value = |n: u8| (n > 0).then(|| text(n));
        let test = (test > 0).then_some(if test == 1 { "true" } else { "false" });
        Said::traits(&[("plan", value(plan)), ("region", value(region)), ("test", test)])
    });
    let usage = (0_i64..3).prop_map(Said::usage);
    let retracted = (0_u32..30).prop_map(|id| Said::retracted(text(id)));
    prop_oneof![
        6 => order,
        2 => refund,
        3 => usage,
        2 => traits,
        1 => retracted,
        1 => (0_u32..12).prop_map(|order| Said::cancelled(text(order))),
        1 => Just(()).prop_map(|()| other()),
    ]
}

fn events() -> impl Strategy<Value = Vec<Event<'static>>> {
    let bot = proptest::option::weighted(0.3, any::<bool>());
    let one = (0_i64..500, 0_i64..3, proptest::option::weighted(0.1, 0_u32..30), said(), bot);
    proptest::collection::vec(one, 1..30).prop_map(|list| {
        let mut events = Vec::new();
        for (index, (day, hour, corrects, said, bot)) in (0..).zip(list) {
            // Days and quarter days, so that due times, midnights and events coincide.
            let custom = bot.map(|bot| ("bot", Custom::Flag(bot))).into_iter().collect();
            events.push(Event { custom, ..event(day * DAY + hour * 6 * HOUR, index, corrects, said) });
        }
        events
    })
}

/// Scores by day, with the time of their cause.
type Scores = BTreeMap<Time, (Option<f64>, Option<Time>)>;

/// What the last of these events projects, and what comes about if nothing follows it.
fn projected_and_after(events: &[Event<'static>]) -> (Scores, Scores) {
    let now = events[events.len() - 1].time + 1;
    let mut ticks = vec![Time::MIN; events.len()];
    ticks[events.len() - 1] = now;
    // Ninety local days after that of the clock.
    let end = (now / DAY + 91) * DAY - 1;
    let (.., published, coming) = run(events, &ticks, end);
    let score = plan().score.as_ref().unwrap().metric;
    let of_score = |time| (score, String::new(), time);
    let after = published.range(of_score(Time::MIN)..=of_score(Time::MAX));
    let after = after.map(|((.., day), value)| (*day, *value));
    let after = after.filter(|(_, (_, since))| since.is_some_and(|since| since > now)).collect();
    let by_day = |of: &Projected| {
        let value = of.tenths.map(|tenths| tenths as f64 / 10.0);
        (of.at / DAY * DAY, (value, Some(of.at)))
    };
    (coming.get(&now).into_iter().flatten().map(by_day).collect(), after)
}

#[test]
fn a_subscription_to_come_is_part_of_what_is_projected() {
    let order = event(10 * DAY, 1, None, Said::order("1", 900, 0, "EUR", &[]));
    let none = |scores: &Scores| scores.values().filter(|(value, _)| value.is_none()).count();
    let (projected, after) = projected_and_after(std::slice::from_ref(&order));
    assert_eq!((none(&projected), &projected), (1, &after), "ninety days after its order it is no customer");

    let term = (date(50), date(415));
    let subscription = event(11 * DAY, 2, None, subscribed("s", "active", "#500", "EUR", "", term));
    let (projected, after) = projected_and_after(&[order, subscription]);
    assert_eq!((none(&projected), &projected), (0, &after), "its subscription begins before that");
}

#[test]
fn what_will_come_is_said_again_where_events_come_and_the_score_stays() {
    let (mut engine, mut timers, mut said) = (Engine::new(plan(), Time::MIN), BTreeSet::new(), Vec::new());
    let slot = engine.load("a", &[], []).unwrap();
    for day in 1..=60 {
        let at = day * DAY;
        // An order at first, then use on two days of three, and then none.
        if day == 1 {
            engine.apply(slot, &event(at, 1, None, Said::order("q", 100, 0, "USD", &[])), None);
        } else if day % 3 != 0 && day < 40 {
            engine.apply(slot, &event(at, u32::try_from(day).unwrap(), None, Said::usage(0)), None);
        }
        timers.extend(engine.timers().map(|(due, _)| due));
        while let Some(due) = timers.first().copied().filter(|due| *due <= at) {
            timers.remove(&due);
            engine.ring(slot, due, at);
            timers.extend(engine.timers().map(|(due, _)| due));
        }
        engine.close(at, |change| {
            let scored = change.values.iter().any(|value| plan().metrics[value.metric].score);
            let outlook = change.outlook.is_some();
            assert!(!(scored && outlook), "a new score has its projection");
            said.extend((scored || outlook).then_some((day, outlook)));
        });
    }
    let events = said.iter().filter(|(day, _)| *day < 40);
    let days: Vec<i64> = events.map(|(day, _)| *day).collect();
    assert!(days.windows(2).all(|pair| pair[1] - pair[0] <= OUTLOOK as i64 + 1), "{said:?}");
    assert!(said.iter().any(|(_, outlook)| *outlook), "{said:?}");
    assert!(said.iter().all(|(day, outlook)| !outlook || *day < 40), "where nothing happens nothing is said: {said:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn arrival_and_ticks_do_not_matter(events in events(), seed in any::<u64>(), euros in any::<bool>(), ticks in proptest::collection::vec(0_i64..600, 0..30)) {
        let end = 600 * DAY;
        let plan = plan_with(&Settings { reporting_currency: euros.then(|| "EUR".to_owned()), ..Settings::default() });
        let mut sorted = events.clone();
        sorted.sort_by(|a, b| a.order().cmp(&b.order()));
        let mut shuffled = events;
        let mut state = seed | 1;
        for index in (1..shuffled.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            shuffled.swap(index, usize::try_from(state >> 33).unwrap() % (index + 1));
        }
        let mut ticks: Vec<Time> = ticks.into_iter().map(|day| day * DAY).collect();
        ticks.sort_unstable();
        let (in_order, one, values, _) = run_with(&plan, &sorted, &[], end);
        let (in_disorder, other, published, _) = run_with(&plan, &shuffled, &ticks, end);
        prop_assert_eq!(in_order.0, in_disorder.0);
        prop_assert_eq!(one, other);
        prop_assert_eq!(standing(&values, &published), standing(&published, &values));
    }

    #[test]
    fn what_is_projected_comes_about(mut events in events()) {
        events.sort_by(|a, b| a.order().cmp(&b.order()));
        let (projected, after) = projected_and_after(&events);
        prop_assert_eq!(projected, after);
    }

    #[test]
    fn the_parts_of_a_change_add_up(
        mut events in events(),
        delays in proptest::collection::vec(0_i64..90, 40),
        (since, until) in (0_i64..400, 1_i64..200),
    ) {
        for (event, delay) in events.iter_mut().zip(delays.iter().cycle()) {
            event.recorded_at = event.time + if delay % 3 == 0 { *delay * DAY } else { 0 };
        }
        events.sort_by_key(|event| event.recorded_at);
        let from = events[0].time + since * DAY;
        let to = from + until * DAY;
        let plan = plan();
        let told = explain::explain(&plan, None, &events, (from, to));
        let sum: i64 = told.parts.iter().flat_map(|part| part.by.values()).sum();
        prop_assert_eq!(sum, told.change());
        prop_assert_eq!(&told.published, &explain::standing(&plan, &events, from).0);
        prop_assert_eq!(&told.now, &explain::standing(&plan, &events, to).0);
        let corrections = told.parts.iter().filter(|part| matches!(part.brought, Brought::Correction(_)));
        prop_assert!(corrections.clone().all(|part| part.at == from));
    }

    #[test]
    fn damaged_state_is_no_panic(bytes: Vec<u8>) {
        let plan = Arc::new(Plan::built_in(&Settings::default()).unwrap());
        let mut engine = Engine::new(plan, 0);
        for version in [2, 17, 32, 63] {
            let versioned = [&[version], bytes.as_slice()].concat();
            let _ = engine.load(text(version), &versioned, []);
        }
    }
}

#[test]
fn a_duplicate_changes_nothing() {
    let order = || Said::order("1", 100, 0, "USD", &[]);
    let once = [event(DAY, 1, None, order())];
    let twice = [event(DAY, 1, None, order()), event(5 * DAY, 1, None, order())];
    assert_eq!(run(&once, &[], 9 * DAY).0.0, run(&twice, &[], 9 * DAY).0.0);
}

#[test]
fn leads_and_the_tenant_are_no_active_accounts() {
    const EVENTS: &str = "meaningful: [event]
metrics:
  - name: active
    title: Active accounts
    description: With an event of any type.
    unit: count
    windows: [1d, trailing 7d]
    measures: {active: {distinct: event}}
    value: active
";
    let plan = Arc::new(Plan::lower(&Catalog::parse(EVENTS).unwrap(), &Settings::default()).unwrap());
    for (kind, expected) in [
        ("ticket.opened", true),
        ("page.viewed", true),
        ("lead.created", false),
        ("cost.recorded", false),
        ("goal.set", false),
    ] {
        let mut engine = Engine::new(Arc::clone(&plan), Time::MIN);
        let slot = engine.load("a", &[], []).unwrap();
        engine.apply(slot, &event(DAY, 1, None, Said::new(kind, &[])), None);
        let rows = engine.close(2 * DAY, |_| {});
        assert_eq!(!rows.is_empty(), expected, "{kind}: {rows:?}");
    }
}
