//! What has to be appended to the events of one account so that another content holds for an id.
//!
//! A *lineage* is all that an id ever meant: its event, what corrects it, and the events that took its place after it was
//! retracted. Ids are made from the first one:
//!
//! ```text
//!     A1                first event
//!     A1~replaced1      corrects A1; when a third content comes, A1~replaced1 is retracted and A1~replaced2 corrects A1
//!     A1~again2         a new event, where A1 was retracted: a retraction holds for ever
//!     X~withdrawn       retracts X
//! ```
//! Invariants: pure; at most one event of a lineage holds afterwards; the same journal and the same content give the same
//! events, so that an import that was killed goes on as it began. All earlier corrections are retracted before a new one:
//! of two the one with the greater time would hold, whichever came last.

use std::collections::{BTreeMap, HashMap, HashSet};

use proto::v1::{Event, Retracted, SubjectKind, event};

const REPLACED: &str = "~replaced";
const AGAIN: &str = "~again";
const WITHDRAWN: &str = "~withdrawn";

/// Source and id of an event; of a lineage those of its first.
pub(super) type Id = (String, String);

/// The id that the lineage of an id began with.
pub(super) fn base(id: &str) -> &str {
    let Some((base, rest)) = id.rsplit_once('~') else { return id };
    let number = ["replaced", "again"].iter().find_map(|word| rest.strip_prefix(word));
    let made = number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()));
    if made { base } else { id }
}

/// Whether two events have the same content, whatever their ids and what they correct. An event without a time of its own
/// has that of its arrival, which is no content.
pub(super) fn same_content(one: &Event, other: &Event) -> bool {
    let arrival = one.time_is_arrival || other.time_is_arrival;
    let plain = |event: &Event| Event {
        id: String::new(),
        corrects: String::new(),
        corrects_source: String::new(),
        recorded_at_us: 0,
        time_us: if arrival { 0 } else { event.time_us },
        time_is_arrival: false,
        ..event.clone()
    };
    plain(one) == plain(other)
}

/// Whether an event is about another one: it corrects or retracts it.
pub(super) fn mends(event: &Event) -> bool {
    !event.corrects.is_empty() || is_retraction(event)
}

/// Whether an event retracts another one.
pub(super) fn is_retraction(event: &Event) -> bool {
    matches!(event.data, Some(event::Data::Retracted(_)))
}

/// The events that an event corrects or retracts.
pub(super) fn targets(event: &Event) -> impl Iterator<Item = Id> {
    corrects(event).into_iter().chain(retracts(event))
}

/// The events of one account that hold their ids.
#[derive(Debug)]
pub(super) struct Journal {
    events: Vec<Event>,
    /// Which of them are neither withdrawn nor replaced.
    standing: Vec<bool>,
    places: HashMap<Id, usize>,
    retracted: HashSet<Id>,
    lineages: BTreeMap<Id, Vec<usize>>,
    /// Ids made since.
    made: HashSet<Id>,
}

impl Journal {
    /// Of the events that hold their ids, and which of them stand.
    pub(super) fn new(events: Vec<Event>, standing: Vec<bool>) -> Self {
        assert_eq!(events.len(), standing.len(), "each event stands or does not");
        let places = events.iter().enumerate().map(|(at, event)| (id(event), at)).collect();
        let retracted = events.iter().filter_map(retracts).collect();
        let mut journal = Self { events, standing, places, retracted, lineages: BTreeMap::new(), made: HashSet::new() };
        for at in 0..journal.events.len() {
            if retracts(&journal.events[at]).is_none() {
                journal.lineages.entry(journal.lineage(at)).or_default().push(at);
            }
        }
        journal
    }

    /// The lineages of all its events.
    pub(super) fn lineages(&self) -> impl Iterator<Item = &Id> {
        self.lineages.keys()
    }

    /// The events of a lineage that stand.
    pub(super) fn standing(&self, lineage: &Id) -> Vec<&Event> {
        self.members(lineage).into_iter().filter(|at| self.standing[*at]).map(|at| &self.events[at]).collect()
    }

