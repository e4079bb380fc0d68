//! What the engine runs: a catalog, checked and lowered.
//!
//! Measures become *columns*; columns that share dimensions, currency and slices share a *bundle*,
//! one row of integers a slice. So an event updates one row per (bundle, dimension values, slice),
//! however many metrics read it, and costs nothing for metrics that do not.
//!
//! Invariants: equal measures share a column; a bundle's hash depends on its content only; a metric
//! finds each of its measures in exactly one bundle per set of dimensions and kind of window.

use serde_saphyr::Spanned;
use xxhash_rust::xxh3::xxh3_64;

use crate::{
    aggregate::retention::Retention,
    calendar::{Kind, Time},
    catalog::{Catalog, Error, Goal, Listed, Metric as Written, People, Per},
    event::SubjectKind,
    expr::{self, Expr, Scope, Type},
    lifecycle::{self, FactId, FactType, Sort},
    score::Score,
    settings::Settings,
};

mod measure;
mod names;
mod score;

pub use names::canonical;

use measure::{Lowered, lower};
use names::{Dimension, trigger};

/// Raised when the same catalog would give other numbers, so that state is rebuilt.
const ALGORITHM: u32 = 18;

/// What a measure listens to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trigger {
    /// Any event.
    Event,
    /// Events of this type.
    Type(String),
    /// A fact that a lifecycle emits.
    Fact(FactId),
}

impl Trigger {
    /// The type of the fact; `None` for events.
    pub fn fact(&self) -> Option<&'static FactType> {
        if let Trigger::Fact(id) = self { Some(lifecycle::fact(*id)) } else { None }
    }

    /// The type of the events that have no account behind them; `None` where some have one.
    fn without_account(&self) -> Option<&str> {
        let stranger = |kind: &&str| SubjectKind::of(kind) != SubjectKind::Account;
        match self {
            Trigger::Event => None,
            Trigger::Type(kind) => Some(kind.as_str()).filter(stranger),
            Trigger::Fact(id) => lifecycle::fact(*id).reads.first().copied().filter(stranger),
        }
    }

    /// Whether the currency keeps its sums apart.
    fn money(&self) -> bool {
        self.fact().is_some_and(|fact| fact.money)
    }
}

/// A field of a fact or event that filters and sums read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// The field of the fact with this name.
    Of(&'static str),
    /// ISO 4217, of a fact with money.
    Currency,
    /// Event type.
    Type,
    /// `data.user` of `usage.recorded`.
    User,
    /// `data.name` of `usage.recorded`.
    Name,
    /// `data.count` of `usage.recorded`.
    Count,
    /// Custom field of the event.
    Custom(String),
    /// Trait of the account, by its number in [`Plan::traits`].
    Trait(usize),
    /// 1 where the fact has this field as a whole number, else 0.
    Has(Box<Field>),
    /// Of a level: 1 where something comes to stand, 0 where it stops. It says from when on a group has a level at all, also
    /// where nothing stands at the end of a slice.
    Entered,
}

/// A dimension.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dim {
    /// Trait of the account, by its number in [`Plan::traits`].
    Trait(usize),
    /// The field of the fact with this name.
    Of(&'static str),
    /// Custom field of the event.
    Custom(String),
}

/// A sum of an account: what it listens to, the field (or 1), the number of its filter.
pub type Kept = (Trigger, Option<Field>, Option<usize>);

/// How a bundle's slices lie on the time line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Slicing {
    /// Local hours.
    Hours,
    /// Local days, this many after the facts: a window holds what happened so many days earlier.
    Later(u16),
    /// Local days (of hours: hours) of what a window of this kind adds up: decided where the account lives.
    Window(Kind),
    /// Local days; the sum of all up to a day is the value of the trailing window that ends with it.
    Trailing(u16),
}

/// What a column adds up.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Column {
    /// A fact or event: 1 or a field of it, where a filter holds.
    Fact {
        /// What it listens to.
        trigger: Trigger,
        /// The field that is summed; none counts.
        amount: Option<Field>,
        /// CEL filter over the fields.
        filter: Option<String>,
    },
    /// Customers that are lost.
    Lost {
        /// Which of them, by which traits.
        what: Loss,
        /// Filter over the traits.
        filter: Option<String>,
    },
    /// What accounts with MRR at the start of the window have more or less of at its end.
    Retained {
        /// Which of the two.
        what: Retention,
        /// Filter over the traits.
        filter: Option<String>,
    },
    /// Accounts with this activity in the window.
    Engaged {
        /// Number in [`Plan::activities`].
        activity: usize,
        /// Filter over the traits.
        filter: Option<String>,
    },
}

/// Losses that a window counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Loss {
    /// Customers at the start of the window that are none at its end, with the traits of its start.
    Churned,
    /// Each loss, with the traits of the start that it ends.
    ByStart,
}

/// A field by whose values facts are kept apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucketed {
    /// The field.
    pub field: &'static str,
    /// Whether each value has a bucket of its own.
    pub exact: bool,
}

/// Columns that share dimensions, currency and slices.
#[derive(Debug, Clone)]
pub struct Bundle {
    /// Identity in partials and state.
    pub hash: u64,
    /// Dimensions, in the order of the `by` that asked for them.
    pub dims: Vec<Dim>,
    /// Whether the currency is one more, last dimension.
    pub money: bool,
    /// Where slices lie.
    pub slicing: Slicing,
    /// Of quantiles, minima and maxima: the field whose bucket is one more dimension, after the currency.
    pub bucket: Option<Bucketed>,
    /// Whether slices of hours stay apart in the rollup; else they are added up to local days.
    pub hourly: bool,
    /// What is added up.
    pub columns: Vec<Column>,
}

