//! The figures of one rule, or of several together: which of their alerts were right, which outcomes they caught.

use std::collections::{BTreeMap, BTreeSet};

use processor_core::calendar::Time;

use super::{Account, Firing, Outcomes, SHORT, Span};

/// What a rule would have caught.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Score {
    /// Alerts that fired in the span.
    pub alerts: usize,
    /// Accounts that they are about.
    pub accounts: usize,
    /// Of these alerts: their horizon passes the end of the log.
    pub censored: usize,
    /// Of these alerts: they are about no account, so that no outcome is theirs.
    pub of_no_account: usize,
    /// Alerts of which it is known whether they were right: all the others.
    pub judged: usize,
    /// Of the judged: an outcome of the account fell within the horizon.
    pub right: usize,
    /// Outcomes in the span whose horizon lies in it, too.
    pub outcomes: usize,
    /// Outcomes in the span whose horizon begins before it.
    pub outcomes_censored: usize,
    /// Of the outcomes: an alert lies in the horizon before.
    pub caught: usize,
    /// From the first such alert to the outcome.
    pub leads: Leads,
    /// Alerts that came and went.
    pub flaps: Flaps,
    /// Alerts by week, as many as the span has.
    pub weeks: Vec<usize>,
    /// By owner, most alerts first.
    pub owners: Vec<Owner>,
}

/// How long before an outcome the first alert was.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Leads(Vec<Time>);

impl Leads {
    /// The quarter (1, 2 or 3) of a quartile, by nearest rank; none without a lead.
    pub fn quartile(&self, quarter: usize) -> Option<Time> {
        let rank = (self.0.len() * quarter).div_ceil(4).max(1);
        self.0.get(rank - 1).copied()
    }

    /// All, ascending.
    pub fn all(&self) -> &[Time] {
        &self.0
    }
}

/// Alerts that came and went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flaps {
    /// The one before on the series was resolved less than 7 days before.
    pub again: usize,
    /// Resolved within 24 hours.
    pub short: usize,
    /// Either or both.
    pub all: usize,
}

/// What an owner would have been told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Name; empty for nobody in particular.
    pub name: String,
    /// Alerts in the span.
    pub alerts: usize,
    /// Most alerts in a week.
    pub most: usize,
}

impl Score {
    /// The figures of these firings together, which may be of several rules.
    pub fn of<'f>(firings: impl Iterator<Item = &'f Firing>, outcomes: &Outcomes, span: &Span) -> Score {
        let is_in = |at: Time| span.from.is_none_or(|from| at >= from) && at <= span.to;
        let firings: Vec<&Firing> = firings.filter(|firing| is_in(firing.at)).collect();
        let censored = |firing: &Firing| firing.at.saturating_add(span.horizon) > span.end;
        let judged: Vec<&Firing> =
            firings.iter().copied().filter(|firing| firing.account.is_some() && !censored(firing)).collect();
        let accounts: BTreeSet<&Account> = firings.iter().filter_map(|firing| firing.account.as_ref()).collect();
        let of_no_account = firings.iter().filter(|firing| firing.account.is_none()).count();
        let (weeks, owners) = by_week(&firings, &span.weeks);
        let mut score = Score {
            alerts: firings.len(),
            accounts: accounts.len(),
            censored: firings.len() - of_no_account - judged.len(),
            of_no_account,
            judged: judged.len(),
            right: judged.iter().filter(|firing| is_right(firing, outcomes, span.horizon)).count(),
            outcomes: 0,
            outcomes_censored: 0,
            caught: 0,
            leads: Leads::default(),
            flaps: flaps(&firings),
            weeks,
            owners,
        };
        score.catch(&firings, outcomes, span, is_in);
        score
    }

    /// The share of the judged alerts that were right.
    pub fn precision(&self) -> Option<f64> {
        share(self.right, self.judged)
    }

    /// The share of the outcomes that were caught.
    pub fn recall(&self) -> Option<f64> {
        share(self.caught, self.outcomes)
    }

    /// Counts the outcomes of the span, and those that were caught.
    fn catch(&mut self, firings: &[&Firing], outcomes: &Outcomes, span: &Span, is_in: impl Fn(Time) -> bool) {
        let mut alerts: BTreeMap<&Account, Vec<Time>> = BTreeMap::new();
        for firing in firings {
            firing.account.iter().for_each(|account| alerts.entry(account).or_default().push(firing.at));
        }
        alerts.values_mut().for_each(|times| times.sort_unstable());
        for (account, times) in outcomes {
            let of_account = alerts.get(account).map_or(&[][..], Vec::as_slice);
            for at in times.iter().copied().filter(|at| is_in(*at)) {
                let begin = at.saturating_sub(span.horizon);
                if span.from.is_some_and(|from| begin < from) {
                    self.outcomes_censored += 1;
                    continue;
                }
                self.outcomes += 1;
                let first = of_account[of_account.partition_point(|alert| *alert < begin)..].first();
                if let Some(first) = first.filter(|first| **first < at) {
                    self.caught += 1;
                    self.leads.0.push(at - first);
                }
            }
        }
        self.leads.0.sort_unstable();
    }
}

