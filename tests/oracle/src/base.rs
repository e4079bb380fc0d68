//! Metrics over the customer base: one pass over all accounts for each window.

use crate::calendar::Window;
use crate::fx::Converter;
use crate::history::{Account, Traits, any};
use crate::money::{self, trait_groups};
use crate::read::{Event, Subject};
use crate::row::{Answer, By, Group, NO_DENOMINATOR, Row, ZERO_CHURN};
use crate::values::Kept;
use crate::{Micros, NOW, rational};
use std::collections::HashMap;

/// Counts of accounts of one group in one window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Customers at start, by traits at start.
    pub at_start: i128,
    /// Those of them that are none at end.
    pub churned: i128,
    /// Customers at end, by traits at end.
    pub at_end: i128,
    /// Those of them with a meaningful event in the window.
    pub engaged: i128,
    /// Starts, first or again, by the traits that the first fact of the start sees.
    pub started: i128,
    /// Losses, by the traits of the instant of the loss.
    pub lost: i128,
    /// Starts for the first time, by the traits that they see.
    pub fresh: i128,
    /// Customers at start that are customers at end, by traits at start.
    pub kept: i128,
    /// Customers at start with an upsell in the window, by traits at start.
    pub upsold: i128,
    /// Customers at start with a cross-sell in the window, by traits at start.
    pub cross_sold: i128,
    /// Losses, by the traits of the start (in the window or at its beginning) that they end.
    pub lost_of_base: i128,
}

/// The counts of a window by group.
pub type Table<'a> = HashMap<Group<'a>, Counts>;

impl Counts {
    fn add(&mut self, other: &Self) {
        self.at_start += other.at_start;
        self.churned += other.churned;
        self.at_end += other.at_end;
        self.engaged += other.engaged;
        self.started += other.started;
        self.lost += other.lost;
        self.lost_of_base += other.lost_of_base;
        self.fresh += other.fresh;
        self.kept += other.kept;
        self.upsold += other.upsold;
        self.cross_sold += other.cross_sold;
    }
}

/// Counts all accounts in `window`.
pub fn count<'a>(accounts: &'a [Account<'a>], window: Window, clock: Micros, kept: &Kept) -> Table<'a> {
    let mut shown = Table::new();
    for (group, counts) in count_where(accounts, window, clock, &|_| true) {
        shown.entry(kept.shown(group)).or_default().add(&counts);
    }
    shown
}

/// The same of those accounts whose traits pass, each count by the traits by which it is grouped.
pub fn count_where<'a>(
    accounts: &'a [Account<'a>],
    window: Window,
    clock: Micros,
    passes: &dyn Fn(&Traits) -> bool,
) -> Table<'a> {
    let mut counting = Counting { table: Table::new(), passes };
    for account in accounts.iter().filter(|a| !a.runs.is_empty()) {
        counting.levels(account, window, clock);
        counting.movements(account, window);
    }
    counting.table
}

struct Counting<'a, 'p> {
    table: Table<'a>,
    passes: &'p dyn Fn(&Traits) -> bool,
}

/// An open window shows the state after everything applied.
pub fn end_of(window: Window, clock: Micros) -> Micros {
    if clock >= window.end { window.end } else { NOW }
}