/// Which accounts a count of active ones is among.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Among {
    /// All.
    Everybody,
    /// Customers at the end of the window, with the traits that they have there.
    CustomersAtEnd,
    /// Customers at the start of the window, with the traits that they have there.
    CustomersAtStart,
}

/// Accounts are active when one of these happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activity {
    /// Facts and event types.
    pub triggers: Vec<Trigger>,
    /// Which accounts count.
    pub among: Among,
    /// Filter over the fact or event.
    pub filter: Option<String>,
}

/// How a metric reads a column for a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// Sum of the slices of the window.
    Window,
    /// The same, of those slices at whose start the currency has no rate to the reporting currency.
    Unrated,
    /// Sum of all slices before its start.
    Start,
    /// Sum of all slices before its end.
    End,
    /// The value up to which this percentage of all in the window are.
    Quantile(u8),
    /// The least or greatest value of those in the window, or of those that stand at its end.
    Extreme {
        /// The greatest.
        greatest: bool,
        /// Of what stands at the end.
        standing: bool,
    },
}

impl Read {
    /// Whether a change of a slice carries on into all later windows.
    pub fn carries(self) -> bool {
        matches!(self, Read::Start | Read::End | Read::Extreme { standing: true, .. })
    }

    /// Whether there is a number only where there is something.
    pub fn may_lack(self) -> bool {
        matches!(self, Read::Quantile(_) | Read::Extreme { .. })
    }
}

/// Where a measure's number is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// Bundle.
    pub bundle: usize,
    /// Column of it.
    pub column: usize,
    /// How.
    pub read: Read,
}

/// One set of dimensions of a metric.
#[derive(Debug, Clone)]
pub struct View {
    /// Names, in their canonical spelling.
    pub by: Vec<String>,
    /// For each kind of window, in the metric's order: a reading for each measure.
    pub readings: Vec<Vec<Reading>>,
    /// The bundle whose first slice is the group's first event, or its first in the currency: no window before it has a row.
    /// For metrics that have one for every window since, and for money beside what has no currency: where something of that
    /// happened, there is no row in a currency that is not there yet or was taken back.
    pub presence: Option<usize>,
    /// A bundle that knows the currencies of a group, for money.
    pub money: Option<usize>,
}

/// A metric, lowered.
#[derive(Debug, Clone)]
pub struct Metric {
    /// Its name.
    pub name: String,
    /// `name@version+hash`.
    pub definition: String,
    /// For people.
    pub title: String,
    /// For people.
    pub description: String,
    /// For people: group, direction, format, what to do.
    pub people: People,
    /// Unit of the value.
    pub unit: String,
    /// Per tenant or account.
    pub per: Per,
    /// A row for every window since the first event.
    pub every_window: bool,
    /// For how long after the end of a window its value may change though no event is late, microseconds; 0 for not at all.
    pub maturity: Time,
    /// Window kinds.
    pub kinds: Vec<Kind>,
    /// Sets of dimensions.
    pub views: Vec<View>,
    /// The value; variable i is measure i, the one after the last is the margin, then comes the end of the window or, while it
    /// is open, the clock, in microseconds.
    pub value: Option<Expr>,
    /// Numerator and denominator, of a plain ratio.
    pub ratio: Option<(Expr, Expr)>,
    /// Reasons for null.
    pub null_when: Vec<(Expr, String)>,
    /// Number of measures.
    pub measures: usize,
    /// Whether the currency is a dimension.
    pub by_currency: bool,
    /// Whether amounts are converted, so that the only currency is the reporting currency.
    pub converted: bool,
    /// For each measure, whether it is an amount of money.
    pub amounts: Vec<bool>,
    /// Where amounts are converted: sums of measures that are rounded once, as a whole. The value knows them by variables
    /// after all others.
    pub sums: Vec<expr::Sum>,
    /// Of a per-account sum to date: its columns in [`Plan::totals`].
    pub totals: Vec<usize>,
    /// Of a per-account sum of a local day: its columns in [`Plan::day_sums`].
    pub day_sums: Vec<usize>,
    /// Of silence: the steps in days.
    pub silence: Vec<u16>,
    /// By goal: which of the numbers of a goal.
    pub goal: Option<Goal>,
    /// Whether it is the score of accounts, see [`Plan::score`].
    pub score: bool,
    /// What it lists of each account.
    pub list: Option<Listed>,
}

impl Metric {
    /// Whether it is of money, so that the currency is a dimension: its value is, or it relates amounts to each other.
    pub fn money(&self) -> bool {
        self.by_currency
    }

    /// Whether rates to the reporting currency are part of what it means.
    fn reads_rates(&self, measures: &[Lowered]) -> bool {
        self.converted || measures.iter().any(|measure| measure.read == Read::Unrated)
    }

    /// Sets of dimensions that its values are kept by; none for a metric with one value for each account.
    pub fn sets(&self) -> Vec<Vec<String>> {
        match self.list {
            Some(list) => vec![list.by().iter().map(|name| (*name).to_owned()).collect()],
            None => self.views.iter().map(|view| view.by.clone()).collect(),
        }
    }

    /// Its definition, and which rows it has: what changes when it has to be computed again.
    pub fn render(&self) -> String {
        let kinds: Vec<String> = self.kinds.iter().map(Kind::to_string).collect();
        let by: Vec<String> = self.views.iter().map(|view| view.by.join(",")).collect();
        let every = if self.every_window { " every" } else { "" };
        format!("{} {}; by {}{every}", self.definition, kinds.join(", "), by.join("; "))
    }