/// Whether an outcome of the account falls in (at, at + horizon].
fn is_right(firing: &Firing, outcomes: &Outcomes, horizon: Time) -> bool {
    let of_account = firing.account.as_ref().and_then(|account| outcomes.get(account));
    let next = of_account.and_then(|times| times.get(times.partition_point(|at| *at <= firing.at)));
    next.is_some_and(|next| *next <= firing.at.saturating_add(horizon))
}

fn flaps(firings: &[&Firing]) -> Flaps {
    let mut flaps = Flaps::default();
    for firing in firings {
        let short = firing.resolved.is_some_and(|resolved| resolved - firing.at <= SHORT);
        flaps.again += usize::from(firing.again);
        flaps.short += usize::from(short);
        flaps.all += usize::from(firing.again || short);
    }
    flaps
}

/// Alerts by week, and by owner.
fn by_week(firings: &[&Firing], begins: &[Time]) -> (Vec<usize>, Vec<Owner>) {
    let mut weeks = vec![0; begins.len()];
    let mut of_owners: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for firing in firings {
        let Some(week) = begins.partition_point(|begin| *begin <= firing.at).checked_sub(1) else { continue };
        weeks[week] += 1;
        of_owners.entry(&firing.owner).or_insert_with(|| vec![0; begins.len()])[week] += 1;
    }
    let owner = |(name, weeks): (&str, Vec<usize>)| Owner {
        name: name.to_owned(),
        alerts: weeks.iter().sum(),
        most: weeks.iter().copied().max().unwrap_or(0),
    };
    let mut owners: Vec<Owner> = of_owners.into_iter().map(owner).collect();
    owners.sort_by_key(|owner| std::cmp::Reverse(owner.alerts));
    (weeks, owners)
}

