//! Everything known at an instant, in the forms that metrics are made of: facts, marks, spans, costs, scores.

use crate::base::{self, Seen};
use crate::calendar::Window;
use crate::cost::{self, Share};
use crate::fx::Converter;
use crate::health::{self, Change};
use crate::history::Account;
use crate::level::{Levels, Span};
use crate::mark::{self, Mark, SECOND};
use crate::money::Effect;
use crate::read::Event;
use crate::retention::{self, Payer};
use crate::row::{ALL, Answer, Group, NO_DENOMINATOR, Row};
use crate::values::Kept;
use crate::{Micros, NOW, Settings, deal, lead, money, movement, renewal, survey, ticket};
use std::collections::{BTreeMap, HashMap};

/// What is known at `clock`.
#[derive(Debug)]
pub struct Known<'a> {
    /// The clock.
    pub clock: Micros,
    /// The settings.
    pub settings: &'a Settings,
    /// The accounts by name, then the guests.
    pub accounts: &'a [Account<'a>],
    /// Orders, refunds, invoices, by time.
    pub facts: Vec<money::Fact<'a>>,
    /// By time.
    pub marks: Vec<Mark<'a>>,
    /// Levels.
    pub levels: Levels<'a>,
    /// Costs by day.
    pub costs: Vec<Share<'a>>,
    /// Accounts with MRR.
    pub payers: Vec<Payer<'a>>,
    /// The accounts that have or had a score, with its changes.
    pub scores: Vec<(&'a Account<'a>, Vec<Change>)>,
    /// The rates.
    pub converter: Converter,
    /// What accounts show, stays in the currency of each amount.
    pub native: Converter,
    /// The values of dimensions that are kept apart.
    pub kept: &'a Kept,
    /// The events in effect, in the order of facts.
    pub events: Vec<&'a Event>,
}

/// From when on some series have rows.
#[derive(Debug)]
pub struct Over<'a> {
    since: HashMap<(Group<'a>, &'a str), Micros>,
    currencies: BTreeMap<&'a str, (Micros, Option<Micros>)>,
}

impl<'a> Known<'a> {
    /// From the events in effect in the order of facts.
    pub fn of(
        events: &[&'a Event],
        accounts: &'a [Account<'a>],
        clock: Micros,
        settings: &'a Settings,
        kept: &'a Kept,
    ) -> Self {
        let mut facts = money::facts(accounts);
        facts.iter_mut().flat_map(|fact| &mut fact.shares).for_each(|(group, _)| *group = kept.shown(*group));
        let mut marks = marks(events, accounts, clock);
        for mark in &mut marks {
            if mark.groups.iter().any(|group| kept.shown(*group) != *group) {
                mark.groups = mark.groups.iter().map(|group| kept.shown(*group)).collect();
            }
        }
        let scores = scores(events, accounts, clock, settings);
        let mut spans = spans(accounts);
        scores.iter().for_each(|(_, changes)| health::spans(changes, &mut spans));
        Self {
            clock,
            settings,
            accounts,
            facts,
            marks,
            levels: Levels::of(&spans, kept),
            costs: cost::shares(events, settings),
            payers: retention::payers(accounts),
            scores,
            native: Converter::of(events, settings).native(),
            converter: Converter::of(events, settings),
            kept,
            events: events.to_vec(),
        }
    }

    /// The rows of all windows, but for those of accounts.
    pub fn rows(&'a self, windows: &[Window], seen: &Seen<'a>, rows: &mut Vec<Row>) {
        let over = self.over();
        // Windows do not depend on each other: each processor works out its part of them.
        let parts = std::thread::available_parallelism().map_or(1, usize::from);
        let chunks = windows.chunks(windows.len().div_ceil(parts).max(1));
        std::thread::scope(|scope| {
            let over = &over;
            let part = |windows: &[Window]| {
                let mut rows = Vec::new();
                for &window in windows {
                    self.window(window, self.clock, NOW, seen, over, &mut rows);
                }
                rows
            };
            let workers: Vec<_> = chunks.map(|windows| scope.spawn(move || part(windows))).collect();
            workers.into_iter().for_each(|worker| rows.extend(worker.join().expect("a part of the windows")));
        });
        self.levels.oldest(windows, self.clock, seen, rows);
    }

