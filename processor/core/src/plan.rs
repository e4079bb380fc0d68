//! What the engine runs: a catalog, checked and lowered.
//!
//! Measures become *columns*; columns that share dimensions, currency and slices share a *bundle*,
//! one row of integers a slice. So an event updates one row per (bundle, dimension values, slice),
//! however many metrics read it, and costs nothing for metrics that do not.
//!
//! Invariants: equal measures share a column; a bundle's hash depends on its content only; a metric
//! finds each of its measures in exactly one bundle per set of dimensions and kind of window.

use std::collections::BTreeMap;

use serde_saphyr::Spanned;
use xxhash_rust::xxh3::xxh3_64;

use crate::{
    calendar::Kind,
    catalog::{Catalog, Error, Measure, Metric as Written, Per},
    expr::{Expr, Scope, Type},
    settings::Settings,
};

/// Raised when the same catalog would give other numbers, so that state is rebuilt.
const ALGORITHM: u32 = 5;

/// What a measure listens to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trigger {
    /// Any event.
    Event,
    /// Events of this type.
    Type(String),
    /// An order counted.
    Order,
    /// A refund of one.
    Refund,
    /// A customer started.
    Started,
    /// A customer lost.
    Lost,
}

/// A field of a fact or event that filters and sums read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// Gross less discount, minor units.
    Net,
    /// Gross, minor units.
    Gross,
    /// Discount, minor units.
    Discount,
    /// Amount of a refund, minor units.
    Amount,
    /// Whether it makes the account a customer for the first time.
    First,
    /// ISO 4217.
    Currency,
    /// Order id.
    Order,
    /// Of the order.
    Channel,
    /// Of the order.
    Source,
    /// Event type.
    Type,
    /// Of usage.
    User,
    /// Of usage.
    Name,
    /// Of usage.
    Count,
    /// Custom field of the event.
    Custom(String),
    /// Trait of the account, by its number in [`Plan::traits`].
    Trait(usize),
}

/// A dimension.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dim {
    /// Trait of the account, by its number in [`Plan::traits`].
    Trait(usize),
    /// `channel` of the order.
    Channel,
    /// `source` of the order.
    Source,
    /// Each product of the order, with its share.
    Product,
    /// Custom field of the event.
    Custom(String),
}

/// How a bundle's slices lie on the time line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Slicing {
    /// Local hours.
    Hours,
    /// One slice a window of this kind, at its start: decided where the account lives.
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
    /// +1 when a customer starts, -1 when it is lost; moves with its traits.
    Customers,
    /// Customers at the start of the window that are none at its end.
    Churned,
    /// Losses, with the traits of the start that they end.
    LostByStart,
    /// Accounts with this activity in the window.
    Engaged(usize),
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
    /// What is added up.
    pub columns: Vec<Column>,
}

impl Bundle {
    /// Whether only the account's traits decide the dimensions, the currency apart.
    pub fn of_traits(&self) -> bool {
        self.dims.iter().all(|dim| matches!(dim, Dim::Trait(_)))
    }
}

/// What a fact adds to one bundle.
#[derive(Debug, Clone)]
pub struct Emission {
    /// Bundle.
    pub bundle: usize,
    /// Column, field (or 1), filter.
    pub columns: Vec<(usize, Option<Field>, Option<usize>)>,
}

/// Accounts are active when one of these happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activity {
    /// Facts and event types.
    pub triggers: Vec<Trigger>,
    /// Whether only customers count.
    pub among_customers: bool,
}

/// A kind of window, and the columns (bundle, column) that follow an activity in it.
pub type Followers = (Kind, Vec<(usize, usize)>);

/// A per-window column about losses, decided at the account.
#[derive(Debug, Clone)]
pub struct Cohort {
    /// Bundle.
    pub bundle: usize,
    /// Column of it.
    pub column: usize,
    /// What it follows.
    pub what: Column,
    /// The windows.
    pub kind: Kind,
}

/// How a metric reads a column for a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// Sum of the slices of the window.
    Window,
    /// Sum of all slices before its start.
    Start,
    /// Sum of all slices before its end.
    End,
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
    /// Names, as written.
    pub by: Vec<String>,
    /// For each kind of window, in the metric's order: a reading for each measure.
    pub readings: Vec<Vec<Reading>>,
    /// The bundle whose first slice is the group's first event, and from where on every window has a
    /// row; for metrics that have one for every window.
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
    /// Unit of the value.
    pub unit: String,
    /// Per tenant or account.
    pub per: Per,
    /// A row for every window since the first event.
    pub every_window: bool,
    /// Window kinds.
    pub kinds: Vec<Kind>,
    /// Sets of dimensions.
    pub views: Vec<View>,
    /// The value; variable i is measure i, the one after the last is the margin.
    pub value: Option<Expr>,
    /// Numerator and denominator, of a plain ratio.
    pub ratio: Option<(Expr, Expr)>,
    /// Reasons for null.
    pub null_when: Vec<(Expr, String)>,
    /// Number of measures.
    pub measures: usize,
    /// Of a per-account sum: its columns in [`Plan::totals`].
    pub totals: Vec<usize>,
    /// Of silence: the steps in days.
    pub silence: Vec<u16>,
}

