//! The fact of scores: which accounts are in which band.

use super::{FactType, FieldType, Sort, Spelling};

/// The accounts that have a score, by band.
pub const SCORED: FactType = FactType {
    name: "scored",
    event: "",
    sort: Sort::Level,
    fields: &[FieldType::dimension("band", Spelling::Short)],
    whole: 1,
    money: false,
    stays: false,
    has_event: false,
    reads: &[
        "order.completed",
        "order.cancelled",
        "subscription.changed",
        "invoice.resolved",
        "usage.recorded",
        "survey.answered",
        "ticket.opened",
        "ticket.message",
        "ticket.status_changed",
    ],
};
