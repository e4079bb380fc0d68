//! One deal: what it is now, the close that is its outcome, and the facts that it adds and takes back.
//!
//! Invariant: while it is open, and only then, it stands in the level, with its present fields and the present traits of
//! the account.

use super::{
    CLOSED_ID, Kept, OPEN_ID, OPENED_ID, Standing, TIME_ID,
    change::{Change, Fields, Kind},
};
use crate::{
    account::{Decoder, Writer},
    calendar::Time,
    lifecycle::{Fact, Out, Slot},
};

/// One deal of an account.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Deal {
    pub(super) id: Box<str>,
    opened: Time,
    custom: Kept,
    now: Fields,
    /// When the present stage was entered; while it is open.
    entered: Time,
    /// Since when it stands in the level as it does now; while it is open.
    since: Time,
    /// Its outcome; none while it is open.
    close: Option<Close>,
}

/// An outcome, as it was counted.
#[derive(Debug, Clone, PartialEq)]
struct Close {
    time: Time,
    profile: u32,
    fields: Fields,
    won: bool,
    reason: Box<str>,
    custom: Kept,
}

impl Deal {
    pub(super) fn open(id: &str, opening: Change, out: &mut Out<'_, '_>) -> Deal {
        let Change { time, fields, custom, .. } = opening;
        let (opened, entered, since) = (time, time, time);
        let deal = Deal { id: id.into(), opened, custom, now: fields, entered, since, close: None };

        let Fields { kind, owner, stage, currency, .. } = &deal.now;
        let amount = Slot::Integer(deal.now.amount());
        let values = [Slot::Text(kind), Slot::Text(owner), Slot::Text(stage), amount];
        let (currency, opening) = (out.context.currency(currency), deal.custom.fields());
        let plain = Fact::new(time, out.profile(), None);
        out.happen(OPENED_ID, &Fact { currency, values: &values, opening: &opening, ..plain });
        deal.enter(out.profile(), time, out);
        deal
    }

    /// When it was closed, if it is.
    pub(super) fn closed(&self) -> Option<Time> {
        self.close.as_ref().map(|close| close.time)
    }

    /// The deal as its account shows it.
    pub(super) fn standing(&self) -> Standing {
        let Fields { kind, stage, owner, currency, .. } = self.now.clone();
        let (by, amount) = ([self.id.clone(), stage, kind, owner], self.now.amount());
        Standing { by, currency, amount, since: self.entered }
    }

    /// What the next event does.
    pub(super) fn follow(&mut self, change: &Change, out: &mut Out<'_, '_>) {
        let was_open = self.close.is_none();
        let is_open = match change.kind {
            Kind::Opened => return,
            Kind::Reopened if was_open => return,
            Kind::Changed => was_open,
            Kind::Closed => false,
            Kind::Reopened => true,
        };
        let before = self.now.clone();
        let mut now = before.clone();
        now.set(&change.fields);

        let stays = was_open && is_open && now == before;
        if was_open && !stays {
            self.leave(out.profile(), change.time, out);
        }
        if was_open && (!is_open || now.stage != before.stage) {
            self.visit(change, out);
        }
        self.now = now;
        self.settle(change, out);
        if !was_open && is_open {
            self.entered = change.time;
        }
        if is_open && !stays {
            self.since = change.time;
            self.enter(out.profile(), change.time, out);
        }
    }

    /// Takes the outcome back that another close or a reopening ends, and notes the new one.
    fn settle(&mut self, change: &Change, out: &mut Out<'_, '_>) {
        if change.kind == Kind::Changed {
            return;
        }
        if let Some(close) = self.close.take() {
            close.add(self.opened, -1, out);
        }
        if change.kind == Kind::Closed {
            let mut custom = self.custom.clone();
            custom.join(&change.custom);
            let Change { time, profile, won, ref reason, .. } = *change;
            let close = Close { time, profile, fields: self.now.clone(), won, reason: reason.clone(), custom };
            close.add(self.opened, 1, out);
            self.close = Some(close);
        }
    }

