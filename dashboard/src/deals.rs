//! `/deals`: the deals that are open, how long each has been in its stage, and which of them have stopped.
//!
//! A deal has stopped when it has been in its stage more than [`TIMES`] as long as deals usually are: the mean of the visits
//! of that stage that ended in the last [`MONTHS`] months.

use std::collections::HashMap;

use axum::{extract::State, response::Response};
use serde::Serialize;
use store::{
    Ask, Row, ask,
    window::{Kind, rfc3339},
};
use utoipa::ToSchema;

use crate::{
    api::{Answer, Api, Context},
    asked::Asked,
    desk::Desk,
    fault::Fault,
    form::shown,
    params::Params,
    sheet::{self, cell},
    vital::{Which, series},
};

/// The metric that lists the deals.
const DEALS: &str = "open_deals";
/// The metric that says how long visits of stages take.
const TIME: &str = "deal_velocity";
/// Months that make what is usual.
const MONTHS: u32 = 12;
/// So many times as long as usual is too long.
const TIMES: f64 = 2.0;
/// Rows of a page, at most.
const LIMIT_MAX: usize = 1_000;

/// A page of the open deals.
#[derive(Debug, Serialize, ToSchema)]
pub struct Deals {
    /// Those that are longest in their stage, measured by what is usual, first.
    deals: Vec<Deal>,
    /// Deals of all pages.
    total: usize,
    /// Deals of all pages that have stopped.
    stopped: usize,
    /// `cursor` of the next page; null on the last.
    next: Option<String>,
}

/// A deal that is open.
#[derive(Debug, Serialize, ToSchema)]
pub struct Deal {
    /// Its id.
    opportunity: String,
    /// Its account.
    account: String,
    /// The name of the account, where it has one.
    name: Option<String>,
    /// `new`, `expansion` or `renewal`.
    kind: String,
    /// Its stage.
    stage: String,
    /// Its owner; empty for nobody.
    owner: String,
    /// Its amount, in major units.
    amount: Option<f64>,
    /// ISO 4217.
    currency: String,
    /// When it came into its stage.
    since: Option<String>,
    /// Seconds since then.
    seconds: f64,
    /// Seconds that deals stay in this stage on average; null where none left it in the last twelve months.
    usual_seconds: Option<f64>,
    /// Whether it has been there more than twice as long as usual.
    stopped: bool,
}

impl Deal {
    /// How long it has been in its stage, measured by what is usual.
    fn times(&self) -> f64 {
        self.usual_seconds.filter(|usual| *usual > 0.0).map_or(0.0, |usual| self.seconds / usual)
    }
}

/// Seconds that visits of each stage took on average.
fn usual(desk: &Desk<'_>) -> Result<HashMap<String, f64>, Fault> {
    let Ok(metric) = desk.metric(TIME) else { return Ok(HashMap::new()) };
    let stage = vec!["stage".to_owned()];
    if !metric.by.contains(&stage) || !metric.windows.contains(&Kind::Month) {
        return Ok(HashMap::new());
    }
    let question = Ask { by: stage, newest: Some(MONTHS), ..Which::default().ask(desk, metric, Kind::Month) };
    let mean = |rows: Vec<Row>| {
        let number = |text: &Option<String>| text.as_deref().and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
        let sums = rows
            .iter()
            .fold((0.0, 0.0), |(num, den), row| (num + number(&row.point.num), den + number(&row.point.den)));
        let stage = rows.first()?.series.dimensions.get("stage")?.clone();
        (sums.1 > 0.0).then_some((stage, sums.0 / sums.1))
    };
    Ok(series(desk, &question)?.into_iter().filter_map(mean).collect())
}

