//! The facts of tickets.
//!
//! Invariant: all have the fields of the opening in front, in the order of [`super::one::Ticket::fields`]; the traits are those
//! of the instant at which the fact is dated.

use super::{Lifecycle, Tickets};
use crate::{
    expr::Type,
    lifecycle::{FactType, FieldType, Sort, Spelling},
};

const CHANNEL: FieldType = FieldType::dimension("channel", Spelling::Both);
const TOPIC: FieldType = FieldType::dimension("topic", Spelling::Both);
const PRIORITY: FieldType = FieldType::dimension("priority", Spelling::Both);
const OPENED_BY: FieldType = FieldType::dimension("opened_by", Spelling::Both);

/// Fields of the levels: `opened` is when the ticket was opened, in microseconds since 1970.
const STANDING: &[FieldType] =
    &[CHANNEL, TOPIC, PRIORITY, OPENED_BY, FieldType::new("opened", Type::Number, Spelling::Short)];

/// What every fact of a ticket has.
const fn fact(name: &'static str, sort: Sort) -> FactType {
    FactType {
        name,
        event: "",
        sort,
        fields: &[CHANNEL, TOPIC, PRIORITY, OPENED_BY],
        whole: 4,
        money: false,
        stays: false,
        has_event: true,
        reads: Tickets::READS,
    }
}

/// A ticket was opened, for the first time.
pub(super) const OPENED: FactType =
    FactType { event: super::OPENED, reads: &[super::OPENED], ..fact("ticket_opened", Sort::Happening) };

/// The customer opened a ticket or wrote in one, where others may read it or not: a sign of life.
pub(super) const CONTACT: FactType =
    FactType { reads: &[super::OPENED, super::MESSAGE], ..fact("customer_contact", Sort::Happening) };

/// A ticket got its first public message of an agent, of one that an agent opened the second. `elapsed` is the time since
/// the opening in microseconds.
pub(super) const ANSWERED: FactType = FactType {
    fields: &[CHANNEL, TOPIC, PRIORITY, OPENED_BY, FieldType::new("elapsed", Type::Number, Spelling::Short)],
    whole: 5,
    reads: &[super::OPENED, super::MESSAGE],
    ..fact("ticket_answered", Sort::Happening)
};

/// A ticket was solved for the first time, and is not merged. `first_contact`: with at most one public message of an agent
/// up to then, not reopened, and no new ticket of the account and topic within seven days after it.
pub(super) const SOLVED: FactType = FactType {
    fields: &[CHANNEL, TOPIC, PRIORITY, OPENED_BY, FieldType::new("first_contact", Type::Flag, Spelling::Short)],
    whole: 5,
    ..fact("ticket_solved", Sort::Happening)
};

/// The tickets that are open or pending and not answered.
pub(super) const WAITING: FactType = FactType { fields: STANDING, whole: 5, ..fact("ticket_waiting", Sort::Level) };

/// The tickets that are open or pending.
pub(super) const OPEN: FactType = FactType {
    fields: STANDING,
    whole: 5,
    reads: &[super::OPENED, super::STATUS],
    ..fact("tickets_open", Sort::Level)
};
