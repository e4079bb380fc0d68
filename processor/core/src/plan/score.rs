//! Scores of the catalog: which activity, sum or state each component looks at, and by which curve.
//!
//! Invariants: a catalog has one score at most; its text says all that it means, and no number of the process.

use super::{Activity, Among, Builder, Trigger, Written, names, position_or_push};
use crate::{
    calendar::Day,
    catalog::{self, Error, Measure},
    lifecycle::{self, feedback::KINDS, score::SCORED},
    score::{Band, Component, Curve, Input, Score},
};

impl Builder {
    /// Takes in the score of a metric.
    pub(super) fn score(&mut self, written: &Written, score: &catalog::Score) -> Result<(), Error> {
        if self.plan.score.is_some() {
            return Err(Error::at(&written.name, "there is a score already; a catalog has one"));
        }
        let mut text = String::new();
        let mut components = Vec::new();
        for component in &score.components {
            let lowered = self.component(component, &mut text)?;
            if components.iter().any(|known: &Component| known.name == lowered.name) {
                let message = format!("the component `{}` is there twice; leave one out", lowered.name);
                return Err(Error::at(&component.name, message));
            }
            components.push(lowered);
        }
        if components.is_empty() {
            return Err(Error::at(&written.name, "a score needs a component; give `components`"));
        }
        let bands: Vec<Band> =
            score.bands.iter().map(|band| Band { name: band.name.value.clone(), from: band.from }).collect();
        if bands.last().is_none_or(|last| last.from != 0) || !bands.is_sorted_by(|a, b| a.from > b.from) {
            return Err(Error::at(
                &written.name,
                "the `bands` of a score go down, each `from` less, and the last is 0",
            ));
        }
        text.push_str(&format!("{bands:?}"));
        self.plan.score = Some(Score { metric: self.plan.metrics.len(), text, components, bands });
        Ok(())
    }

    /// That a measure of scores follows the score.
    pub(super) fn with_score(&self, trigger: &Trigger, name: &serde_saphyr::Spanned<String>) -> Result<(), Error> {
        if *trigger == Trigger::Fact(lifecycle::id(&SCORED)) && self.plan.score.is_none() {
            return Err(Error::at(name, "no metric before this one has a `score`; put that first"));
        }
        Ok(())
    }

    fn component(&mut self, written: &catalog::Component, text: &mut String) -> Result<Component, Error> {
        let name = written.name.value.clone();
        if written.weight == 0 || written.weight > 1_000 {
            return Err(Error::at(&written.name, format!("the weight of `{name}` is from 1 to 1000")));
        }
        let (input, reads) = self.input(written)?;
        let curve = curve(written)?;
        text.push_str(&format!("{name} {} {reads} {curve:?};", written.weight));
        Ok(Component { name, weight: written.weight, input, curve })
    }

    /// What a component looks at, and that as text.
    fn input(&mut self, written: &catalog::Component) -> Result<(Input, String), Error> {
        let days = |of: Option<&serde_saphyr::Spanned<u16>>, default: u16| of.map_or(default, |of| of.value).max(1);
        let given = [
            written.days_since.is_some(),
            written.days_with.is_some(),
            written.satisfaction.is_some(),
            written.open.is_some(),
            written.failing.is_some(),
        ];
        if given.iter().filter(|given| **given).count() != 1 {
            let message = format!(
                "the component `{}` looks at exactly one of days_since, days_with, satisfaction, open, failing",
                written.name.value
            );
            return Err(Error::at(&written.name, message));
        }

        if let Some(of) = &written.days_since {
            let activity = self.latest(of)?;
            return Ok((Input::DaysSince(activity), format!("days since {:?}", self.plan.activities[activity])));
        }
        if let Some(of) = &written.days_with {
            let trigger = names::trigger(of)?;
            if !matches!(trigger, Trigger::Type(_) | Trigger::Event) {
                return Err(Error::at(of, "`days_with` is of an event type, such as usage.recorded"));
            }
            let measure = Measure { filter: written.filter.clone(), ..Measure::default() };
            let filter = self.filter(&trigger, &measure)?;
            let among = Day::from(days(written.among.as_ref(), 30));
            let reads = format!("days with {trigger:?} {filter:?} among {among}");
            let kept = (trigger, None, self.plan.filter(filter.as_deref()));
            return Ok((Input::DaysWith { column: position_or_push(&mut self.plan.daily, kept), among }, reads));
        }
        if let Some(kinds) = &written.satisfaction {
            let within = Day::from(days(written.within.as_ref(), 180));
            let kinds = kinds.iter().map(|kind| {
                let place = KINDS.iter().position(|known| *known == kind.value);
                place.ok_or_else(|| {
                    let message = format!("there is no kind of survey `{}`; use {}", kind.value, KINDS.join(", "));
                    Error::at(kind, message)
                })
            });
            let kinds: Vec<usize> = kinds.collect::<Result<_, _>>()?;
            let reads = format!("satisfaction {kinds:?} within {within}");
            return Ok((Input::Satisfaction { kinds, within }, reads));
        }
        if let Some(open) = &written.open {
            super::measure::expect_word(open, &["tickets"])?;
            return Ok((Input::OpenTickets, "open tickets".to_owned()));
        }
        if let Some(failing) = &written.failing {
            super::measure::expect_word(failing, &["payment"])?;
        }
        Ok((Input::FailingPayment, "failing payment".to_owned()))
    }

    /// The activity whose latest time is asked for.
    fn latest(&mut self, of: &serde_saphyr::Spanned<String>) -> Result<usize, Error> {
        if of.value == "meaningful" {
            return Ok(0);
        }
        let trigger = names::trigger(of)?;
        names::with_account(of, &trigger)?;
        let activity = Activity { triggers: vec![trigger], among: Among::Everybody, filter: None };
        Ok(position_or_push(&mut self.plan.activities, activity))
    }
}

/// The curve of a component, checked.
fn curve(written: &catalog::Component) -> Result<Curve, Error> {
    let wrong = |message: &str| Err(Error::at(&written.name, message));
    let fits = |corners: &[(i64, i64)]| {
        !corners.is_empty()
            && corners.is_sorted_by(|a, b| a.0 < b.0)
            && corners.iter().all(|(_, points)| (0..=100).contains(points))
    };
    let rule = "the inputs of a curve ascend, and its points are from 0 to 100";
    match (&written.steps, &written.line, written.half_life) {
        (None, None, None) => Ok(Curve::same()),
        (Some(steps), None, None) if fits(steps) && (0..=100).contains(&written.beyond) => {
            Ok(Curve::Steps { steps: steps.clone(), beyond: written.beyond })
        }
        (None, Some(corners), None) if fits(corners) => Ok(Curve::Line(corners.clone())),
        (None, None, Some(days)) if days > 0 && written.days_since.is_some() => Ok(Curve::HalfLife(days.into())),
        (None, None, Some(_)) => wrong("`half_life` is at least 1 day, and of `days_since`"),
        (Some(_), None, None) | (None, Some(_), None) => wrong(rule),
        _ => wrong("a component has one curve: steps, line or half_life"),
    }
}
