//! Payments: whether the latest of all events of invoices and subscriptions says that payment fails.
//!
//! It emits nothing; the health score reads it.

use std::borrow::Cow;

use super::{FactType, Lifecycle, Out};
use crate::{
    account::{Decoder, Writer},
    event::Event,
    vocabulary::{invoice_resolved, subscription_changed},
};

/// Number of the field `status`, which is the same in both types.
const STATUS: u32 = invoice_resolved::STATUS;
const _: () = assert!(STATUS == subscription_changed::STATUS);

/// What says that payment fails.
const BAD: [&str; 4] = ["failed", "uncollectible", "past_due", "unpaid"];

/// How an account pays.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Payments {
    /// Whether payment fails; none before the first event.
    fails: Option<bool>,
}

impl Payments {
    /// Whether payment fails; `None` for an account without invoices and subscriptions.
    pub fn fails(&self) -> Option<bool> {
        self.fails
    }
}

impl Lifecycle for Payments {
    const TAG: u8 = b'p';
    const READS: &'static [&'static str] = &["invoice.resolved", "subscription.changed"];
    const FACTS: &'static [&'static FactType] = &[];

    fn about<'e>(_: &'e Event<'_>) -> Cow<'e, str> {
        Cow::Borrowed("")
    }

    fn has(&self, _: &str) -> bool {
        true
    }

    fn apply(&mut self, event: &Event<'_>, _: &mut Out<'_, '_>) {
        self.fails = Some(BAD.contains(&event.data.text(STATUS)));
    }

    fn encode(&self, out: &mut Writer<'_>) {
        out.flag(self.fails == Some(true));
    }

    fn decode(from: &mut Decoder<'_, '_>) -> Option<Payments> {
        Some(Payments { fails: Some(from.flag()?) })
    }
}
