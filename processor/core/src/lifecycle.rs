//! Lifecycles: what an account's events mean. One file each; pure functions of the journal.
//!
//! Each declares the event types that it reads and the facts that it emits, and keeps a section of the account's state. The
//! list below names them once; the catalog, the plan and the aggregates know a fact by its [`FactId`] and its [`FactType`]
//! and name none.
//!
//! Invariants of every lifecycle: events come in the order of facts, and due times between them where they belong; what
//! it emits and keeps is a function of these alone, so that a journal folded again gives the same. What it must see again
//! to take a fact back, it keeps.

use std::{borrow::Cow, fmt::Debug};

use crate::{
    account::{Decoder, Writer},
    calendar::{DAY, Time},
    event::{self, Event, TypeSet},
};

pub mod bought;
pub mod cost;
pub mod customer;
pub mod deal;
pub mod fact;
pub mod feedback;
pub mod fx;
pub mod goal;
#[cfg(test)]
pub(crate) mod golden;
pub mod invoice;
pub mod journal;
pub mod lead;
pub mod offer;
pub mod order;
pub mod out;
pub mod payment;
pub mod refund;
pub mod sale;
pub mod score;
pub mod subscription;
pub mod survey;
pub mod ticket;
pub mod traits;
pub mod usage;

pub use fact::{Fact, FactId, FactType, FieldType, Part, Slot, Sort, Spelling};
pub use out::{Context, Kept, Out};

