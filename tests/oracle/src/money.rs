//! Metrics of orders and refunds: sums over the facts of a window, by dimension and currency.

use crate::Micros;
use crate::calendar::Window;
use crate::history::{Account, Order, Traits};
use crate::read::Key;
use crate::row::{Answer, By, Group, Row};
use crate::spread::spread;
use std::collections::{BTreeMap, HashMap};

/// What a fact does to the sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// An order that counts; `fresh` makes its account a customer for the first time.
    Ordered {
        /// The one order of `net_new_revenue`.
        fresh: bool,
    },
    /// A refund, at its own time.
    Refunded,
    /// A cancelled order: nothing, but a row may have stood there.
    Cancelled,
}

/// An order or a refund, with its amount in every group that it belongs to.
#[derive(Debug)]
pub struct Fact<'a> {
    /// When.
    pub time: Micros,
    /// ISO 4217.
    pub currency: &'a str,
    /// What it does.
    pub effect: Effect,
    /// Each group once, with the share of the amount.
    pub shares: Vec<(Group<'a>, i128)>,
}

/// All facts of all accounts, by time.
pub fn facts<'a>(accounts: &'a [Account<'a>]) -> Vec<Fact<'a>> {
    let mut facts: Vec<Fact<'a>> = accounts.iter().flat_map(of_account).collect();
    facts.sort_by_key(|f| f.time);
    facts
}

fn of_account<'a>(account: &'a Account<'a>) -> Vec<Fact<'a>> {
    let first = account.counted().next().map(|o| o.key);
    let orders = account.orders.iter().map(|order| {
        let effect = match order.cancelled {
            true => Effect::Cancelled,
            false => Effect::Ordered { fresh: first == Some(order.key) },
        };
        let shares = shares(account, order, order.key, order.net, &order.nets);
        Fact { time: order.key.0, currency: order.currency, effect, shares }
    });
    let refunds = account.refunds.iter().map(|refund| {
        let order = &account.orders[refund.order];
        let weights: Vec<i128> = order.lines.iter().map(|l| l.1).collect();
        let amounts = spread(refund.amount, &weights);
        let lines: Vec<(&str, i128)> = order.lines.iter().zip(amounts).map(|(line, amount)| (line.0, amount)).collect();
        let shares = shares(account, order, refund.key, refund.amount, &lines);
        Fact { time: refund.key.0, currency: refund.currency, effect: Effect::Refunded, shares }
    });
    orders.chain(refunds).collect()
}

/// Event dimensions are the order's, traits those that the event at `key` sees.
fn shares<'a>(
    account: &'a Account<'a>,
    order: &Order<'a>,
    key: Key<'_>,
    amount: i128,
    lines: &[(&'a str, i128)],
) -> Vec<(Group<'a>, i128)> {
    let mut shares: Vec<(Group<'a>, i128)> =
        trait_groups(account.traits_before(key)).into_iter().map(|g| (g, amount)).collect();
    shares.push(((By::Channel, order.channel), amount));
    shares.push(((By::Source, order.source), amount));
    let mut products: BTreeMap<&str, i128> = BTreeMap::new();
    for (product, part) in lines {
        *products.entry(product).or_default() += part;
    }
    shares.extend(products.into_iter().map(|(product, part)| ((By::Product, product), part)));
    shares
}

/// The groups by nothing and by each trait.
pub fn trait_groups(traits: &Traits) -> [Group<'_>; 4] {
    [(By::Nothing, ""), (By::Plan, &traits[0]), (By::Segment, &traits[1]), (By::Region, &traits[2])]
}

/// Sums of one group and currency in one window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Orders that count.
    pub orders: i128,
    /// Their gross minus discount.
    pub net: i128,
    /// Number of refunds.
    pub refunds: i128,
    /// What they paid back.
    pub refunded: i128,
    /// Number of first orders of accounts.
    pub fresh_orders: i128,
    /// Their net amount.
    pub fresh: i128,
}

impl Sums {
    /// Net revenue: orders less refunds.
    pub fn revenue(&self) -> i128 {
        self.net - self.refunded
    }

    fn add(&mut self, effect: Effect, amount: i128) {
        match effect {
            Effect::Ordered { fresh } => {
                self.orders += 1;
                self.net += amount;
                self.fresh_orders += i128::from(fresh);
                self.fresh += if fresh { amount } else { 0 };
            }
            Effect::Refunded => {
                self.refunds += 1;
                self.refunded += amount;
            }
            Effect::Cancelled => {}
        }
    }
}

/// The sums of a window by group and currency.
pub type Table<'a> = HashMap<(Group<'a>, &'a str), Sums>;

/// Sums the facts (ascending by time) that lie in `window`.
pub fn sum<'a>(facts: &[Fact<'a>], window: Window) -> Table<'a> {
    let from = facts.partition_point(|f| f.time < window.start);
    let mut table = Table::new();
    for fact in facts[from..].iter().take_while(|f| f.time < window.end) {
        for (group, amount) in &fact.shares {
            table.entry((*group, fact.currency)).or_default().add(fact.effect, *amount);
        }
    }
    table
}

/// The rows of a window.
pub fn rows(table: &Table<'_>, window: Window, rows: &mut Vec<Row>) {
    let mut orders: HashMap<Group<'_>, i128> = HashMap::new();
    for (&(group, currency), sums) in table {
        *orders.entry(group).or_default() += sums.orders;
        money_rows(group, currency, sums, window, rows);
    }
    for (group, count) in orders {
        rows.push(Row::aggregate("orders", window, group, None, Answer::Whole(count)).optional_if(count == 0));
    }
}

fn money_rows(group: Group<'_>, currency: &str, sums: &Sums, window: Window, rows: &mut Vec<Row>) {
    let mut push = |metric, answer: Answer| {
        let fill = answer.is_fill();
        rows.push(Row::aggregate(metric, window, group, Some(currency), answer).optional_if(fill));
    };
    push("avg_purchase_value", Answer::Ratio(sums.net, sums.orders));
    push("avg_purchase_value_net", Answer::Ratio(sums.revenue(), sums.orders));
    push("net_revenue", Answer::Whole(sums.revenue()));
    if sums.fresh_orders > 0 {
        push("net_new_revenue", Answer::Whole(sums.fresh));
    }
}