    /// Whether its value changes as time passes, though nothing happens.
    pub fn ages(&self) -> bool {
        self.value.as_ref().is_some_and(|value| value.reads(self.measures + 1))
    }

    /// From its end on a window is final after this, microseconds.
    pub fn grace(&self, settings: &Settings) -> Time {
        settings.allowed_lateness.max(self.maturity)
    }

    /// What a window without a row holds: `zero`, `null` or `carry`.
    pub fn fill(&self) -> &'static str {
        let mut reads = self.views.iter().flat_map(|view| view.readings.iter().flatten()).map(|reading| reading.read);
        match &self.value {
            _ if !self.day_sums.is_empty() => "zero",
            _ if self.per == Per::Account => "carry",
            _ if self.goal.is_some() => "null",
            Some(_) if reads.clone().all(|read| read.carries() && read != Read::Start) => "carry",
            Some(value) if value.divides() || reads.any(Read::may_lack) => "null",
            _ => "zero",
        }
    }

    /// What such a window counts as having been published with.
    pub fn fill_value(&self) -> Option<f64> {
        (self.fill() != "null").then_some(0.0)
    }
}

/// A catalog, lowered.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Settings it was lowered with.
    pub settings: Settings,
    /// Metrics, in the catalog's order.
    pub metrics: Vec<Metric>,
    /// Bundles.
    pub bundles: Vec<Bundle>,
    /// Traits that any metric reads.
    pub traits: Vec<String>,
    /// Custom fields of events that any metric reads.
    pub customs: Vec<String>,
    /// Variables of the filters.
    pub fields: Vec<Field>,
    /// Filters.
    pub filters: Vec<Expr>,
    /// The name of each filter, which says all that it means.
    filter_names: Vec<String>,
    /// Activities; the first is `meaningful`.
    pub activities: Vec<Activity>,
    /// Whether slices are local hours: a metric has windows of an hour, or amounts are converted, each at the rate of its
    /// hour. Else they are local days.
    pub hourly: bool,
    /// The bundle of exchange rates, where amounts are converted.
    pub rates: Option<usize>,
    /// Sums kept for each account and currency: trigger, field, filter.
    pub totals: Vec<Kept>,
    /// Sums of each account, currency and local day that are published.
    pub day_sums: Vec<Kept>,
    /// Sums kept for each account and local day, and not published.
    pub daily: Vec<Kept>,
    /// The bundle with the settings of goals, which the rollup reads; none where no metric is of goals.
    pub goals: Option<usize>,
    /// Whether these are kept for as long as any window looks back, as a metric asks for them; else as far back as the score
    /// looks.
    pub keeps_days: bool,
    /// Whether accounts keep all their times as a customer, not just as far back as windows look. Numbers are the same.
    pub keeps_runs: bool,
    /// The score of accounts.
    pub score: Option<Score>,
    /// Definitions of the metrics behind [`Plan::daily`].
    kept: Vec<String>,
    /// Hash of everything that numbers depend on.
    pub generation: u64,
}

impl Plan {
    /// Lowers a catalog.
    ///
    /// # Errors
    /// The first thing in it that does not exist or does not fit, with line and column.
    pub fn lower(catalog: &Catalog, settings: &Settings) -> Result<Plan, Error> {
        let (plan, mistakes) = Plan::lower_all(catalog, settings);
        mistakes.into_iter().next().map_or(Ok(plan), Err)
    }

    /// Everything in a catalog that does not exist or does not fit, with line and column, in the order of the file.
    pub fn mistakes(catalog: &Catalog, settings: &Settings) -> Vec<Error> {
        Plan::lower_all(catalog, settings).1
    }

    /// The plan of what is right in a catalog, and what is wrong in it.
    fn lower_all(catalog: &Catalog, settings: &Settings) -> (Plan, Vec<Error>) {
        let mut builder = Builder::new(settings);
        let triggers = meaningful(catalog).unwrap_or_else(|mistake| {
            builder.mistakes.push(mistake);
            Vec::new()
        });
        builder.plan.activities.push(Activity { triggers, among: Among::CustomersAtEnd, filter: None });
        for written in &catalog.metrics {
            let name = &written.name.value;
            if catalog.metrics.iter().filter(|other| other.name.value == *name).count() > 1 {
                builder.mistakes.push(Error::at(&written.name, format!("the metric `{name}` is defined twice")));
            }
            match builder.metric(written) {
                Ok(metric) if written.publish => builder.plan.metrics.push(metric),
                Ok(metric) => builder.plan.kept.push(metric.definition),
                Err(mistake) => builder.mistakes.push(mistake),
            }
        }
        let mut mistakes = std::mem::take(&mut builder.mistakes);
        mistakes.sort_by_key(|mistake| (mistake.line, mistake.column));
        (builder.finish(), mistakes)
    }

    /// The built-in catalog, lowered.
    ///
    /// # Errors
    /// Never for settings that are valid.
    pub fn built_in(settings: &Settings) -> Result<Plan, Error> {
        Plan::lower(&Catalog::parse(crate::catalog::BUILT_IN)?, settings)
    }

    /// The number of the filter of this name.
    pub fn filter(&self, name: Option<&str>) -> Option<usize> {
        self.filter_names.iter().position(|known| Some(known.as_str()) == name)
    }