    /// What to append so that nothing of a lineage holds but `content`.
    pub(super) fn let_hold(&mut self, lineage: &Id, content: Option<&Event>) -> Vec<Event> {
        let standing = self.standing(lineage);
        match (content, standing.as_slice()) {
            (None, []) => return Vec::new(),
            (Some(content), [only]) if same_content(content, only) => return Vec::new(),
            _ => {}
        }
        let live: Vec<usize> = self.members(lineage).into_iter().filter(|at| !self.is_withdrawn(*at)).collect();
        let Some(content) = content else {
            // What withdraws the first withdraws its corrections, too.
            let roots: Vec<usize> = live.iter().copied().filter(|at| self.corrected(*at).is_none()).collect();
            return roots.into_iter().map(|at| self.retract(at)).collect();
        };
        let root = live.iter().copied().find(|at| self.events[*at].corrects.is_empty());
        let others = live.into_iter().filter(|at| Some(*at) != root);
        let mut out: Vec<Event> = others.collect::<Vec<_>>().into_iter().map(|at| self.retract(at)).collect();
        let (source, first) = lineage;
        let mut new = Event { corrects: String::new(), corrects_source: String::new(), ..content.clone() };
        new.recorded_at_us = 0;
        match root {
            Some(root) => {
                new.id = self.fresh(source, first, REPLACED, 1);
                new.corrects.clone_from(&self.events[root].id);
            }
            None if !self.is_taken(lineage) => new.id.clone_from(first),
            None => new.id = self.fresh(source, first, AGAIN, 2),
        }
        self.made.insert(id(&new));
        out.push(new);
        out
    }

    fn members(&self, lineage: &Id) -> Vec<usize> {
        self.lineages.get(lineage).cloned().unwrap_or_default()
    }

    /// The id of the first event of the lineage of an event.
    fn lineage(&self, at: usize) -> Id {
        let mut first = at;
        for _ in 0..self.events.len() {
            match self.corrected(first) {
                Some(before) => first = before,
                None => break,
            }
        }
        let event = &self.events[first];
        let (source, id) = corrects(event).unwrap_or_else(|| id(event));
        (source, base(&id).to_owned())
    }

    /// The event here that an event corrects.
    fn corrected(&self, at: usize) -> Option<usize> {
        let target = corrects(&self.events[at])?;
        self.places.get(&target).copied().filter(|target| *target != at)
    }

    /// Whether an event was retracted, or one that it corrects.
    fn is_withdrawn(&self, at: usize) -> bool {
        let chain = std::iter::successors(Some(at), |at| self.corrected(*at)).take(self.events.len());
        chain.into_iter().any(|at| self.retracted.contains(&id(&self.events[at])))
    }

    fn is_taken(&self, id: &Id) -> bool {
        self.places.contains_key(id) || self.made.contains(id)
    }

    /// An id that no event has.
    fn fresh(&self, source: &str, first: &str, word: &str, from: u64) -> String {
        let free = |number: &u64| !self.is_taken(&(source.to_owned(), format!("{first}{word}{number}")));
        let number = (from..).find(free).unwrap_or(u64::MAX);
        format!("{first}{word}{number}")
    }

    /// The retraction of an event.
    fn retract(&mut self, at: usize) -> Event {
        let of = &self.events[at];
        let target = id(of);
        let mut own = (of.source.clone(), format!("{}{WITHDRAWN}", of.id));
        if self.is_taken(&own) {
            own.1 = self.fresh(&of.source, &of.id, WITHDRAWN, 2);
        }
        let lead = if of.subject_kind() == SubjectKind::Lead { of.subject.clone() } else { String::new() };
        let retraction = Event {
            id: own.1.clone(),
            source: of.source.clone(),
            r#type: "retracted".to_owned(),
            time_us: of.time_us,
            subject: of.subject.clone(),
            subject_kind: of.subject_kind,
            tenant: of.tenant.clone(),
            data: Some(event::Data::Retracted(Retracted { event: of.id.clone(), of_source: String::new(), lead })),
            ..Event::default()
        };
        self.retracted.insert(target);
        self.made.insert(own);
        retraction
    }
}

fn id(event: &Event) -> Id {
    (event.source.clone(), event.id.clone())
}

/// The event that an event replaces.
fn corrects(event: &Event) -> Option<Id> {
    let source = if event.corrects_source.is_empty() { &event.source } else { &event.corrects_source };
    (!event.corrects.is_empty()).then(|| (source.clone(), event.corrects.clone()))
}

/// The event that an event withdraws.
fn retracts(event: &Event) -> Option<Id> {
    let Some(event::Data::Retracted(Retracted { event: target, of_source, .. })) = &event.data else { return None };
    let source = if of_source.is_empty() { &event.source } else { of_source };
    Some((source.clone(), target.clone()))
}

#[cfg(test)]
mod tests {
    use proto::v1::OrderCompleted;

    use super::*;

