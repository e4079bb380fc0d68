//! The vocabulary as a table: which fields each type of event has, their numbers in its message, and what they may be.
//!
//! It is made of the rules in `event.proto` when this crate is built, and is all that doors, `vitals events`, mappings and
//! the engine know of a type of event. Rules that need two fields are with the validation, in the door. What the reference
//! leaves open is decided in the `.proto`:
//! - a known type has no other fields (free ones belong in `data.custom`), so that a misspelt `discount` is refused instead
//!   of counting as none;
//! - discounts, refunds and MRR are not negative, other amounts may be (credit notes);
//! - a changed or closed deal may name its amount without the currency, which its opening gave;
//! - `scale_min` and `scale_max` come together or not at all.

mod writer;

pub use writer::Writer;

/// What a field may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
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
    /// Exact decimal number, kept as its shortest text.
    Number,
    /// Exact decimal number in a closed range of whole numbers, kept as its shortest text.
    NumberIn(i64, i64),
    /// Exact decimal number greater than 0, kept as its shortest text.
    Positive,
    /// True or false.
    Flag,
    /// Currency code of ISO 4217.
    Currency,
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// A date: `2026-01-31`.
    Date,
    /// A date, `2026-01-31`, or a time, RFC 3339.
    When,
    /// List of objects with these fields: a repeated message.
    List(&'static [Field]),
    /// Traits of an account or contact: repeated `Trait`.
    Traits,
    /// Object of texts: a repeated message of name and value.
    Texts,
}

/// When a field has to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Always.
    Required,
    /// Never.
    Optional,
    /// When the other field of this name is there.
    With(&'static str),
}

/// What an absent field is kept as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fill {
    /// It stays absent.
    Nothing,
    /// This value, as text: `1`, `true`, `customer`.
    Default(&'static str),
    /// The id of the event.
    EventId,
    /// The id of the event, where that is made from a row of a file.
    RowId,
    /// The attribute `ofsource` of the event.
    OfSource,
}

/// One field of the `data` of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Name in `data` and in the message.
    pub name: &'static str,
    /// Number in the message.
    pub number: u32,
    /// What its value may be.
    pub kind: Kind,
    /// When it has to be there.
    pub need: Need,
    /// What it is kept as when it is absent.
    pub fill: Fill,
    /// Whether the message tells an absent one from an empty text, 0 or false.
    pub presence: bool,
}

impl Field {
    /// Whether a value of an object (traits, texts) may be absent, which is another thing than an empty text.
    fn presence_of_values(&self) -> bool {
        self.kind == Kind::Traits
    }
}

/// Whose journal a type of event belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// The account.
    Account,
    /// The lead of the field `lead`.
    Lead,
    /// The tenant itself.
    Tenant,
    /// The account, else the lead of the field `lead`, else the tenant.
    Named,
    /// The account; without one the order of the field `order`, whose buyer is a guest.
    Buyer,
}

/// One type of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Type {
    /// Its name: `order.completed`.
    pub name: &'static str,
    /// Number of its message in `Event.data`.
    pub number: u32,
    /// Whose journal its events belong to.
    pub subject: Subject,
    /// The fields of `data`.
    pub fields: &'static [Field],
}

impl Type {
    /// The field of this name.
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

include!(concat!(env!("OUT_DIR"), "/vocabulary.rs"));

/// The type of this name; `None` for an unknown one.
pub fn find(name: &str) -> Option<&'static Type> {
    TYPES.iter().find(|kind| kind.name == name)
}

/// The type whose message has this number in `Event.data`.
pub fn by_number(number: u32) -> Option<&'static Type> {
    TYPES.iter().find(|kind| kind.number == number)
}

/// Whom an unknown type belongs to.
pub fn subject_of_unknown(name: &str) -> Subject {
    match name.split_once('.') {
        Some(("lead", _)) => Subject::Lead,
        Some(("cost" | "fx" | "goal", _)) => Subject::Tenant,
        _ => Subject::Account,
    }
}
