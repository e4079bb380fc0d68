//! Deals: `pipeline_value`, `weighted_pipeline_value`, `deal_velocity`, `win_rate`, `sales_velocity`,
//! `sales_cycle_length`, `sales_cycle_length_lost`, `open_deals`.

use crate::Micros;
use crate::calendar::Window;
use crate::decimal::{self, Fraction};
use crate::history::Account;
use crate::level::{self, Span};
use crate::mark::Mark;
use crate::money::trait_groups;
use crate::read::{Event, Key};
use crate::row::{Answer, By, Group, Row};
use std::collections::HashMap;
use std::sync::Arc;

/// What a deal is at a time.
#[derive(Clone, Copy, Debug, PartialEq)]
struct State<'a> {
    kind: &'a str,
    stage: &'a str,
    owner: &'a str,
    currency: &'a str,
    amount: i128,
    probability: Fraction,
    open: bool,
}

/// A close.
#[derive(Clone, Copy, Debug)]
struct Close<'a> {
    key: Key<'a>,
    won: bool,
    state: State<'a>,
    /// When a reopening withdrew it, or a later close replaced it.
    withdrawn: Option<Micros>,
}

/// A stay in a stage that ended.
#[derive(Clone, Copy, Debug)]
struct Visit<'a> {
    stage: &'a str,
    from: Micros,
    left: Key<'a>,
}

#[derive(Debug)]
struct Deal<'a> {
    id: &'a str,
    opened: Micros,
    /// The state from each place on; the first is the opening.
    states: Vec<(Key<'a>, State<'a>)>,
    closes: Vec<Close<'a>>,
    visits: Vec<Visit<'a>>,
}

fn deals<'a>(account: &Account<'a>) -> Vec<Deal<'a>> {
    let mut by_id: HashMap<&str, usize> = HashMap::new();
    let mut deals: Vec<Deal<'a>> = Vec::new();
    for event in account.of_kind("opportunity.opened") {
        let id = event.text("opportunity").unwrap_or_default();
        by_id.entry(id).or_insert_with(|| {
            deals.push(opened(id, event));
            deals.len() - 1
        });
    }
    for event in account.events.iter().filter(|e| e.kind.starts_with("opportunity.")) {
        let Some(at) = event.text("opportunity").and_then(|id| by_id.get(id)) else { continue };
        if event.time >= deals[*at].opened {
            follow(&mut deals[*at], event);
        }
    }
    deals
}

fn opened<'a>(id: &'a str, event: &'a Event) -> Deal<'a> {
    let empty = State { kind: "", stage: "", owner: "", currency: "", amount: 0, probability: (0, 1), open: true };
    let states = vec![(event.key(), changed(empty, event))];
    Deal { id, opened: event.time, states, closes: Vec::new(), visits: Vec::new() }
}

/// Sets the fields that the event names.
fn changed<'a>(mut state: State<'a>, event: &'a Event) -> State<'a> {
    for (field, name) in [
        (&mut state.kind, "kind"),
        (&mut state.stage, "stage"),
        (&mut state.owner, "owner"),
        (&mut state.currency, "currency"),
    ] {
        *field = event.text(name).unwrap_or(field);
    }
    state.amount = event.integer("amount").unwrap_or(state.amount);
    state.probability = event.data.get("probability").and_then(decimal::fraction).unwrap_or(state.probability);
    state
}

fn follow<'a>(deal: &mut Deal<'a>, event: &'a Event) {
    let before = deal.states[deal.states.len() - 1].1;
    let key = event.key();
    let after = match event.kind.as_str() {
        "opportunity.changed" => changed(before, event),
        "opportunity.closed" => State { open: false, ..changed(before, event) },
        "opportunity.reopened" if !before.open => State { open: true, ..changed(before, event) },
        _ => return,
    };
    if event.kind != "opportunity.changed" {
        let last = deal.closes.last_mut().filter(|close| close.withdrawn.is_none());
        last.into_iter().for_each(|close| close.withdrawn = Some(event.time));
    }
    if event.kind == "opportunity.closed" {
        deal.closes.push(Close { key, won: event.text("outcome") == Some("won"), state: after, withdrawn: None });
    }
    if before.open && (!after.open || after.stage != before.stage) {
        let from = deal.entered();
        deal.visits.push(Visit { stage: before.stage, from, left: key });
    }
    deal.states.push((key, after));
}