    fn order(id: &str, time_us: i64, gross: i64) -> Event {
        let data = OrderCompleted { order: "1".to_owned(), gross, ..OrderCompleted::default() };
        let data = Some(event::Data::OrderCompleted(data));
        let (id, source, r#type) = (id.to_owned(), "s".to_owned(), "order.completed".to_owned());
        Event { id, source, r#type, time_us, subject: "a".to_owned(), data, ..Event::default() }
    }

    /// A retraction or correction as `X retracts Y` or `X(gross) corrects Y`, an event as `X(gross)`.
    fn shown(event: &Event) -> String {
        match (&event.data, event.corrects.as_str()) {
            (Some(event::Data::Retracted(of)), _) => format!("{} retracts {}", event.id, of.event),
            (Some(event::Data::OrderCompleted(order)), "") => format!("{}({})", event.id, order.gross),
            (Some(event::Data::OrderCompleted(order)), of) => format!("{}({}) corrects {of}", event.id, order.gross),
            _ => event.id.clone(),
        }
    }

    /// Stands: not retracted, nor what it corrects, and not corrected; of several corrections the greatest. Enough for
    /// journals without chains.
    fn stands(events: &[Event]) -> Vec<bool> {
        let retracted: HashSet<Id> = events.iter().filter_map(retracts).collect();
        let withdrawn =
            |event: &Event| retracted.contains(&id(event)) || corrects(event).is_some_and(|of| retracted.contains(&of));
        let stands = |event: &Event| {
            let of = corrects(event);
            let order = |event: &Event| (event.time_us, event.id.clone());
            let greater = |other: &&Event| corrects(other) == of && !withdrawn(other) && order(other) > order(event);
            let replaced = events.iter().any(|other| corrects(other) == Some(id(event)));
            !withdrawn(event) && !replaced && (of.is_none() || !events.iter().any(|other| greater(&other)))
        };
        events.iter().map(stands).collect()
    }

    /// Lets each content hold in turn, one import after the other; what was appended for each.
    fn history(contents: &[Option<(i64, i64)>]) -> (Vec<Event>, Vec<String>) {
        let (mut log, mut appended): (Vec<Event>, Vec<String>) = (Vec::new(), Vec::new());
        let lineage = ("s".to_owned(), "A".to_owned());
        for content in contents {
            let content = content.map(|(time_us, gross)| order("A", time_us, gross));
            let new = Journal::new(log.clone(), stands(&log)).let_hold(&lineage, content.as_ref());
            appended.push(new.iter().map(shown).collect::<Vec<_>>().join(", "));
            log.extend(new);
            let again = Journal::new(log.clone(), stands(&log)).let_hold(&lineage, content.as_ref());
            assert_eq!(again, [], "the same content again changes nothing");
            let journal = Journal::new(log.clone(), stands(&log));
            let holds = journal.standing(&lineage);
            match (&content, holds.as_slice()) {
                (None, []) => {}
                (Some(content), [only]) if same_content(content, only) => {}
                other => panic!("{other:?} holds after {appended:?}"),
            }
        }
        (log, appended)
    }

    #[test]
    fn every_content_holds_in_turn() {
        for (case, contents, expected) in [
            ("new", vec![Some((5, 1))], vec!["A(1)"]),
            ("other content", vec![Some((5, 1)), Some((5, 2))], vec!["A(1)", "A~replaced1(2) corrects A"]),
            (
                "changed back",
                vec![Some((5, 1)), Some((5, 2)), Some((5, 1))],
                vec![
                    "A(1)",
                    "A~replaced1(2) corrects A",
                    "A~replaced1~withdrawn retracts A~replaced1, A~replaced2(1) corrects A",
                ],
            ),
            (
                "to an earlier time, which would lose against the correction of before",
                vec![Some((5, 1)), Some((9, 1)), Some((2, 1))],
                vec![
                    "A(1)",
                    "A~replaced1(1) corrects A",
                    "A~replaced1~withdrawn retracts A~replaced1, A~replaced2(1) corrects A",
                ],
            ),
            (
                "taken back and brought again",
                vec![Some((5, 1)), None, Some((5, 1)), None, Some((5, 3))],
                vec![
                    "A(1)",
                    "A~withdrawn retracts A",
                    "A~again2(1)",
                    "A~again2~withdrawn retracts A~again2",
                    "A~again3(3)",
                ],
            ),
            (
                "corrected, then taken back",
                vec![Some((5, 1)), Some((5, 2)), None, Some((5, 2))],
                vec!["A(1)", "A~replaced1(2) corrects A", "A~withdrawn retracts A", "A~again2(2)"],
            ),
        ] {
            assert_eq!(history(&contents).1, expected, "{case}");
        }
    }

    #[test]
    fn ids_that_were_made_lead_back_to_the_first() {
        for (id, first) in [
            ("A1", "A1"),
            ("A1~replaced1", "A1"),
            ("A1~again12", "A1"),
            ("A1~again", "A1~again"),
            ("A1~2", "A1~2"),
            ("a~b~replaced3", "a~b"),
        ] {
            assert_eq!(base(id), first);
        }
    }
}
