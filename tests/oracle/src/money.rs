//! Metrics of orders and refunds: sums over the facts of a window, by dimension and currency.

use crate::Micros;
use crate::calendar::Window;
use crate::fx::{self, Converter};
use crate::history::{Account, Traits};
use crate::order::{Order, Refunded};
use crate::read::Key;
use crate::row::{Answer, By, Group, Row};
use crate::sell::FIRST;
use crate::spread::spread;
use crate::subscription::Subscription;
use std::collections::{BTreeMap, HashMap};

/// What a fact does to the sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// An order that counts; `fresh` makes its account a customer for the first time.
    Ordered {
        /// The one order of `net_new_revenue`.
        fresh: bool,
    },
    /// A refund of an order, at its own time.
    Refunded,
    /// A refund of an invoice, or a credit note: less revenue, and nothing of an order.
    Credited,
    /// An invoice that bills no order, at its first payment.
    Invoiced,
    /// MRR of a subscription that makes its account a customer for the first time: no revenue.
    Begun,
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
    let first = account.first_start();
    let fresh = account.counted().next().map(|o| o.key).filter(|key| first.is_some_and(|first| first.0 == key.0));
    let orders = account.orders.iter().map(|order| {
        let effect = match order.cancelled {
            true => Effect::Cancelled,
            false => Effect::Ordered { fresh: fresh == Some(order.key) },
        };
        let shares = shares(account, Some(order), order.key, order.net, &order.nets);
        Fact { time: order.key.0, currency: order.currency, effect, shares }
    });
    let refunds = account.refunds.iter().map(|refund| {
        let (order, effect) = match refund.of {
            Refunded::Order(at) => (Some(&account.orders[at]), Effect::Refunded),
            Refunded::Invoice | Refunded::Nothing => (None, Effect::Credited),
        };
        let lines = order.map_or_else(|| vec![("", 1)], |order| order.lines.clone());
        let weights: Vec<i128> = lines.iter().map(|l| l.1).collect();
        let amounts = spread(refund.amount, &weights);
        let lines: Vec<(&str, i128)> = lines.iter().zip(amounts).map(|(line, amount)| (line.0, amount)).collect();
        let shares = shares(account, order, refund.key, refund.amount, &lines);
        Fact { time: refund.key.0, currency: refund.currency, effect, shares }
    });
    let invoices = account.invoices.iter().map(|invoice| {
        let shares = shares(account, None, invoice.key, invoice.amount, &[("", invoice.amount)]);
        Fact { time: invoice.key.0, currency: invoice.currency, effect: Effect::Invoiced, shares }
    });
    let begun = if fresh.is_some() { Vec::new() } else { begun(account) };
    orders.chain(refunds).chain(invoices).chain(begun).collect()
}

/// The subscriptions that make an account a customer for the first time: those begun within an hour of it.
fn begun<'a>(account: &'a Account<'a>) -> Vec<Fact<'a>> {
    let Some(start) = account.first_start() else { return Vec::new() };
    let first = |subscription: &Subscription<'a>| subscription.steps.iter().find(|step| step.paid.is_some()).copied();
    let steps = account.subscriptions.iter().filter_map(first).filter(|step| step.key.0 <= start.0 + FIRST);
    let facts = steps.filter_map(|step| {
        let paid = step.paid?;
        let shares = shares(account, None, step.key, paid.mrr, &[(paid.product, paid.mrr)]);
        Some(Fact { time: step.key.0, currency: paid.currency, effect: Effect::Begun, shares })
    });
    facts.collect()
}

