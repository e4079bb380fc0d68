//! Usage: who used what how often. A count of 0 is no usage.
//!
//! It keeps no state: filters and sums read the event where it lies.

use crate::{event::Event, vocabulary::usage_recorded as field};

/// How often; `None` for an event of another type.
pub fn count(event: &Event<'_>) -> Option<i64> {
    (event.number == field::NUMBER).then(|| event.data.integer(field::COUNT).unwrap_or(0))
}

/// Who; empty for an event of another type.
pub fn user<'e>(event: &'e Event<'_>) -> &'e str {
    text(event, field::USER)
}

/// What; empty for an event of another type.
pub fn name<'e>(event: &'e Event<'_>) -> &'e str {
    text(event, field::NAME)
}

fn text<'e>(event: &'e Event<'_>, number: u32) -> &'e str {
    if event.number == field::NUMBER { event.data.text(number) } else { "" }
}