#[expect(clippy::cast_precision_loss, reason = "counts of alerts are far below 2^53")]
fn share(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use processor_core::calendar::DAY;
    use proto::v1::{AlertKey, AlertState, AlertTransition};

    use super::{super::Firings, *};

    fn account(name: &str) -> Account {
        Account { tenant: "default".to_owned(), name: name.to_owned() }
    }

    fn transition(rule: &str, of: Option<&str>, day: Time, state: AlertState) -> AlertTransition {
        let (tenant, rule, account) = ("default".to_owned(), rule.to_owned(), of.map(str::to_owned));
        let key = Some(AlertKey { tenant, rule, account, dimensions: Vec::new() });
        let owner = of.map_or("", |of| if of < "c" { "kim" } else { "" }).to_owned();
        AlertTransition { key, state: state.into(), at_us: day * DAY, owner, ..AlertTransition::default() }
    }

    fn firings(steps: &[(&str, Time, AlertState)]) -> Vec<Firing> {
        let mut firings = Firings::default();
        for (of, day, state) in steps {
            firings.add(&transition("r", Some(*of).filter(|of| !of.is_empty()), *day, *state));
        }
        firings.into_list()
    }

    fn span(from: Option<Time>, to: Time, end: Time) -> Span {
        let weeks = (0..=to / 7).map(|week| week * 7 * DAY).collect();
        Span { from: from.map(|day| day * DAY), to: to * DAY, end: end * DAY, horizon: 30 * DAY, weeks }
    }

    const FIRE: AlertState = AlertState::Firing;
    const END: AlertState = AlertState::Resolved;

    #[test]
    fn the_bounds_of_the_horizon() {
        let outcomes = |day| Outcomes::from([(account("a"), vec![day * DAY])]);
        let firings = firings(&[("a", 10, FIRE)]);
        // An outcome at the instant of the alert is not foreseen; one at the end of the horizon is.
        for (day, right) in [(10, 0), (11, 1), (40, 1), (41, 0)] {
            let score = Score::of(firings.iter(), &outcomes(day), &span(None, 100, 100));
            assert_eq!((score.judged, score.right, score.outcomes, score.caught), (1, right, 1, right), "{day}");
        }
    }

    #[test]
    fn what_is_censored_is_in_no_rate() {
        let outcomes = Outcomes::from([(account("a"), vec![25 * DAY, 95 * DAY])]);
        let firings = firings(&[("a", 71, FIRE), ("b", 70, FIRE)]);
        let score = Score::of(firings.iter(), &outcomes, &span(Some(0), 100, 100));
        assert_eq!((score.alerts, score.censored, score.judged, score.right), (2, 1, 1, 0));
        // The first outcome's horizon begins before the span; the second is caught by an alert that is in no rate itself.
        assert_eq!((score.outcomes, score.outcomes_censored, score.caught), (1, 1, 1));
        // With outcomes known beyond the span, nothing of it is censored.
        let score = Score::of(firings.iter(), &outcomes, &span(Some(0), 80, 200));
        assert_eq!((score.censored, score.judged, score.right), (0, 2, 1));
        assert_eq!((score.outcomes, score.outcomes_censored), (0, 1), "the outcome of day 95 is after the span");
    }

    #[test]
    fn lead_is_from_the_first_alert_in_the_horizon() {
        let outcomes = Outcomes::from([(account("a"), vec![50 * DAY]), (account("b"), vec![60 * DAY])]);
        let steps =
            [("a", 15, FIRE), ("a", 16, END), ("a", 30, FIRE), ("a", 31, END), ("a", 45, FIRE), ("b", 58, FIRE)];
        let score = Score::of(firings(&steps).iter(), &outcomes, &span(None, 100, 100));
        assert_eq!(score.leads.all(), [2 * DAY, 20 * DAY]);
        assert_eq!([1, 2, 3].map(|quarter| score.leads.quartile(quarter)), [2, 2, 20].map(|day| Some(day * DAY)));
        assert_eq!((score.alerts, score.accounts, score.right, score.caught), (4, 2, 3, 2));
    }

    #[test]
    fn flaps_weeks_and_owners() {
        let steps = [
            ("a", 1, FIRE),
            ("a", 2, END),
            ("a", 5, FIRE),
            ("a", 9, END),
            ("a", 16, FIRE),
            ("c", 8, FIRE),
            ("", 9, FIRE),
        ];
        let score = Score::of(firings(&steps).iter(), &Outcomes::new(), &span(None, 20, 100));
        assert_eq!(score.flaps, Flaps { again: 1, short: 1, all: 2 });
        assert_eq!((score.weeks, score.of_no_account), (vec![2, 2, 1], 1));
        let owners: Vec<_> = score.owners.iter().map(|owner| (owner.name.as_str(), owner.alerts, owner.most)).collect();
        assert_eq!(owners, [("kim", 3, 2), ("", 2, 2)]);
    }

    #[test]
    fn a_second_firing_of_what_fires_is_none_and_pending_is_none() {
        let steps = [("a", 1, AlertState::Pending), ("a", 2, FIRE), ("a", 3, FIRE), ("a", 4, END), ("a", 5, END)];
        let firings = firings(&steps);
        assert_eq!(firings.len(), 1);
        assert_eq!((firings[0].at, firings[0].resolved), (2 * DAY, Some(4 * DAY)));
    }
}
