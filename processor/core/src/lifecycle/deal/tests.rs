//! Golden cases of deals.

use std::sync::Arc;

use expect_test::expect;

use crate::{
    calendar::{DAY, HOUR, Time},
    catalog::Catalog,
    engine::Engine,
    event::{Event, EventId},
    lifecycle::golden::{event, run, sums, traits},
    plan::Plan,
    settings::Settings,
};

fn opened(day: i64, deal: &str, amount: &str, stage: &str) -> Event<'static> {
    let fields = [(1, deal), (2, "new"), (3, stage), (4, amount), (5, "EUR"), (6, "0.5"), (7, "ann")];
    event(day, 0, "opportunity.opened", &fields)
}

fn changed(day: i64, deal: &str, fields: &[(u32, &str)]) -> Event<'static> {
    event(day, 0, "opportunity.changed", &[&[(1, deal)], fields].concat())
}

fn closed(day: i64, deal: &str, outcome: &str, amount: &str) -> Event<'static> {
    event(day, 0, "opportunity.closed", &[(1, deal), (2, outcome), (3, amount)])
}

fn reopened(day: i64, deal: &str, stage: &str) -> Event<'static> {
    event(day, 0, "opportunity.reopened", &[(1, deal), (2, stage)])
}

/// Changes of the levels by day, stage and owner.
fn levels(events: Vec<Event<'static>>) -> Vec<String> {
    let measures = [
        ("amount", "{level: deal_open, of: amount}"),
        ("open", "{level: deal_open}"),
        ("weighted", "{level: deal_open, of: weighted}"),
    ];
    sums(&measures, "[stage, owner]", events, 99)
}

/// Outcomes by day and owner; `took` is in days.
fn outcomes(events: Vec<Event<'static>>) -> Vec<String> {
    let measures = [
        ("closed", "{count: deal_closed}"),
        ("sold", "{sum: deal_closed, of: amount, where: won}"),
        ("took", "{sum: deal_closed, of: elapsed}"),
        ("won", "{count: deal_closed, where: won}"),
    ];
    let lines = sums(&measures, "[owner]", events, 99);
    lines.into_iter().map(|line| in_days(&line)).collect()
}

/// A line of elapsed time, whose sum is microseconds, in days.
fn in_days(line: &str) -> String {
    match line.rsplit_once(": ").filter(|_| line.starts_with("took")) {
        Some((what, sum)) => format!("{what}: {} d", sum.parse::<i64>().unwrap() / DAY),
        None => line.to_owned(),
    }
}

/// Visits by day and stage: their number and days.
fn visits(events: Vec<Event<'static>>) -> Vec<String> {
    let measures = [("took", "{sum: deal_time, of: elapsed}"), ("visits", "{count: deal_time}")];
    sums(&measures, "[stage]", events, 99).iter().map(|line| in_days(line)).collect()
}

#[test]
fn an_open_deal_stands_at_its_present_stage_owner_and_amount() {
    let events = vec![
        opened(1, "d", "#1000", "demo"),
        changed(5, "d", &[(3, "offer"), (6, "0.8"), (7, "bob")]),
        opened(6, "e", "#5", "demo"), // 2.5 cents: 2
        closed(7, "d", "won", "#900"),
        changed(8, "d", &[(3, "signed"), (4, "#800")]),
        reopened(9, "d", "offer"),
        reopened(10, "d", "demo"),
    ];
    let expected = [
        "amount 1 demo ann EUR: 1000",
        "amount 5 demo ann EUR: -1000",
        "amount 5 offer bob EUR: 1000",
        "amount 6 demo ann EUR: 5",
        "amount 7 offer bob EUR: -1000",
        "amount 9 offer bob EUR: 800",
        "open 1 demo ann EUR: 1",
        "open 5 demo ann EUR: -1",
        "open 5 offer bob EUR: 1",
        "open 6 demo ann EUR: 1",
        "open 7 offer bob EUR: -1",
        "open 9 offer bob EUR: 1",
        "weighted 1 demo ann EUR: 500",
        "weighted 5 demo ann EUR: -500",
        "weighted 5 offer bob EUR: 800",
        "weighted 6 demo ann EUR: 2",
        "weighted 7 offer bob EUR: -800",
        "weighted 9 offer bob EUR: 640",
    ];
    assert_eq!(levels(events), expected);
}

#[test]
fn open_deals_move_with_the_traits_of_the_account_and_closed_ones_do_not() {
    let events = vec![
        traits(1, &[("plan", "pro")]),
        opened(2, "d", "#100", "demo"),
        opened(2, "e", "#7", "demo"),
        closed(3, "e", "lost", ""),
        traits(4, &[("plan", "max")]),
    ];
    let expected = ["open 2 pro EUR: 107", "open 3 pro EUR: -7", "open 4 max EUR: 100", "open 4 pro EUR: -100"];
    assert_eq!(sums(&[("open", "{level: deal_open, of: amount}")], "[plan]", events, 9), expected);
}

#[test]
fn a_deal_has_one_outcome_its_last_close() {
    let won = vec![
        opened(1, "d", "#100", "demo"),
        changed(2, "d", &[(7, "bob")]),
        closed(11, "d", "won", "#90"),
        changed(12, "d", &[(4, "#1"), (7, "cy")]),
    ];
    let expected = ["closed 11 bob EUR: 1", "sold 11 bob EUR: 90", "took 11 bob EUR: 10 d", "won 11 bob EUR: 1"];
    assert_eq!(outcomes(won.clone()), expected, "by the owner and with the amount of the close");

    let again = [won.clone(), vec![reopened(13, "d", "offer")]].concat();
    assert_eq!(outcomes(again.clone()), Vec::<String>::new(), "a reopening withdraws it");
    let lost = [again, vec![closed(21, "d", "lost", "")]].concat();
    assert_eq!(outcomes(lost), ["closed 21 cy EUR: 1", "took 21 cy EUR: 20 d"]);
    let twice = [won, vec![closed(21, "d", "won", "#70")]].concat();
    let expected = ["closed 21 cy EUR: 1", "sold 21 cy EUR: 70", "took 21 cy EUR: 20 d", "won 21 cy EUR: 1"];
    assert_eq!(outcomes(twice), expected, "closed twice, the last close is the outcome");
}

