//! The company: lives one day after the other, hands out what arrives, and keeps the books.
//!
//! ```text
//!   days ──> happenings, by time ──> books
//!                              └───> noise ──> lines, by arrival
//! ```
//! Invariants: what arrives before an instant is a function of the [`Settings`] alone, however it is asked for; a day is
//! lived before anything of it can arrive. Memory holds the accounts and what is still to come, never the past.

use std::{collections::BTreeMap, iter};

use serde_json::json;

use crate::{
    Error, Settings,
    account::{self, Account, Standing},
    books::Books,
    calendar::{Calendar, EARLIEST_US, Today},
    dice::{Dice, at, count},
    event::{Event, Happening, Outbox, Source},
    leads, life, money,
    noise::Noise,
    orders,
    totals::Totals,
    words::FEATURES,
};

/// Accounts for each lead a day that comes to nothing.
const ACCOUNTS_A_LEAD: i64 = 600;

/// A line of CloudEvents JSON, and when it arrives, in microseconds.
pub type Arrival = (i64, String);

/// A simulated company.
#[derive(Debug)]
pub struct Company {
    settings: Settings,
    calendar: Calendar,
    accounts: Vec<Account>,
    money: money::Money,
    /// Days that were lived.
    days: i64,
    happenings: BTreeMap<(i64, u64), Happening>,
    sequence: u64,
    leads: i64,
    noise: Noise,
    books: Books,
}

impl Company {
    /// The company on the morning of its first day.
    ///
    /// # Errors
    /// When the time zones of its regions are not known on this machine, or the date is out of range.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        let calendar = Calendar::new(settings.from)?;
        let noise = Noise::new(settings.seed, settings.shares, calendar.start_us(0));
        let accounts =
            (1..=settings.accounts).map(|number| Account::new(settings.seed, settings.linked, number)).collect();
        Ok(Self {
            money: money::Money::new(settings.accounts),
            settings,
            calendar,
            accounts,
            days: 0,
            happenings: BTreeMap::new(),
            sequence: 0,
            leads: 0,
            noise,
            books: Books::default(),
        })
    }

    /// When the first day begins in UTC; microseconds.
    #[must_use]
    pub fn start_us(&self) -> i64 {
        self.calendar.start_us(0)
    }

    /// What arrives before `until_us` and was not asked for yet, in the order of arrival.
    ///
    /// # Errors
    /// When a date is out of range.
    pub fn arrivals(&mut self, until_us: i64) -> Result<Vec<Arrival>, Error> {
        self.happen(until_us)?;
        Ok(self.noise.arrivals(until_us))
    }

    /// Ends at `to_us`: what happened before and is still on its way, in its order, and the totals of all that happened.
    ///
    /// # Errors
    /// When a date is out of range.
    pub fn finish(mut self, to_us: i64) -> Result<(Vec<Arrival>, Totals), Error> {
        self.happen(to_us)?;
        Ok((self.noise.arrivals(i64::MAX), self.books.close(to_us, account::name)))
    }

    /// Lets everything happen that is dated before `until_us`.
    fn happen(&mut self, until_us: i64) -> Result<(), Error> {
        while self.calendar.start_us(self.days) - EARLIEST_US < until_us {
            let today = self.calendar.today(self.settings.seed, self.days)?;
            self.live_through(&today);
            self.days += 1;
        }
        while let Some(first) = self.happenings.first_entry()
            && first.key().0 < until_us
        {
            let Happening { at_us, event, note } = first.remove();
            self.books.note(at_us, note);
            event.iter().for_each(|event| self.noise.send(event));
        }
        Ok(())
    }

    fn live_through(&mut self, today: &Today) {
        let seed = self.settings.seed;
        let mut out = Outbox::default();
        let mut dice = Dice::of(seed, [-2, today.day]);
        self.money.step(today, &mut dice, &mut out);
        // In Sydney the first day begins before it does in UTC.
        let accounts = if today.day == 0 { 0 } else { count(self.accounts.len()) };
        for _ in 0..some(accounts, ACCOUNTS_A_LEAD, &mut dice) {
            self.leads += 1;
            leads::cold(self.leads, today, &mut dice, &mut out);
        }
        for account in &mut self.accounts {
            let mut dice = Dice::of(seed, [account.number.into(), today.day]);
            life::live(account, today, &mut dice, &mut out);
        }
        for happening in out.0 {
            self.sequence += 1;
            self.happenings.insert((happening.at_us, self.sequence), happening);
        }
    }

    /// One more event, dated `now_us`, of some account that uses the product; `None` where there is none. What is planned
    /// stays as it is and the books do not hear of it. `throw` says which; the same one gives the same event.
    #[must_use]
    pub fn now(&self, now_us: i64, throw: u64) -> Option<String> {
        let mut dice = Dice::of(throw, [now_us, -4]);
        let some = iter::repeat_with(|| dice.below(count(self.accounts.len()))).take(1_000);
        let mut awake = some.map(|index| &self.accounts[at(index)]).filter(|a| a.standing == Standing::Active);
        let account = awake.next()?;
        let id = format!("live-{now_us}");
        let respondent = format!("{}-{id}", account.id());
        let (source, kind, data) = match dice.below(100) {
            ..60 => {
                let data = json!({"user": account.contact(&mut dice), "name": dice.pick(&FEATURES), "count": 1});
                (Source::App, "usage.recorded", data)
            }
            60..85 => {
                let (data, _) = orders::basket(&format!("order-{id}"), account.currency, 3, &mut dice);
                (Source::Shop, "order.completed", data)
            }
            85..93 => {
                let data = json!({"ticket": format!("ticket-{id}"), "channel": "chat", "topic": "question"});
                (Source::Support, "ticket.opened", data)
            }
            _ => {
                let score = dice.pick(&[(10, 40), (9, 20), (8, 20), (6, 20)]);
                (Source::Surveys, "survey.answered", json!({"kind": "nps", "respondent": respondent, "score": score}))
            }
        };
        let account = Some(account.id());
        Some(Event { at_us: now_us, source, kind, id, account, corrects: None, data }.line())
    }
}

/// One for each so many accounts, the rest by chance.
fn some(accounts: i64, each: i64, dice: &mut Dice) -> i64 {
    accounts / each + i64::from(dice.below(each) < accounts % each)
}

#[cfg(test)]
mod naive;
#[cfg(test)]
mod tests;
