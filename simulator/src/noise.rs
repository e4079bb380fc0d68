//! How events arrive: late, twice, wrong at first, or by mistake; never before they happened.
//!
//! Invariant: what stands once everything has arrived is what happened. A draft has an id of its own and is replaced by
//! the event itself; what was sent by mistake is retracted; a duplicate is the same line. So noise changes no total.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    Shares,
    calendar::{DAY_US, HOUR_US, MINUTE_US, SECOND_US},
    dice::Dice,
    event::Event,
};

/// Where lines wait for their arrival.
#[derive(Debug)]
pub(crate) struct Noise {
    seed: u64,
    shares: Shares,
    /// Nothing is dated before this.
    start_us: i64,
    sent: i64,
    lines: u64,
    coming: BTreeMap<(i64, u64), String>,
}

impl Noise {
    pub(crate) fn new(seed: u64, shares: Shares, start_us: i64) -> Self {
        Self { seed, shares, start_us, sent: 0, lines: 0, coming: BTreeMap::new() }
    }

    /// Puts an event on its way.
    pub(crate) fn send(&mut self, event: &Event) {
        self.sent += 1;
        let mut dice = Dice::of(self.seed, [-3, self.sent]);
        if dice.chance(self.shares.repairs) {
            if dice.percent(50) {
                return self.draft_first(event, &mut dice);
            }
            self.add_mistake(event, &mut dice);
        }
        self.post(event, event.at_us, &mut dice);
    }

    /// What arrives before `until_us` and was not asked for yet, in order.
    pub(crate) fn arrivals(&mut self, until_us: i64) -> Vec<(i64, String)> {
        let later = self.coming.split_off(&(until_us, 0));
        let arrived = std::mem::replace(&mut self.coming, later);
        arrived.into_iter().map(|((at_us, _), line)| (at_us, line)).collect()
    }

    /// A line on its way, not before `least_us`; some arrive again.
    fn post(&mut self, event: &Event, least_us: i64, dice: &mut Dice) {
        let shuffled = self.shares.shuffle_days * DAY_US;
        let late = match shuffled {
            1.. => dice.below(shuffled),
            _ if dice.chance(self.shares.late) => dice.between(DAY_US, 4 * DAY_US),
            _ => 0,
        };
        let arrives_us = least_us + late;
        let line = event.line();
        if dice.chance(self.shares.duplicates) {
            let again_us = arrives_us + dice.between(SECOND_US, HOUR_US.max(shuffled / 4));
            self.keep(again_us, line.clone());
        }
        self.keep(arrives_us, line);
    }

    fn keep(&mut self, arrives_us: i64, line: String) {
        self.lines += 1;
        self.coming.insert((arrives_us, self.lines), line);
    }

    /// A wrong version arrives first; the event itself corrects it.
    fn draft_first(&mut self, event: &Event, dice: &mut Dice) {
        let mut draft = event.clone();
        draft.id.push_str("-draft");
        // Dated too early, unless nothing was there that early.
        draft.at_us = (event.at_us - dice.between(1, 720) * MINUTE_US).max(self.start_us);
        for field in ["gross", "amount", "mrr", "count", "quantity"] {
            if let Some(amount) = draft.data.get(field).and_then(Value::as_i64) {
                draft.data[field] = (amount * 10).into();
            }
        }
        self.post(&draft, event.at_us, dice);
        let mut whole = event.clone();
        whole.corrects = Some(draft.id);
        self.post(&whole, event.at_us + dice.between(1, 2_880) * MINUTE_US, dice);
    }

    /// Something like this event is reported that never was, and taken back.
    fn add_mistake(&mut self, event: &Event, dice: &mut Dice) {
        let (own, is_subject) = match event.kind {
            "usage.recorded" => ("user", false),
            "order.completed" => ("order", event.account.is_none()),
            "ticket.opened" => ("ticket", false),
            "survey.answered" => ("respondent", false),
            "opportunity.opened" => ("opportunity", false),
            "lead.created" => ("lead", true),
            "offer.accepted" => ("offer", false),
            _ => return,
        };
        // A guest's order is a subject of its own, which a retraction cannot name.
        if is_subject && own == "order" {
            return;
        }
        let mut mistake = event.clone();
        mistake.id.push_str("-mistake");
        let name = format!("{}-mistake", event.data[own].as_str().unwrap_or_default());
        mistake.data[own] = name.into();
        self.post(&mistake, event.at_us, dice);

        let mut data = json!({"event": mistake.id});
        if is_subject {
            data[own] = mistake.data[own].clone();
        }
        let id = format!("{}-retraction", event.id);
        let retraction = Event { kind: "retracted", id, data, ..mistake };
        self.post(&retraction, event.at_us + dice.between(1, 2_880) * MINUTE_US, dice);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Source;

    fn event(number: i64) -> Event {
        Event {
            at_us: number * MINUTE_US,
            source: Source::Shop,
            kind: "order.completed",
            id: format!("a1.{number}"),
            account: Some("a1".to_owned()),
            corrects: None,
            data: json!({"order": format!("o{number}"), "gross": 100, "currency": "EUR"}),
        }
    }

    /// What stands of the lines that arrived: by id, without drafts, mistakes and duplicates.
    fn standing(lines: &[(i64, String)]) -> BTreeMap<String, Value> {
        let mut all: BTreeMap<String, Value> = BTreeMap::new();
        for (_, line) in lines {
            let event: Value = serde_json::from_str(line).unwrap();
            all.insert(event["id"].as_str().unwrap().to_owned(), event);
        }
        let named = |event: &Value| {
            let event = event.get("corrects").or(event["data"].get("event"));
            event.and_then(Value::as_str).map(str::to_owned)
        };
        let gone: Vec<String> = all.values().filter_map(named).collect();
        all.retain(|id, event| !gone.contains(id) && event["type"] != "retracted");
        all
    }

    #[test]
    fn what_stands_is_what_happened() {
        let shares = Shares { late: 100_000, duplicates: 200_000, repairs: 300_000, shuffle_days: 0 };
        let mut noise = Noise::new(1, shares, 0);
        (0..1_000).for_each(|number| noise.send(&event(number)));
        let lines = noise.arrivals(i64::MAX);
        assert!(lines.len() > 1_500, "{} lines", lines.len());
        let standing = standing(&lines);
        assert_eq!(standing.len(), 1_000);
        for (id, event) in standing {
            assert_eq!((event["data"]["gross"].as_i64(), event["account"].as_str()), (Some(100), Some("a1")), "{id}");
        }
    }

    #[test]
    fn nothing_arrives_before_it_happened_and_shuffled_lines_within_their_days() {
        for shuffle_days in [0, 30] {
            let mut noise = Noise::new(1, Shares { shuffle_days, repairs: 0, ..Shares::default() }, 0);
            (0..1_000).for_each(|number| noise.send(&event(number)));
            let lines = noise.arrivals(i64::MAX);
            let times: Vec<i64> = lines
                .iter()
                .map(|(arrives_us, line)| {
                    let event: Value = serde_json::from_str(line).unwrap();
                    let at_us = event["time"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_microsecond();
                    assert!((at_us..at_us + 40 * DAY_US).contains(arrives_us), "{line}");
                    at_us
                })
                .collect();
            assert!(lines.is_sorted_by_key(|(arrives_us, _)| *arrives_us));
            let backwards = times.windows(2).filter(|pair| pair[0] > pair[1]).count();
            assert!(if shuffle_days > 0 { backwards > 300 } else { backwards < 50 }, "{backwards}");
        }
    }
}
