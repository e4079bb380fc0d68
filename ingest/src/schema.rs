//! The vocabulary as a table: which fields each type of event has and what they may be.
//!
//! Read it beside the table of events in the reference; what that leaves open is decided here:
//! - a known type has no other fields (free ones belong in `data.custom`), so that a misspelt
//!   `discount` is refused instead of counting as none;
//! - discounts, refunds and MRR are not negative, other amounts may be (credit notes);
//! - `mrr` and `currency` of a subscription are required while it is paid (active, past_due);
//! - a changed or closed deal may name its amount without the currency, which its opening gave;
//! - `scale_min` and `scale_max` come together or not at all.

/// Amounts are minor units up to 10^15: a million millions of most currencies, and far from overflow.
pub(crate) const AMOUNT_MAX: i64 = 1_000_000_000_000_000;

/// What a field may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Non-empty text, at most 1 KiB, no control characters.
    Id,
    /// Text, at most 1 KiB, no control characters.
    Text,
    /// Text, at most 64 KiB.
    Long,
    /// Whole number in a closed range.
    Integer(i64, i64),
    /// Minor units of the event's currency, in a closed range.
    Money(i64, i64),
    /// Exact decimal number.
    Number,
    /// Exact decimal number in a closed range of whole numbers.
    NumberIn(i64, i64),
    /// Exact decimal number > 0.
    Positive,
    Flag,
    /// ISO 4217.
    Currency,
    OneOf(&'static [&'static str]),
    /// `2026-01-31`.
    Date,
    /// `2026-01-31` or RFC 3339.
    When,
    /// Lines of an order.
    Lines,
    /// Traits of an account or contact.
    Traits,
    /// Object of texts.
    Texts,
}

/// When a field has to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    Required,
    Optional,
    /// Required when the other field is there.
    With(&'static str),
}

/// One field of `data`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) need: Need,
}

/// Whose journal a type belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    Account,
    Lead,
    Tenant,
    /// Of a retraction: the account, else `data.lead`, else the tenant.
    Named,
}

/// One type of event.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Type {
    pub(crate) name: &'static str,
    pub(crate) subject: Subject,
    pub(crate) fields: &'static [Field],
}

/// An amount, which may be negative: a credit note, for instance.
pub(crate) const MONEY: Kind = Kind::Money(-AMOUNT_MAX, AMOUNT_MAX);
const NOT_NEGATIVE: Kind = Kind::Money(0, AMOUNT_MAX);
pub(crate) const COUNT: Kind = Kind::Integer(0, AMOUNT_MAX);

const fn must(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, need: Need::Required }
}

const fn may(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, need: Need::Optional }
}

const fn with(name: &'static str, kind: Kind, other: &'static str) -> Field {
    Field { name, kind, need: Need::With(other) }
}

const fn of(subject: Subject, name: &'static str, fields: &'static [Field]) -> Type {
    Type { name, subject, fields }
}

use Kind::{Currency, Date, Flag, Id, Long, Number, NumberIn, OneOf, Positive, Text, When};
use Subject::{Account, Lead, Named, Tenant};

