//! From a rule file as written to rules: every check, and what is left out filled in.

use std::{collections::BTreeMap, sync::Arc};

use processor_core::{
    calendar::Kind,
    catalog::{Error, Goal, Per},
    expr::{Expr, Type},
    plan::{Metric, Plan},
    rational::Rational,
};
use serde_saphyr::Spanned;

use super::{
    Rules,
    document::{Bounds, Document, Enters, Group, Move, Own, Rule as Text, WillBe as Coming},
};
use crate::{
    condition::{
        Check, Condition,
        amount::Amount,
        baseline::Baseline,
        change::Change,
        entry::Entry,
        level::Level,
        unusual::{Side, Unusual},
        will_be::WillBe,
    },
    render::Template,
    rule::{MetricRules, Rule, Stream},
    scope::Names,
    snapshot::decimal,
    span,
};

/// Lowers a document; `json` is the same text without places.
pub(super) fn lower(document: &Document, json: &serde_json::Value, plan: &Plan) -> Result<Rules, Vec<Error>> {
    let (mut rules, mut errors, mut names) = (Rules::default(), Vec::new(), BTreeMap::new());
    for (at, group) in document.groups.iter().enumerate() {
        for (place, text) in group.rules.iter().enumerate() {
            if let Some(line) = names.insert(text.alert.value.clone(), text.alert.referenced.line()) {
                let message =
                    format!("there is a rule `{}` in line {line} already; give one another name", text.alert.value);
                errors.push(Error::at(&text.alert, message));
            }
            let mut lowering = Lowering { plan, group, text, names: Names::default(), errors: &mut errors };
            if let Some((metric, stream)) = lowering.rule() {
                let group = &json["groups"][at];
                let own = serde_json::json!({
                    "name": group["name"],
                    "labels": group.get("labels").cloned().unwrap_or_else(|| serde_json::json!({})),
                    "rules": [group["rules"][place]],
                });
                let text = serde_json::json!({ "groups": [own] }).to_string();
                let one = MetricRules { metric, streams: vec![stream], text };
                // A duplicate name was reported above.
                rules = rules.clone().join(Rules { metrics: vec![one] }).unwrap_or(rules);
            }
        }
    }
    if errors.is_empty() { Ok(rules) } else { Err(errors) }
}

struct Lowering<'a> {
    plan: &'a Plan,
    group: &'a Group,
    text: &'a Text,
    names: Names,
    errors: &'a mut Vec<Error>,
}

impl<'a> Lowering<'a> {
    /// The rule, if it has no mistake.
    fn rule(&mut self) -> Option<(String, Stream)> {
        let text = self.text;
        if text.alert.value.trim().is_empty() {
            self.wrong(&text.alert, "a rule needs a name; give `alert`");
        }
        let metric = self.metric()?;
        let (kind, by) = (self.window(metric), self.by(metric));
        let check = self.condition(metric, kind);
        let filter = self.flag(text.filter.as_ref());
        let recovery = text.recovery.as_ref().and_then(|recovery| self.written(recovery));
        let owner = self.owner(metric);
        let [hold, keep, cooldown] =
            [&text.hold, &text.keep_firing_for, &text.cooldown].map(|it| self.span(it.as_ref()));
        if let Some(zero) = text.max_per_day.as_ref().filter(|most| most.value == 0) {
            self.wrong(zero, "`max_per_day` is at least 1; leave the rule out instead");
        }
        let (labels, annotations) = (self.labels(), self.templates(&text.annotations));
        let rule = Rule {
            name: text.alert.value.clone(),
            check: check?,
            filter,
            recovery,
            hold,
            keep,
            cooldown,
            per_day: text.max_per_day.as_ref().map(|most| usize::from(most.value)),
            owner,
            labels,
            annotations,
            names: std::mem::take(&mut self.names),
        };
        let stream = Stream { window: kind?.to_string(), is_final: text.is_final, by: by?, rules: vec![rule] };
        Some((metric.name.clone(), stream))
    }

    fn wrong<T>(&mut self, place: &Spanned<T>, message: impl Into<String>) {
        self.errors.push(Error::at(place, message));
    }

