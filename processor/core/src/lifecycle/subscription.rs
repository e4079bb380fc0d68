//! Subscriptions: what each pays from which instant on.
//!
//! Each event sets the whole state: paid (active or past due, with MRR above 0) or not. A paid event of a term that is still
//! to come leaves the present as it is until that term begins; an event that is not paid ends both. Events of one instant
//! count together: what one of them brought about, the next of the same instant takes back. Such events are always folded
//! from the journal, so what an instant began with is not kept.
//!
//! Whether any subscription is paid is a [`Claim`] on being a customer; [`super::customer`] decides.

use std::borrow::Cow;

use super::{
    Fact, FactId, FactType, FieldType, Kept, Lifecycle, Out, Slot, Sort, Spelling, customer::Claim, sale::News,
};
use crate::{
    account::{Decoder, Writer},
    calendar::{DAY, HOUR, Time},
    event::Event,
    expr::Type,
    vocabulary::subscription_changed as field,
};

mod history;
mod movement;
mod term;

use history::History;
use movement::Instant;
pub use movement::MOVED;
pub use term::ENDED;
use term::Terms;

/// What begins within this of the first makes the account a customer with it.
const TOGETHER: Time = HOUR;

/// Monthly recurring revenue of the paid subscriptions, in minor units. Its number is that of paid subscriptions.
pub const MRR: FactType = FactType {
    name: "mrr",
    event: "",
    sort: Sort::Level,
    fields: &[FieldType::dimension("product", Spelling::Both), FieldType::new("amount", Type::Money, Spelling::Short)],
    whole: 2,
    money: true,
    stays: false,
    has_event: true,
    reads: Subscriptions::READS,
};

/// A subscription was paid for the first time, and makes its account a customer for the first time: alone, or with others
/// that begin within an hour of the first. Not where an order is among the facts of the first instant.
pub const BEGUN: FactType = FactType {
    name: "subscription_begun",
    event: "",
    sort: Sort::Happening,
    fields: &[
        FieldType::dimension("channel", Spelling::Dimension),
        FieldType::dimension("source", Spelling::Dimension),
        FieldType::dimension("product", Spelling::Both),
        FieldType::new("mrr", Type::Money, Spelling::Short),
    ],
    whole: 4,
    money: true,
    stays: false,
    has_event: true,
    reads: &["subscription.changed", "order.completed", "order.cancelled"],
};

const LEVEL: FactId = super::id(&MRR);
const BEGAN: FactId = super::id(&BEGUN);

/// What a subscription pays.
#[derive(Debug, Clone, PartialEq)]
struct Paid {
    /// Minor units a month; above 0.
    mrr: i64,
    /// ISO 4217.
    currency: Box<str>,
    product: Box<str>,
    custom: Kept,
}

/// One subscription.
#[derive(Debug, Clone, PartialEq)]
struct Subscription {
    id: Box<str>,
    /// What it pays now; none for nothing.
    present: Option<Paid>,
    /// What it will pay from then on.
    coming: Option<(Time, Paid)>,
    /// When it was paid for the first time.
    began: Option<Time>,
    /// The latest instant at which it was said what it pays, and the traits as of the first fact of that instant.
    stepped: (Time, u32),
    terms: Terms,
    /// Currency and MRR that it paid when the latest instant began, while its events are folded.
    prior: Option<(Box<str>, i64)>,
}

/// The subscriptions of an account.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Subscriptions {
    /// By id.
    list: Vec<Subscription>,
    claim: Claim,
    /// Whether it ever had MRR.
    ever: bool,
    history: History,
    /// When subscriptions alone made it a customer for the first time.
    first: Option<Time>,
    /// The latest instant, while its events are folded.
    instant: Option<Instant>,
    /// What the latest step brought about, until it is asked for.
    news: Option<News>,
}