/// Every type, the most frequent first.
pub(crate) const TYPES: &[Type] = &[
    of(Account, "usage.recorded", &[may("user", Text), may("name", Text), may("count", COUNT)]),
    of(
        Account,
        "order.completed",
        &[
            must("order", Id),
            must("gross", MONEY),
            may("discount", NOT_NEGATIVE),
            must("currency", Currency),
            may("channel", Text),
            may("source", Text),
            may("lines", Kind::Lines),
        ],
    ),
    of(Account, "order.cancelled", &[must("order", Id)]),
    of(
        Account,
        "payment.refunded",
        &[
            may("refund", Id),
            may("order", Id),
            may("invoice", Id),
            must("amount", NOT_NEGATIVE),
            must("currency", Currency),
        ],
    ),
    of(Account, "account.updated", &[must("traits", Kind::Traits)]),
    of(Named, "retracted", &[must("event", Id), may("of_source", Id), may("lead", Id)]),
    of(Account, "contact.updated", &[must("contact", Id), may("role", Text), may("traits", Kind::Traits)]),
    of(Account, "identity.linked", &[must("from", Id), must("to", Id)]),
    of(
        Lead,
        "lead.created",
        &[must("lead", Id), may("source", Text), may("owner", Text), may("value", MONEY), may("currency", Currency)],
    ),
    of(Lead, "lead.contacted", &[must("lead", Id), may("channel", Text), may("automated", Flag), may("agent", Text)]),
    of(Lead, "lead.status_changed", &[must("lead", Id), must("to", OneOf(&["qualified", "disqualified", "recycled"]))]),
    of(Lead, "lead.converted", &[must("lead", Id), must("account", Id)]),
    of(
        Account,
        "opportunity.opened",
        &[
            must("opportunity", Id),
            must("kind", OneOf(&["new", "expansion", "renewal"])),
            may("stage", Text),
            must("amount", MONEY),
            must("currency", Currency),
            may("probability", NumberIn(0, 1)),
            may("owner", Text),
        ],
    ),
    of(
        Account,
        "opportunity.changed",
        &[
            must("opportunity", Id),
            may("kind", OneOf(&["new", "expansion", "renewal"])),
            may("stage", Text),
            may("amount", MONEY),
            may("currency", Currency),
            may("probability", NumberIn(0, 1)),
            may("owner", Text),
        ],
    ),
    of(
        Account,
        "opportunity.closed",
        &[
            must("opportunity", Id),
            must("outcome", OneOf(&["won", "lost"])),
            may("amount", MONEY),
            may("currency", Currency),
            may("reason", Text),
        ],
    ),
    of(Account, "opportunity.reopened", &[must("opportunity", Id), may("stage", Text)]),
    of(
        Account,
        "subscription.changed",
        &[
            must("subscription", Id),
            may("product", Text),
            must("status", OneOf(&["trialing", "active", "past_due", "unpaid", "paused", "canceled"])),
            may("mrr", NOT_NEGATIVE),
            with("currency", Currency, "mrr"),
            may("quantity", COUNT),
            may("term_start", When),
            may("term_end", When),
            may("auto_renew", Flag),
            may("cause", Text),
        ],
    ),
    of(
        Account,
        "invoice.resolved",
        &[
            must("invoice", Id),
            may("order", Id),
            must("status", OneOf(&["paid", "failed", "voided", "uncollectible"])),
            must("amount", MONEY),
            must("currency", Currency),
            may("due_at", When),
        ],
    ),
    of(Account, "offer.made", OFFER),
    of(Account, "offer.accepted", OFFER),
    of(
        Account,
        "ticket.opened",
        &[
            must("ticket", Id),
            may("channel", Text),
            may("topic", Text),
            may("priority", Text),
            may("opened_by", OneOf(&["agent", "customer"])),
        ],
    ),
    of(
        Account,
        "ticket.message",
        &[must("ticket", Id), may("author", OneOf(&["agent", "customer", "bot"])), may("public", Flag)],
    ),
    of(
        Account,
        "ticket.status_changed",
        &[
            must("ticket", Id),
            must("to", OneOf(&["open", "pending", "solved", "closed", "reopened", "merged"])),
            may("into", Id),
        ],
    ),
    of(
        Account,
        "survey.sent",
        &[
            may("survey", Text),
            may("respondent", Text),
            may("ticket", Text),
            must("kind", OneOf(&["nps", "ces", "csat"])),
        ],
    ),
    of(
        Account,
        "survey.answered",
        &[
            may("survey", Text),
            may("respondent", Text),
            may("ticket", Text),
            must("kind", OneOf(&["nps", "ces", "csat"])),
            must("score", Number),
            with("scale_min", Number, "scale_max"),
            with("scale_max", Number, "scale_min"),
            may("higher_is_better", Flag),
            may("comment", Long),
        ],
    ),
    of(
        Tenant,
        "cost.recorded",
        &[
            must("bucket", OneOf(&["acquisition", "retention"])),
            must("amount", MONEY),
            must("currency", Currency),
            may("channel", Text),
            may("source", Text),
            with("period_from", Date, "period_to"),
            with("period_to", Date, "period_from"),
        ],
    ),
    of(
        Tenant,
        "goal.set",
        &[
            must("metric", Id),
            may("dimensions", Kind::Texts),
            must("target", Number),
            may("direction", Text),
            may("due", When),
        ],
    ),
    of(
        Tenant,
        "fx.rate_set",
        &[must("base", Currency), must("quote", Currency), must("rate", Positive), may("valid_from", When)],
    ),
];

const OFFER: &[Field] = &[
    must("offer", Id),
    must("kind", OneOf(&["upsell", "cross_sell"])),
    may("product", Text),
    may("value", MONEY),
    may("currency", Currency),
];

/// The type of this name; `None` for an unknown one.
pub(crate) fn find(name: &str) -> Option<&'static Type> {
    TYPES.iter().find(|t| t.name == name)
}

/// Who an unknown type belongs to.
pub(crate) fn subject_of_unknown(name: &str) -> Subject {
    match name.split_once('.') {
        Some(("lead", _)) => Lead,
        Some(("cost" | "fx" | "goal", _)) => Tenant,
        _ => Account,
    }
}