/// Event dimensions are the order's, traits those that the event at `key` sees.
fn shares<'a>(
    account: &'a Account<'a>,
    order: Option<&Order<'a>>,
    key: Key<'_>,
    amount: i128,
    lines: &[(&'a str, i128)],
) -> Vec<(Group<'a>, i128)> {
    let mut shares: Vec<(Group<'a>, i128)> =
        trait_groups(account.traits_before(key)).into_iter().map(|g| (g, amount)).collect();
    shares.push(((By::Channel, order.map_or("", |order| order.channel)), amount));
    shares.push(((By::Source, order.map_or("", |order| order.source)), amount));
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
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sums {
    /// Orders that count; in a reporting currency those with a rate.
    pub orders: i128,
    /// Their gross minus discount.
    net: fx::Money,
    /// What refunds of orders paid back.
    refunded: fx::Money,
    /// Paid invoices, less their refunds and credit notes.
    beside: fx::Money,
    /// Number of first orders and first subscriptions of accounts.
    fresh_orders: i128,
    /// Their net amount.
    fresh: fx::Money,
}

impl Sums {
    /// Net revenue: orders and invoices less refunds.
    pub fn revenue(&self) -> i128 {
        let mut sum = self.beside.clone();
        sum.add_all(&self.net, 1);
        sum.add_all(&self.refunded, -1);
        sum.total()
    }

    /// Orders less their refunds.
    fn net_of_refunds(&self) -> i128 {
        let mut sum = self.net.clone();
        sum.add_all(&self.refunded, -1);
        sum.total()
    }

    /// Nothing but a subscription that begins.
    fn is_begun_alone(&self) -> bool {
        self.orders == 0 && self.net.is_zero() && self.refunded.is_zero() && self.beside.is_zero()
    }

    fn add(&mut self, effect: Effect, amount: i128, rate: Option<fx::Rate>) {
        match effect {
            Effect::Ordered { fresh } => {
                self.orders += 1;
                self.net.add(amount, rate);
                if fresh {
                    self.fresh_orders += 1;
                    self.fresh.add(amount, rate);
                }
            }
            Effect::Refunded => self.refunded.add(amount, rate),
            Effect::Credited => self.beside.add(-amount, rate),
            Effect::Invoiced => self.beside.add(amount, rate),
            Effect::Begun => {
                self.fresh_orders += 1;
                self.fresh.add(amount, rate);
            }
            Effect::Cancelled => {}
        }
    }
}

/// The sums of a window by group and currency.
pub type Table<'a> = HashMap<(Group<'a>, &'a str), Sums>;

/// Sums the facts (ascending by time) that lie in `window`; what has no rate stays out.
pub fn sum<'a>(facts: &[Fact<'a>], window: Window, converter: &'a Converter) -> Table<'a> {
    let mut table = Table::new();
    for fact in within(facts, window) {
        let Some((currency, rate)) = converter.rate(fact.currency, fact.time) else { continue };
        for (group, amount) in &fact.shares {
            table.entry((*group, currency)).or_default().add(fact.effect, *amount, rate);
        }
    }
    table
}

fn within<'f, 'a>(facts: &'f [Fact<'a>], window: Window) -> impl Iterator<Item = &'f Fact<'a>> {
    let from = facts.partition_point(|f| f.time < window.start);
    facts[from..].iter().take_while(move |f| f.time < window.end)
}

/// Orders of a window by group, whatever their currency.
pub fn orders<'a>(facts: &[Fact<'a>], window: Window) -> HashMap<Group<'a>, i128> {
    let mut orders: HashMap<Group<'_>, i128> = HashMap::new();
    for fact in within(facts, window).filter(|fact| fact.effect != Effect::Begun) {
        for (group, _) in &fact.shares {
            *orders.entry(*group).or_default() += i128::from(matches!(fact.effect, Effect::Ordered { .. }));
        }
    }
    orders
}

/// The rows of a window.
pub fn rows(table: &Table<'_>, orders: HashMap<Group<'_>, i128>, window: Window, rows: &mut Vec<Row>) {
    for (&(group, currency), sums) in table {
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
    if !sums.is_begun_alone() || sums.fresh_orders == 0 {
        push("avg_purchase_value", Answer::Ratio(sums.net.total(), sums.orders));
        push("avg_purchase_value_net", Answer::Ratio(sums.net_of_refunds(), sums.orders));
        push("net_revenue", Answer::Whole(sums.revenue()));
    }
    if sums.fresh_orders > 0 {
        push("net_new_revenue", Answer::Whole(sums.fresh.total()));
    }
}
