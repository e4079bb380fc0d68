//! Which account each account is, by the links that hold.
//!
//! Invariants: of two links of one account the later in the order of facts holds; links are followed to the end; an account
//! whose links go round in a circle is itself. The result does not depend on the order in which links become known.

use std::collections::{BTreeMap, BTreeSet};

use processor_core::{calendar::Time, event::Event, lifecycle::journal};

use crate::wire::SEPARATOR;

/// Key of an account.
pub(crate) type Key = Box<str>;

/// Links of one account by place in the order of facts and the journal that they are in: where they lead.
type Choices = BTreeMap<((Time, String, String), Key), Key>;

/// A link that holds in the journal of its own account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    /// Time, source and id of its event.
    pub(crate) order: (Time, String, String),
    /// The account that is another one.
    pub(crate) from: Key,
    /// The one that it is.
    pub(crate) to: Key,
}

impl Link {
    /// The links that hold in the journal of an account, which has this key.
    pub(crate) fn of_journal(key: &str, mut events: Vec<Event<'_>>) -> Vec<Link> {
        events.sort_by(|a, b| a.order().cmp(&b.order()));
        let tenant = key.split(SEPARATOR).next().unwrap_or_default();
        let account = |name: &str| format!("{tenant}{SEPARATOR}a{SEPARATOR}{name}").into_boxed_str();
        let link = |((time, source, id), from, to): ((Time, &str, &str), &str, &str)| Link {
            order: (time, source.to_owned(), id.to_owned()),
            from: account(from),
            to: account(to),
        };
        journal::links(&events).into_iter().map(link).collect()
    }
}

#[derive(Debug, Default)]
pub(crate) struct Graph {
    /// Links by the account whose event they are.
    links: BTreeMap<Key, Vec<Link>>,
    /// Links by `from`, in the order of facts; the last one holds.
    from: BTreeMap<Key, Choices>,
    /// Where links that hold end, and where they begin.
    into: BTreeMap<Key, BTreeSet<Key>>,
}

impl Graph {
    /// The links of an account's own journal.
    pub(crate) fn links(&self, own: &str) -> &[Link] {
        self.links.get(own).map_or(&[], Vec::as_slice)
    }

    /// Replaces the links of an account's own journal. Returns the accounts that may be other ones now.
    pub(crate) fn set(&mut self, own: &str, links: Vec<Link>) -> BTreeSet<Key> {
        let before = self.links.remove(own).unwrap_or_default();
        let mut affected = BTreeSet::new();
        for link in before.iter().chain(&links) {
            self.upstream(&link.from, &mut affected);
        }
        for link in &before {
            self.change(&link.from, |all| {
                all.remove(&(link.order.clone(), own.into()));
            });
        }
        for link in &links {
            self.change(&link.from, |all| {
                all.insert((link.order.clone(), own.into()), link.to.clone());
            });
        }
        for link in before.iter().chain(&links) {
            self.upstream(&link.from, &mut affected);
        }
        if !links.is_empty() {
            self.links.insert(own.into(), links);
        }
        affected
    }

    fn change(&mut self, from: &str, change: impl FnOnce(&mut Choices)) {
        if let Some(to) = self.next(from).map(Key::from)
            && let Some(sources) = self.into.get_mut(&to)
        {
            sources.remove(from);
        }
        change(self.from.entry(from.into()).or_default());
        if let Some(to) = self.next(from).map(Key::from) {
            self.into.entry(to).or_default().insert(from.into());
        }
    }

    fn next(&self, from: &str) -> Option<&str> {
        self.from.get(from)?.last_key_value().map(|(_, to)| to.as_ref())
    }

    /// An account and all whose links lead to it.
    fn upstream(&self, of: &str, found: &mut BTreeSet<Key>) {
        let mut open = vec![Key::from(of)];
        while let Some(key) = open.pop() {
            if found.insert(key.clone()) {
                open.extend(self.into.get(&key).into_iter().flatten().cloned());
            }
        }
    }

    /// The account that an account is.
    pub(crate) fn root<'a>(&'a self, key: &'a str) -> &'a str {
        let mut root = key;
        for _ in 0..=self.from.len() {
            match self.next(root) {
                Some(next) => root = next,
                None => return root,
            }
        }
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(time: Time, from: &str, to: &str) -> Link {
        Link { order: (time, "s".to_owned(), time.to_string()), from: from.into(), to: to.into() }
    }

    fn roots(graph: &Graph) -> String {
        ["a", "b", "c", "d"].map(|key| graph.root(key)).concat()
    }

    #[test]
    fn links_are_followed_to_the_end_in_any_order_of_arrival() {
        for (links, expected) in [
            (vec![link(1, "a", "b")], "bbcd"),
            (vec![link(1, "a", "b"), link(2, "b", "c")], "cccd"),
            (vec![link(1, "a", "b"), link(2, "a", "c")], "cbcd"),
            (vec![link(1, "a", "b"), link(2, "b", "a"), link(3, "d", "a")], "abcd"),
            (vec![link(1, "a", "b"), link(2, "b", "c"), link(3, "c", "d")], "dddd"),
        ] {
            for reversed in [false, true] {
                let mut graph = Graph::default();
                let mut given: Vec<Link> = links.clone();
                if reversed {
                    given.reverse();
                }
                for link in given {
                    let own = format!("{:?}", link.order);
                    assert!(graph.set(&own, vec![link.clone()]).contains(&link.from));
                }
                assert_eq!(roots(&graph), expected, "{links:?}");
            }
        }
    }

    #[test]
    fn a_link_that_holds_no_more_sets_free_all_that_it_led_on() {
        let mut graph = Graph::default();
        graph.set("a", vec![link(1, "a", "b")]);
        graph.set("b", vec![link(2, "b", "c")]);
        let affected: Vec<Key> = graph.set("b", Vec::new()).into_iter().collect();
        assert_eq!(affected, ["a".into(), "b".into()]);
        assert_eq!(roots(&graph), "bbcd");
    }
}