impl<'a> Counting<'a, '_> {
    fn levels(&mut self, account: &'a Account<'a>, window: Window, clock: Micros) {
        let end = end_of(window, clock);
        let (before, after) = (account.customer_at(window.start), account.customer_at(end));
        let within = |instants| any(instants, window.start, window.end);
        if before {
            let (upsold, cross_sold) = (within(&account.upsells), within(&account.cross_sells));
            self.each(account.traits_at(window.start), |counts| {
                counts.at_start += 1;
                counts.churned += i128::from(!after);
                counts.kept += i128::from(after);
                counts.upsold += i128::from(upsold);
                counts.cross_sold += i128::from(cross_sold);
            });
        }
        if after {
            let engaged = within(&account.meaningful);
            self.each(account.traits_at(end), |counts| {
                counts.at_end += 1;
                counts.engaged += i128::from(engaged);
            });
        }
    }

    fn movements(&mut self, account: &'a Account<'a>, window: Window) {
        for (at, run) in account.runs.iter().enumerate() {
            let starts_here = window.holds(run.start.0);
            let of_start = account.traits_before(run.start);
            if starts_here {
                self.each(of_start, |c| {
                    c.started += 1;
                    c.fresh += i128::from(at == 0);
                });
            }
            if let Some(lost) = run.lost.filter(|lost| window.holds(lost.0)) {
                self.each(account.traits_before(lost), |c| c.lost += 1);
                let of_base = if starts_here { of_start } else { account.traits_at(window.start) };
                self.each(of_base, |c| c.lost_of_base += 1);
            }
        }
    }

    fn each(&mut self, traits: &'a Traits, change: impl Fn(&mut Counts)) {
        if (self.passes)(traits) {
            for group in trait_groups(traits) {
                change(self.table.entry(group).or_default());
            }
        }
    }
}

/// When each series began: surely, and possibly.
#[derive(Debug, Default)]
pub struct Seen<'a> {
    /// First event of the group that is certainly one of it.
    pub sure: HashMap<Group<'a>, Micros>,
    /// First event that may be taken for one of the group.
    pub maybe: HashMap<Group<'a>, Micros>,
    /// First event that names the currency.
    pub currencies: HashMap<&'a str, Micros>,
    /// First order or refund that counts, of the group in the currency.
    pub pairs: HashMap<(Group<'a>, &'a str), Micros>,
}

/// Finds the first events of all groups and currencies, from the events in effect in the order of facts.
pub fn seen<'a>(
    events: &[&'a Event],
    accounts: &'a [Account<'a>],
    facts: &[money::Fact<'a>],
    kept: &Kept,
    converter: &'a Converter,
) -> Seen<'a> {
    let by_name: HashMap<&str, &Account<'a>> =
        accounts.iter().filter(|account| !account.guest).map(|a| (a.name, a)).collect();
    let mut seen = Seen::default();
    for event in events {
        see(event, event.account().and_then(|name| by_name.get(name)).copied(), kept, converter, &mut seen);
    }
    let revenue = |effect| !matches!(effect, money::Effect::Cancelled | money::Effect::Begun);
    for fact in facts.iter().filter(|f| revenue(f.effect)) {
        let Some((currency, at)) = converter.since(fact.currency, fact.time) else { continue };
        for (group, _) in &fact.shares {
            let first = seen.pairs.entry((*group, currency)).or_insert(at);
            *first = at.min(*first);
        }
    }
    seen
}

/// Events come by time, so the first insertion is the earliest.
fn see<'a>(
    event: &'a Event,
    account: Option<&'a Account<'a>>,
    kept: &Kept,
    converter: &'a Converter,
    seen: &mut Seen<'a>,
) {
    let mut groups = vec![crate::row::ALL];
    if let Some(account) = account {
        groups.extend(trait_groups(account.traits_before(event.key())));
    } else if matches!(event.subject, Subject::Guest(_) | Subject::Lead(_)) {
        // They have no traits; whether their first event begins the groups of those without is left open.
        for by in [By::Plan, By::Segment, By::Region] {
            seen.maybe.entry((by, "")).or_insert(event.time);
        }
    }
    for group in groups.into_iter().map(|group| kept.shown(group)) {
        seen.maybe.entry(group).or_insert(event.time);
        if event.kind != "retracted" {
            seen.sure.entry(group).or_insert(event.time);
        }
    }
    if let Some(account) = account.filter(|_| event.kind == "account.updated") {
        let after = account.traits.partition_point(|(key, _)| *key <= event.key());
        for group in trait_groups(&account.traits[after - 1].1).map(|group| kept.shown(group)) {
            seen.maybe.entry(group).or_insert(event.time);
        }
    }
    if let Some((currency, at)) = event.text("currency").and_then(|currency| converter.since(currency, event.time)) {
        let first = seen.currencies.entry(currency).or_insert(at);
        *first = at.min(*first);
    }
}