    /// When revenue retention and costs begin.
    pub fn over(&'a self) -> Over<'a> {
        let since = retention::since(&self.payers, self.kept, &self.converter);
        Over { since, currencies: cost::seen(&self.events, &self.costs, &self.converter) }
    }

    /// The rows of one window at a clock, from what came about before `seen_at`; without the oldest that waits.
    pub fn window(
        &'a self,
        window: Window,
        clock: Micros,
        seen_at: Micros,
        seen: &Seen<'a>,
        over: &Over<'a>,
        rows: &mut Vec<Row>,
    ) {
        self.base_rows(window, clock, seen, &over.currencies, rows);
        let mut table = mark::sum(&self.marks, window, seen_at, &self.converter);
        self.velocities(&mut table, window, clock, rows);
        mark::rows(table, window, rows);
        retention::rows(&self.payers, window, clock, &over.since, self.kept, &self.converter, rows);
        self.levels.levels(window, clock, seen, &self.converter, rows);
        self.unrated_rows(window, rows);
    }

    /// `amounts_without_rate`, by the currency that lacks it.
    fn unrated_rows(&'a self, window: Window, rows: &mut Vec<Row>) {
        if !self.converter.converts() {
            return;
        }
        let lacks = |currency, at| self.converter.rate(currency, at).is_none();
        let mut counts: BTreeMap<&str, i128> = BTreeMap::new();
        let mut count = |currency, at, num: i128| {
            if window.holds(at) && lacks(currency, at) {
                *counts.entry(currency).or_default() += num;
            }
        };
        for fact in &self.facts {
            count(fact.currency, fact.time, i128::from(!matches!(fact.effect, Effect::Cancelled | Effect::Begun)));
        }
        for mark in &self.marks {
            match mark.metric {
                "new_mrr" | "expansion_mrr" | "reactivation_mrr" | "contraction_mrr" | "churn_mrr" => {
                    count(mark.currency, mark.time, 1);
                }
                deal::CLOSED => count(mark.currency, mark.time, mark.num),
                _ => {}
            }
        }
        self.costs.iter().for_each(|share| count(share.currency, share.day, 1));
        for (currency, count) in counts {
            let answer = Answer::Whole(count);
            rows.push(
                Row::aggregate("amounts_without_rate", window, ALL, Some(currency), answer).optional_if(count == 0),
            );
        }
    }

    fn base_rows(
        &'a self,
        window: Window,
        clock: Micros,
        seen: &Seen<'a>,
        currencies: &BTreeMap<&'a str, (Micros, Option<Micros>)>,
        rows: &mut Vec<Row>,
    ) {
        let money = money::sum(&self.facts, window, &self.converter);
        let base = base::count(self.accounts, window, clock, self.kept);
        money::rows(&money, money::orders(&self.facts, window), window, rows);
        base::Tables { window, money: &money, base: &base, margin: self.settings.margin }.rows(seen, rows);
        let all = base.get(&ALL).copied().unwrap_or_default();
        cost::rows(&self.costs, window, all, currencies, &self.converter, self.settings, rows);
    }

    /// `sales_velocity`; takes its parts out of the table.
    fn velocities(&self, table: &mut mark::Table<'a>, window: Window, clock: Micros, rows: &mut Vec<Row>) {
        let closed: Vec<mark::Name<'a>> = table.keys().filter(|name| name.0 == deal::CLOSED).copied().collect();
        for (_, group, currency) in closed {
            let mut part = |metric| table.remove(&(metric, group, currency)).unwrap_or_default();
            let (closed, won, elapsed) = (part(deal::CLOSED), part(deal::WON), part(deal::DAYS));
            let open = self.levels.count(deal::OPEN, group, currency, (window, clock), &self.converter);
            let answer = velocity(open, &closed, won.num.total(), elapsed.num.total());
            let fill = answer.is_fill();
            rows.push(Row::aggregate("sales_velocity", window, group, Some(currency), answer).optional_if(fill));
        }
        table.retain(|name, _| name.0 != deal::WON && name.0 != deal::DAYS);
    }
}

/// Open deals x win rate x mean won amount / mean days from opening to winning.
fn velocity(open: i128, closed: &mark::Tally, amount: i128, micros: i128) -> Answer {
    let won = closed.num.total();
    if won == 0 || micros == 0 {
        return Answer::Null(NO_DENOMINATOR);
    }
    // open x (won / closed) x (amount / won) / (micros / won / a day)
    let num = open * won * amount * 86_400 * SECOND;
    let (num, den) = crate::rational::reduce(num, closed.den.total() * micros);
    Answer::Compound(num, den)
}

/// All marks, by time.
pub fn marks<'a>(events: &[&'a Event], accounts: &'a [Account<'a>], clock: Micros) -> Vec<Mark<'a>> {
    let mut marks = Vec::new();
    for account in accounts.iter().filter(|account| !account.guest) {
        survey::marks(account, &mut marks);
        ticket::marks(account, &mut marks);
        deal::marks(account, &mut marks);
        movement::marks(account, &mut marks);
        renewal::marks(account, clock, &mut marks);
    }
    lead::marks(events, clock, &mut marks);
    marks.sort_by_key(|mark| mark.time);
    marks
}

/// All spans but those of scores.
pub fn spans<'a>(accounts: &'a [Account<'a>]) -> Vec<Span<'a>> {
    let mut spans = Vec::new();
    for account in accounts.iter().filter(|account| !account.guest) {
        ticket::spans(account, &mut spans);
        deal::spans(account, &mut spans);
    }
    spans
}

fn scores<'a>(
    events: &[&'a Event],
    accounts: &'a [Account<'a>],
    clock: Micros,
    settings: &'a Settings,
) -> Vec<(&'a Account<'a>, Vec<Change>)> {
    let Some(first) = events.first() else { return Vec::new() };
    let midnights = health::midnights(first.time, clock, settings);
    let customers = accounts.iter().filter(|account| !account.runs.is_empty());
    customers.map(|account| (account, health::Inputs::of(account, &settings.zone).changes(&midnights))).collect()
}
