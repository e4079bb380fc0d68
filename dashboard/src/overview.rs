//! `/overview`: the first view in one answer.

use axum::{extract::State, response::Response};
use serde::Serialize;
use store::{AccountSelect, AccountSort, MetricInfo, Read as _, compare::Compare, window::Kind};
use utoipa::ToSchema;

use crate::{
    accounts, alerts,
    api::{Answer, Api, Context},
    asked::Asked,
    desk::Desk,
    fault::Fault,
    form::{AccountRow, Alert, Goal, Verdict, Vital, group_id},
    goals,
    params::Params,
    vital::{Which, vital},
};

/// Rows of the small lists.
const FEW: usize = 8;

/// The first view.
#[derive(Debug, Serialize, ToSchema)]
pub struct Overview {
    /// The window that was asked for; each sign says its own.
    window: String,
    /// With what it is compared.
    compare: String,
    /// What the signs say, in numbers for a sentence.
    sentence: Sentence,
    /// The signs.
    groups: Vec<Group>,
    /// How many accounts are in each band.
    bands: Bands,
    /// How many were 30 days ago.
    bands_before: Option<Bands>,
    /// The lowest scores that fell most.
    at_risk: Vec<AccountRow>,
    /// The newest alerts that fire.
    alerts: Vec<Alert>,
    /// How many fire.
    alerts_firing: usize,
    /// The goals.
    goals: Vec<Goal>,
}

/// Which signs are outside of what is usual.
#[derive(Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Sentence {
    /// Metrics on the bad side.
    worse: Vec<String>,
    /// Metrics on the good side.
    better: Vec<String>,
    /// All signs.
    total: usize,
}

/// The signs of a group.
#[derive(Debug, Serialize, ToSchema)]
pub struct Group {
    /// Its short name: `loyalty`, `revenue`, `sales`, `support`.
    id: String,
    /// Its name.
    title: String,
    /// The signs, in the order of the catalog.
    vitals: Vec<Vital>,
}

/// Accounts by band, by the name of the band.
pub type Bands = std::collections::BTreeMap<String, u64>;

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    pub(crate) window: Option<Kind>,
    pub(crate) compare: Compare,
    pub(crate) segment: Option<(String, String)>,
}

impl Wanted {
    /// Takes the parameters.
    pub(crate) fn take(params: &mut Params) -> Result<Self, Fault> {
        let compares = Compare::ALL.map(|compare| (compare.name(), compare));
        Ok(Self {
            window: params.window()?,
            compare: params.word("compare", &compares)?.unwrap_or_default(),
            segment: params.segment()?,
        })
    }
}

/// The metrics that are signs of the company: of a group, as a whole or in the segment, and not those of goals.
fn signs<'a>(desk: &'a Desk<'_>, wanted: &Wanted) -> Result<Vec<&'a MetricInfo>, Fault> {
    let by: Vec<String> =
        wanted.segment.iter().map(|(name, _)| name.clone()).filter(|name| name != "currency").collect();
    let kept = |metric: &&MetricInfo| metric.by.contains(&by);
    if let Some(dimension) = by.first().filter(|_| !desk.catalog.iter().any(|metric| kept(&metric))) {
        return Err(Fault::unfit("segment", format!("no metric is kept by {dimension:?}")));
    }
    let is_sign = |metric: &&MetricInfo| !metric.per_account && !metric.group.is_empty() && metric.unit != "state";
    Ok(desk.catalog.iter().filter(is_sign).filter(kept).collect())
}

/// The signs by group, with the goals on them.
pub(crate) fn groups(context: &Context<'_>, wanted: &Wanted, goals: &[Goal]) -> Result<Vec<Group>, Fault> {
    let which =
        Which { window: wanted.window, compare: wanted.compare, segment: wanted.segment.clone(), ..Which::default() };
    let mut groups: Vec<Group> = Vec::new();
    for metric in signs(context.desk, wanted)? {
        let Some(mut vital) = vital(context.desk, metric, &which)? else { continue };
        vital.goal = goals.iter().find(|goal| goal.metric == metric.name && goal.dimensions.is_empty()).cloned();
        let id = group_id(&metric.group);
        match groups.iter_mut().find(|group| group.id == id) {
            Some(group) => group.vitals.push(vital),
            None => groups.push(Group { id: id.to_owned(), title: capital(&metric.group), vitals: vec![vital] }),
        }
    }
    let order = ["loyalty", "revenue", "sales", "support"];
    groups.sort_by_key(|group| order.iter().position(|id| *id == group.id).unwrap_or(order.len()));
    Ok(groups)
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

fn sentence(groups: &[Group]) -> Sentence {
    let vitals = || groups.iter().flat_map(|group| &group.vitals);
    let of = |verdict| vitals().filter(|vital| vital.verdict == verdict).map(|vital| vital.metric.clone()).collect();
    Sentence { worse: of(Verdict::Worse), better: of(Verdict::Better), total: vitals().count() }
}

/// Accounts by band now, and 30 days ago if anything is known of then.
pub(crate) fn bands(desk: &Desk<'_>) -> Result<(Bands, Option<Bands>), Fault> {
    let bands = &desk.settings.roles.bands;
    let counts = desk.bands(desk.tenant, bands)?;
    let named = |of: fn(&(u64, u64)) -> u64| -> Bands {
        bands.iter().zip(&counts).map(|(band, counts)| (band.name.clone(), of(counts))).collect()
    };
    let before = named(|counts| counts.1);
    Ok((named(|counts| counts.0), before.values().any(|count| *count > 0).then_some(before)))
}

/// The accounts below the best band that fell most.
fn at_risk(desk: &Desk<'_>) -> Result<Vec<AccountRow>, Fault> {
    #[expect(clippy::cast_precision_loss, reason = "bounds of bands are small")]
    let healthy = desk.settings.roles.bands.first().map_or(f64::MAX, |band| band.from as f64);
    let select = AccountSelect {
        tenant: desk.tenant.to_owned(),
        scores: Some((f64::MIN, healthy)),
        sort: AccountSort::Fall,
        limit: FEW as u64,
        ..AccountSelect::default()
    };
    Ok(desk.accounts(&select)?.accounts.into_iter().map(|account| accounts::row(desk, account)).collect())
}

/// The whole view.
pub(crate) fn overview(context: &Context<'_>, wanted: &Wanted) -> Result<Overview, Fault> {
    let goals = goals::current(context)?;
    let groups = groups(context, wanted, &goals)?;
    let (bands, bands_before) = bands(context.desk)?;
    let (alerts, alerts_firing) = alerts::newest_firing(context, FEW)?;
    Ok(Overview {
        window: wanted.window.unwrap_or(Kind::Trailing(30)).to_string(),
        compare: wanted.compare.name().to_owned(),
        sentence: sentence(&groups),
        at_risk: at_risk(context.desk)?,
        groups,
        bands,
        bands_before,
        alerts,
        alerts_firing,
        goals,
    })
}

/// The first view in one answer.
#[utoipa::path(get, path = "/overview", tag = "overview", params(
    ("window" = Option<String>, Query, description = "30d by default; a metric without it shows its own"),
    ("compare" = Option<String>, Query, description = "before, year or none"),
    ("segment" = Option<String>, Query, description = "dimension:value")),
    responses((status = 200, body = Overview), (status = 400)))]
pub(crate) async fn get(State(api): State<Api>, asked: Asked) -> Response {
    let ask = |context: &Context<'_>, mut params: Params| {
        let wanted = Wanted::take(&mut params)?;
        params.done()?;
        Answer::json(&overview(context, &wanted)?)
    };
    api.by_store(asked, ask).await
}
