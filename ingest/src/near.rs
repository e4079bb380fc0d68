//! Types that are no known one but look like it: `order.complete`, `Order Completed`, `orders_completed`.
//!
//! A type is compared word by word, whatever its case and separators. Invariants: a known type is near to nothing;
//! words of up to three letters have no near ones, so that `goal.met` is a type of its own beside `goal.set`.
//! It does not know which types a metric reads.

use std::str::FromStr;

use proto::vocabulary::{TYPES, find};

use crate::{Rejection, json};

/// What a door does with types that are not in the vocabulary (setting `unknown_types`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum UnknownTypes {
    /// `refuse-near`: one near a known type is refused with the right spelling, every other is kept.
    #[default]
    RefuseNear,
    /// `allow`: all are kept.
    Allow,
    /// `refuse`: none is kept.
    Refuse,
}

impl FromStr for UnknownTypes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "refuse-near" => Ok(Self::RefuseNear),
            "allow" => Ok(Self::Allow),
            "refuse" => Ok(Self::Refuse),
            _ => Err(format!("is {text:?}, expected refuse-near, allow or refuse")),
        }
    }
}

impl UnknownTypes {
    /// Refuses a type that is not in the vocabulary, unless it may be kept.
    pub(crate) fn check(self, kind: &str) -> Result<(), Rejection> {
        if self == Self::Allow || find(kind).is_some() {
            return Ok(());
        }
        let name = json::excerpt(kind);
        let problem = match (self, near(kind)) {
            (_, Some(near)) => format!(
                "is {name}, expected {near} (to keep it as a type of your own, which no metric reads: [settings] \
                 unknown_types = \"allow\")"
            ),
            (Self::Refuse, None) => format!("is {name}, which is no known type ([settings] unknown_types is refuse)"),
            (_, None) => return Ok(()),
        };
        Err(Rejection::new("type", problem))
    }
}

/// The known type that an unknown one most likely means.
pub fn near(kind: &str) -> Option<&'static str> {
    // Longer ones are free text, most likely.
    if kind.len() > 200 || find(kind).is_some() {
        return None;
    }
    let given = words(kind);
    let found = TYPES.iter().filter_map(|known| Some((distance(&given, &words(known.name))?, known.name)));
    found.min_by_key(|(distance, _)| *distance).map(|(_, name)| name)
}

/// `OrderCompleted`, `order_completed` and `Order-Completed` to `order`, `completed`.
fn words(kind: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for c in kind.chars() {
        let begins = !c.is_alphanumeric() || (c.is_uppercase() && before.is_lowercase());
        if begins && !words[words.len() - 1].is_empty() {
            words.push(String::new());
        }
        if let (true, Some(word)) = (c.is_alphanumeric(), words.last_mut()) {
            word.extend(c.to_lowercase());
        }
        before = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

/// How far `given` is from a known type; none when it is something else.
fn distance(given: &[String], known: &[String]) -> Option<usize> {
    // A version at the end and a domain at the beginning, as in com.example.order.completed.v1, say nothing else.
    let versioned = |word: &String| word.strip_prefix('v').is_some_and(|rest| rest.parse::<u32>().is_ok());
    let given = given.split_last().filter(|(last, rest)| versioned(last) && !rest.is_empty()).map_or(given, |(_, r)| r);
    let prefix = if known.len() > 1 { given.len().saturating_sub(known.len()) } else { 0 };
    let named = &given[prefix..];
    let in_order = apart(named, known);

    // `Completed Order`, and `ordercompleted` with nothing between the words.
    let reversed: Vec<String> = given.iter().rev().cloned().collect();
    let turned = apart(&reversed, known).filter(|_| given.len() == known.len()).map(|distance| distance + 1);
    let joined = (given.len() != known.len()).then(|| word(&given.concat(), &known.concat())).flatten();

    [in_order, turned, joined].into_iter().flatten().min()
}

/// The sum over words that are all near to each other.
fn apart(given: &[String], known: &[String]) -> Option<usize> {
    if given.len() != known.len() {
        return None;
    }
    given.iter().zip(known).map(|(given, known)| word(given, known)).sum()
}

/// How far two words are apart, as long as one is a slip or another form of the other.
fn word(given: &str, known: &str) -> Option<usize> {
    if given == known {
        return Some(0);
    }
    let (short, long) = if given.len() < known.len() { (given, known) } else { (known, given) };
    // `cancel` and `cancelled`, `order` and `orders`.
    let form = short.len() > 3 && long.starts_with(short) && long.len() - short.len() <= 3;
    let distance = strsim::osa_distance(given, known);
    let slips = match known.len() {
        0..4 => 0,
        4..8 => 1,
        _ => 2,
    };
    (form || distance <= slips).then_some(distance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_and_other_spellings_are_near() {
        for (given, known) in [
            ("order.complete", "order.completed"),
            ("Order Completed", "order.completed"),
            ("order_completed", "order.completed"),
            ("orders.completed", "order.completed"),
            ("ORDER-COMPLETED", "order.completed"),
            ("orderCompleted", "order.completed"),
            ("ordercompleted", "order.completed"),
            ("order/completed", "order.completed"),
            ("order.complated", "order.completed"),
            ("Completed Order", "order.completed"),
            (" order.completed", "order.completed"),
            ("com.example.order.completed", "order.completed"),
            ("com.example.order.completed.v2", "order.completed"),
            ("order.cancel", "order.cancelled"),
            ("order.canceled", "order.cancelled"),
            ("Payment Refund", "payment.refunded"),
            ("ticket.open", "ticket.opened"),
            ("ticketStatusChanged", "ticket.status_changed"),
            ("ticket.status.changed", "ticket.status_changed"),
            ("subscription.change", "subscription.changed"),
            ("account.update", "account.updated"),
            ("survey.answer", "survey.answered"),
            ("retract", "retracted"),
        ] {
            assert_eq!(near(given), Some(known), "{given}");
        }
    }

    #[test]
    fn types_of_their_own_are_not() {
        let own = [
            "my.own",
            "page.viewed",
            "order.packed",
            "order.created",
            "goal.met",
            "lead.updated",
            "ticket.reopened",
            "ticket.closed",
            "invoice.created",
            "shipment.completed",
            "offer.retracted",
            "login",
            "",
            "..",
            "x",
        ];
        for kind in own {
            assert_eq!(near(kind), None, "{kind}");
        }
        for known in TYPES {
            assert_eq!(near(known.name), None, "{}", known.name);
        }
    }

    #[test]
    fn the_setting_decides() {
        let said = |setting: &str, kind: &str| {
            let setting: UnknownTypes = setting.parse().expect("a value");
            setting.check(kind).err().map(|rejection| rejection.to_string())
        };
        let near = "type: is order.complete, expected order.completed (to keep it as a type of your own, which no \
                    metric reads: [settings] unknown_types = \"allow\")";
        assert_eq!(said("refuse-near", "order.complete").as_deref(), Some(near));
        assert_eq!(said("refuse", "order.complete").as_deref(), Some(near));
        assert_eq!(said("allow", "order.complete"), None);
        assert_eq!(said("refuse-near", "my.own"), None);
        assert!(said("refuse", "my.own").is_some());
        assert_eq!(said("refuse", "order.completed"), None);
        assert_eq!(
            "deny".parse::<UnknownTypes>(),
            Err("is \"deny\", expected refuse-near, allow or refuse".to_owned())
        );
    }
}
