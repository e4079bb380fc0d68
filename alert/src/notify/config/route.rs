//! The tree of routes, as Alertmanager has it: an alert goes down to the first child that matches, and to further ones after
//! a child with `continue`; what no child takes stays with the parent.

use std::{collections::BTreeSet, sync::Arc};

use serde::Deserialize;
use serde_saphyr::Spanned;

use super::{
    super::matcher::{Labels, Matcher},
    Config, Mistake, check,
};

/// Defaults of Alertmanager.
const DEFAULT: Timing = Timing { wait_us: 30_000_000, interval_us: 300_000_000, repeat_us: 14_400_000_000 };

/// When a group is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Timing {
    /// Wait for more alerts of a new group.
    pub(in super::super) wait_us: i64,
    /// Wait after a message until the next one of the group, if there is news.
    pub(in super::super) interval_us: i64,
    /// Wait until the message is sent again without news; 0 for never.
    pub(in super::super) repeat_us: i64,
}

/// Who is notified next when nobody acknowledges.
#[derive(Debug, Clone)]
pub(in super::super) struct Step {
    /// How long after the alert was first delivered.
    pub(in super::super) after_us: i64,
    /// The receiver.
    pub(in super::super) to: Arc<str>,
}

/// A route, with what it has from its parents.
#[derive(Debug)]
pub(in super::super) struct Route {
    matchers: Vec<Matcher>,
    /// The receiver.
    pub(in super::super) receiver: Arc<str>,
    /// Whether the receiver of the alert's owner comes first.
    pub(in super::super) to_owner: bool,
    /// Labels of a group; none for `...`: a group for each alert.
    pub(in super::super) group_by: Option<BTreeSet<String>>,
    pub(in super::super) timing: Timing,
    pub(in super::super) escalate: Arc<[Step]>,
    goes_on: bool,
    children: Vec<Route>,
}

impl Route {
    /// The routes that take an alert with these labels.
    pub(in super::super) fn of<'a>(&'a self, labels: &Labels, found: &mut Vec<&'a Route>) {
        let before = found.len();
        for child in &self.children {
            if child.matchers.iter().all(|matcher| matcher.matches(labels)) {
                child.of(labels, found);
                if !child.goes_on {
                    break;
                }
            }
        }
        if found.len() == before {
            found.push(self);
        }
    }
}

impl Config {
    /// Every route that takes an alert with these labels.
    pub(in super::super) fn routes(&self, labels: &Labels) -> Vec<&Route> {
        let mut found = Vec::new();
        self.route.of(labels, &mut found);
        found
    }
}

/// A route as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    receiver: Option<Spanned<String>>,
    #[serde(default)]
    matchers: Vec<Spanned<String>>,
    to_owner: Option<bool>,
    group_by: Option<Vec<Spanned<String>>>,
    group_wait: Option<Spanned<String>>,
    group_interval: Option<Spanned<String>>,
    repeat_interval: Option<Spanned<String>>,
    escalate: Option<Vec<StepWritten>>,
    #[serde(default, rename = "continue")]
    goes_on: bool,
    #[serde(default)]
    routes: Vec<Written>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct StepWritten {
    after: Spanned<String>,
    to: Spanned<String>,
}

/// Whether a receiver exists.
type Known<'a> = dyn Fn(&Spanned<String>) -> Result<Arc<str>, Mistake> + 'a;

impl Written {
    /// The route; what is not written is the parent's.
    pub(super) fn build(
        &self,
        parent: Option<&Route>,
        known: &Known<'_>,
        mistakes: &mut Vec<Mistake>,
    ) -> Option<Route> {
        let receiver = match (&self.receiver, parent) {
            (Some(name), _) => check::keep(known(name), mistakes),
            (None, Some(parent)) => Some(parent.receiver.clone()),
            (None, None) => {
                let message = "the first route takes all that no other takes; give it a `receiver`".to_owned();
                mistakes.push(Mistake { line: 0, column: 0, message });
                None
            }
        };
        if let (None, Some(matcher)) = (parent, self.matchers.first()) {
            mistakes.push(Mistake::at(
                matcher,
                "the first route takes all that no other takes; put matchers into `routes`",
            ));
        }
        let parse =
            |text: &Spanned<String>| text.value.parse::<Matcher>().map_err(|problem| Mistake::at(text, problem));
        let matchers = self.matchers.iter().filter_map(|text| check::keep(parse(text), mistakes)).collect();
        let mut timing = parent.map_or(DEFAULT, |parent| parent.timing);
        let spans = [
            (&self.group_wait, &mut timing.wait_us),
            (&self.group_interval, &mut timing.interval_us),
            (&self.repeat_interval, &mut timing.repeat_us),
        ];
        for (text, value) in spans {
            if let Some(span) = text.as_ref().and_then(|text| check::keep(check::span(text), mistakes)) {
                *value = span;
            }
        }
        let escalate = match (&self.escalate, parent) {
            (Some(steps), _) => steps.iter().filter_map(|step| step.build(known, mistakes)).collect(),
            (None, Some(parent)) => parent.escalate.clone(),
            (None, None) => Arc::new([]),
        };
        let mut route = Route {
            matchers,
            // The mistake is on the list.
            receiver: receiver.unwrap_or_default(),
            to_owner: self.to_owner.or(parent.map(|parent| parent.to_owner)).unwrap_or_default(),
            group_by: self.group_by(parent),
            timing,
            escalate,
            goes_on: self.goes_on,
            children: Vec::new(),
        };
        self.reachable(mistakes);
        route.children = self.routes.iter().filter_map(|child| child.build(Some(&route), known, mistakes)).collect();
        Some(route)
    }

    fn group_by(&self, parent: Option<&Route>) -> Option<BTreeSet<String>> {
        match (&self.group_by, parent) {
            (Some(names), _) if names.iter().any(|name| name.value == "...") => None,
            (Some(names), _) => Some(names.iter().map(|name| name.value.clone()).collect()),
            (None, Some(parent)) => parent.group_by.clone(),
            (None, None) => Some(["rule".to_owned()].into()),
        }
    }

    /// That no child comes after one that takes everything, or after the same one.
    fn reachable(&self, mistakes: &mut Vec<Mistake>) {
        let matchers = |route: &Written| route.matchers.iter().map(|text| text.value.clone()).collect::<BTreeSet<_>>();
        for (at, child) in self.routes.iter().enumerate() {
            let own = matchers(child);
            let earlier = self.routes[..at].iter().filter(|earlier| !earlier.goes_on);
            if earlier.into_iter().any(|earlier| matchers(earlier).is_subset(&own)) {
                let place = child.matchers.first().or(child.receiver.as_ref());
                let message = "no alert reaches this route: a route before it takes all of them; \
                               put it first, or give the other one `continue: true`";
                mistakes.push(place.map_or_else(
                    || Mistake { line: 0, column: 0, message: message.to_owned() },
                    |place| Mistake::at(place, message),
                ));
            }
        }
    }
}

impl StepWritten {
    fn build(&self, known: &Known<'_>, mistakes: &mut Vec<Mistake>) -> Option<Step> {
        let after_us = check::keep(check::span(&self.after), mistakes);
        let to = check::keep(known(&self.to), mistakes);
        Some(Step { after_us: after_us?, to: to? })
    }
}