/// All open deals, without the names of their accounts.
fn all(desk: &Desk<'_>) -> Result<Vec<Deal>, Fault> {
    let Ok(metric) = desk.metric(DEALS) else { return Ok(Vec::new()) };
    if !ask::is_list(metric) {
        return Ok(Vec::new());
    }
    let usual = usual(desk)?;
    let clock = desk.clock_us(DEALS).unwrap_or(i64::MIN);
    let deal = |row: &Row| {
        let of = |name: &str| row.series.dimensions.get(name).cloned().unwrap_or_default();
        let stage = of("stage");
        let usual_seconds = usual.get(&stage).copied();
        #[expect(clippy::cast_precision_loss, reason = "a span of time in seconds")]
        let seconds = row.point.since_us.map_or(0.0, |since| clock.saturating_sub(since).max(0) as f64 / 1e6);
        let (unit, currency) = (&row.series.unit, &row.series.currency);
        Deal {
            opportunity: of("opportunity"),
            account: row.series.account.clone().unwrap_or_default(),
            name: None,
            kind: of("kind"),
            stage,
            owner: of("owner"),
            amount: row.point.value.map(|value| shown(value, unit, currency)),
            currency: currency.clone(),
            since: row.point.since_us.map(rfc3339),
            seconds,
            usual_seconds,
            stopped: usual_seconds.is_some_and(|usual| seconds > TIMES * usual),
        }
    };
    let question = Which::default().ask(desk, metric, Kind::ToDate);
    Ok(series(desk, &question)?.iter().flatten().map(deal).collect())
}

const HEADER: [&str; 12] = [
    "opportunity",
    "account",
    "name",
    "kind",
    "stage",
    "owner",
    "amount",
    "currency",
    "since",
    "seconds",
    "usual_seconds",
    "stopped",
];

fn csv(deals: Vec<Deal>) -> Result<Answer, Fault> {
    let cells = |deal: Deal| {
        vec![
            deal.opportunity,
            deal.account,
            cell(deal.name),
            deal.kind,
            deal.stage,
            deal.owner,
            cell(deal.amount),
            deal.currency,
            cell(deal.since),
            deal.seconds.to_string(),
            cell(deal.usual_seconds),
            deal.stopped.to_string(),
        ]
    };
    sheet::answer(&HEADER, deals.into_iter().map(cells))
}

/// Open deals, with those first that are longest in their stage.
#[utoipa::path(get, path = "/deals", tag = "metrics", params(
    ("owner" = Option<String>, Query, description = "of this owner; empty: nobody's"),
    ("stage" = Option<String>, Query, description = "in this stage"),
    ("currency" = Option<String>, Query, description = "in this currency, ISO 4217"),
    ("stopped" = Option<bool>, Query, description = "true: only those that have stopped"),
    ("cursor" = Option<String>, Query, description = "`next` of the page before"),
    ("limit" = Option<u64>, Query, minimum = 1, maximum = 1000, description = "rows of a page, 50 by default"),
    ("format" = Option<String>, Query, description = "json or csv")),
    responses((status = 200, body = Deals), (status = 400)))]
pub(crate) async fn deals(State(api): State<Api>, asked: Asked) -> Response {
    let ask = |context: &Context<'_>, mut params: Params| {
        let (owner, stage, currency) = (params.take_any("owner"), params.take("stage"), params.take("currency"));
        let only_stopped = params.word("stopped", &[("true", true), ("false", false)])?.unwrap_or(false);
        let from = params.place()?;
        let limit = params.number("limit", 1, LIMIT_MAX, 50)?;
        params.done()?;

        let is = |wanted: &Option<String>, value: &String| wanted.as_ref().is_none_or(|wanted| wanted == value);
        let mut deals = all(context.desk)?;
        deals.retain(|deal| {
            let named = is(&owner, &deal.owner) && is(&stage, &deal.stage) && is(&currency, &deal.currency);
            named && (deal.stopped || !only_stopped)
        });
        // Of those without anything usual, the longest first.
        deals.sort_by(|a, b| b.times().total_cmp(&a.times()).then(b.seconds.total_cmp(&a.seconds)));
        let (total, stopped) = (deals.len(), deals.iter().filter(|deal| deal.stopped).count());

        let mut page: Vec<Deal> = deals.into_iter().skip(from).take(limit).collect();
        for deal in &mut page {
            deal.name =
                context.desk.account(&deal.account).ok().and_then(|account| account.traits.get("name").cloned());
        }
        let next = from.saturating_add(limit);
        if context.csv {
            return csv(page);
        }
        let next = (next < total).then(|| next.to_string());
        Answer::json(&Deals { deals: page, total, stopped, next })
    };
    api.by_store(asked, ask).await
}
