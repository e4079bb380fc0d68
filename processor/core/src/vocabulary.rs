//! The vocabulary in numbers: each type of event with the numbers of its fields, for [`crate::event::Fields`].
//!
//! Generated from `event.proto`, which says what each field is. After a change there,
//! `UPDATE_VOCABULARY=1 cargo test --release -p processor vocabulary` renews it.

#![expect(missing_docs, reason = "generated; the messages of event.proto say what each field is")]

/// Every type of the vocabulary, sorted.
pub const TYPES: [&str; 28] = [
    "account.updated",
    "contact.updated",
    "cost.recorded",
    "fx.rate_set",
    "goal.set",
    "identity.linked",
    "invoice.resolved",
    "lead.contacted",
    "lead.converted",
    "lead.created",
    "lead.status_changed",
    "offer.accepted",
    "offer.made",
    "opportunity.changed",
    "opportunity.closed",
    "opportunity.opened",
    "opportunity.reopened",
    "order.cancelled",
    "order.completed",
    "payment.refunded",
    "retracted",
    "subscription.changed",
    "survey.answered",
    "survey.sent",
    "ticket.message",
    "ticket.opened",
    "ticket.status_changed",
    "usage.recorded",
];

/// The number of each of [`TYPES`].
#[rustfmt::skip]
pub const NUMBERS: [u32; 28] = [23, 28, 47, 49, 48, 29, 39, 31, 33, 30, 32, 41, 40, 35, 36, 34, 37, 21, 20, 22, 25, 38, 46, 45, 43, 42, 44, 24];

/// `order.completed`
pub mod order_completed {
    pub const TYPE: &str = "order.completed";
    pub const NUMBER: u32 = 20;
    pub const ORDER: u32 = 1;
    pub const GROSS: u32 = 2;
    pub const DISCOUNT: u32 = 3;
    pub const CURRENCY: u32 = 4;
    pub const CHANNEL: u32 = 5;
    pub const SOURCE: u32 = 6;
    pub const LINES: u32 = 7;

    /// In `lines`.
    pub mod lines {
        pub const PRODUCT: u32 = 1;
        pub const QUANTITY: u32 = 2;
        pub const AMOUNT: u32 = 3;
    }
}

/// `order.cancelled`
pub mod order_cancelled {
    pub const TYPE: &str = "order.cancelled";
    pub const NUMBER: u32 = 21;
    pub const ORDER: u32 = 1;
}

/// `payment.refunded`
pub mod payment_refunded {
    pub const TYPE: &str = "payment.refunded";
    pub const NUMBER: u32 = 22;
    pub const REFUND: u32 = 1;
    pub const ORDER: u32 = 2;
    pub const INVOICE: u32 = 3;
    pub const AMOUNT: u32 = 4;
    pub const CURRENCY: u32 = 5;
}

/// `account.updated`
pub mod account_updated {
    pub const TYPE: &str = "account.updated";
    pub const NUMBER: u32 = 23;
    pub const TRAITS: u32 = 1;

    /// In `traits`.
    pub mod traits {
        pub const NAME: u32 = 1;
        pub const VALUE: u32 = 2;
    }
}

/// `usage.recorded`
pub mod usage_recorded {
    pub const TYPE: &str = "usage.recorded";
    pub const NUMBER: u32 = 24;
    pub const USER: u32 = 1;
    pub const NAME: u32 = 2;
    pub const COUNT: u32 = 3;
}

/// `retracted`
pub mod retracted {
    pub const TYPE: &str = "retracted";
    pub const NUMBER: u32 = 25;
    pub const EVENT: u32 = 1;
    pub const OF_SOURCE: u32 = 2;
    pub const LEAD: u32 = 3;
}

/// `contact.updated`
pub mod contact_updated {
    pub const TYPE: &str = "contact.updated";
    pub const NUMBER: u32 = 28;
    pub const CONTACT: u32 = 1;
    pub const ROLE: u32 = 2;
    pub const TRAITS: u32 = 3;

    /// In `traits`.
    pub mod traits {
        pub const NAME: u32 = 1;
        pub const VALUE: u32 = 2;
    }
}