    /// What people call a dimension. Two that have one name share their values.
    pub fn dimension_name(&self, dim: &Dim) -> String {
        match dim {
            Dim::Trait(number) => self.traits[*number].clone(),
            Dim::Of(name) => (*name).to_owned(),
            Dim::Custom(name) => format!("custom.{name}"),
        }
    }

    /// Whether a metric reads events of this type: by name, by a filter that names it, or through the facts that lifecycles
    /// make of it. A measure of events of any type, without such a filter, reads none in particular.
    pub fn measures(&self, kind: &str) -> bool {
        // Traits are of all facts; a merge moves all of an account; a retraction is about another event.
        if ["account.updated", "identity.linked", "retracted"].contains(&kind) {
            return true;
        }
        let named = |filter: &Option<String>| filter.as_ref().is_some_and(|text| text.contains(kind));
        let is_it = |trigger: &Trigger| match trigger {
            Trigger::Event => false,
            Trigger::Type(name) => name == kind,
            Trigger::Fact(id) => lifecycle::fact(*id).reads.contains(&kind),
        };
        let of_column = |column: &Column| match column {
            Column::Fact { trigger, filter, .. } => is_it(trigger) || (*trigger == Trigger::Event && named(filter)),
            Column::Lost { .. } => lifecycle::customer::LOST.reads.contains(&kind),
            Column::Retained { .. } => lifecycle::subscription::MRR.reads.contains(&kind),
            // Activities are asked below.
            Column::Engaged { .. } => false,
        };
        self.bundles.iter().any(|bundle| bundle.columns.iter().any(of_column))
            || self.activities.iter().any(|activity| activity.triggers.iter().any(is_it) || named(&activity.filter))
            || self.totals.iter().chain(&self.day_sums).chain(&self.daily).any(|(trigger, ..)| is_it(trigger))
            || self.metrics.iter().any(|metric| metric.list.is_some_and(|list| list.reads().contains(&kind)))
    }
}

/// What counts as a sign of life.
fn meaningful(catalog: &Catalog) -> Result<Vec<Trigger>, Error> {
    let mut triggers = Vec::new();
    for name in &catalog.meaningful {
        let found = trigger(name)?;
        if found.fact().is_some_and(|fact| fact.name == lifecycle::customer::LOST.name) {
            return Err(Error::at(name, "a loss is no sign of life of an account; leave `customer_lost` out"));
        }
        names::with_account(name, &found)?;
        if triggers.contains(&found) {
            return Err(Error::at(name, format!("`{}` is there twice; leave one out", name.value)));
        }
        triggers.push(found);
    }
    Ok(triggers)
}

struct Builder {
    plan: Plan,
    /// Found so far, beside those that end a metric.
    mistakes: Vec<Error>,
}

impl Builder {
    fn new(settings: &Settings) -> Builder {
        Builder {
            mistakes: Vec::new(),
            plan: Plan {
                settings: settings.clone(),
                metrics: Vec::new(),
                bundles: Vec::new(),
                traits: Vec::new(),
                customs: Vec::new(),
                fields: Vec::new(),
                filters: Vec::new(),
                filter_names: Vec::new(),
                activities: Vec::new(),
                hourly: false,
                rates: None,
                totals: Vec::new(),
                day_sums: Vec::new(),
                daily: Vec::new(),
                goals: None,
                keeps_days: false,
                keeps_runs: false,
                score: None,
                kept: Vec::new(),
                generation: 0,
            },
        }
    }

    fn metric(&mut self, written: &Written) -> Result<Metric, Error> {
        check_name(&written.name)?;
        written.check_keys()?;
        let kinds = written.kinds()?;
        let mut measures = Vec::new();
        let mut means = Vec::new();
        let mut names = Vec::new();
        let mut wrong = None;
        for (name, measure) in &written.measures {
            let lowered = match self.measure(name, measure, written) {
                Ok(lowered) => lowered,
                Err(mistake) => {
                    self.mistakes.extend(wrong.replace(mistake));
                    continue;
                }
            };
            names.push((name.clone(), lowered[0].unit));
            if lowered.len() == 2 {
                means.push((names.len() - 1, names.len()));
                names.push((String::new(), Type::Number));
            }
            measures.extend(lowered);
        }
        if let Some(mistake) = wrong {
            return Err(mistake);
        }
        let scope = &mut Measures { names: &names };
        let mut value = written.value.as_ref().map(|text| lower(text, Type::Number, scope)).transpose()?;
        let mut null_when = written
            .null_when
            .iter()
            .map(|null| Ok((lower(&null.condition, Type::Flag, scope)?, null.reason.clone())))
            .collect::<Result<Vec<_>, Error>>()?;
        check_unit(written, value.as_ref())?;
        let amounts: Vec<bool> = measures.iter().map(|measure| measure.unit == Type::Money).collect();
        let unrated = measures.iter().any(|measure| measure.read == Read::Unrated);
        let by_currency = written.unit.value == "money" || amounts.contains(&true) || unrated;
        let reporting = self.plan.settings.reporting_currency.is_some();
        let converted = reporting && by_currency && !unrated && written.per == Per::Tenant;
        let mut sums = Vec::new();
        if converted {
            let is_mean = |slot| means.iter().any(|(mean, _)| *mean == slot);
            let is_amount = |slot| amounts.get(slot) == Some(&true) && !is_mean(slot);
            let all = value.iter_mut().chain(null_when.iter_mut().map(|(condition, _)| condition));
            all.for_each(|expr| expr.take_sums(&is_amount, measures.len() + 2, &mut sums));
        }
        if let Some(value) = &mut value {
            means.iter().for_each(|(sum, count)| value.divide(*sum, *sum, *count));
        }
        let quantiles = measures.iter().any(|measure| measure.read.may_lack());
        let mut metric = Metric {
            name: written.name.value.clone(),
            definition: String::new(),
            title: written.title.clone(),
            description: written.description.clone(),
            people: written.people(),
            unit: written.unit.value.clone(),
            per: written.per,
            every_window: written.every_window,
            maturity: written.maturity()?,
            kinds,
            views: Vec::new(),
            ratio: value.as_ref().and_then(Expr::ratio).filter(|_| !quantiles),
            value,
            null_when,
            measures: measures.len(),
            by_currency,
            converted,
            amounts,
            sums,
            totals: Vec::new(),
            day_sums: Vec::new(),
            silence: written.silence.as_ref().map(|steps| steps.value.clone()).unwrap_or_default(),
            goal: written.goal.as_ref().map(|goal| goal.value),
            score: written.score.is_some(),
            list: written.list.as_ref().map(|list| list.value),
        };
        if let Some(score) = &written.score {
            self.score(written, score)?;
        }
        match written.per {
            _ if !written.publish => self.daily(written, &metric, &measures)?,
            Per::Tenant if metric.goal.is_some() => self.of_goals(&mut metric),
            Per::Tenant => self.views(written, &mut metric, &measures)?,
            Per::Account => self.per_account(written, &mut metric, &measures)?,
        }
        metric.definition = definition(written, &self.reads(&metric, &measures));
        Ok(metric)
    }