impl Metric {
    /// Whether its value is money, so that the currency is a dimension.
    pub fn money(&self) -> bool {
        self.unit == "money"
    }

    /// Its definition, and which rows it has: what changes when it has to be computed again.
    pub fn render(&self) -> String {
        let kinds: Vec<String> = self.kinds.iter().map(Kind::to_string).collect();
        let by: Vec<String> = self.views.iter().map(|view| view.by.join(",")).collect();
        let every = if self.every_window { " every" } else { "" };
        format!("{} {}; by {}{every}", self.definition, kinds.join(", "), by.join("; "))
    }

    /// What a window without a row holds: `zero`, `null` or `carry`.
    pub fn fill(&self) -> &'static str {
        match &self.value {
            _ if self.per == Per::Account => "carry",
            Some(_)
                if self.views.iter().flat_map(|view| view.readings.iter().flatten()).all(|r| r.read == Read::End) =>
            {
                "carry"
            }
            Some(value) if value.divides() => "null",
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
    /// Variables of the filters.
    pub fields: Vec<Field>,
    /// Filters.
    pub filters: Vec<Expr>,
    /// What each fact adds.
    pub emissions: BTreeMap<Trigger, Vec<Emission>>,
    /// What events of each type add.
    pub types: BTreeMap<String, Vec<Emission>>,
    /// Where customers are counted.
    pub levels: Vec<(usize, usize)>,
    /// Columns about losses, decided at the account.
    pub cohorts: Vec<Cohort>,
    /// Activities; the first is `meaningful`.
    pub activities: Vec<Activity>,
    /// For each activity: kinds of window, with the columns (bundle, column) that follow it in them.
    pub engaged: Vec<Vec<Followers>>,
    /// Whether any metric has windows of an hour; if none has, slices are local days.
    pub hourly: bool,
    /// Sums kept for each account and currency: trigger, field, filter.
    pub totals: Vec<(Trigger, Option<Field>, Option<usize>)>,
    /// Sums kept for each account and local day, and not published.
    pub daily: Vec<(Trigger, Option<Field>, Option<usize>)>,
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
        let mut builder = Builder::new(settings);
        let triggers = catalog.meaningful.iter().map(trigger).collect::<Result<_, _>>()?;
        builder.plan.activities.push(Activity { triggers, among_customers: true });
        for written in &catalog.metrics {
            let metric = builder.metric(written)?;
            let of_name = catalog.metrics.iter().filter(|other| other.name.value == metric.name);
            if of_name.count() > 1 {
                return Err(Error::at(&written.name, format!("the metric `{}` is defined twice", metric.name)));
            }
            match written.publish {
                true => builder.plan.metrics.push(metric),
                false => builder.plan.kept.push(metric.definition),
            }
        }
        Ok(builder.finish())
    }

    /// The built-in catalog, lowered.
    ///
    /// # Errors
    /// Never for settings that are valid.
    pub fn built_in(settings: &Settings) -> Result<Plan, Error> {
        Plan::lower(&Catalog::parse(crate::catalog::BUILT_IN)?, settings)
    }

    /// What events of a type add.
    pub fn of_type(&self, kind: &str) -> &[Emission] {
        self.types.get(kind).map_or(&[], Vec::as_slice)
    }

    /// Whether a metric reads events of this type: by name, by a filter that names it, or through the facts that lifecycles
    /// make of it. A measure of events of any type, without such a filter, reads none in particular.
    pub fn measures(&self, kind: &str) -> bool {
        // Orders, customers and traits follow these; a retraction is about another event.
        let of_lifecycles =
            ["order.completed", "order.cancelled", "payment.refunded", "account.updated", "retracted"].contains(&kind);
        let is_it = |trigger: &Trigger| matches!(trigger, Trigger::Type(name) if name == kind);
        let filtered = |column: &Column| match column {
            Column::Fact { trigger: Trigger::Event, filter: Some(text), .. } => text.contains(kind),
            _ => false,
        };
        of_lifecycles
            || self.types.contains_key(kind)
            || self.activities.iter().any(|activity| activity.triggers.iter().any(is_it))
            || self.totals.iter().chain(&self.daily).any(|(trigger, ..)| is_it(trigger))
            || self.bundles.iter().any(|bundle| bundle.columns.iter().any(filtered))
    }

    /// What a fact adds.
    pub fn emissions(&self, trigger: &Trigger) -> &[Emission] {
        self.emissions.get(trigger).map_or(&[], Vec::as_slice)
    }
}

fn trigger(name: &Spanned<String>) -> Result<Trigger, Error> {
    Ok(match name.value.as_str() {
        "event" => Trigger::Event,
        "order" => Trigger::Order,
        "refund" => Trigger::Refund,
        "customer_started" => Trigger::Started,
        "customer_lost" => Trigger::Lost,
        kind if kind.contains('.') => Trigger::Type(kind.to_owned()),
        other => {
            let message = format!(
                "there is no fact `{other}`; use order, refund, customer_started, customer_lost, event or an event type such as usage.recorded"
            );
            return Err(Error::at(name, message));
        }
    })
}