    /// The present stage is left.
    fn visit(&mut self, change: &Change, out: &mut Out<'_, '_>) {
        let elapsed = Slot::Integer(change.time.saturating_sub(self.entered));
        let (kind, owner, stage) =
            (Slot::Text(&self.now.kind), Slot::Text(&self.now.owner), Slot::Text(&self.now.stage));
        let (values, part) = ([kind, owner, stage, elapsed], [stage, elapsed, Slot::Absent, Slot::Absent]);
        let opening = self.custom.fields();
        let fact = Fact { values: &values, opening: &opening, ..Fact::new(change.time, change.profile, None) };
        out.add_part(TIME_ID, &fact, &part, 1);
        self.entered = change.time;
    }

    pub(super) fn regroup(&mut self, from: u32, to: u32, at: Time, out: &mut Out<'_, '_>) {
        if self.close.is_none() {
            self.leave(from, at, out);
            self.since = at;
            self.enter(to, at, out);
        }
    }

    fn enter(&self, profile: u32, at: Time, out: &mut Out<'_, '_>) {
        self.stand(profile, at, out, |out, fact| out.enter(OPEN_ID, fact));
    }

    fn leave(&self, profile: u32, at: Time, out: &mut Out<'_, '_>) {
        self.stand(profile, at, out, |out, fact| out.leave(OPEN_ID, fact, self.since));
    }

    /// Moves the level by this deal as it is now.
    fn stand(&self, profile: u32, at: Time, out: &mut Out<'_, '_>, step: impl FnOnce(&mut Out<'_, '_>, &Fact<'_>)) {
        let Fields { kind, stage, owner, currency, .. } = &self.now;
        let values = [
            Slot::Text(stage),
            Slot::Text(kind),
            Slot::Text(owner),
            Slot::Integer(self.now.amount()),
            Slot::Integer(self.now.weighted()),
        ];
        let (currency, opening) = (out.context.currency(currency), self.custom.fields());
        step(out, &Fact { currency, values: &values, opening: &opening, ..Fact::new(at, profile, None) });
    }

    pub(super) fn encode(&self, out: &mut Writer<'_>) {
        out.text(&self.id);
        [self.opened, self.entered, self.since].into_iter().for_each(|at| out.time(at));
        self.custom.encode(out);
        self.now.encode(out);
        out.list(self.close.iter(), |out, close| {
            out.time(close.time);
            out.profile(close.profile);
            close.fields.encode(out);
            out.flag(close.won);
            out.text(&close.reason);
            close.custom.encode(out);
        });
    }

    pub(super) fn decode(from: &mut Decoder<'_, '_>) -> Option<Deal> {
        let id = from.text()?.into();
        let (opened, entered, since) = (from.time()?, from.time()?, from.time()?);
        let (custom, now) = (Kept::decode(from)?, Fields::decode(from)?);
        let mut close = from.list(|from| {
            let (time, profile, fields) = (from.time()?, from.profile()?, Fields::decode(from)?);
            let (won, reason, custom) = (from.flag()?, from.text()?.into(), Kept::decode(from)?);
            Some(Close { time, profile, fields, won, reason, custom })
        })?;
        if close.len() > 1 {
            return None;
        }
        Some(Deal { id, opened, custom, now, entered, since, close: close.pop() })
    }
}

impl Close {
    /// Adds the outcome and the time that the deal took, or takes both back.
    fn add(&self, opened: Time, times: i128, out: &mut Out<'_, '_>) {
        let (kind, owner) = (Slot::Text(&self.fields.kind), Slot::Text(&self.fields.owner));
        let elapsed = Slot::Integer(self.time.saturating_sub(opened));
        let amount = Slot::Integer(self.fields.amount());
        let outcome = [kind, owner, Slot::Text(&self.reason), Slot::Flag(self.won), amount, elapsed];
        let took = [kind, owner, Slot::Absent, elapsed];

        let (currency, opening) = (out.context.currency(&self.fields.currency), self.custom.fields());
        let plain = Fact { opening: &opening, ..Fact::new(self.time, self.profile, None) };
        let outcome = Fact { currency, values: &outcome, ..plain };
        let took = Fact { values: &took, ..plain };
        if times > 0 {
            out.happen(CLOSED_ID, &outcome);
            out.happen(TIME_ID, &took);
        } else {
            out.add(CLOSED_ID, &outcome, times);
            out.add(TIME_ID, &took, times);
        }
    }
}
