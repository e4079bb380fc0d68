//! What an account buys and is paid back: the steps of orders, refunds and credit notes.
//!
//! An order makes the account a customer; a refund has the dimensions of its order. The step of an account
//! ([`crate::fold`]) decides when each of them happens, the journal ([`super::journal`]) whether it counts.

use super::{
    Fact, FactId, Slot, id, invoice,
    order::{self, Order, order_part, order_values, refund_part, refund_values, shares},
    refund::Refund,
};
use crate::{
    account::Account,
    event::{Event, SubjectKind},
    fold::{Fold, STARTED},
    plan::Trigger,
    vocabulary::payment_refunded,
};

const ORDER: FactId = id(&order::ORDER);
const REFUND: FactId = id(&order::REFUND);
const CREDIT: FactId = id(&invoice::CREDIT);

/// The type of refunds, also of invoices.
const REFUNDED: &str = payment_refunded::TYPE;

impl Fold<'_> {
    /// The account completes an order that counts.
    pub(crate) fn order(&mut self, account: &mut Account, event: &Event<'_>, fact: Fact<'_>) {
        let order = Order::of(event);
        let was = (account.customer.is_one(), account.traits.now());
        let guest = event.subject == SubjectKind::Guest;
        let first = !guest && !account.customer.ever();
        if !was.0 && !guest {
            // A subscription of this instant may have begun it before the order.
            let claim = account.sections.subscription.claim();
            let profile = if claim.paid { claim.profile } else { fact.profile };
            self.start(account, Fact { profile, values: &[Slot::Flag(first)], ..fact });
        }
        if !guest {
            account.customer.last_order = Some(event.time);
        }
        let (currency, values) = (self.context.currency(order.currency), order_values(&order, first));
        let fact = Fact { currency, values: &values, ..fact };
        let facts = &self.context.groups.of[ORDER.place()];
        self.context.emit(facts, &fact, 1, || shares(&order, 0).iter().map(order_part).collect());
        self.context.total((&mut account.totals, &mut account.day_sums), ORDER, &fact, 1);
        let sold = self.live(account, |sections, out| sections.sale.ordered(&order, event, out));
        self.active(account, facts, &fact, was, &sold, |trigger| match trigger {
            Trigger::Event => true,
            Trigger::Fact(id) => *id == ORDER || (*id == STARTED && !was.0),
            Trigger::Type(_) => false,
        });
    }

    /// An order of the account is refunded, which `opening` completed.
    pub(crate) fn refund(&mut self, account: &mut Account, event: &Event<'_>, opening: &Event<'_>, fact: Fact<'_>) {
        let (refund, order) = (Refund::of(event), Order::of(opening));
        let was = (account.customer.is_one(), account.traits.now());
        let (currency, values) = (self.context.currency(refund.currency), refund_values(&order, refund.amount));
        let fact = Fact { currency, values: &values, opening: &opening.custom, ..fact };
        let facts = &self.context.groups.of[REFUND.place()];
        self.context.emit(facts, &fact, 1, || shares(&order, refund.amount).iter().map(refund_part).collect());
        self.context.total((&mut account.totals, &mut account.day_sums), REFUND, &fact, 1);
        self.active(account, facts, &fact, was, &[], |trigger| match trigger {
            Trigger::Event => true,
            Trigger::Fact(id) => *id == REFUND,
            Trigger::Type(kind) => kind == REFUNDED,
        });
    }

    /// Something else is paid back to the account.
    pub(crate) fn credit(&mut self, account: &mut Account, event: &Event<'_>, fact: Fact<'_>) {
        let refund = Refund::of(event);
        let was = (account.customer.is_one(), account.traits.now());
        let (currency, values) =
            (self.context.currency(refund.currency), invoice::values(refund.invoice, refund.amount));
        let fact = Fact { currency, values: &values, ..fact };
        let facts = &self.context.groups.of[CREDIT.place()];
        self.context.emit(facts, &fact, 1, Vec::new);
        self.context.total((&mut account.totals, &mut account.day_sums), CREDIT, &fact, 1);
        self.active(account, facts, &fact, was, &[], |trigger| match trigger {
            Trigger::Event => true,
            Trigger::Fact(id) => *id == CREDIT,
            Trigger::Type(kind) => kind == REFUNDED,
        });
    }
}
