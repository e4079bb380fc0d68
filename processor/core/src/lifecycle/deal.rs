//! Deals: opened, moved through stages, closed as won or lost, and reopened.
//!
//! A deal has one outcome, its last close; reopening or closing it again takes the earlier one out of its window. While it
//! is open its amount stands in the level of its present stage, kind and owner; closed it stands in none and is in no
//! stage. What is dated before the opening is ignored. What has the time of the opening and a lesser id is not: it is kept
//! until the instant is over.

use std::borrow::Cow;

use super::{FactId, FactType, FieldType, Kept, Lifecycle, Out, Sort, Spelling};
use crate::{
    account::{Decoder, Writer},
    calendar::Time,
    event::Event,
    expr::Type,
};

mod change;
mod one;

use change::Change;
use one::Deal;

const KIND: FieldType = FieldType::dimension("kind", Spelling::Both);
const OWNER: FieldType = FieldType::dimension("owner", Spelling::Both);
const STAGE: FieldType = FieldType::dimension("stage", Spelling::Both);
const AMOUNT: FieldType = FieldType::new("amount", Type::Money, Spelling::Both);
const ELAPSED: FieldType = FieldType::new("elapsed", Type::Number, Spelling::Short);

const fn fact(name: &'static str, event: &'static str, fields: &'static [FieldType]) -> FactType {
    let (sort, whole) = (Sort::Happening, fields.len());
    FactType { name, event, sort, fields, whole, money: true, stays: false, has_event: true, reads: Deals::READS }
}

/// A deal, at its opening, with what it was opened with.
pub const OPENED: FactType = fact("deal", "opportunity.opened", &[KIND, OWNER, STAGE, AMOUNT]);

/// The outcome of a deal, at its last close. `elapsed` is microseconds since the opening.
pub const CLOSED: FactType = fact(
    "deal_closed",
    "opportunity.closed",
    &[
        KIND,
        OWNER,
        FieldType::dimension("reason", Spelling::Both),
        FieldType::new("won", Type::Flag, Spelling::Short),
        AMOUNT,
        ELAPSED,
    ],
);

/// The time that a deal took, at its last close; by stage each visit of it, when it is left. `elapsed` is microseconds.
pub const TIME: FactType = FactType {
    whole: 2,
    money: false,
    ..fact("deal_time", "", &[KIND, OWNER, FieldType::dimension("stage", Spelling::Dimension), ELAPSED])
};

/// The open deals. `weighted` is the amount times the probability, rounded half to even.
pub const OPEN: FactType = FactType {
    sort: Sort::Level,
    ..fact("deal_open", "", &[STAGE, KIND, OWNER, AMOUNT, FieldType::new("weighted", Type::Money, Spelling::Short)])
};

const OPENED_ID: FactId = super::id(&OPENED);
const CLOSED_ID: FactId = super::id(&CLOSED);
const TIME_ID: FactId = super::id(&TIME);
const OPEN_ID: FactId = super::id(&OPEN);

/// Dimensions of the metric that lists the open deals.
pub const LISTED_BY: [&str; 4] = ["opportunity", "stage", "kind", "owner"];

/// An open deal, as an account shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The values of [`LISTED_BY`].
    pub by: [Box<str>; 4],
    /// ISO 4217.
    pub currency: Box<str>,
    /// Minor units.
    pub amount: i64,
    /// When it came into its stage.
    pub since: Time,
}

/// The deals of an account.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Deals {
    /// In the order of their openings.
    list: Vec<Deal>,
    /// What happened at the latest instant to deals that were not opened then: id and change.
    early: Vec<(Box<str>, Change)>,
}

impl Lifecycle for Deals {
    const TAG: u8 = b'd';
    const READS: &'static [&'static str] =
        &["opportunity.opened", "opportunity.changed", "opportunity.closed", "opportunity.reopened"];
    const FACTS: &'static [&'static FactType] = &[&OPENED, &CLOSED, &TIME, &OPEN];

    fn about<'e>(event: &'e Event<'_>) -> Cow<'e, str> {
        Cow::Borrowed(event.data.text(change::DEAL))
    }

    fn has(&self, about: &str) -> bool {
        self.list.iter().any(|deal| *deal.id == *about) || self.early.iter().any(|(deal, _)| **deal == *about)
    }

    fn apply(&mut self, event: &Event<'_>, out: &mut Out<'_, '_>) {
        let id = event.data.text(change::DEAL);
        let change = Change::new(event, out);
        self.early.retain(|(_, early)| early.time == event.time);
        match self.list.iter_mut().find(|deal| *deal.id == *id) {
            Some(deal) => deal.follow(&change, out),
            None if change.is_opening() => self.open(id, change, out),
            None => self.early.push((id.into(), change)),
        }
    }

    fn regroup(&mut self, from: u32, to: u32, at: Time, out: &mut Out<'_, '_>) {
        self.list.iter_mut().for_each(|deal| deal.regroup(from, to, at, out));
    }

    fn prune(&mut self, horizon: Time) {
        self.list.retain(|deal| deal.closed().is_none_or(|at| at >= horizon));
        self.early.retain(|(_, early)| early.time >= horizon);
    }

    fn encode(&self, out: &mut Writer<'_>) {
        out.list(self.list.iter(), |out, deal| deal.encode(out));
        out.list(self.early.iter(), |out, (deal, change)| {
            out.text(deal);
            change.encode(out);
        });
    }

    fn decode(from: &mut Decoder<'_, '_>) -> Option<Deals> {
        let list = from.list(|from| Deal::decode(from))?;
        let early = from.list(|from| Some((from.text()?.into(), Change::decode(from)?)))?;
        Some(Deals { list, early })
    }
}

impl Deals {
    /// The open deals, in the order of their openings.
    pub fn standing(&self) -> impl Iterator<Item = Standing> {
        self.list.iter().filter(|deal| deal.closed().is_none()).map(Deal::standing)
    }

    /// Opens a deal, and lets follow what came before the opening at the same instant.
    fn open(&mut self, id: &str, opening: Change, out: &mut Out<'_, '_>) {
        let mut deal = Deal::open(id, opening, out);
        self.early.retain(|(early, change)| {
            let own = **early == *id;
            if own {
                deal.follow(change, out);
            }
            !own
        });
        self.list.push(deal);
    }
}

#[cfg(test)]
mod tests;