    /// The metric that the rule names, or that its condition is about.
    fn metric(&mut self) -> Option<&'a Metric> {
        let (text, plan) = (self.text, self.plan);
        let implied = |metric: &&Metric| {
            (text.silence.is_some() && !metric.silence.is_empty())
                || (text.behind.is_some() && metric.goal == Some(Goal::Lead))
        };
        let Some(name) = &text.metric else {
            let found = plan.metrics.iter().find(implied);
            if found.is_none() {
                self.wrong(&text.alert, "the rule reads no metric; give `metric`, a name of `vitals metrics`");
            }
            return found;
        };
        let found = plan.metrics.iter().find(|metric| metric.name == name.value);
        if found.is_none() {
            let near =
                plan.metrics.iter().map(|metric| (strsim::jaro_winkler(&metric.name, &name.value), &metric.name));
            let near = near.filter(|(likeness, _)| *likeness > 0.8).max_by(|a, b| a.0.total_cmp(&b.0));
            let cure =
                near.map_or("`vitals metrics` lists them".to_owned(), |(_, near)| format!("did you mean `{near}`?"));
            self.wrong(name, format!("there is no metric `{}`; {cure}", name.value));
        }
        found
    }

    /// The kind of window: as given, else the only one, else the day of a metric of accounts.
    fn window(&mut self, metric: &Metric) -> Option<Kind> {
        let kinds = || metric.kinds.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let Some(text) = &self.text.window else {
            let day = metric.kinds.iter().find(|kind| **kind == Kind::Day && metric.per == Per::Account);
            let only = metric.kinds.first().filter(|_| metric.kinds.len() == 1);
            let found = day.or(only).copied();
            if found.is_none() {
                let message = format!("`{}` has several windows; give `window`, one of {}", metric.name, kinds());
                self.wrong(&self.text.alert, message);
            }
            return found;
        };
        let found = text.value.parse().ok().filter(|kind| metric.kinds.contains(kind));
        if found.is_none() {
            self.wrong(text, format!("`{}` has no window `{}`; there are {}", metric.name, text.value, kinds()));
        }
        found
    }

    /// The set of dimensions, sorted: as given, else the only one, else the total.
    fn by(&mut self, metric: &Metric) -> Option<Vec<String>> {
        let sorted = |mut names: Vec<String>| {
            names.sort();
            names
        };
        let mut sets: Vec<Vec<String>> = metric.sets().into_iter().map(sorted).collect();
        if sets.is_empty() {
            sets.push(Vec::new());
        }
        let Some(text) = &self.text.by else {
            let only = sets.first().filter(|_| sets.len() == 1);
            return Some(only.cloned().unwrap_or_default());
        };
        let wanted = sorted(text.value.clone());
        if sets.contains(&wanted) {
            return Some(wanted);
        }
        let known: Vec<String> = sets.iter().map(|set| format!("[{}]", set.join(", "))).collect();
        let problem =
            format!("`{}` is not kept by [{}]; there are {}", metric.name, wanted.join(", "), known.join(", "));
        self.wrong(text, problem);
        None
    }

    /// The one condition.
    fn condition(&mut self, metric: &Metric, kind: Option<Kind>) -> Option<Arc<dyn Check>> {
        let text = self.text;
        let given = [
            text.expr.is_some(),
            text.enters.is_some(),
            text.falls.is_some(),
            text.rises.is_some(),
            text.silence.is_some(),
            text.unusual.is_some(),
            text.behind.is_some(),
            text.baseline.is_some(),
            text.will_be.is_some(),
        ];
        if given.iter().filter(|given| **given).count() != 1 {
            let message = "a rule has exactly one condition; give one of expr, enters, falls, rises, silence, unusual, behind, \
                           baseline, will_be";
            self.wrong(&text.alert, message);
            return None;
        }
        Some(match text {
            Text { enters: Some(band), .. } => Arc::new(self.entry(metric, band)?),
            Text { falls: Some(by), .. } => Arc::new(self.change(true, by)?),
            Text { rises: Some(by), .. } => Arc::new(self.change(false, by)?),
            Text { silence: Some(days), .. } => Arc::new(self.silence(metric, days)?),
            Text { unusual: Some(side), .. } => Arc::new(self.unusual(metric, kind?, side)?),
            Text { behind: Some(by), .. } => Arc::new(self.behind(metric, by)?),
            Text { baseline: Some(own), .. } => Arc::new(self.baseline(own)?),
            Text { will_be: Some(coming), .. } => Arc::new(self.will_be(metric, coming)?),
            _ => Arc::new(Level(self.written(text.expr.as_ref()?)?)),
        })
    }

    /// `silence: 60d`: the metric of silence is at that step or beyond.
    fn silence(&mut self, metric: &Metric, text: &Spanned<String>) -> Option<Level> {
        let days = self.days(text)?;
        if metric.silence.contains(&days) {
            return self.made(text, &format!("value >= {days}"));
        }
        let steps: Vec<String> = metric.silence.iter().map(ToString::to_string).collect();
        let message = match steps.is_empty() {
            true => format!("`{}` is no metric of silence; leave `metric` out", metric.name),
            false => format!(
                "`{}` has no step of {days} days; there are {}, and the catalog may have others (`silence`)",
                metric.name,
                steps.join(", ")
            ),
        };
        self.wrong(text, message);
        None
    }

    fn days(&mut self, text: &Spanned<String>) -> Option<u16> {
        let days = text.value.strip_suffix('d').and_then(|days| days.parse().ok());
        if days.is_none() {
            self.wrong(text, format!("`{}` is no number of days; write one like 60d", text.value));
        }
        days
    }

    /// `behind: 10%`: progress towards a goal is that much behind what is expected.
    fn behind(&mut self, metric: &Metric, text: &Spanned<String>) -> Option<Level> {
        if metric.goal != Some(Goal::Lead) {
            self.wrong(text, format!("`{}` is not the lead of a goal; leave `metric` out", metric.name));
            return None;
        }
        let percent = text.value.strip_suffix('%').and_then(|number| Rational::parse(number.trim()));
        let Some(percent) = percent.filter(|percent| percent.num() >= 0).and_then(Rational::decimal) else {
            self.wrong(text, format!("`{}` is no share; write one like 10%", text.value));
            return None;
        };
        self.made(text, &format!("value < -{percent} / 100"))
    }

    fn entry(&mut self, metric: &Metric, text: &Spanned<Enters>) -> Option<Entry> {
        match &text.value {
            Enters::Bounds(Bounds { from: None, to: None }) => {
                self.wrong(text, "the band has no bound; give `from`, `to` or both");
                None
            }
            Enters::Bounds(Bounds { from, to }) => {
                let (from, to) = (from.and_then(decimal), to.and_then(decimal));
                let shown = |bound: Option<Rational>| bound.and_then(Rational::decimal).unwrap_or_default();
                if let (Some(from), Some(to)) = (from, to)
                    && from.compare(to).is_ge()
                {
                    self.wrong(text, "the band is empty; `from` is less than `to`");
                    return None;
                }
                Some(Entry { from, to, name: format!("{}..{}", shown(from), shown(to)) })
            }
            Enters::Named(name) => {
                let score = self.plan.score.as_ref().filter(|_| metric.score);
                let bands = score.map_or(&[][..], |score| &score.bands);
                let Some(place) = bands.iter().position(|band| band.name == *name) else {
                    let known: Vec<&str> = bands.iter().map(|band| band.name.as_str()).collect();
                    let message = match known.is_empty() {
                        true => format!("`{}` has no bands; give bounds, such as {{from: 0, to: 40}}", metric.name),
                        false => format!("`{}` has no band `{name}`; there are {}", metric.name, known.join(", ")),
                    };
                    self.wrong(text, message);
                    return None;
                };
                let bound = |points: i64| Rational::integer(points.into());
                // Bands go from the highest down.
                let to = place.checked_sub(1).map(|above| bound(bands[above].from));
                Some(Entry { from: Some(bound(bands[place].from)), to, name: name.clone() })
            }
        }
    }

    fn change(&mut self, is_fall: bool, text: &Move) -> Option<Change> {
        let (by, within) = (self.amount(&text.by), self.length(&text.within));
        Some(Change { is_fall, by: by?, within: within? })
    }

    fn baseline(&mut self, text: &Own) -> Option<Baseline> {
        let (is_below, by) = match (&text.below, &text.above) {
            (Some(by), None) => (true, by),
            (None, Some(by)) => (false, by),
            _ => {
                self.wrong(
                    &text.over,
                    "a baseline has exactly one of `below` and `above`; give one, such as `below: 50%`",
                );
                return None;
            }
        };
        let (by, over) = (self.amount(by), self.length(&text.over)?);
        let at_least = match &text.at_least {
            Some(least) => self.length(least)?,
            None => over / 2,
        };
        if at_least > over {
            self.wrong(&text.over, "`at_least` is more than `over`; a mean of the last 30 days knows at most 30 days");
        }
        Some(Baseline { is_below, by: by?, over, at_least })
    }

    fn will_be(&mut self, metric: &Metric, text: &Coming) -> Option<WillBe> {
        if !metric.score {
            let message = format!("`{}` has no projection; only the score of accounts has one", metric.name);
            self.wrong(&text.expr, message);
            return None;
        }
        let (condition, within) = (self.written(&text.expr), self.length(&text.within));
        Some(WillBe { condition: condition?, within: within? })
    }

    fn unusual(&mut self, metric: &Metric, kind: Kind, text: &Spanned<String>) -> Option<Unusual> {
        let side = match text.value.as_str() {
            "worse" | "better" if metric.people.direction.is_none() => {
                let message = format!(
                    "neither side of `{}` is good; write `unusual: any`, or give the metric a `direction`",
                    metric.name
                );
                self.wrong(text, message);
                return None;
            }
            "worse" => Side::Worse,
            "better" => Side::Better,
            "any" => Side::Any,
            other => {
                self.wrong(text, format!("`{other}` is no side; there are worse, better, any"));
                return None;
            }
        };
        if metric.per == Per::Account || kind == Kind::ToDate {
            self.wrong(text, "a usual range needs windows that follow each other; use `baseline` for what accounts do");
            return None;
        }
        Some(Unusual {
            side,
            direction: metric.people.direction,
            kind,
            fills: metric.fill() == "zero",
            calendar: self.plan.settings.calendar(),
        })
    }

    /// A condition as written.
    fn written(&mut self, text: &Spanned<String>) -> Option<Condition> {
        let expr = self.flag(Some(text))?;
        Some(Condition { expr, text: text.value.clone() })
    }

    /// A condition that is short for an expression.
    fn made(&mut self, place: &Spanned<String>, text: &str) -> Option<Level> {
        let expr = Expr::lower(text, &mut self.names).map_err(|problem| Error::at(place, problem.message));
        match expr {
            Ok(expr) => Some(Level(Condition { expr, text: text.to_owned() })),
            Err(error) => {
                self.errors.push(error);
                None
            }
        }
    }

    fn flag(&mut self, text: Option<&Spanned<String>>) -> Option<Expr> {
        self.expression(text?, Type::Flag, "a condition is true or false; compare something, such as `value < 40`")
    }

    fn owner(&mut self, metric: &Metric) -> Option<Expr> {
        let wrong = "an owner is a text; name a field, such as `traits.owner`, or a text in quotes";
        match &self.text.owner {
            Some(text) => self.expression(text, Type::Text, wrong),
            None => {
                let usual = if metric.per == Per::Account { "traits.owner" } else { "dimensions.owner" };
                Expr::lower(usual, &mut self.names).ok()?.fit(Type::Text)
            }
        }
    }

    fn expression(&mut self, text: &Spanned<String>, kind: Type, wrong: &str) -> Option<Expr> {
        let lowered = Expr::lower(&text.value, &mut self.names)
            .map_err(|problem| Error::within(text, problem.at, problem.message))
            .and_then(|expr| expr.fit(kind).ok_or_else(|| Error::at(text, wrong)));
        lowered.map_err(|error| self.errors.push(error)).ok()
    }

    fn amount(&mut self, text: &Spanned<String>) -> Option<Amount> {
        Amount::parse(&text.value).map_err(|message| self.wrong(text, message)).ok()
    }

    /// A length of time that is not 0.
    fn length(&mut self, text: &Spanned<String>) -> Option<i64> {
        match span::parse(&text.value) {
            Ok(0) => {
                self.wrong(text, "the length of time is 0; write one like 14d");
                None
            }
            length => length.map_err(|message| self.wrong(text, message)).ok(),
        }
    }

    /// A length of time; 0 where none is given.
    fn span(&mut self, text: Option<&Spanned<String>>) -> i64 {
        let Some(text) = text else { return 0 };
        span::parse(&text.value).unwrap_or_else(|message| {
            self.wrong(text, message);
            0
        })
    }

    /// The labels of group and rule, and the severity; a rule's own wins.
    fn labels(&mut self) -> Vec<(String, Template)> {
        let mut texts: BTreeMap<String, Spanned<String>> = self.group.labels.clone();
        texts.extend(self.text.labels.clone());
        let mut labels = self.templates(&texts);
        labels.retain(|(name, _)| name != "severity" || self.text.severity.is_none());
        if !labels.iter().any(|(name, _)| name == "severity") {
            let severity = self.text.severity.as_ref();
            let text = severity.map_or("warning", |severity| severity.value.as_str());
            match (Template::parse(text), severity) {
                (Ok(template), _) => labels.push(("severity".to_owned(), template)),
                (Err((message, _)), Some(place)) => self.wrong(place, message),
                (Err(_), None) => {}
            }
        }
        labels
    }

    fn templates(&mut self, texts: &BTreeMap<String, Spanned<String>>) -> Vec<(String, Template)> {
        let mut templates = Vec::new();
        for (name, text) in texts {
            match Template::parse(&text.value) {
                Ok(template) => templates.push((name.clone(), template)),
                Err((message, 1)) => self.wrong(text, message),
                Err((message, line)) => self.wrong(text, format!("{message} (line {line} of the text)")),
            }
        }
        templates
    }
}