/// What events of some types mean to the subject that they are about.
pub trait Lifecycle: Debug + Clone + Default + PartialEq {
    /// Names its section in the state of an account: never changes, never means another one.
    const TAG: u8;
    /// Event types that it reads.
    const READS: &'static [&'static str];
    /// Facts that it emits.
    const FACTS: &'static [&'static FactType];
    /// Whether what is due at an instant comes before the events of that instant, so that it sees the state that they find;
    /// else after them.
    const BEFORE_EVENTS: bool = false;
    /// For how long what is over stays in the state, counted from the latest event of the account.
    const KEPT: Time = 400 * DAY;

    /// The id of what an event is about: a ticket, a deal. Empty where it is about nothing that other events name.
    fn about<'e>(event: &'e Event<'_>) -> Cow<'e, str>;

    /// Whether its state has what is about this id. What it does not have and the journal may have, is looked up there.
    fn has(&self, about: &str) -> bool;

    /// Whether its state has all that an event is about, so that it can be applied without the journal.
    fn knows(&self, event: &Event<'_>) -> bool {
        self.has(&Self::about(event))
    }

    /// Applies the next event, one of a type that it reads.
    fn apply(&mut self, event: &Event<'_>, out: &mut Out<'_, '_>);

    /// When time will bring something about, if nothing happens.
    fn due(&self) -> Option<Time> {
        None
    }

    /// When time will bring about an activity, or make or end a customer. What else is due only adds to metrics.
    fn stirs(&self) -> Option<Time> {
        self.due()
    }

    /// Does what is due at `due`.
    fn fire(&mut self, due: Time, out: &mut Out<'_, '_>) {
        let _ = (due, out);
    }

    /// Moves its balances from one group of accounts to another, as the traits change at `at`.
    fn regroup(&mut self, from: u32, to: u32, at: Time, out: &mut Out<'_, '_>) {
        let _ = (from, to, at, out);
    }

    /// Forgets what was over before `horizon`, and is found in the journal from now on.
    fn prune(&mut self, horizon: Time) {
        let _ = horizon;
    }

    /// Appends its state.
    fn encode(&self, out: &mut Writer<'_>);

    /// Reads its state; `None` if the bytes are damaged.
    fn decode(from: &mut Decoder<'_, '_>) -> Option<Self>;
}

/// Facts of customers, orders, refunds and scores, which the account itself keeps.
const OF_ACCOUNTS: &[&FactType] = &[
    &order::ORDER,
    &order::REFUND,
    &customer::STARTED,
    &customer::LOST,
    &customer::CUSTOMER,
    &invoice::CREDIT,
    &score::SCORED,
];

macro_rules! lifecycles {
    ($($name:ident: $state:ty,)*) => {
        /// State of each lifecycle.
        #[derive(Debug, Clone, Default, PartialEq)]
        pub struct Sections {
            $(#[doc = concat!("State of the lifecycle `", stringify!($name), "`.")] pub $name: $state,)*
            /// Which of them have state, by [`bit`]: most accounts have few, and those of the others are not looked at.
            held: u32,
        }

        const LISTS: &[&[&FactType]] = &[OF_ACCOUNTS, $(<$state>::FACTS),*];

        impl Sections {
            /// Whether a lifecycle reads events of this type.
            pub fn read(event: &Event<'_>) -> bool {
                $(const { TypeSet::of(<$state>::READS) }.has(event.number))||*
            }

            /// What an event is about, with the tag of the lifecycle; `None` for nothing that other events name.
            pub fn about<'e>(event: &'e Event<'_>) -> Option<(u8, Cow<'e, str>)> {
                $(if const { TypeSet::of(<$state>::READS) }.has(event.number) {
                    return Some((<$state>::TAG, <$state>::about(event))).filter(|(_, about)| !about.is_empty());
                })*
                None
            }

            /// Whether the state has what an event is about, or needs to know no more of it than the event says.
            pub fn knows(&self, event: &Event<'_>) -> bool {
                $(if const { TypeSet::of(<$state>::READS) }.has(event.number) {
                    return self.$name.knows(event);
                })*
                true
            }

            /// Applies the next event.
            pub fn apply(&mut self, event: &Event<'_>, out: &mut Out<'_, '_>) {
                $(if const { TypeSet::of(<$state>::READS) }.has(event.number) {
                    self.$name.apply(event, out);
                })*
            }

            fn holds(&self, tag: u8) -> bool {
                self.held & bit(tag) != 0
            }

            /// Notes which lifecycles have state, after a step of any.
            pub fn settle(&mut self) {
                self.held = 0;
                $(if self.$name != <$state>::default() {
                    self.held |= bit(<$state>::TAG);
                })*
            }

            /// When time will bring something about, if nothing happens.
            pub fn due(&self) -> Option<Time> {
                let mut due = None;
                $(if self.holds(<$state>::TAG) {
                    due = earlier(due, self.$name.due());
                })*
                due
            }

            /// When time will bring about an activity, or make or end a customer.
            pub fn stirs(&self) -> Option<Time> {
                let mut stirs = None;
                $(if self.holds(<$state>::TAG) {
                    stirs = earlier(stirs, self.$name.stirs());
                })*
                stirs
            }

            /// When time will bring about what comes before the events of its instant.
            pub fn due_before_events(&self) -> Option<Time> {
                let mut due = None;
                $(if <$state>::BEFORE_EVENTS && self.holds(<$state>::TAG) {
                    due = earlier(due, self.$name.due());
                })*
                due
            }

            /// Does what is due at `due`: what comes before the events of that instant, or the rest.
            pub fn fire(&mut self, due: Time, before_events: bool, out: &mut Out<'_, '_>) {
                $(while <$state>::BEFORE_EVENTS == before_events && self.$name.due() == Some(due) {
                    self.$name.fire(due, out);
                })*
            }

            /// Moves balances from one group of accounts to another.
            pub fn regroup(&mut self, from: u32, to: u32, at: Time, out: &mut Out<'_, '_>) {
                $(self.$name.regroup(from, to, at, out);)*
            }

            /// Forgets what was over long before the latest event.
            pub fn prune(&mut self, latest: Time) {
                $(if self.holds(<$state>::TAG) {
                    self.$name.prune(latest.saturating_sub(<$state>::KEPT));
                    if self.$name == <$state>::default() {
                        self.held &= !bit(<$state>::TAG);
                    }
                })*
            }

            /// Tells what was sold what subscriptions have just brought about.
            pub fn share(&mut self, out: &Out<'_, '_>) {
                if let Some(news) = self.subscription.news() {
                    self.sale.learn(news, out);
                }
            }

            /// Whether no lifecycle has any state.
            pub fn is_empty(&self) -> bool {
                self.held == 0
            }

            /// Becomes empty.
            pub fn clear(&mut self) {
                $(if self.holds(<$state>::TAG) {
                    self.$name = <$state>::default();
                })*
                self.held = 0;
            }

            /// Appends the sections of the lifecycles that have state; `mark` gets the name of each and where it ends.
            pub fn encode(&self, out: &mut Writer<'_>, mark: &mut impl FnMut(&'static str, usize)) {
                $(if self.holds(<$state>::TAG) {
                    out.section(<$state>::TAG, |out| self.$name.encode(out));
                    mark(stringify!($name), out.length());
                })*
                out.end();
            }

            /// Reads the sections; `None` if the bytes are damaged or of a lifecycle that is not known.
            pub fn decode(&mut self, from: &mut Decoder<'_, '_>) -> Option<()> {
                // Whatever damaged bytes leave is cleared.
                self.held = u32::MAX;
                while !from.ends()? {
                    from.section(|tag, from| {
                        match tag {
                            $(<$state>::TAG => self.$name = Lifecycle::decode(from)?,)*
                            _ => return None,
                        }
                        Some(())
                    })?;
                }
                self.settle();
                Some(())
            }
        }
    };
}