    /// What a metric reads beside its own text, as text: settings, and what counts as activity.
    fn reads(&self, metric: &Metric, measures: &[Lowered]) -> String {
        let settings = &self.plan.settings;
        let activities: Vec<&Activity> = measures
            .iter()
            .filter_map(
                |measure| if let Column::Engaged { activity, .. } = measure.column { Some(activity) } else { None },
            )
            .chain((!metric.silence.is_empty() || metric.score).then_some(0))
            .map(|activity| &self.plan.activities[activity])
            .collect();
        let mut read = format!("max_ahead {} {activities:?}", settings.max_ahead);
        let levels = measures.iter().filter_map(|measure| match &measure.column {
            Column::Fact { trigger, .. } => trigger.fact(),
            _ => None,
        });
        let by_score = metric.score || levels.into_iter().any(|fact| fact.name == lifecycle::score::SCORED.name);
        if let Some(score) = self.plan.score.as_ref().filter(|_| by_score) {
            read.push_str(&format!(" score {} {:?}", score.text, self.plan.activities[0].triggers));
        }
        if metric.kinds.iter().any(|kind| *kind != Kind::ToDate) {
            read.push_str(&format!(" windows {} {}", settings.time_zone, settings.allowed_lateness));
        }
        if let Some(currency) = settings.reporting_currency.as_ref().filter(|_| metric.reads_rates(measures)) {
            read.push_str(&format!(" reporting_currency {currency}"));
        }
        if metric.maturity > 0 {
            read.push_str(&format!(" maturity {}", metric.maturity));
        }
        if metric.kinds.contains(&Kind::Hour) {
            read.push_str(&format!(" keep {}", settings.keep));
        }
        // Whatever it is kept by: dimensions are no part of a definition.
        if metric.per == Per::Tenant {
            read.push_str(&format!(" dimension_values_max {}", settings.dimension_values_max));
        }
        let of_goal = metric.goal.is_some();
        if of_goal {
            let margin = settings.margin;
            read.push_str(&format!(" silent_after {} margin {}/{}", settings.silent_after, margin.num(), margin.den()));
        }
        if of_goal || metric.kinds.contains(&Kind::Week) {
            read.push_str(&format!(" week_start {:?}", settings.week_start));
        }
        if of_goal || metric.kinds.iter().any(|kind| matches!(kind, Kind::Quarter | Kind::Year)) {
            read.push_str(&format!(" fiscal_year_start {}", settings.fiscal_year_start));
        }
        if metric
            .value
            .iter()
            .chain(metric.null_when.iter().map(|(condition, _)| condition))
            .any(|e| e.reads(metric.measures))
        {
            read.push_str(&format!(" margin {}/{}", settings.margin.num(), settings.margin.den()));
        }
        // Facts that no event brings about are those of customers.
        let of_customers = |trigger: &Trigger| trigger.fact().is_some_and(|fact| !fact.has_event);
        let by_column = measures.iter().any(|measure| match &measure.column {
            Column::Lost { .. } => true,
            Column::Fact { trigger, .. } => of_customers(trigger),
            Column::Retained { .. } => false,
            Column::Engaged { activity, .. } => self.plan.activities[*activity].among != Among::Everybody,
        });
        if by_column || metric.score || activities.iter().any(|activity| activity.triggers.iter().any(of_customers)) {
            read.push_str(&format!(" silent_after {}", settings.silent_after));
        }
        read
    }