/// `identity.linked`
pub mod identity_linked {
    pub const TYPE: &str = "identity.linked";
    pub const NUMBER: u32 = 29;
    pub const FROM: u32 = 1;
    pub const TO: u32 = 2;
}

/// `lead.created`
pub mod lead_created {
    pub const TYPE: &str = "lead.created";
    pub const NUMBER: u32 = 30;
    pub const LEAD: u32 = 1;
    pub const SOURCE: u32 = 2;
    pub const OWNER: u32 = 3;
    pub const VALUE: u32 = 4;
    pub const CURRENCY: u32 = 5;
}

/// `lead.contacted`
pub mod lead_contacted {
    pub const TYPE: &str = "lead.contacted";
    pub const NUMBER: u32 = 31;
    pub const LEAD: u32 = 1;
    pub const CHANNEL: u32 = 2;
    pub const AUTOMATED: u32 = 3;
    pub const AGENT: u32 = 4;
}

/// `lead.status_changed`
pub mod lead_status_changed {
    pub const TYPE: &str = "lead.status_changed";
    pub const NUMBER: u32 = 32;
    pub const LEAD: u32 = 1;
    pub const TO: u32 = 2;
}

/// `lead.converted`
pub mod lead_converted {
    pub const TYPE: &str = "lead.converted";
    pub const NUMBER: u32 = 33;
    pub const LEAD: u32 = 1;
    pub const ACCOUNT: u32 = 2;
}

/// `opportunity.opened`
pub mod opportunity_opened {
    pub const TYPE: &str = "opportunity.opened";
    pub const NUMBER: u32 = 34;
    pub const OPPORTUNITY: u32 = 1;
    pub const KIND: u32 = 2;
    pub const STAGE: u32 = 3;
    pub const AMOUNT: u32 = 4;
    pub const CURRENCY: u32 = 5;
    pub const PROBABILITY: u32 = 6;
    pub const OWNER: u32 = 7;
}

/// `opportunity.changed`
pub mod opportunity_changed {
    pub const TYPE: &str = "opportunity.changed";
    pub const NUMBER: u32 = 35;
    pub const OPPORTUNITY: u32 = 1;
    pub const KIND: u32 = 2;
    pub const STAGE: u32 = 3;
    pub const AMOUNT: u32 = 4;
    pub const CURRENCY: u32 = 5;
    pub const PROBABILITY: u32 = 6;
    pub const OWNER: u32 = 7;
}

/// `opportunity.closed`
pub mod opportunity_closed {
    pub const TYPE: &str = "opportunity.closed";
    pub const NUMBER: u32 = 36;
    pub const OPPORTUNITY: u32 = 1;
    pub const OUTCOME: u32 = 2;
    pub const AMOUNT: u32 = 3;
    pub const CURRENCY: u32 = 4;
    pub const REASON: u32 = 5;
}

/// `opportunity.reopened`
pub mod opportunity_reopened {
    pub const TYPE: &str = "opportunity.reopened";
    pub const NUMBER: u32 = 37;
    pub const OPPORTUNITY: u32 = 1;
    pub const STAGE: u32 = 2;
}

/// `subscription.changed`
pub mod subscription_changed {
    pub const TYPE: &str = "subscription.changed";
    pub const NUMBER: u32 = 38;
    pub const SUBSCRIPTION: u32 = 1;
    pub const PRODUCT: u32 = 2;
    pub const STATUS: u32 = 3;
    pub const MRR: u32 = 4;
    pub const CURRENCY: u32 = 5;
    pub const QUANTITY: u32 = 6;
    pub const TERM_START: u32 = 7;
    pub const TERM_END: u32 = 8;
    pub const AUTO_RENEW: u32 = 9;
    pub const CAUSE: u32 = 10;
}

/// `invoice.resolved`
pub mod invoice_resolved {
    pub const TYPE: &str = "invoice.resolved";
    pub const NUMBER: u32 = 39;
    pub const INVOICE: u32 = 1;
    pub const ORDER: u32 = 2;
    pub const STATUS: u32 = 3;
    pub const AMOUNT: u32 = 4;
    pub const CURRENCY: u32 = 5;
    pub const DUE_AT: u32 = 6;
}