/// One window with its tables.
#[derive(Debug)]
pub struct Tables<'t, 'a> {
    /// Which window.
    pub window: Window,
    /// Orders and refunds.
    pub money: &'t money::Table<'a>,
    /// Accounts.
    pub base: &'t Table<'a>,
    /// Numerator and denominator.
    pub margin: (i128, i128),
}

impl<'a> Seen<'a> {
    /// The groups that may have begun before the end of `window`, and whether each has for sure.
    pub fn groups(&self, window: Window) -> impl Iterator<Item = (Group<'a>, bool)> {
        let begun = move |at: Option<&Micros>| at.is_some_and(|&at| at < window.end);
        let groups = self.maybe.iter().filter(move |(_, at)| begun(Some(at)));
        groups.map(move |(&group, _)| (group, begun(self.sure.get(&group))))
    }
}

impl<'a> Tables<'_, 'a> {
    /// The rows of the window.
    pub fn rows(&self, seen: &Seen<'a>, rows: &mut Vec<Row>) {
        let begun = |at: Option<&Micros>| at.is_some_and(|&at| at < self.window.end);
        for (group, sure) in seen.groups(self.window) {
            let counts = self.base.get(&group).copied().unwrap_or_default();
            self.level_rows(group, &counts, sure, rows);
            for (&currency, _) in seen.currencies.iter().filter(|(_, at)| begun(Some(at))) {
                let sure = begun(seen.pairs.get(&(group, currency)));
                let answer = self.lifetime_value(group, currency, &counts);
                let metric = "customer_lifetime_value";
                rows.push(Row::aggregate(metric, self.window, group, Some(currency), answer).optional_if(!sure));
            }
        }
        for (&group, counts) in self.base {
            self.movement_rows(group, counts, rows);
        }
    }

    fn level_rows(&self, group: Group<'_>, counts: &Counts, sure: bool, rows: &mut Vec<Row>) {
        let mut push = |metric, answer: Answer| {
            let fill = answer.is_fill();
            rows.push(Row::aggregate(metric, self.window, group, None, answer).optional_if(fill && !sure));
        };
        push("customers", Answer::Whole(counts.at_end));
        push("customer_churn_rate", Answer::Ratio(counts.churned, counts.at_start));
        push("customer_churn_rate_rolling", Answer::Ratio(counts.lost_of_base, counts.at_start + counts.started));
        push("engagement_rate", Answer::Ratio(counts.engaged, counts.at_end));
        push("upsell_rate", Answer::Ratio(counts.upsold, counts.at_start));
        push("cross_sell_rate", Answer::Ratio(counts.cross_sold, counts.at_start));
    }

    fn movement_rows(&self, group: Group<'_>, counts: &Counts, rows: &mut Vec<Row>) {
        for (metric, count) in [("customers_started", counts.started), ("customers_lost", counts.lost)] {
            if count > 0 {
                rows.push(Row::aggregate(metric, self.window, group, None, Answer::Whole(count)));
            }
        }
    }

    /// margin x (net revenue / ((at start + at end) / 2)) / (churned / at start).
    fn lifetime_value(&self, group: Group<'a>, currency: &'a str, counts: &Counts) -> Answer {
        if counts.at_start == 0 {
            return Answer::Null(NO_DENOMINATOR);
        }
        if counts.churned == 0 {
            return Answer::Null(ZERO_CHURN);
        }
        let revenue = self.money.get(&(group, currency)).map_or(0, money::Sums::revenue);
        let num = self.margin.0 * revenue * 2 * counts.at_start;
        let den = self.margin.1 * (counts.at_start + counts.at_end) * counts.churned;
        let (num, den) = rational::reduce(num, den);
        Answer::Compound(num, den)
    }
}