#[test]
fn each_visit_of_a_stage_counts_when_it_is_left() {
    let events = vec![
        opened(1, "d", "#100", "demo"),
        changed(11, "d", &[(3, "offer")]),
        changed(15, "d", &[(3, "offer"), (6, "0.9")]), // the same stage: one visit
        closed(31, "d", "won", ""),
        changed(40, "d", &[(3, "demo")]),
        reopened(50, "d", "offer"),
        closed(60, "d", "lost", ""),
    ];
    let expected = [
        "took 11 demo: 10 d",
        "took 31 offer: 20 d",
        "took 60 offer: 10 d",
        "visits 11 demo: 1",
        "visits 31 offer: 1",
        "visits 60 offer: 1",
    ];
    assert_eq!(visits(events.clone()), expected);
    let whole = sums(&[("took", "{sum: deal_time, of: elapsed}")], "[]", events, 99);
    assert_eq!(whole, [format!("took 60: {}", 59 * DAY)], "and the whole deal at its last close");
}

#[test]
fn what_is_dated_before_the_opening_is_ignored() {
    let events = vec![closed(1, "d", "won", "#5"), opened(2, "d", "#100", "demo")];
    assert_eq!((outcomes(events.clone()), levels(events).len()), (Vec::new(), 3));
    // At the instant of the opening, by a lesser id.
    let events = vec![closed(2, "d", "won", "#5"), opened(2, "d", "#100", "demo")];
    assert_eq!(outcomes(events.clone()), ["closed 2 ann EUR: 1", "sold 2 ann EUR: 5", "won 2 ann EUR: 1"]);
    assert_eq!(levels(events), Vec::<String>::new());
}

#[test]
fn a_group_has_a_level_from_the_first_deal_that_stands_in_it_for_a_time() {
    let catalog = "meaningful: [order]
metrics:
  - name: m
    title: M
    description: D
    unit: count
    every_window: true
    windows: [1d]
    by: [[stage]]
    measures: {open: {level: deal_open}}
    value: open
";
    let plan = Plan::lower(&Catalog::parse(catalog).unwrap(), &Settings::default()).unwrap();
    let presence = plan.metrics[0].views[0].presence.unwrap();
    let at_one = Event { time: DAY + HOUR, ..closed(1, "d", "lost", "") };
    let events = vec![opened(1, "d", "#1", "demo"), changed(1, "d", &[(3, "call")]), at_one];
    let (engine, rows) = run(plan, events, 9);

    let series = rows.iter().map(|((series, _), row)| (engine.describe(*series), row.to_vec()));
    let present: Vec<_> = series.filter(|((bundle, _), _)| *bundle == presence).collect();
    assert_eq!(present, [((presence, vec!["call"]), vec![1])], "demo lasted for no time, call for an hour");
}

/// What the account shows of its open deals, an instant a day: rows that changed.
fn listed(events: Vec<Event<'static>>) -> Vec<String> {
    let catalog = "meaningful: [order]
metrics:
  - name: open_deals
    title: T
    description: D
    unit: money
    per: account
    windows: [to-date]
    list: open_deals
";
    let plan = Plan::lower(&Catalog::parse(catalog).unwrap(), &Settings::default()).unwrap();
    let mut engine = Engine::new(Arc::new(plan), Time::MIN);
    let slot = engine.load("a", &[], []).unwrap();
    let (mut journal, mut lines) = (Vec::new(), Vec::new());
    for (place, event) in events.into_iter().enumerate() {
        let id: &'static str = Box::leak(format!("{place:03}").into());
        let event = Event { id: EventId { source: "s", id }, ..event };
        engine.apply(slot, &event, Some(journal.clone()));
        journal.push(event);
        let day = i64::try_from(place).unwrap() + 100;
        engine.close(day * DAY, |change| {
            for value in change.values {
                let by: Vec<&str> = value.dimensions.iter().map(|(_, value)| *value).collect();
                let since = value.since.map_or_else(|| value.reason.to_owned(), |at| format!("since day {}", at / DAY));
                lines.push(format!("{place}: {} {} {:?} {since}", by.join(" "), value.currency, value.value));
            }
        });
    }
    lines
}

#[test]
fn an_open_deal_is_a_row_by_its_stage_until_it_is_left() {
    let events = vec![
        opened(1, "d", "#100", "demo"),
        opened(2, "e", "#7", "demo"),
        changed(3, "d", &[(4, "#90")]),
        changed(5, "d", &[(3, "call")]),
        changed(4, "d", &[(7, "bob")]),
        closed(8, "d", "lost", ""),
        reopened(9, "d", "demo"),
    ];
    let expected = expect![[r#"
        0: d demo new ann EUR Some(100.0) since day 1
        1: e demo new ann EUR Some(7.0) since day 2
        2: d demo new ann EUR Some(90.0) since day 1
        3: d demo new ann EUR None moved on or closed
        3: d call new ann EUR Some(90.0) since day 5
        4: d call new ann EUR None moved on or closed
        4: d call new bob EUR Some(90.0) since day 5
        5: d call new bob EUR None moved on or closed
        6: d demo new bob EUR Some(90.0) since day 9
    "#]];
    expected.assert_eq(&(listed(events).join("\n") + "\n"));
}