/// `offer.made`
pub mod offer_made {
    pub const TYPE: &str = "offer.made";
    pub const NUMBER: u32 = 40;
    pub const OFFER: u32 = 1;
    pub const KIND: u32 = 2;
    pub const PRODUCT: u32 = 3;
    pub const VALUE: u32 = 4;
    pub const CURRENCY: u32 = 5;
}

/// `offer.accepted`
pub mod offer_accepted {
    pub const TYPE: &str = "offer.accepted";
    pub const NUMBER: u32 = 41;
    pub const OFFER: u32 = 1;
    pub const KIND: u32 = 2;
    pub const PRODUCT: u32 = 3;
    pub const VALUE: u32 = 4;
    pub const CURRENCY: u32 = 5;
}

/// `ticket.opened`
pub mod ticket_opened {
    pub const TYPE: &str = "ticket.opened";
    pub const NUMBER: u32 = 42;
    pub const TICKET: u32 = 1;
    pub const CHANNEL: u32 = 2;
    pub const TOPIC: u32 = 3;
    pub const PRIORITY: u32 = 4;
    pub const OPENED_BY: u32 = 5;
}

/// `ticket.message`
pub mod ticket_message {
    pub const TYPE: &str = "ticket.message";
    pub const NUMBER: u32 = 43;
    pub const TICKET: u32 = 1;
    pub const AUTHOR: u32 = 2;
    pub const PUBLIC: u32 = 3;
}

/// `ticket.status_changed`
pub mod ticket_status_changed {
    pub const TYPE: &str = "ticket.status_changed";
    pub const NUMBER: u32 = 44;
    pub const TICKET: u32 = 1;
    pub const TO: u32 = 2;
    pub const INTO: u32 = 3;
}

/// `survey.sent`
pub mod survey_sent {
    pub const TYPE: &str = "survey.sent";
    pub const NUMBER: u32 = 45;
    pub const SURVEY: u32 = 1;
    pub const RESPONDENT: u32 = 2;
    pub const TICKET: u32 = 3;
    pub const KIND: u32 = 4;
}

/// `survey.answered`
pub mod survey_answered {
    pub const TYPE: &str = "survey.answered";
    pub const NUMBER: u32 = 46;
    pub const SURVEY: u32 = 1;
    pub const RESPONDENT: u32 = 2;
    pub const TICKET: u32 = 3;
    pub const KIND: u32 = 4;
    pub const SCORE: u32 = 5;
    pub const SCALE_MIN: u32 = 6;
    pub const SCALE_MAX: u32 = 7;
    pub const HIGHER_IS_BETTER: u32 = 8;
    pub const COMMENT: u32 = 9;
}

/// `cost.recorded`
pub mod cost_recorded {
    pub const TYPE: &str = "cost.recorded";
    pub const NUMBER: u32 = 47;
    pub const BUCKET: u32 = 1;
    pub const AMOUNT: u32 = 2;
    pub const CURRENCY: u32 = 3;
    pub const CHANNEL: u32 = 4;
    pub const SOURCE: u32 = 5;
    pub const PERIOD_FROM: u32 = 6;
    pub const PERIOD_TO: u32 = 7;
}

/// `goal.set`
pub mod goal_set {
    pub const TYPE: &str = "goal.set";
    pub const NUMBER: u32 = 48;
    pub const GOAL: u32 = 1;
    pub const METRIC: u32 = 2;
    pub const DIMENSIONS: u32 = 3;
    pub const WINDOW: u32 = 4;
    pub const TARGET: u32 = 5;
    pub const CURRENCY: u32 = 6;
    pub const DIRECTION: u32 = 7;
    pub const DUE: u32 = 8;
    pub const TITLE: u32 = 9;
    pub const OWNER: u32 = 10;

    /// In `dimensions`.
    pub mod dimensions {
        pub const NAME: u32 = 1;
        pub const VALUE: u32 = 2;
    }
}

/// `fx.rate_set`
pub mod fx_rate_set {
    pub const TYPE: &str = "fx.rate_set";
    pub const NUMBER: u32 = 49;
    pub const BASE: u32 = 1;
    pub const QUOTE: u32 = 2;
    pub const RATE: u32 = 3;
    pub const VALID_FROM: u32 = 4;
}