    fn views(&mut self, written: &Written, metric: &mut Metric, measures: &[Lowered]) -> Result<(), Error> {
        if metric.kinds.contains(&Kind::ToDate) {
            return Err(Error::at(&written.name, "`to-date` is for metrics `per: account`"));
        }
        for by in &written.by {
            let set = self.dimensions(by, measures)?;
            if metric.views.iter().any(|known| same_set(&known.by, &set.names)) {
                let message = format!("the metric has the dimensions [{}] twice; leave one out", set.names.join(", "));
                return Err(by
                    .first()
                    .map_or_else(|| Error::at(&written.name, &message), |name| Error::at(name, &message)));
            }
            let readings = metric
                .kinds
                .iter()
                .map(|kind| measures.iter().map(|measure| self.reading(&set.dims, by, *kind, measure)).collect())
                .collect::<Result<Vec<Vec<Reading>>, Error>>()?;
            let with_money = facts_of(measures, |fact| fact.money);
            let money = metric.money().then(|| self.counted(&set.dims, &with_money, true));
            // A group is there from its first event on; one that only facts tell apart, from the first of these on.
            let of_facts = set.dims.iter().any(|dim| matches!(dim, Dim::Of(_)));
            let first = if of_facts { facts_of(measures, |_| true) } else { vec![Trigger::Event] };
            let mut bundles = readings.iter().flatten().map(|reading| reading.bundle);
            let beside_money = bundles.any(|bundle| !self.plan.bundles[bundle].money);
            let presence = match written.every_window {
                true => Some(money.unwrap_or_else(|| self.counted(&set.dims, &first, false))),
                false => money.filter(|_| beside_money),
            };
            metric.views.push(View { by: set.names, readings, presence, money });
        }
        Ok(())
    }

    /// One set of dimensions of a metric, resolved.
    fn dimensions(&mut self, by: &[Spanned<String>], measures: &[Lowered]) -> Result<DimensionSet, Error> {
        let has = |name: &str| measures.iter().any(|measure| measure.column.has_dimension(name));
        let mut set = DimensionSet { dims: Vec::new(), names: Vec::new() };
        for name in by {
            let dim = match names::dimension(name, has)? {
                Dimension::OfEvent(dim) => dim,
                Dimension::Trait(own) => Dim::Trait(self.trait_number(own)),
            };
            if set.dims.contains(&dim) {
                return Err(Error::at(name, format!("`{}` is there twice; leave one out", canonical(&name.value))));
            }
            if let Dim::Custom(name) = &dim {
                position_or_push(&mut self.plan.customs, name.clone());
            }
            set.dims.push(dim);
            set.names.push(canonical(&name.value).to_owned());
        }
        Ok(set)
    }

    /// The bundle with these dimensions, in hours, that counts these facts.
    fn counted(&mut self, dims: &[Dim], triggers: &[Trigger], money: bool) -> usize {
        let bundle = self.bundle(dims, money, Slicing::Hours, None);
        for trigger in triggers {
            let is_level = trigger.fact().is_some_and(|fact| fact.sort == Sort::Level);
            let amount = is_level.then_some(Field::Entered);
            let column = Column::Fact { trigger: trigger.clone(), amount, filter: None };
            position_or_push(&mut self.plan.bundles[bundle].columns, column);
        }
        bundle
    }

    /// A metric of goals reads the settings of goals, and what they name.
    fn of_goals(&mut self, metric: &mut Metric) {
        let dims: Vec<Dim> = lifecycle::goal::GOAL.fields.iter().map(|field| Dim::Of(field.name)).collect();
        let trigger = Trigger::Fact(lifecycle::id(&lifecycle::goal::GOAL));
        self.plan.goals = Some(self.counted(&dims, &[trigger], false));
        metric.views.push(View {
            by: vec!["goal".to_owned()],
            readings: vec![Vec::new()],
            presence: None,
            money: None,
        });
    }

    fn per_account(&mut self, written: &Written, metric: &mut Metric, measures: &[Lowered]) -> Result<(), Error> {
        let by_day = metric.kinds == [Kind::Day];
        let is_by_day = written.silence.is_some() || written.score.is_some();
        let (allowed, windows): (&[Kind], &str) = match (metric.list, is_by_day) {
            (Some(_), _) => (&[Kind::ToDate], "the window `to-date` only"),
            (None, true) => (&[Kind::Day], "the window `1d` only"),
            (None, false) => (&[Kind::ToDate, Kind::Day], "either `to-date` or `1d`"),
        };
        if !matches!(metric.kinds.as_slice(), [kind] if allowed.contains(kind)) {
            return Err(Error::at(&written.name, format!("this metric of each account has {windows}")));
        }
        if let Some(steps) = &written.silence {
            if self.plan.metrics.iter().any(|known| !known.silence.is_empty()) {
                return Err(Error::at(steps, "there is a metric of silence already; give all steps in one"));
            }
            if steps.value.first().is_none_or(|first| *first == 0) || !steps.value.is_sorted_by(|a, b| a < b) {
                return Err(Error::at(steps, "the steps of `silence` are days, at least 1, and ascend"));
            }
        }
        if metric.ages() {
            return Err(Error::at(&written.name, "`now` means nothing for a metric `per: account`"));
        }
        for measure in measures {
            let Column::Fact { trigger, amount, filter } = &measure.column else {
                return Err(Error::at(&written.name, sums_of_money()));
            };
            if !trigger.money() {
                return Err(Error::at(&written.name, sums_of_money()));
            }
            let kept = (trigger.clone(), amount.clone(), self.plan.filter(filter.as_deref()));
            if by_day && !trigger.fact().is_some_and(|fact| fact.stays) {
                return Err(Error::at(&written.name, stay_in_their_day()));
            }
            let (columns, of_metric) = match by_day {
                true => (&mut self.plan.day_sums, &mut metric.day_sums),
                false => (&mut self.plan.totals, &mut metric.totals),
            };
            of_metric.push(position_or_push(columns, kept));
        }
        Ok(())
    }