/// The place of a lifecycle among those that have state.
const fn bit(tag: u8) -> u32 {
    assert!(tag.is_ascii_lowercase(), "a tag is a small letter");
    1 << (tag - b'a')
}

/// The earlier of two times.
fn earlier(one: Option<Time>, other: Option<Time>) -> Option<Time> {
    one.into_iter().chain(other).min()
}

lifecycles! {
    survey: survey::Surveys,
    // After those that read the same types: an event is about what the first of them says.
    feedback: feedback::Feedback,
    subscription: subscription::Subscriptions,
    invoice: invoice::Invoices,
    // After those that read the same types, as above.
    payment: payment::Payments,
    lead: lead::Leads,
    deal: deal::Deals,
    ticket: ticket::Tickets,
    offer: offer::Offers,
    sale: sale::Sales,
    cost: cost::Costs,
    goal: goal::Goals,
    fx: fx::Rates,
    traits: traits::Others,
}

const COUNT: usize = {
    let (mut count, mut list) = (0, 0);
    while list < LISTS.len() {
        count += LISTS[list].len();
        list += 1;
    }
    count
};

/// Every fact type.
const FACTS: [&FactType; COUNT] = {
    let mut facts = [LISTS[0][0]; COUNT];
    let (mut at, mut list) = (0, 0);
    while list < LISTS.len() {
        let mut place = 0;
        while place < LISTS[list].len() {
            facts[at] = LISTS[list][place];
            at += 1;
            place += 1;
        }
        list += 1;
    }
    facts
};

/// Every fact type, by the number of its [`FactId`].
pub fn facts() -> impl Iterator<Item = (FactId, &'static FactType)> {
    (0..).map(FactId).zip(FACTS.iter().copied())
}

/// The type of a fact.
pub fn fact(id: FactId) -> &'static FactType {
    FACTS[id.place()]
}

/// The fact type of this name, or that an event of this type is counted as.
pub fn find(name: &str) -> Option<FactId> {
    let is_it = |fact: &FactType| fact.name == name || (fact.event == name && !name.is_empty());
    facts().find(|(_, fact)| is_it(fact)).map(|(id, _)| id)
}

/// The number of a fact type that is listed; else the build fails.
#[expect(clippy::cast_possible_truncation, reason = "there are a few dozen fact types")]
pub(crate) const fn id(fact: &FactType) -> FactId {
    let mut place = 0;
    // Beyond the end of the list the build fails.
    while !event::same(FACTS[place].name, fact.name) {
        place += 1;
    }
    FactId(place as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fields that a part has room for.
    const MOST: usize = size_of::<Part<'_>>() / size_of::<Slot<'_>>();

    #[test]
    fn every_fact_has_a_name_of_its_own_and_few_enough_fields_of_parts() {
        for (id, fact) in facts() {
            assert_eq!(find(fact.name), Some(id), "{} is there twice", fact.name);
            assert_eq!(format!("{id:?}"), fact.name);
            assert!(fact.fields.len() - fact.whole <= MOST, "{}: parts have more fields", fact.name);
        }
    }
}