impl<'a> Deal<'a> {
    /// When the present stage was entered.
    fn entered(&self) -> Micros {
        let present = self.states[self.states.len() - 1].1;
        let same = |state: &State<'_>| state.open && state.stage == present.stage;
        self.states.iter().rev().take_while(|(_, state)| same(state)).last().map_or(self.opened, |(key, _)| key.0)
    }
}

/// `open_deals`: a row for each deal that is open.
pub fn listed(account: &Account<'_>, rows: &mut Vec<Row>) {
    for deal in deals(account) {
        let State { stage, kind, owner, currency, amount, open, .. } = deal.states[deal.states.len() - 1].1;
        if open {
            let row = Row::of_account("open_deals", Window::TO_DATE, account.name, Answer::Whole(amount), "money");
            let group = Some((By::Deal, [deal.id, stage, kind, owner].join("/")));
            rows.push(Row { group, currency: Some(currency.to_owned()), since: Some(deal.entered()), ..row });
        }
    }
}

/// The marks of an account.
pub fn marks<'a>(account: &'a Account<'a>, marks: &mut Vec<Mark<'a>>) {
    for deal in deals(account) {
        for close in &deal.closes {
            of_close(account, &deal, close, marks);
        }
        for visit in &deal.visits {
            let groups = Arc::new([(By::Stage, visit.stage)]);
            let (time, num) = (visit.left.0, i128::from(visit.left.0 - visit.from));
            marks.push(Mark { metric: "deal_velocity", time, at: time, groups, currency: "", num, den: 1 });
        }
    }
}

fn of_close<'a>(account: &'a Account<'a>, deal: &Deal<'a>, close: &Close<'a>, marks: &mut Vec<Mark<'a>>) {
    let own = [(By::Kind, close.state.kind), (By::Owner, close.state.owner)];
    let groups: Arc<[Group<'a>]> = trait_groups(account.traits_before(close.key)).into_iter().chain(own).collect();
    let (time, currency) = (close.key.0, close.state.currency);
    let elapsed = i128::from(time - deal.opened);
    let mut push = |metric, currency, num, den| {
        let mark = Mark { metric, time, at: time, groups: groups.clone(), currency, num, den };
        if let Some(at) = close.withdrawn {
            marks.push(Mark { at, num: -num, den: -den, ..mark.clone() });
        }
        marks.push(mark);
    };
    push("win_rate", "", i128::from(close.won), 1);
    push("deal_velocity", "", elapsed, 1);
    push(if close.won { "sales_cycle_length" } else { "sales_cycle_length_lost" }, "", elapsed, 1);
    // What sales velocity is made of, by the currency of the deal.
    push(CLOSED, currency, i128::from(close.won), 1);
    if close.won {
        push(WON, currency, close.state.amount, 0);
        push(DAYS, currency, elapsed, 0);
    }
}

/// Deals won over deals closed, of one currency: a part of `sales_velocity`, not a metric.
pub const CLOSED: &str = "sales_velocity: closed";
/// Amount of the deals won.
pub const WON: &str = "sales_velocity: won";
/// Microseconds from opening to winning.
pub const DAYS: &str = "sales_velocity: elapsed";
/// Open deals, of one currency.
pub const OPEN: &str = "sales_velocity: open";

/// Open deals.
pub fn spans<'a>(account: &'a Account<'a>, spans: &mut Vec<Span<'a>>) {
    for deal in deals(account) {
        for (at, (key, state)) in deal.states.iter().enumerate() {
            let to = deal.states.get(at + 1).map(|(next, _)| next.0);
            // Of states of one instant the last one counts.
            if !state.open || to == Some(key.0) {
                continue;
            }
            for (from, to, traits) in level::pieces(account, key.0, to) {
                let own = [(By::Stage, state.stage), (By::Kind, state.kind), (By::Owner, state.owner)];
                let groups: Vec<Group<'a>> = traits.into_iter().chain(own).collect();
                let weighted = decimal::round(state.amount * state.probability.0, state.probability.1);
                let levels = [("pipeline_value", state.amount), ("weighted_pipeline_value", weighted), (OPEN, 1)];
                for (metric, amount) in levels {
                    let (groups, currency, since) = (groups.clone(), state.currency, deal.opened);
                    spans.push(Span { metric, from, to, groups, currency, amount, since });
                }
            }
        }
    }
}