impl Lifecycle for Subscriptions {
    const TAG: u8 = b'm';
    const READS: &'static [&'static str] = &["subscription.changed"];
    const FACTS: &'static [&'static FactType] = &[&MRR, &MOVED, &BEGUN, &ENDED];
    const BEFORE_EVENTS: bool = true;

    fn about<'e>(event: &'e Event<'_>) -> Cow<'e, str> {
        Cow::Borrowed(event.data.text(field::SUBSCRIPTION))
    }

    fn has(&self, about: &str) -> bool {
        self.find(about).is_ok()
    }

    fn knows(&self, event: &Event<'_>) -> bool {
        let known = self.find(&Self::about(event));
        known.is_ok_and(|place| self.list[place].terms.reach(event.data.text(field::TERM_START)))
    }

    fn apply(&mut self, event: &Event<'_>, out: &mut Out<'_, '_>) {
        let at = event.time;
        let mut instant = |number| out.context.calendar.instant(event.data.text(number));
        let (start, end) = (instant(field::TERM_START), instant(field::TERM_END));
        let paid = paid(event, out);
        let place = self.place(event.data.text(field::SUBSCRIPTION));
        let subscription = &mut self.list[place];

        let present = match (&paid, start.filter(|start| *start > at)) {
            (Some(paid), Some(start)) => {
                subscription.coming = Some((start, paid.clone()));
                subscription.present.clone()
            }
            (Some(paid), None) => Some(paid.clone()),
            (None, _) => {
                subscription.coming = None;
                None
            }
        };
        let custom = out.keep(&event.custom);
        self.step(place, at, present, custom, out);
        self.list[place].terms.apply(at, start, end, paid, out);
    }

    fn due(&self) -> Option<Time> {
        self.stirs().into_iter().chain(self.list.iter().filter_map(|subscription| subscription.terms.due())).min()
    }

    /// The end of a term is counted and changes nothing else: what is paid goes on until an event says so.
    fn stirs(&self) -> Option<Time> {
        self.list.iter().filter_map(|subscription| subscription.coming.as_ref().map(|(at, _)| *at)).min()
    }

    fn fire(&mut self, due: Time, out: &mut Out<'_, '_>) {
        for place in 0..self.list.len() {
            if let Some((_, paid)) = self.list[place].coming.take_if(|(at, _)| *at == due) {
                self.step(place, due, Some(paid), Kept::default(), out);
            }
            self.list[place].terms.advance(due, out);
        }
    }

    fn regroup(&mut self, from: u32, to: u32, at: Time, out: &mut Out<'_, '_>) {
        for paid in self.list.iter().filter_map(|subscription| subscription.present.as_ref()) {
            paid.level(at, from, -1, out);
            paid.level(at, to, 1, out);
        }
    }

    fn prune(&mut self, horizon: Time) {
        self.list.retain_mut(|subscription| {
            subscription.terms.prune(horizon);
            let lasts = subscription.present.is_some() || subscription.coming.is_some();
            lasts || !subscription.terms.is_empty() || subscription.stepped.0 >= horizon
        });
    }

    fn encode(&self, out: &mut Writer<'_>) {
        out.list(self.list.iter(), |out, subscription| {
            out.text(&subscription.id);
            out.list(subscription.present.iter(), |out, paid| paid.encode(out));
            out.list(subscription.coming.iter(), |out, (at, paid)| {
                out.time(*at);
                paid.encode(out);
            });
            out.time(subscription.began.unwrap_or(Time::MIN));
            out.time(subscription.stepped.0);
            out.profile(subscription.stepped.1);
            subscription.terms.encode(out);
        });
        out.time(self.claim.since);
        out.profile(self.claim.profile);
        out.flag(self.ever);
        self.history.encode(out);
        out.time(self.first.unwrap_or(Time::MIN));
    }

    fn decode(from: &mut Decoder<'_, '_>) -> Option<Subscriptions> {
        let list = from.list(|from| {
            Some(Subscription {
                id: from.text()?.into(),
                present: from.list(Paid::decode)?.pop(),
                coming: from.list(|from| Some((from.time()?, Paid::decode(from)?)))?.pop(),
                began: Some(from.time()?).filter(|at| *at != Time::MIN),
                stepped: (from.time()?, from.profile()?),
                terms: Terms::decode(from)?,
                prior: None,
            })
        })?;
        let paid = list.iter().any(|subscription| subscription.present.is_some());
        Some(Subscriptions {
            list,
            claim: Claim { paid, since: from.time()?, profile: from.profile()? },
            ever: from.flag()?,
            history: History::decode(from)?,
            first: Some(from.time()?).filter(|at| *at != Time::MIN),
            instant: None,
            news: None,
        })
    }
}

impl Subscriptions {
    /// Whether a paid subscription makes the account a customer, and since when.
    pub fn claim(&self) -> Claim {
        self.claim
    }

    /// Subscriptions alone made the account a customer for the first time, at `at`.
    pub fn make_customer(&mut self, at: Time, out: &mut Out<'_, '_>) {
        self.first = Some(at);
        self.list.iter().for_each(|subscription| subscription.begin(1, out));
    }

    fn find(&self, id: &str) -> Result<usize, usize> {
        self.list.binary_search_by(|known| known.id.as_ref().cmp(id))
    }

    /// The place of the subscription of this id, new if it is not there.
    fn place(&mut self, id: &str) -> usize {
        self.find(id).unwrap_or_else(|place| {
            let new = Subscription {
                id: id.into(),
                present: None,
                coming: None,
                began: None,
                stepped: (Time::MIN, 0),
                terms: Terms::default(),
                prior: None,
            };
            self.list.insert(place, new);
            place
        })
    }

