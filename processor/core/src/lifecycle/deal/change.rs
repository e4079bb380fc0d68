//! One event of a deal, kept beyond its record; and what a deal is at an instant.

use super::Kept;
use crate::{
    account::{Decoder, Writer},
    calendar::Time,
    event::Event,
    lifecycle::Out,
    rational::Rational,
    vocabulary::{
        opportunity_changed as changed, opportunity_closed as closed, opportunity_opened as opened,
        opportunity_reopened as reopened,
    },
};

/// Number of the field that names the deal, in each of the events.
pub(super) const DEAL: u32 = opened::OPPORTUNITY;

/// Numbers of the other fields, by event type; 0 for none.
struct Numbers {
    kind: u32,
    stage: u32,
    amount: u32,
    currency: u32,
    probability: u32,
    owner: u32,
    outcome: u32,
    reason: u32,
}

const NONE: Numbers =
    Numbers { kind: 0, stage: 0, amount: 0, currency: 0, probability: 0, owner: 0, outcome: 0, reason: 0 };
const OPENED: Numbers = Numbers {
    kind: opened::KIND,
    stage: opened::STAGE,
    amount: opened::AMOUNT,
    currency: opened::CURRENCY,
    probability: opened::PROBABILITY,
    owner: opened::OWNER,
    ..NONE
};
const CHANGED: Numbers = Numbers {
    kind: changed::KIND,
    stage: changed::STAGE,
    amount: changed::AMOUNT,
    currency: changed::CURRENCY,
    probability: changed::PROBABILITY,
    owner: changed::OWNER,
    ..NONE
};
const CLOSED: Numbers = Numbers {
    outcome: closed::OUTCOME,
    amount: closed::AMOUNT,
    currency: closed::CURRENCY,
    reason: closed::REASON,
    ..NONE
};
const REOPENED: Numbers = Numbers { stage: reopened::STAGE, ..NONE };

/// What an event does to a deal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Opened,
    Changed,
    Closed,
    Reopened,
}

const KINDS: [Kind; 4] = [Kind::Opened, Kind::Changed, Kind::Closed, Kind::Reopened];

/// Fields of a deal. Texts are empty where they are absent.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Fields {
    pub(super) kind: Box<str>,
    pub(super) stage: Box<str>,
    pub(super) owner: Box<str>,
    pub(super) currency: Box<str>,
    /// Minor units.
    pub(super) amount: Option<i64>,
    /// Exact decimal, 0 to 1.
    pub(super) probability: Box<str>,
}

/// One event of a deal.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Change {
    pub(super) time: Time,
    /// Traits as of it.
    pub(super) profile: u32,
    pub(super) kind: Kind,
    /// The fields that it names.
    pub(super) fields: Fields,
    pub(super) won: bool,
    pub(super) reason: Box<str>,
    pub(super) custom: Kept,
}

impl Change {
    pub(super) fn new(event: &Event<'_>, out: &Out<'_, '_>) -> Change {
        let (kind, numbers) = match event.kind {
            "opportunity.opened" => (Kind::Opened, OPENED),
            "opportunity.changed" => (Kind::Changed, CHANGED),
            "opportunity.closed" => (Kind::Closed, CLOSED),
            _ => (Kind::Reopened, REOPENED),
        };
        let text = |number: u32| if number == 0 { "" } else { event.data.text(number) };
        Change {
            time: event.time,
            profile: out.profile(),
            kind,
            fields: Fields {
                kind: text(numbers.kind).into(),
                stage: text(numbers.stage).into(),
                owner: text(numbers.owner).into(),
                currency: text(numbers.currency).into(),
                amount: Some(numbers.amount)
                    .filter(|number| *number != 0)
                    .and_then(|number| event.data.integer(number)),
                probability: text(numbers.probability).into(),
            },
            won: text(numbers.outcome) == "won",
            reason: text(numbers.reason).into(),
            custom: out.keep(&event.custom),
        }
    }

    pub(super) fn is_opening(&self) -> bool {
        self.kind == Kind::Opened
    }

    pub(super) fn encode(&self, out: &mut Writer<'_>) {
        out.time(self.time);
        out.profile(self.profile);
        out.integer(KINDS.iter().zip(0..).find(|(kind, _)| **kind == self.kind).map_or(0, |(_, number)| number));
        self.fields.encode(out);
        out.flag(self.won);
        out.text(&self.reason);
        self.custom.encode(out);
    }

    pub(super) fn decode(from: &mut Decoder<'_, '_>) -> Option<Change> {
        Some(Change {
            time: from.time()?,
            profile: from.profile()?,
            kind: *KINDS.get(usize::try_from(from.integer()?).ok()?)?,
            fields: Fields::decode(from)?,
            won: from.flag()?,
            reason: from.text()?.into(),
            custom: Kept::decode(from)?,
        })
    }
}

impl Fields {
    /// Takes the fields that the other ones name.
    pub(super) fn set(&mut self, named: &Fields) {
        for (own, other) in [
            (&mut self.kind, &named.kind),
            (&mut self.stage, &named.stage),
            (&mut self.owner, &named.owner),
            (&mut self.currency, &named.currency),
            (&mut self.probability, &named.probability),
        ] {
            if !other.is_empty() {
                own.clone_from(other);
            }
        }
        self.amount = named.amount.or(self.amount);
    }

    /// Minor units; 0 where it is absent.
    pub(super) fn amount(&self) -> i64 {
        self.amount.unwrap_or(0)
    }

    /// The amount times the probability, half to even; an absent probability is 0.
    pub(super) fn weighted(&self) -> i64 {
        let share =
            Rational::parse(&self.probability).and_then(|share| share.mul(Rational::integer(self.amount().into())));
        share.and_then(|share| i64::try_from(share.round()).ok()).unwrap_or(0)
    }

    pub(super) fn encode(&self, out: &mut Writer<'_>) {
        let texts = [&self.kind, &self.stage, &self.owner, &self.currency, &self.probability];
        texts.into_iter().for_each(|text| out.text(text));
        out.flag(self.amount.is_some());
        out.integer(self.amount());
    }

    pub(super) fn decode(from: &mut Decoder<'_, '_>) -> Option<Fields> {
        let mut text = || from.text().map(Box::from);
        let (kind, stage, owner) = (text()?, text()?, text()?);
        let (currency, probability) = (text()?, text()?);
        let (has, amount) = (from.flag()?, from.integer()?);
        Some(Fields { kind, stage, owner, currency, amount: has.then_some(amount), probability })
    }
}
