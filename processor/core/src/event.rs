//! An event as the engine sees it: the wire twin is converted at the edge.

use crate::calendar::Time;

/// Identity of an event.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct EventId {
    /// Who sent it.
    pub source: String,
    /// Unique within the source.
    pub id: String,
}

/// One customer-interaction event of one subject.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// When it happened.
    pub time: Time,
    /// Its identity.
    pub id: EventId,
    /// When a door accepted it.
    pub recorded_at: Time,
    /// Type, as in the vocabulary.
    pub kind: String,
    /// The event that it replaces.
    pub corrects: Option<EventId>,
    /// Its content.
    pub body: Body,
    /// `data.custom`.
    pub custom: Vec<(String, Custom)>,
}

impl Event {
    /// Order of facts: (time, source, id), bytewise.
    pub fn order(&self) -> (Time, &str, &str) {
        (self.time, &self.id.source, &self.id.id)
    }
}

/// Value of a custom field.
#[derive(Debug, Clone, PartialEq)]
pub enum Custom {
    /// Text, or the text of what filters do not look into.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A decimal, as its shortest text.
    Decimal(String),
    /// True or false.
    Flag(bool),
}

/// What an event says.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// `order.completed`.
    Order(Order),
    /// `order.cancelled`: the order's id.
    Cancelled(String),
    /// `payment.refunded` of an order.
    Refund(Refund),
    /// `account.updated`: names with values, `None` unsets.
    Traits(Vec<(String, Option<String>)>),
    /// `usage.recorded`.
    Usage(Usage),
    /// `retracted`.
    Retracted(EventId),
    /// A type without a lifecycle: it counts as an event, no more.
    Other,
}

/// An order; amounts in minor units of `currency`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Order {
    /// Unique within the account.
    pub order: String,
    /// Before discount.
    pub gross: i64,
    /// Off the gross.
    pub discount: i64,
    /// ISO 4217.
    pub currency: String,
    /// Empty if absent.
    pub channel: String,
    /// Empty if absent.
    pub source: String,
    /// Products with amounts before discount.
    pub lines: Vec<(String, i64)>,
}

impl Order {
    /// Gross less discount.
    pub fn net(&self) -> i128 {
        i128::from(self.gross) - i128::from(self.discount)
    }
}

/// A refund of an order.
#[derive(Debug, Clone, PartialEq)]
pub struct Refund {
    /// Unique within the account.
    pub refund: String,
    /// The order.
    pub order: String,
    /// Minor units.
    pub amount: i64,
    /// ISO 4217.
    pub currency: String,
}

/// Use of the product.
#[derive(Debug, Clone, PartialEq)]
pub struct Usage {
    /// Who.
    pub user: String,
    /// What.
    pub name: String,
    /// How often; 0 is no usage.
    pub count: i64,
}
