//! Traits that no metric reads: a name, an owner. What an account shows carries them, so that an alert has them.
//!
//! Invariant: those that the plan reads are not here but with the account ([`super::customer::Traits`]), which knows them over
//! time; [`of`] has both, as they are now. State is in the order of names.

use std::borrow::Cow;

use super::{FactType, Lifecycle, Out, customer::updated};
use crate::{
    account::{Account, Decoder, Writer},
    event::Event,
    plan::Plan,
    series::Profiles,
};

/// Names that states have as a number: their place here and 1. Only ever appended to.
const KNOWN: [&str; 8] = ["plan", "segment", "region", "industry", "owner", "name", "parent", "currency"];

/// The traits that no metric reads.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Others {
    /// Name and value.
    set: Vec<(Cow<'static, str>, Box<str>)>,
}

/// All traits that an account has now, in the order of their names.
pub fn of<'a>(plan: &'a Plan, profiles: &'a Profiles, account: &'a Account) -> Vec<(&'a str, &'a str)> {
    let read = plan.traits.iter().zip(profiles.values(account.traits.now()));
    let mut all: Vec<(&str, &str)> = read.map(|(name, value)| (name.as_str(), value.as_ref())).collect();
    all.retain(|(_, value)| !value.is_empty());
    all.extend(account.sections.traits.set.iter().map(|(name, value)| (name.as_ref(), value.as_ref())));
    all.sort_unstable();
    all
}

impl Others {
    fn set(&mut self, name: &str, value: &str) {
        match (self.set.binary_search_by(|(known, _)| known.as_ref().cmp(name)), value.is_empty()) {
            (Ok(place), true) => drop(self.set.remove(place)),
            (Ok(place), false) => self.set[place].1 = value.into(),
            (Err(_), true) => {}
            (Err(place), false) => self.set.insert(place, (named(name), value.into())),
        }
    }
}

/// A name, borrowed where it is a known one.
fn named(name: &str) -> Cow<'static, str> {
    KNOWN.iter().find(|known| name == **known).map_or_else(|| name.to_owned().into(), |known| (*known).into())
}

impl Lifecycle for Others {
    const TAG: u8 = b'n';
    const READS: &'static [&'static str] = &["account.updated"];
    const FACTS: &'static [&'static FactType] = &[];

    fn about<'e>(_event: &'e Event<'_>) -> Cow<'e, str> {
        "".into()
    }

    fn has(&self, _about: &str) -> bool {
        true
    }

    fn apply(&mut self, event: &Event<'_>, out: &mut Out<'_, '_>) {
        for (name, value) in updated(event).into_iter().flatten() {
            if !out.context.plan.traits.iter().any(|read| *read == *name) {
                self.set(name, value.unwrap_or_default());
            }
        }
    }

    fn encode(&self, out: &mut Writer<'_>) {
        out.list(self.set.iter(), |out, (name, value)| {
            match KNOWN.iter().position(|known| known == name) {
                Some(place) => out.number(place as u64 + 1),
                None => {
                    out.number(0);
                    out.text(name);
                }
            }
            out.text(value);
        });
    }

    fn decode(from: &mut Decoder<'_, '_>) -> Option<Others> {
        let set = from.list(|from| {
            let name = match usize::try_from(from.number()?).ok()? {
                0 => from.text()?.to_owned().into(),
                number => (*KNOWN.get(number - 1)?).into(),
            };
            Some((name, from.text()?.into()))
        })?;
        set.is_sorted_by(|(one, _), (other, _)| one < other).then_some(Others { set })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::{
        calendar::{DAY, Time},
        engine::{Engine, Outcome},
        event::Event,
        lifecycle::golden::Said,
        plan::Plan,
        settings::Settings,
    };

    /// An account that shows something at the end of day 9, and the traits that it has then; its state goes through storage.
    fn shown(mut events: Vec<Event<'static>>) -> Vec<String> {
        let plan = Arc::new(Plan::built_in(&Settings::default()).unwrap());
        events.push(Said::order("1", 500, 0, "EUR", &[("p", 500)]).event(9 * DAY, "order"));
        let mut engine = Engine::new(plan, Time::MIN);
        let (mut bytes, mut journal) = (Vec::new(), Vec::new());
        let mut traits = Vec::new();
        for (place, event) in (1..).zip(&events) {
            let slot = engine.load("a", &bytes, []).unwrap();
            if engine.apply(slot, event, None) == Outcome::NeedsJournal {
                engine.apply(slot, event, Some(journal.clone()));
            }
            journal.push(event.clone());
            engine.close(9 * DAY + place, |change| {
                traits = change.traits.iter().map(|(name, value)| format!("{name}={value}")).collect();
            });
            engine.flush(0, |_, _, encoding, _| bytes = encoding.to_vec());
        }
        traits
    }

    #[test]
    fn an_account_shows_all_traits_as_they_are_now_whatever_the_order_of_arrival() {
        let first = Said::traits(&[("name", Some("Acme")), ("plan", Some("pro")), ("custom.tier", Some("gold"))]);
        let second = Said::traits(&[("owner", Some("kim")), ("custom.tier", None), ("plan", Some("team"))]);
        let (first, second) = (first.event(DAY, "first"), second.event(2 * DAY, "second"));
        let expected = ["name=Acme", "owner=kim", "plan=team"];
        assert_eq!(shown(vec![first.clone(), second.clone()]), expected);
        assert_eq!(shown(vec![second, first]), expected);
    }

    #[test]
    fn an_account_without_traits_shows_none() {
        assert_eq!(shown(Vec::new()), [""; 0]);
    }
}