    /// From `at` on a subscription pays `present`.
    fn step(&mut self, place: usize, at: Time, present: Option<Paid>, custom: Kept, out: &mut Out<'_, '_>) {
        let profile = out.profile();
        let mut instant = match self.instant.take() {
            Some(instant) if instant.time == at => instant,
            _ => Instant::new(at, profile, custom, self.totals(), self.ever),
        };
        let together = self.first.is_some_and(|first| first < at && at - first <= TOGETHER);

        let subscription = &mut self.list[place];
        if subscription.stepped.0 != at {
            subscription.stepped = (at, profile);
            subscription.prior = subscription.present.as_ref().map(|paid| (paid.currency.clone(), paid.mrr));
        }
        if subscription.began == Some(at) {
            // It began with another event of this instant.
            if together {
                subscription.begin(-1, out);
            }
            subscription.began = None;
        }
        if let Some(before) = subscription.present.take() {
            before.level(at, profile, -1, out);
        }
        if let Some(paid) = &present {
            paid.level(at, profile, 1, out);
        }
        subscription.present = present;
        if subscription.began.is_none() && subscription.present.is_some() {
            subscription.began = Some(at);
            if together {
                subscription.begin(1, out);
            }
        }

        let totals = self.totals();
        self.history.step(at, instant.after(), &totals, out);
        if totals.is_empty() == self.claim.paid {
            self.claim = Claim { paid: !totals.is_empty(), since: at, profile };
        }
        instant.end_with(totals, out);
        self.ever = instant.ever();
        self.news = Some(self.news_of(at, instant.profile()));
        self.instant = Some(instant);
    }

    /// What the latest step brought about; once.
    pub fn news(&mut self) -> Option<News> {
        self.news.take()
    }

    /// What the instant `at` brought about so far.
    fn news_of(&self, at: Time, profile: u32) -> News {
        let now = self.list.iter().filter(|subscription| subscription.stepped.0 == at);
        let (mut raised, mut begun) = (Vec::new(), Vec::new());
        for (subscription, paid) in now.filter_map(|subscription| Some((subscription, subscription.present.as_ref()?)))
        {
            let less = |(currency, mrr): &(Box<str>, i64)| *currency == paid.currency && *mrr < paid.mrr;
            raised.extend(subscription.prior.as_ref().filter(|prior| less(prior)).map(|_| paid.product.clone()));
            begun.extend((subscription.began == Some(at)).then(|| paid.product.clone()));
        }
        News { at, profile, raised, begun }
    }

    /// Total MRR by currency; none is 0.
    fn totals(&self) -> movement::Totals {
        let mut totals = movement::Totals::new();
        for paid in self.list.iter().filter_map(|subscription| subscription.present.as_ref()) {
            *totals.entry(paid.currency.clone()).or_default() += i128::from(paid.mrr);
        }
        totals
    }
}

impl Subscription {
    /// Adds `times` times that it makes the account a customer for the first time.
    fn begin(&self, times: i128, out: &mut Out<'_, '_>) {
        let (Some(paid), Some(began)) = (&self.present, self.began) else { return };
        let values = [Slot::Absent, Slot::Absent, Slot::Text(&paid.product), Slot::Integer(paid.mrr)];
        let (currency, opening) = (out.context.currency(&paid.currency), paid.custom.fields());
        let fact = Fact { currency, values: &values, opening: &opening, ..Fact::new(began, self.stepped.1, None) };
        if times > 0 { out.happen(BEGAN, &fact) } else { out.add(BEGAN, &fact, times) }
    }
}

impl Paid {
    /// Adds its amount `times` times to the balance.
    fn level(&self, at: Time, profile: u32, times: i128, out: &mut Out<'_, '_>) {
        let values = [Slot::Text(&self.product), Slot::Integer(self.mrr)];
        let (currency, opening) = (out.context.currency(&self.currency), self.custom.fields());
        out.add(LEVEL, &Fact { currency, values: &values, opening: &opening, ..Fact::new(at, profile, None) }, times);
    }

    fn encode(&self, out: &mut Writer<'_>) {
        out.integer(self.mrr);
        out.text(&self.currency);
        out.text(&self.product);
        self.custom.encode(out);
    }

    fn decode(from: &mut Decoder<'_, '_>) -> Option<Paid> {
        Some(Paid {
            mrr: from.integer()?,
            currency: from.text()?.into(),
            product: from.text()?.into(),
            custom: Kept::decode(from)?,
        })
    }
}

/// What an event says that is paid; `None` for nothing.
fn paid(event: &Event<'_>, out: &Out<'_, '_>) -> Option<Paid> {
    let mrr = event.data.integer(field::MRR).filter(|mrr| *mrr > 0)?;
    let pays = ["active", "past_due"].contains(&event.data.text(field::STATUS));
    pays.then(|| Paid {
        mrr,
        currency: event.data.text(field::CURRENCY).into(),
        product: event.data.text(field::PRODUCT).into(),
        custom: out.keep(&event.custom),
    })
}