    /// What is kept by account and day, and not published.
    fn daily(&mut self, written: &Written, metric: &Metric, measures: &[Lowered]) -> Result<(), Error> {
        if written.per != Per::Account || metric.kinds != [Kind::Day] || !metric.silence.is_empty() {
            let message = "`publish: false` is for sums `per: account`, with the window `1d` only";
            return Err(Error::at(&written.name, message));
        }
        self.plan.keeps_days = true;
        for measure in measures {
            let Column::Fact { trigger: trigger @ (Trigger::Event | Trigger::Type(_)), amount, filter } =
                &measure.column
            else {
                return Err(Error::at(&written.name, "what is not published sums or counts events"));
            };
            self.plan.daily.push((trigger.clone(), amount.clone(), self.plan.filter(filter.as_deref())));
        }
        Ok(())
    }

    fn trait_number(&mut self, name: &str) -> usize {
        position_or_push(&mut self.plan.traits, name.to_owned())
    }

    /// Finds or makes the column's place for these dimensions and this kind of window.
    fn reading(
        &mut self,
        dims: &[Dim],
        by: &[Spanned<String>],
        kind: Kind,
        measure: &Lowered,
    ) -> Result<Reading, Error> {
        if let Some((index, message)) =
            dims.iter().zip(0..).find_map(|(dim, at)| Some((at, lacks(&measure.column, dim)?)))
        {
            return Err(Error::at(&by[index], message));
        }
        let slicing = match kind {
            _ if measure.lag > 0 => Slicing::Later(measure.lag),
            _ if !measure.per_window => Slicing::Hours,
            Kind::Trailing(days) => Slicing::Trailing(days),
            kind => Slicing::Window(kind),
        };
        // These facts keep the currency; what is no money reads the sum over currencies.
        let keyed = match &measure.column {
            Column::Fact { trigger, .. } => trigger.money(),
            column => matches!(column, Column::Retained { .. }),
        };
        let bundle = self.bundle(dims, keyed, slicing, measure.bucket);
        let column = position_or_push(&mut self.plan.bundles[bundle].columns, measure.column.clone());
        let read = if matches!(slicing, Slicing::Trailing(_)) { Read::End } else { measure.read };
        Ok(Reading { bundle, column, read })
    }

    fn bundle(&mut self, dims: &[Dim], money: bool, slicing: Slicing, bucket: Option<Bucketed>) -> usize {
        let bundles = &mut self.plan.bundles;
        let same = |bundle: &Bundle| {
            (bundle.dims.as_slice(), bundle.money, bundle.slicing, bundle.bucket) == (dims, money, slicing, bucket)
        };
        bundles.iter().position(same).unwrap_or_else(|| {
            let (dims, columns) = (dims.to_vec(), Vec::new());
            bundles.push(Bundle { hash: 0, dims, money, slicing, bucket, hourly: false, columns });
            bundles.len() - 1
        })
    }

    fn finish(mut self) -> Plan {
        let traits = self.plan.traits.clone();
        // Indexes of activities are part of the state.
        let mut generation = format!("{ALGORITHM} {:?}", self.plan.activities);
        for metric in &self.plan.metrics {
            generation.push_str(&metric.render());
        }
        self.plan.kept.iter().for_each(|definition| generation.push_str(definition));
        self.plan.generation = xxh3_64(generation.as_bytes());
        let hours = self.plan.metrics.iter().any(|metric| metric.kinds.contains(&Kind::Hour));
        let reporting = self.plan.settings.reporting_currency.is_some();
        self.plan.hourly = hours || reporting;
        if reporting {
            let dims: Vec<Dim> = lifecycle::fx::RATE.fields.iter().map(|field| Dim::Of(field.name)).collect();
            self.plan.rates = Some(self.counted(&dims, &[Trigger::Fact(lifecycle::fx::ID)], false));
        }
        self.plan.bundles.iter_mut().for_each(|bundle| bundle.hourly = hours || reporting && bundle.money);
        for index in 0..self.plan.bundles.len() {
            let bundle = &self.plan.bundles[index];
            let names: Vec<String> = bundle
                .dims
                .iter()
                .map(|dim| {
                    if let Dim::Trait(number) = dim { format!("trait {}", traits[*number]) } else { format!("{dim:?}") }
                })
                .collect();
            let text =
                format!("{names:?} {} {:?} {:?} {:?}", bundle.money, bundle.slicing, bundle.bucket, bundle.columns);
            self.plan.bundles[index].hash = xxh3_64(text.as_bytes());
        }
        self.plan
    }
}

/// One set of dimensions, and how each is spelt.
struct DimensionSet {
    dims: Vec<Dim>,
    names: Vec<String>,
}

fn same_set(one: &[String], other: &[String]) -> bool {
    one.len() == other.len() && one.iter().all(|name| other.contains(name))
}

impl Column {
    /// Whether facts of it have this field as a dimension.
    fn has_dimension(&self, name: &str) -> bool {
        matches!(self, Column::Fact { trigger, .. } if trigger.fact().is_some_and(|fact| fact.has_dimension(name)))
    }
}

/// The facts that measures count or sum, as far as they fit; each once.
fn facts_of(measures: &[Lowered], fits: impl Fn(&FactType) -> bool) -> Vec<Trigger> {
    let mut found = Vec::new();
    for measure in measures {
        if let Column::Fact { trigger, .. } = &measure.column
            && trigger.fact().is_some_and(&fits)
        {
            position_or_push(&mut found, trigger.clone());
        }
    }
    found
}

