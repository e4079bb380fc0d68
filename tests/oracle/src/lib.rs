//! The oracle: a naive recomputation of every metric from the whole log.
//!
//! It reads what `vitals events --ticks` prints, sorts, groups, and sums with i128; every window is computed from
//! scratch. It shares no code with the engine, its reader of events included, and knows nothing of partials, slices,
//! revisions or state: it gives the rows that must stand after the last tick. Times are microseconds since the Unix
//! epoch, as in the log.
//!
//! The reading order: `read` (lines to events), `merge` (accounts that became one), `repair` (identity, corrections,
//! retractions), `history` with `order` and `subscription` (what happened to each account), `calendar` (windows). Then the
//! forms that metrics have: `mark` (what adds to a window), `level` (what stands for a time), `base` (one pass over all
//! accounts), `money`, `account`. The families: `survey`, `ticket`, `lead`, `deal`, `movement`, `renewal`, `retention`,
//! `sell`, `cost`, `health` (with `projection` and `explain`), `goal`, `usual`; `fx` converts. `known` and `report` put the
//! rows together, `diff` compares them with the engine's, `scenario` with what a person worked out; `generate` makes random
//! input.
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
//! - `orders`, `customers*`, `events` have no currency; what accounts show has only dimensions `{}`.
//! - Elapsed times are summed in microseconds and points in millionths: num and den are given in millionths, and the
//!   comparison takes them divided, too. Quantiles may be off by one in a hundred.
//! - Levels with a currency or an event dimension, and revenue retention, have rows from the first of their series on; a
//!   0 before is what a query fills in.
//! - Costs over customers have a row in each window from the currency's first cost on; without a cost in the window that
//!   of acquisition is optional.
//! - Movements of MRR are also what accounts show (`account_new_mrr`), at the window 1d, by currency, where they are not 0.
//!
//! Customers and subscriptions
//! - Times as a customer are the union of what orders and subscriptions claim; times that touch are one. A start or a
//!   loss by an event takes the traits that the event sees, one that falls due those dated before. Where an event and a due
//!   time end a customer at one instant, it is the event.
//! - Events of a subscription at one instant count together: the state after the last, the place of the first.
//! - A paid event with a `term_start` after its own time waits for it. It is replaced by a later one that waits, ended by
//!   any that is not paid, and left alone by a paid event of what runs, also by one without a term.
//! - The end of a term is the last that an event gave it, paid or not. Of several later terms the first renews.
//! - A renewal in another currency renews, and keeps nothing of the old amount.
//! - MRR of a currency that goes to 0 while MRR in another remains is a contraction; where both change at one instant, up
//!   looks at what was before, down at what is after. Two first currencies of one instant are both new.
//! - An upsell is within one currency. An offer is accepted once, by its earliest acceptance, of its own kind.
//! - Products of orders are those of their lines. A product first bought within the first hour is never a cross-sell.
//!
//! Invoices and guests
//! - An invoice bills an order if any of its events names one. What has no account belongs to its order, else to its
//!   invoice; it has no traits, and no events of the groups without traits begin with it for sure.
//!
//! Merged accounts
//! - Links are those in effect before any merge. The later of two links of one account holds; chains are followed; a circle
//!   merges nothing. Of two events of one source and id of merged accounts the first in the log holds.
//!
//! Surveys, tickets, leads, deals
//! - "Dated before the opening" is by time: what has the time of the opening counts, whatever its id.
//! - The status of a ticket is the last one: `open` after a solve makes it open again, and is no reopening. A ticket that
//!   was ever `merged` has no solve. Messages of agents at the instant of the solve are up to it. Tickets without a topic
//!   have one topic. A ticket opened by an agent is no sign of life.
//! - A lead is decided at the first of contact, conversion and 24 h; a contact after the conversion still counts.
//! - A second `closed` without a reopening replaces the outcome, in its own window. `deal_velocity` is from the first
//!   opening to the last close. By stage there are visits alone, and all other dimensions have whole deals alone.
//! - Sales velocity has no row where no deal of its currency was closed.
//!
//! Costs
//! - Negative amounts are spread like their opposites. The window `lag_days` earlier is as many local days earlier.
//!
//! Reporting currency
//! - A rate serves both ways round; of two that are valid from one instant the later in the order of facts holds. A sum is
//!   rounded once for a metric, not for each of its measures. Levels are converted at the rate of the instant at which
//!   they are counted, retention at that of the window's start, with all currencies of an account together.
//!
//! Health score
//! - `since` is the time at which the value last changed; a change that leaves the value is none. Before an account first
//!   was a customer it has no row.
//! - Normalised scores are exact here, not rounded to millionths.
//! - An explanation counts no score as 0. At one instant what is due comes before the events. An event gives what the
//!   score reads after it; of signs of life at one instant the first event gives all.
//!
//! Goals
//! - The three metrics have neither num nor den. A row is as of the end of its day, from what is dated before; a goal has
//!   rows from the day on which it is set to the day that begins when it is due.
//! - The value of a sum is that of the goal's own window. That of a ratio, mean or quantile is the value of the window of
//!   the goal's kind in which the day lies, up to the goal's own; the baseline that of the window in which it was set.
//! - The whole local days between setting and `due` are those that begin at or after the one and end at or before the
//!   other. `dimensions` has at most one dimension. The target of money is in minor units.

pub mod account;
pub mod backtest;
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
