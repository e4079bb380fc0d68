//! The projection and the explanation of a health score.

use crate::explain::{Cause, Parts, explain};
use crate::history::{self, Account};
use crate::projection::projection;
use crate::read::{Event, Log};
use crate::{Micros, Settings, merge, read, repair, scenario, settings};

fn at(text: &str) -> Micros {
    settings::instant(text).unwrap()
}

/// The log of a scenario, each event recorded at its own time unless it says another.
fn log(text: &str) -> Log {
    let scenario = scenario::parse(text).unwrap();
    let lines: Vec<String> = scenario.events.iter().map(ToString::to_string).collect();
    read::log(lines.join("\n").as_bytes()).unwrap()
}

fn account<'a>(events: &[&'a Event], clock: Micros) -> Account<'a> {
    history::account("acme", false, events.to_vec(), &Settings::default(), clock)
}

#[test]
fn the_projection_is_what_comes_about_where_nothing_happens() {
    let log = log("2024-01-10T10:00 acme orders o1 10.00 EUR");
    let distinct = repair::distinct(&log, &Settings::default(), at("2024-01-12T00:00:00Z"));
    let events = repair::effective(&distinct);
    let coming = projection("acme", &events, &Settings::default(), at("2024-01-12T09:00:00Z"));
    let shown: Vec<String> = coming
        .iter()
        .map(|change| {
            let moved: Vec<String> = change
                .moved
                .iter()
                .map(|(name, value)| format!("{name} {}", value.map_or(-1, |value| value.0 / value.1)))
                .collect();
            let score = change.tenths.map_or("null".to_owned(), |tenths| tenths.to_string());
            format!("{} {score} {}", crate::row::stamp(change.at).unwrap(), moved.join(", "))
        })
        .collect();
    assert_eq!(
        shown,
        [
            "2024-01-14T00:00:00Z 867 recency 80",
            "2024-01-18T00:00:00Z 733 recency 60",
            "2024-01-25T00:00:00Z 600 recency 40",
            "2024-02-10T00:00:00Z 333 recency 20, purchases 60",
            "2024-03-11T00:00:00Z 100 recency 0, purchases 30",
            "2024-04-09T10:00:00Z null ",
        ]
    );
    // From the last day on that is shown nothing is.
    assert_eq!(projection("acme", &events, &Settings::default(), at("2024-04-09T10:00:00Z")), []);
    // 90 local days from 10 January on end with 9 April.
    assert_eq!(projection("acme", &events, &Settings::default(), at("2024-01-10T10:00:00Z")).len(), 6);
}

fn tenths(parts: &Parts, of: impl Fn(&Cause) -> bool) -> i128 {
    parts.iter().filter(|((cause, _), _)| of(cause)).map(|(_, tenths)| tenths).sum()
}

#[test]
fn the_parts_of_a_change_add_up_to_it() {
    let log = log("2024-02-01T09:00 acme subscription s active 10.00 EUR
2024-02-02T09:00 acme uses app id=use
2024-02-02T10:00 acme answers nps 6 id=answer
2024-02-04T09:00 acme invoice i1 failed 10.00 EUR id=failed
2024-02-03T09:00 acme ticket t1 opened id=late");
    let all = repair::distinct(&log, &Settings::default(), at("2024-03-01T00:00:00Z"));
    let known = repair::effective(&all);
    let (from, to) = (at("2024-02-05T00:00:00Z"), at("2024-02-08T00:00:00Z"));
    let now = account(&known, to);
    // The ticket was not known then.
    let earlier: Vec<&Event> = known.iter().copied().filter(|event| event.id != "late").collect();
    let then = account(&earlier, from);
    let parts = explain(&now, Some(&then), (from, to), &Settings::default());
    // Known then: (2000 + 500 + 1200 + 0) / 75 = 49.3; with the ticket (2000 + 500 + 1200 + 1125 + 0) / 90 = 53.6. On the
    // 7th the last sign of life, the ticket, is four days old: (1600 + 500 + 1200 + 1125) / 90 = 49.2.
    assert_eq!(tenths(&parts, |cause| *cause == Cause::Correction), 536 - 493);
    assert_eq!(tenths(&parts, |cause| *cause == Cause::Time), 492 - 536);
    assert_eq!(parts.values().sum::<i128>(), 492 - 493);
    let recency = parts.get(&(Cause::Time, "recency")).copied();
    assert_eq!(recency, Some(178 - 222));
}

#[test]
fn each_event_has_its_part() {
    let log = log("2024-02-01T09:00 acme subscription s active 10.00 EUR id=begin
2024-02-02T09:00 acme uses app id=use
2024-02-02T10:00 acme answers nps 6 id=answer");
    let all = repair::distinct(&log, &Settings::default(), at("2024-03-01T00:00:00Z"));
    let known = repair::effective(&all);
    let (from, to) = (at("2024-02-01T00:00:00Z"), at("2024-02-03T00:00:00Z"));
    let now = account(&known, to);
    let parts = explain(&now, Some(&now), (from, to), &Settings::default());
    let of = |id: &str| tenths(&parts, |cause| *cause == Cause::Event("story".to_owned(), id.to_owned()));
    // From nothing to 100, to 72.7, to 69.3.
    assert_eq!([of("begin"), of("use"), of("answer")], [1000, 727 - 1000, 693 - 727]);
    assert_eq!(tenths(&parts, |cause| *cause == Cause::Time), 0);
}

#[test]
fn a_link_may_be_corrected_and_followed() {
    let log = log(
        "2024-02-01 a uses app\n2024-02-01 b uses app\n2024-02-01 c uses app\n2024-03-01 a merges-into b\n2024-03-02 b merges-into c\n2024-03-03 d merges-into e\n2024-03-04 e merges-into d",
    );
    let merged = merge::merged(&log, &Settings::default(), at("2024-04-01T00:00:00Z"));
    let accounts: Vec<&str> = merged.events.iter().filter_map(Event::account).collect();
    assert_eq!(accounts, ["c", "c", "c", "c", "c", "d", "e"]);
}