/// Why a column cannot be told apart by a dimension.
fn lacks(column: &Column, dim: &Dim) -> Option<String> {
    let of_accounts = |name: &str| {
        Some(format!(
            "a measure of accounts has their traits as dimensions, and no {name}; a custom trait is `traits.custom.NAME`"
        ))
    };
    let fact = match column {
        Column::Fact { trigger, .. } => trigger.fact(),
        _ => return if let Dim::Trait(_) = dim { None } else { of_accounts(shown(dim)) },
    };
    match (dim, fact) {
        (Dim::Trait(_), _) | (Dim::Custom(_), None) => None,
        (Dim::Of(name), Some(fact)) if fact.has_dimension(name) => None,
        (Dim::Custom(_), Some(fact)) if fact.has_event => None,
        (dim, Some(fact)) if !fact.has_event => of_accounts(shown(dim)),
        (dim, _) => {
            let having = lifecycle::facts().map(|(_, fact)| fact).filter(|fact| fact.has_dimension(shown(dim)));
            let having: Vec<&str> = having.map(|fact| fact.name).collect();
            Some(format!(
                "`{}` is a dimension of {} only; an event has its custom.NAME and the account's traits",
                shown(dim),
                having.join(", ")
            ))
        }
    }
}

fn shown(dim: &Dim) -> &'static str {
    match dim {
        Dim::Of(name) => name,
        Dim::Custom(_) => "custom field",
        Dim::Trait(_) => "trait",
    }
}

/// What a metric of each account may measure.
fn sums_of_money() -> String {
    let money: Vec<String> =
        lifecycle::facts().filter(|(_, fact)| fact.money).map(|(_, fact)| format!("`{}`", fact.name)).collect();
    format!("a metric of each account sums or counts facts with a currency: {}", money.join(", "))
}

fn stay_in_their_day() -> String {
    let names: Vec<String> = lifecycle::facts()
        .filter(|(_, fact)| fact.money && fact.stays)
        .map(|(_, fact)| format!("`{}`", fact.name))
        .collect();
    format!("a metric of each account and day sums or counts what stays in its day: {}", names.join(", "))
}

fn position_or_push<T: PartialEq>(list: &mut Vec<T>, item: T) -> usize {
    list.iter().position(|known| *known == item).unwrap_or_else(|| {
        list.push(item);
        list.len() - 1
    })
}

fn check_name(name: &Spanned<String>) -> Result<(), Error> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if name.value.starts_with(|c: char| c.is_ascii_lowercase())
        && name.value.chars().all(fits)
        && name.value.len() <= 64
    {
        return Ok(());
    }
    Err(Error::at(name, "a metric's name has lower-case letters, digits and `_`, at most 64, and starts with a letter"))
}

/// That the unit exists, and says of money that it is.
fn check_unit(written: &Written, value: Option<&Expr>) -> Result<(), Error> {
    let unit = written.unit.value.as_str();
    if !["count", "ratio", "money", "days", "points", "seconds", "state"].contains(&unit) {
        let message =
            format!("unknown unit `{unit}`; use count, ratio, money, days, points, seconds or, of goals, state");
        return Err(Error::at(&written.unit, message));
    }
    if unit != "money" && value.is_some_and(|value| value.kind == Type::Money) {
        let message =
            "the value is an amount of money, and amounts of all currencies would be added; use `unit: money`";
        return Err(Error::at(&written.unit, message));
    }
    Ok(())
}

/// `name@version+hash`, the hash over everything that the values depend on.
fn definition(written: &Written, reads: &str) -> String {
    let text = |spanned: &Option<Spanned<String>>| spanned.as_ref().map(|s| s.value.clone());
    let measures: Vec<_> = written
        .measures
        .iter()
        .map(|(name, m)| {
            let parts = [
                &m.count,
                &m.sum,
                &m.mean,
                &m.quantile,
                &m.level,
                &m.distinct,
                &m.cohort,
                &m.of,
                &m.filter,
                &m.at,
                &m.among,
                &m.then,
                &m.traits,
                &m.lag,
                &m.min,
                &m.max,
                &m.without,
            ];
            (name, parts.map(text))
        })
        .collect();
    let nulls: Vec<_> = written.null_when.iter().map(|null| (&null.condition.value, &null.reason)).collect();
    let goal = written.goal.as_ref().map_or(String::new(), |goal| format!(" {:?}", goal.value));
    let list = written.list.as_ref().map_or(String::new(), |list| format!(" list {:?}", list.value));
    let content = format!(
        "{ALGORITHM} {} {:?} {:?} {:?} {:?} {:?}{goal}{list} {reads}",
        written.unit.value,
        written.per,
        measures,
        text(&written.value),
        nulls,
        written.silence.as_ref().map(|steps| &steps.value)
    );
    format!("{}@{}+{:08x}", written.name.value, written.version, xxh3_64(content.as_bytes()) >> 32)
}

/// The names of a metric's measures, and of the settings that expressions may use.
struct Measures<'a> {
    names: &'a [(String, Type)],
}

impl Scope for Measures<'_> {
    fn resolve(&mut self, path: &[&str]) -> Result<(usize, Type), String> {
        if let [name] = path {
            if let Some(slot) = self.names.iter().position(|(known, _)| known == name) {
                return Ok((slot, self.names[slot].1));
            }
            if *name == "margin" {
                return Ok((self.names.len(), Type::Number));
            }
            if *name == "now" {
                return Ok((self.names.len() + 1, Type::Number));
            }
        }
        let known: Vec<&str> =
            self.names.iter().map(|(name, _)| name.as_str()).filter(|name| !name.is_empty()).collect();
        Err(format!(
            "there is no measure `{}`; there are {}, the setting margin, and now, the end of the window or the clock",
            path.join("."),
            known.join(", ")
        ))
    }
}

#[cfg(test)]
mod tests;
