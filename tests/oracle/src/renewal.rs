//! Terms: `renewal_rate`, `renewal_rate_dollar`.
//!
//! A paid term counts once the clock has reached its end, also when it was cancelled before. It is renewed by a later paid
//! term of its subscription that begins by its end + 30 d, inclusive, and has begun. The amounts of two currencies are not
//! compared: a renewal in another one keeps nothing of the old amount.

use crate::Micros;
use crate::history::{Account, due};
use crate::mark::Mark;
use crate::money::trait_groups;
use crate::row::Group;
use std::sync::Arc;

/// A term may be renewed until this long after its end.
pub const GRACE: Micros = 30 * 86_400_000_000;

/// The marks of an account.
pub fn marks<'a>(account: &'a Account<'a>, clock: Micros, marks: &mut Vec<Mark<'a>>) {
    for subscription in &account.subscriptions {
        for (start, term) in &subscription.terms {
            let (Some(end), Some(last)) = (term.end.filter(|end| *end <= clock), term.last) else { continue };
            let groups: Arc<[Group<'a>]> = trait_groups(account.traits_before(due(end))).into();
            let mut push = |metric, currency, at, num, den| {
                marks.push(Mark { metric, time: end, at, groups: groups.clone(), currency, num, den });
            };
            push("renewal_rate", "", end, 0, 1);
            push("renewal_rate_dollar", last.currency, end, 0, last.mrr);
            let later = subscription.terms.range(start + 1..=(end + GRACE).min(clock));
            let Some((begun, first)) = later.filter_map(|(at, term)| Some((*at, term.first?))).next() else { continue };
            let at = end.max(begun);
            push("renewal_rate", "", at, 1, 0);
            if first.currency == last.currency {
                push("renewal_rate_dollar", last.currency, at, first.mrr.min(last.mrr), 0);
            }
        }
    }
}
