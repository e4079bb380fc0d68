//! The oracle: a naive recomputation of every metric from the whole log.
//!
//! It reads what `vitals events --ticks` prints, sorts, groups, and sums with i128; every window is computed from
//! scratch. It shares no code with the engine, its reader of events included, and knows nothing of partials, slices,
//! revisions or state: it gives the rows that must stand after the last tick. Times are microseconds since the Unix
//! epoch, as in the log.
//!
//! The reading order: `read` (lines to events), `repair` (identity, corrections, retractions), `history` (what
//! happened to each account), `calendar` (windows), then `money`, `base` and `account` (the metrics), `report` (rows),
//! `diff` (against the engine's rows). `generate` makes random input.
//!
//! # What the definitions leave open, and what is decided here
//!
//! Identity and repair
//! - Identity is (subject, source, id): the same (source, id) sent for two accounts is two events, since the accounts
//!   may live on two partitions and values must not depend on that.
//! - An event dated more than `max_ahead` after its `recordedat` is quarantined: it is nowhere, and holds no identity.
//!   Events that no later tick of their partition follows are not published yet and left out.
//! - A correction takes its own (time, source, id) in the order of facts; the default refund id of a corrected
//!   refund is the id of the correction.
//! - A correction or retraction that matches nothing (unknown event or another subject; a stage cannot tell these
//!   apart) replaces nothing; such a correction stands as an ordinary event.
//! - A correction of a correction continues the chain. Among the corrections of one event the greatest that is not
//!   retracted holds; what corrects another of them is void. If all are retracted nothing is in effect.
//! - Retracting a correction withdraws what corrects that correction. What a retraction withdraws stays withdrawn,
//!   whatever corrects or retracts it; what corrects it stands like any correction. An event that corrects itself
//!   corrects nothing; a circle of corrections is void.
//! - `events` counts every distinct accepted event at its own time: retractions, corrected and retracted ones too
//!   (`--events effective` counts those in effect, retractions included).
//!
//! Orders
//! - Order ids and refund ids are per account. A second opening of an order id is no meaningful event. A refund id is
//!   taken by its earliest event even if that one names an unknown or cancelled order, or an invoice.
//! - A cancellation holds whatever its time, also when dated before the order; so does a refund, at its own time.
//! - A refund counts in its own currency. Orders without an account only count in `events`.
//! - Lines that sum to more than `gross`: no line `""`; discount and refunds are spread over the lines as they are.
//!   If all weights are 0 the first line takes everything. Lines of one product are spread apart and then added.
//!
//! Time
//! - A local day begins at the first instant that has its date. One that the zone skipped is no window; trailing windows
//!   go by dates, so they may hold a day less.
//! - A loss not due by the clock has happened if a later order of the account says so, a step of silence if a later
//!   meaningful event does; other events show nothing.
//! - Open windows: levels after everything applied, be it dated after the window's end. Sums, starts and losses keep to
//!   `[start, end)`. Windows that do not exist yet (clock < start; trailing: start of the last day) have no rows.
//! - Silence begins with the first order; a change dated in a day that does not exist yet shows in the open day.
//!   A day at whose end the step is what it was before (reached and left on one day) gives an optional row.
//!
//! - A row of a window of an hour is frozen from the tick on that is at its end + `keep` or later; longer windows never. It
//!   is what the last tick before that showed, from the events recorded by then and the timers due by then, `final`
//!   included. If there was no tick before that, nobody knows what it holds: null, reason `past keep`.
//! - Of a dimension the first `values_max` values are kept apart, by (instant, value), from the instant on at which
//!   something of them stands; all others are `other` (see `values`).
//!
//! Filters
//! - A filter over accounts is over the traits by which the measure groups them: churn at the window's start, levels and
//!   activity at its end, starts at the event. A missing trait is unequal to every value.
//!
//! Rows
//! - Rows for every window start at the first event *in effect*. An `account.updated` counts for the group before and
//!   the group after it, a `retracted` only possibly; until any other event of the group, rows that equal the fill
//!   (level 0, no denominator) are optional. Events without account belong to no group of a trait.
//! - CLV of (group, currency) starts surely at the first counted order or refund of that group in that currency,
//!   possibly when group and currency (any event's `data.currency`) have both been seen: optional until then.
//!   CLV by trait: net revenue by traits at each event, churn by traits at start, the mean over customers at start
//!   (traits at start) and customers at end (traits at end). No customer at start is `no denominator`.
//! - num and den are given also when the denominator is 0 (refunds without orders: num < 0, den = 0).
//! - A sum of 0, and a mean over nothing that a cancelled order leaves behind, are optional rows; also the
//!   `account_value` 0 of an account whose orders are all cancelled.
//! - `orders`, `customers*`, `events` have no currency; `account_value` and `silence` only dimensions `{}`.

pub mod account;
pub mod base;
pub mod big;
pub mod calendar;
pub mod cost;
pub mod deal;
pub mod decimal;
pub mod diff;
pub mod explain;
pub mod filtered;
pub mod fx;
pub mod generate;
pub mod goal;
pub mod health;
pub mod history;
pub mod known;
pub mod lead;
pub mod level;
pub mod local;
pub mod mark;
pub mod merge;
pub mod money;
pub mod movement;
pub mod order;
pub mod projection;
pub mod rational;
pub mod read;
pub mod renewal;
pub mod repair;
pub mod report;
pub mod retention;
pub mod row;
pub mod scenario;
pub mod sell;
pub mod settings;
pub mod spread;
pub mod subscription;
pub mod survey;
pub mod ticket;
pub mod usual;
pub mod values;

#[cfg(test)]
mod tests;

pub use diff::{Options, diff};
pub use report::{Truth, truth};
pub use settings::Settings;

/// Microseconds since the Unix epoch.
pub type Micros = i64;

/// The state after everything applied, as an instant after all others.
pub const NOW: Micros = Micros::MAX;

/// What went wrong, for a person.
#[derive(Debug)]
pub struct Error(pub String);

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self(error.to_string())
    }
}