struct Builder {
    plan: Plan,
    /// Text of each filter, to share equal ones.
    filters: Vec<String>,
}

/// A column, and whether a metric reads it as a level.
struct Lowered {
    column: Column,
    read: Read,
    per_window: bool,
}

impl Builder {
    fn new(settings: &Settings) -> Builder {
        Builder {
            plan: Plan {
                settings: settings.clone(),
                metrics: Vec::new(),
                bundles: Vec::new(),
                traits: Vec::new(),
                fields: Vec::new(),
                filters: Vec::new(),
                emissions: BTreeMap::new(),
                types: BTreeMap::new(),
                levels: Vec::new(),
                cohorts: Vec::new(),
                activities: Vec::new(),
                engaged: Vec::new(),
                hourly: false,
                totals: Vec::new(),
                daily: Vec::new(),
                kept: Vec::new(),
                generation: 0,
            },
            filters: Vec::new(),
        }
    }

    fn metric(&mut self, written: &Written) -> Result<Metric, Error> {
        check_name(&written.name)?;
        let kinds = written.kinds()?;
        written.check_dimensions()?;
        let mut measures = Vec::new();
        let mut means = Vec::new();
        let mut names = Vec::new();
        for (name, measure) in &written.measures {
            let lowered = self.measure(measure, &written.name)?;
            if lowered.len() == 2 {
                means.push((names.len(), names.len() + 1));
                names.push(name.clone());
                names.push(String::new());
            } else {
                names.push(name.clone());
            }
            measures.extend(lowered);
        }
        let scope = &mut Measures { names: &names };
        let value = written.value.as_ref().map(|text| lower(text, Type::Number, scope)).transpose()?.map(|mut expr| {
            means.iter().for_each(|(sum, count)| expr.divide(*sum, *sum, *count));
            expr
        });
        let null_when = written
            .null_when
            .iter()
            .map(|null| Ok((lower(&null.condition, Type::Flag, scope)?, null.reason.clone())))
            .collect::<Result<_, Error>>()?;
        if value.is_none() && written.silence.is_none() {
            return Err(Error::at(&written.name, "the metric needs a `value`, an expression over its measures"));
        }
        let money = match written.unit.value.as_str() {
            "money" => true,
            "count" | "ratio" | "days" | "points" | "seconds" => false,
            other => {
                let message = format!("unknown unit `{other}`; use count, ratio, money, days, points or seconds");
                return Err(Error::at(&written.unit, message));
            }
        };
        let mut metric = Metric {
            name: written.name.value.clone(),
            definition: String::new(),
            title: written.title.clone(),
            description: written.description.clone(),
            unit: written.unit.value.clone(),
            per: written.per,
            every_window: written.every_window,
            kinds,
            views: Vec::new(),
            ratio: value.as_ref().and_then(Expr::ratio),
            value,
            null_when,
            measures: measures.len(),
            totals: Vec::new(),
            silence: written.silence.as_ref().map(|steps| steps.value.clone()).unwrap_or_default(),
        };
        match written.per {
            _ if !written.publish => self.daily(written, &metric, &measures)?,
            Per::Tenant => self.views(written, &mut metric, &measures, money)?,
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
            .filter_map(|measure| if let Column::Engaged(activity) = measure.column { Some(activity) } else { None })
            .chain((!metric.silence.is_empty()).then_some(0))
            .map(|activity| &self.plan.activities[activity])
            .collect();
        let mut read = format!("max_ahead {} {activities:?}", settings.max_ahead);
        if metric.kinds.iter().any(|kind| *kind != Kind::ToDate) {
            read.push_str(&format!(" windows {} {}", settings.time_zone, settings.allowed_lateness));
        }
        if metric.kinds.contains(&Kind::Week) {
            read.push_str(&format!(" week_start {:?}", settings.week_start));
        }
        if metric.kinds.iter().any(|kind| matches!(kind, Kind::Quarter | Kind::Year)) {
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
        let of_customers = |trigger: &Trigger| matches!(trigger, Trigger::Started | Trigger::Lost);
        let by_column = measures.iter().any(|measure| match &measure.column {
            Column::Customers | Column::Churned | Column::LostByStart => true,
            Column::Fact { trigger, .. } => of_customers(trigger),
            Column::Engaged(activity) => self.plan.activities[*activity].among_customers,
        });
        if by_column || activities.iter().any(|activity| activity.triggers.iter().any(of_customers)) {
            read.push_str(&format!(" silent_after {}", settings.silent_after));
        }
        read
    }

    fn views(
        &mut self,
        written: &Written,
        metric: &mut Metric,
        measures: &[Lowered],
        money: bool,
    ) -> Result<(), Error> {
        if let Some(steps) = &written.silence {
            return Err(Error::at(steps, "`silence` is a metric of each account: add `per: account`"));
        }
        if metric.kinds.contains(&Kind::ToDate) {
            return Err(Error::at(&written.name, "`to-date` is for metrics `per: account`"));
        }
        for by in &written.by {
            let dims = by.iter().map(|name| self.dim(name)).collect::<Result<Vec<_>, _>>()?;
            let readings = metric
                .kinds
                .iter()
                .map(|kind| measures.iter().map(|measure| self.reading(&dims, by, *kind, measure)).collect())
                .collect::<Result<Vec<Vec<Reading>>, Error>>()?;
            let money = money.then(|| self.counted(&dims, &[Trigger::Order, Trigger::Refund], true));
            let presence =
                written.every_window.then(|| money.unwrap_or_else(|| self.counted(&dims, &[Trigger::Event], false)));
            metric.views.push(View {
                by: by.iter().map(|name| name.value.clone()).collect(),
                readings,
                presence,
                money,
            });
        }
        Ok(())
    }

    /// The bundle with these dimensions, in hours, that counts these facts.
    fn counted(&mut self, dims: &[Dim], triggers: &[Trigger], money: bool) -> usize {
        let bundle = self.bundle(dims, money, Slicing::Hours);
        for trigger in triggers {
            let column = Column::Fact { trigger: trigger.clone(), amount: None, filter: None };
            position_or_push(&mut self.plan.bundles[bundle].columns, column);
        }
        bundle
    }

    fn per_account(&mut self, written: &Written, metric: &mut Metric, measures: &[Lowered]) -> Result<(), Error> {
        let wanted = if metric.silence.is_empty() { Kind::ToDate } else { Kind::Day };
        if metric.kinds != [wanted] {
            return Err(Error::at(
                &written.name,
                format!("this metric of each account has the window `{wanted}` only"),
            ));
        }
        if !metric.silence.is_sorted_by(|a, b| a < b) {
            return Err(Error::at(&written.name, "the steps of `silence` ascend"));
        }
        for measure in measures {
            let Column::Fact { trigger: trigger @ (Trigger::Order | Trigger::Refund), amount, filter } =
                &measure.column
            else {
                return Err(Error::at(&written.name, "a metric of each account sums or counts `order` and `refund`"));
            };
            metric.totals.push(self.plan.totals.len());
            self.plan.totals.push((trigger.clone(), amount.clone(), self.filter_number(filter.as_ref())));
        }
        Ok(())
    }

    /// What is kept by account and day, and not published.
    fn daily(&mut self, written: &Written, metric: &Metric, measures: &[Lowered]) -> Result<(), Error> {
        if written.per != Per::Account || metric.kinds != [Kind::Day] || !metric.silence.is_empty() {
            let message = "`publish: false` is for sums `per: account`, with the window `1d` only";
            return Err(Error::at(&written.name, message));
        }
        for measure in measures {
            let Column::Fact { trigger: trigger @ (Trigger::Event | Trigger::Type(_)), amount, filter } =
                &measure.column
            else {
                return Err(Error::at(&written.name, "what is not published sums or counts events"));
            };
            self.plan.daily.push((trigger.clone(), amount.clone(), self.filter_number(filter.as_ref())));
        }
        Ok(())
    }

    fn filter_number(&self, text: Option<&String>) -> Option<usize> {
        self.filters.iter().position(|known| Some(known) == text)
    }

    fn dim(&mut self, name: &Spanned<String>) -> Result<Dim, Error> {
        Ok(match name.value.as_str() {
            "channel" => Dim::Channel,
            "source" => Dim::Source,
            "product" => Dim::Product,
            "" => return Err(Error::at(name, "a dimension has a name")),
            other => match other.strip_prefix("custom.") {
                Some(custom) => Dim::Custom(custom.to_owned()),
                None => Dim::Trait(self.trait_number(other)),
            },
        })
    }

    fn trait_number(&mut self, name: &str) -> usize {
        position_or_push(&mut self.plan.traits, name.to_owned())
    }

    fn measure(&mut self, measure: &Measure, metric: &Spanned<String>) -> Result<Vec<Lowered>, Error> {
        let given = [&measure.count, &measure.sum, &measure.mean, &measure.level, &measure.distinct, &measure.cohort];
        if given.iter().filter(|kind| kind.is_some()).count() != 1 {
            return Err(Error::at(metric, "each measure has exactly one of count, sum, mean, level, distinct, cohort"));
        }
        if let Some(name) = &measure.count {
            if measure.traits.as_ref().is_some_and(|traits| traits.value == "start") && name.value == "customer_lost" {
                return Ok(vec![Lowered { column: Column::LostByStart, read: Read::Window, per_window: true }]);
            }
            return Ok(vec![self.fact(measure, name, false)?]);
        }
        if let Some(name) = &measure.sum {
            return Ok(vec![self.fact(measure, name, true)?]);
        }
        if let Some(name) = &measure.mean {
            return Ok(vec![self.fact(measure, name, true)?, self.fact(measure, name, false)?]);
        }
        if let Some(name) = &measure.level {
            expect_word(name, &["customer"])?;
            let read = match &measure.at {
                None => Read::End,
                Some(at) => {
                    expect_word(at, &["start", "end"])?;
                    if at.value == "start" { Read::Start } else { Read::End }
                }
            };
            return Ok(vec![Lowered { column: Column::Customers, read, per_window: false }]);
        }
        if let Some(name) = &measure.cohort {
            expect_word(name, &["customer"])?;
            let Some(then) = &measure.then else { return Err(Error::at(name, "a cohort needs `then: lost`")) };
            expect_word(then, &["lost"])?;
            return Ok(vec![Lowered { column: Column::Churned, read: Read::Window, per_window: true }]);
        }
        let Some(name) = &measure.distinct else { return Err(Error::at(metric, "the measure is empty")) };
        let triggers = match name.value.as_str() {
            "meaningful" => self.plan.activities[0].triggers.clone(),
            _ => vec![trigger(name)?],
        };
        if let Some(among) = &measure.among {
            expect_word(among, &["customer"])?;
        }
        let activity = Activity { triggers, among_customers: measure.among.is_some() };
        let activity = position_or_push(&mut self.plan.activities, activity);
        Ok(vec![Lowered { column: Column::Engaged(activity), read: Read::Window, per_window: true }])
    }

    fn fact(&mut self, measure: &Measure, name: &Spanned<String>, sum: bool) -> Result<Lowered, Error> {
        let trigger = trigger(name)?;
        let amount = match (&measure.of, sum) {
            (Some(of), true) => {
                let path: Vec<&str> = of.value.split('.').collect();
                let (field, kind) = self.field(&trigger, &path).map_err(|message| Error::at(of, message))?;
                if kind != Type::Number && !matches!(field, Field::Custom(_)) {
                    return Err(Error::at(of, format!("`{}` is not a number that can be summed", of.value)));
                }
                Some(field)
            }
            (None, true) => return Err(Error::at(name, "a sum or mean needs `of`, the field")),
            (Some(of), false) if measure.mean.is_none() => return Err(Error::at(of, "a count has no `of`")),
            (_, false) => None,
        };
        let filter = measure.filter.as_ref().map(|text| self.filter(&trigger, text)).transpose()?;
        Ok(Lowered { column: Column::Fact { trigger, amount, filter }, read: Read::Window, per_window: false })
    }

    fn filter(&mut self, trigger: &Trigger, text: &Spanned<String>) -> Result<String, Error> {
        let expr = lower(text, Type::Flag, &mut Fields { builder: self, trigger })?;
        if !self.filters.contains(&text.value) {
            self.filters.push(text.value.clone());
            self.plan.filters.push(expr);
        }
        Ok(text.value.clone())
    }

    /// The field with this path, as far as facts of this trigger have it.
    fn field(&mut self, trigger: &Trigger, path: &[&str]) -> Result<(Field, Type), String> {
        let of_order = matches!(trigger, Trigger::Order | Trigger::Refund);
        let of_event = matches!(trigger, Trigger::Event | Trigger::Type(_));
        Ok(match path {
            ["net"] if *trigger == Trigger::Order => (Field::Net, Type::Number),
            ["gross"] if *trigger == Trigger::Order => (Field::Gross, Type::Number),
            ["discount"] if *trigger == Trigger::Order => (Field::Discount, Type::Number),
            ["first"] if matches!(trigger, Trigger::Order | Trigger::Started) => (Field::First, Type::Flag),
            ["amount"] if *trigger == Trigger::Refund => (Field::Amount, Type::Number),
            ["currency"] if of_order => (Field::Currency, Type::Text),
            ["order"] if of_order => (Field::Order, Type::Text),
            ["channel"] if of_order => (Field::Channel, Type::Text),
            ["source"] if of_order => (Field::Source, Type::Text),
            ["type"] if of_event => (Field::Type, Type::Text),
            ["data", "user"] if of_event => (Field::User, Type::Text),
            ["data", "name"] if of_event => (Field::Name, Type::Text),
            ["data", "count"] if of_event => (Field::Count, Type::Number),
            ["data", "custom", name] if of_event || of_order => (Field::Custom((*name).to_owned()), Type::Any),
            ["traits", name] => (Field::Trait(self.trait_number(name)), Type::Text),
            ["traits", "custom", name] => (Field::Trait(self.trait_number(&format!("custom.{name}"))), Type::Text),
            _ => {
                let known = match trigger {
                    Trigger::Order => {
                        "net, gross, discount, first, currency, order, channel, source, data.custom.NAME, traits.NAME"
                    }
                    Trigger::Refund => "amount, currency, order, channel, source, data.custom.NAME, traits.NAME",
                    Trigger::Started => "first, traits.NAME",
                    Trigger::Lost => "traits.NAME",
                    _ => "type, data.user, data.name, data.count, data.custom.NAME, traits.NAME",
                };
                return Err(format!("there is no field `{}` here; there are {known}", path.join(".")));
            }
        })
    }

    /// Finds or makes the column's place for these dimensions and this kind of window.
    fn reading(
        &mut self,
        dims: &[Dim],
        by: &[Spanned<String>],
        kind: Kind,
        measure: &Lowered,
    ) -> Result<Reading, Error> {
        let of_event = |dim: &&Dim| !matches!(dim, Dim::Trait(_));
        let needs_traits = !matches!(
            &measure.column,
            Column::Fact { trigger: Trigger::Order | Trigger::Refund | Trigger::Event | Trigger::Type(_), .. }
        );
        if needs_traits && let Some(index) = dims.iter().position(|dim| of_event(&dim)) {
            return Err(Error::at(
                &by[index],
                "a measure of customers has the dimensions of accounts only, its traits",
            ));
        }
        let slicing = match kind {
            _ if !measure.per_window => Slicing::Hours,
            Kind::Trailing(days) => Slicing::Trailing(days),
            kind => Slicing::Window(kind),
        };
        // These facts keep the currency; what is no money reads the sum over currencies.
        let keyed = matches!(&measure.column, Column::Fact { trigger: Trigger::Order | Trigger::Refund, .. });
        let bundle = self.bundle(dims, keyed, slicing);
        let column = position_or_push(&mut self.plan.bundles[bundle].columns, measure.column.clone());
        let read = if matches!(slicing, Slicing::Trailing(_)) { Read::End } else { measure.read };
        Ok(Reading { bundle, column, read })
    }

    fn bundle(&mut self, dims: &[Dim], money: bool, slicing: Slicing) -> usize {
        let bundles = &mut self.plan.bundles;
        let same = |bundle: &Bundle| bundle.dims == dims && bundle.money == money && bundle.slicing == slicing;
        bundles.iter().position(same).unwrap_or_else(|| {
            bundles.push(Bundle { hash: 0, dims: dims.to_vec(), money, slicing, columns: Vec::new() });
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
        self.plan.hourly = self.plan.metrics.iter().any(|metric| metric.kinds.contains(&Kind::Hour));
        self.plan.engaged = vec![Vec::new(); self.plan.activities.len()];
        for index in 0..self.plan.bundles.len() {
            let bundle = &self.plan.bundles[index];
            let names: Vec<String> = bundle
                .dims
                .iter()
                .map(|dim| {
                    if let Dim::Trait(number) = dim { format!("trait {}", traits[*number]) } else { format!("{dim:?}") }
                })
                .collect();
            let text = format!("{names:?} {} {:?} {:?}", bundle.money, bundle.slicing, bundle.columns);
            self.plan.bundles[index].hash = xxh3_64(text.as_bytes());
            self.index(index);
        }
        self.plan
    }

    /// Files the columns of a bundle under what moves them.
    fn index(&mut self, index: usize) {
        let Bundle { columns, slicing, .. } = self.plan.bundles[index].clone();
        for (number, column) in columns.into_iter().enumerate() {
            match column {
                Column::Fact { trigger, amount, filter } => {
                    let filter = filter.and_then(|text| self.filters.iter().position(|known| *known == text));
                    let emissions = match trigger {
                        Trigger::Type(kind) => self.plan.types.entry(kind).or_default(),
                        trigger => self.plan.emissions.entry(trigger).or_default(),
                    };
                    let entry = (number, amount, filter);
                    match emissions.iter_mut().find(|emission| emission.bundle == index) {
                        Some(emission) => emission.columns.push(entry),
                        None => emissions.push(Emission { bundle: index, columns: vec![entry] }),
                    }
                }
                Column::Customers => self.plan.levels.push((index, number)),
                what => {
                    let kind = match slicing {
                        Slicing::Window(kind) => kind,
                        Slicing::Trailing(days) => Kind::Trailing(days),
                        Slicing::Hours => continue,
                    };
                    match what {
                        Column::Engaged(activity) => {
                            let kinds = &mut self.plan.engaged[activity];
                            match kinds.iter_mut().find(|(known, _)| *known == kind) {
                                Some((_, columns)) => columns.push((index, number)),
                                None => kinds.push((kind, vec![(index, number)])),
                            }
                        }
                        what => self.plan.cohorts.push(Cohort { bundle: index, column: number, what, kind }),
                    }
                }
            }
        }
    }
}

fn position_or_push<T: PartialEq>(list: &mut Vec<T>, item: T) -> usize {
    list.iter().position(|known| *known == item).unwrap_or_else(|| {
        list.push(item);
        list.len() - 1
    })
}

fn expect_word(found: &Spanned<String>, words: &[&str]) -> Result<(), Error> {
    if words.contains(&found.value.as_str()) {
        return Ok(());
    }
    Err(Error::at(found, format!("`{}` is not known here; use {}", found.value, words.join(" or "))))
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

fn lower(text: &Spanned<String>, wanted: Type, scope: &mut dyn Scope) -> Result<Expr, Error> {
    let expr = Expr::lower(&text.value, scope).map_err(|problem| Error::within(text, problem.at, problem.message))?;
    if expr.kind != wanted && expr.kind != Type::Any {
        let message =
            if wanted == Type::Flag { "a condition (true or false) is expected" } else { "a number is expected" };
        return Err(Error::at(text, message));
    }
    Ok(expr)
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
                &m.level,
                &m.distinct,
                &m.cohort,
                &m.of,
                &m.filter,
                &m.at,
                &m.among,
                &m.then,
                &m.traits,
            ];
            (name, parts.map(text))
        })
        .collect();
    let nulls: Vec<_> = written.null_when.iter().map(|null| (&null.condition.value, &null.reason)).collect();
    let content = format!(
        "{ALGORITHM} {} {:?} {:?} {:?} {:?} {:?} {reads}",
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
    names: &'a [String],
}

impl Scope for Measures<'_> {
    fn resolve(&mut self, path: &[&str]) -> Result<(usize, Type), String> {
        if let [name] = path {
            if let Some(slot) = self.names.iter().position(|known| known == name) {
                return Ok((slot, Type::Number));
            }
            if *name == "margin" {
                return Ok((self.names.len(), Type::Number));
            }
        }
        let known: Vec<&str> = self.names.iter().map(String::as_str).filter(|name| !name.is_empty()).collect();
        Err(format!("there is no measure `{}`; there are {} and the setting margin", path.join("."), known.join(", ")))
    }
}

/// The fields of a fact.
struct Fields<'a> {
    builder: &'a mut Builder,
    trigger: &'a Trigger,
}

impl Scope for Fields<'_> {
    fn resolve(&mut self, path: &[&str]) -> Result<(usize, Type), String> {
        let (field, kind) = self.builder.field(self.trigger, path)?;
        Ok((position_or_push(&mut self.builder.plan.fields, field), kind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rational::Rational;

    fn problem(text: &str) -> String {
        let parsed = Catalog::parse(text).and_then(|catalog| Plan::lower(&catalog, &Settings::default()).map(|_| ()));
        parsed.map_or_else(|error| error.to_string(), |()| "fine".to_owned())
    }

    fn metric(body: &str) -> String {
        format!(
            "meaningful: [order]\nmetrics:\n  - name: m\n    title: M\n    description: D\n    unit: count\n    windows: [1d]\n{body}"
        )
    }

    #[test]
    fn the_built_in_catalog_shares_columns() {
        let plan = Plan::built_in(&Settings::default()).unwrap();
        assert_eq!(plan.metrics.len(), 15);
        // Seven sets of dimensions for orders; customers and their cohorts, each kind of window.
        assert_eq!(plan.bundles.iter().filter(|bundle| bundle.money).count(), 7);
        assert_eq!(plan.bundles.iter().filter(|bundle| bundle.slicing == Slicing::Hours && !bundle.money).count(), 4);
        assert_eq!(plan.bundles.len(), 7 + 4 + 4 * 6);
        let fill = |name: &str| plan.metrics.iter().find(|metric| metric.name == name).unwrap().fill();
        assert_eq!([fill("orders"), fill("customers"), fill("customer_churn_rate")], ["zero", "carry", "null"]);
    }

    #[test]
    fn errors_name_line_and_column() {
        for (body, expected) in [
            (
                "    measures: {a: {count: order}}\n    value: a + b\n",
                "9:16: there is no measure `b`; there are a and the setting margin",
            ),
            (
                "    measures: {a: {count: ordr}}\n    value: a\n",
                "8:27: there is no fact `ordr`; use order, refund, customer_started, customer_lost, event or an event type such as usage.recorded",
            ),
            (
                "    measures: {a: {sum: order, of: currency}}\n    value: a\n",
                "8:36: `currency` is not a number that can be summed",
            ),
            (
                "    measures: {a: {count: order, where: net > currency}}\n    value: a\n",
                "8:45: the left side is a number, the right side text",
            ),
            (
                "    by: [[channel]]\n    measures: {a: {level: customer}}\n    value: a\n",
                "8:11: a measure of customers has the dimensions of accounts only, its traits",
            ),
            (
                "    measures: {a: {count: order}}\n",
                "3:11: the metric needs a `value`, an expression over its measures",
            ),
            ("    measure: {a: {count: order}}\n", "8:5: unknown field"),
            (
                "    by: []\n    measures: {a: {count: order}}\n    value: a\n",
                "3:11: the metric needs a set of dimensions; the total is `by: [[]]`",
            ),
            (
                "    by: [[plan, plan]]\n    measures: {a: {count: order}}\n    value: a\n",
                "8:17: `plan` is there twice; leave one out",
            ),
        ] {
            let found = problem(&metric(body));
            assert!(found.starts_with(expected), "expected {expected}\n   found {found}");
        }
        let windows = |list| {
            let body = metric("    measures: {a: {count: order}}\n    value: a\n");
            problem(&body.replace("windows: [1d]", list))
        };
        assert_eq!(windows("windows: []"), "3:11: the metric needs a window; give `windows`, such as [1d, 1mo]");
        assert_eq!(windows("windows: [1d, 1h, 1d]"), "7:23: `1d` is there twice; leave one out");
        assert!(problem("meaningful: [order]\nmetrics: [").contains(':'));
    }

    /// Metrics of the built-in catalog whose definition is another one, after a change.
    fn changed(change: impl FnOnce(&mut Settings), catalog: &str) -> Vec<String> {
        let mut settings = Settings::default();
        let before = Plan::built_in(&settings).unwrap();
        change(&mut settings);
        let after = Plan::lower(&Catalog::parse(catalog).unwrap(), &settings).unwrap();
        let pairs = before.metrics.into_iter().zip(after.metrics);
        let changed: Vec<String> =
            pairs.filter(|(a, b)| a.render() != b.render()).map(|(metric, _)| metric.name).collect();
        assert_eq!(before.generation == after.generation, changed.is_empty(), "{changed:?}");
        changed
    }

    #[test]
    fn a_definition_changes_with_the_settings_that_it_reads() {
        let built_in = crate::catalog::BUILT_IN;
        let all: Vec<String> =
            Plan::built_in(&Settings::default()).unwrap().metrics.into_iter().map(|metric| metric.name).collect();
        let but = |left_out: &[&str]| -> Vec<String> {
            all.iter().filter(|name| !left_out.contains(&name.as_str())).cloned().collect()
        };
        assert!(changed(|_| (), built_in).is_empty());
        assert_eq!(changed(|settings| settings.margin = Rational::ZERO, built_in), ["customer_lifetime_value"]);
        assert_eq!(
            changed(|settings| settings.silent_after += 1, built_in),
            [
                "customers",
                "customers_started",
                "customers_lost",
                "customer_churn_rate",
                "customer_churn_rate_rolling",
                "engagement_rate",
                "customer_lifetime_value"
            ]
        );
        assert_eq!(
            changed(|settings| settings.time_zone = "Europe/Berlin".to_owned(), built_in),
            but(&["account_value"])
        );
        assert_eq!(changed(|settings| settings.allowed_lateness += 1, built_in), but(&["account_value"]));
        let of_days = but(&["account_value", "silence"]);
        assert_eq!(changed(|settings| settings.week_start = jiff::civil::Weekday::Sunday, built_in), of_days);
        assert_eq!(changed(|settings| settings.fiscal_year_start = 4, built_in), of_days);
        assert_eq!(changed(|settings| settings.max_ahead += 1, built_in), all);
    }

    #[test]
    fn a_definition_changes_with_what_counts_as_activity() {
        let less = crate::catalog::BUILT_IN.replace("meaningful: [order, usage.recorded]", "meaningful: [order]");
        assert_eq!(changed(|_| (), &less), ["engagement_rate", "silence"]);
    }

    #[test]
    fn another_dimension_is_computed_again_under_the_same_definition() {
        let more = crate::catalog::BUILT_IN.replacen(
            "by: [[]]\n    measures:\n      events",
            "by: [[], [plan]]\n    measures:\n      events",
            1,
        );
        assert_eq!(changed(|_| (), &more), ["events"]);
        let definition = |text: &str| {
            Plan::lower(&Catalog::parse(text).unwrap(), &Settings::default()).unwrap().metrics[0].definition.clone()
        };
        assert_eq!(definition(&more), definition(crate::catalog::BUILT_IN));
    }

    #[test]
    fn a_definition_changes_with_what_it_means_only() {
        let definition = |value: &str, title: &str| {
            let text = metric(&format!("    measures: {{a: {{count: order}}}}\n    value: {value}\n"))
                .replace("title: M", title);
            Plan::lower(&Catalog::parse(&text).unwrap(), &Settings::default()).unwrap().metrics[0].definition.clone()
        };
        assert_eq!(definition("a", "title: M"), definition("a", "title: N"));
        assert_ne!(definition("a", "title: M"), definition("2 * a", "title: M"));
    }

    #[test]
    fn types_that_no_metric_reads_are_known() {
        let plan = Plan::built_in(&Settings::default()).unwrap();
        for kind in ["order.completed", "payment.refunded", "account.updated", "retracted", "usage.recorded"] {
            assert!(plan.measures(kind), "{kind}");
        }
        for kind in ["lead.created", "my.own", ""] {
            assert!(!plan.measures(kind), "{kind}");
        }
        let text = "meaningful: [order]\nmetrics:\n  - name: m\n    title: M\n    description: M.\n    unit: count\n    \
                    windows: [1d]\n    measures:\n      a: {count: my.own}\n      \
                    b: {count: event, where: 'type == \"page.viewed\"'}\n    value: a + b\n";
        let plan = Plan::lower(&Catalog::parse(text).unwrap(), &Settings::default()).unwrap();
        assert_eq!(
            ["my.own", "page.viewed", "usage.recorded", "order.completed"].map(|kind| plan.measures(kind)),
            [true, true, false, true]
        );
    }
}
