//! `/site` and the catalog: where one is, and what can be asked for.

use axum::{
    extract::{Path, State},
    response::{IntoResponse as _, Response},
};
use serde::Serialize;
use store::{MetricInfo, Read as _, window::rfc3339};
use utoipa::ToSchema;

use crate::{
    api::{Answer, Api, Context},
    asked::{Asked, name},
    backend::Backend,
    form::{Metric, direction},
    vital::{Which, vital},
};

/// Where one is.
#[derive(Debug, Serialize, ToSchema)]
pub struct Site {
    /// The tenant.
    tenant: String,
    /// IANA time zone of the tenant.
    zone: String,
    /// Version of the server.
    version: String,
    /// Up to here everything is stored; null while nothing is.
    clock: Option<String>,
    /// From there to the clock on the wall.
    lag_seconds: Option<f64>,
    /// Currencies of its numbers.
    currencies: Vec<String>,
    /// Whether the company is simulated.
    demo: bool,
    /// Languages of the screens.
    languages: Vec<String>,
    /// Bands of the health score, from the highest to the lowest.
    bands: Vec<Band>,
}

/// A band of the health score.
#[derive(Debug, Serialize, ToSchema)]
pub struct Band {
    /// Its name.
    name: String,
    /// The least score of it.
    from: i64,
}

/// Where one is: tenant, zone, clock, currencies.
#[utoipa::path(get, path = "/site", tag = "site", responses((status = 200, body = Site)))]
pub(crate) async fn site(State(api): State<Api>, asked: Asked) -> Response {
    let ask = |context: &Context<'_>, params: crate::params::Params| {
        params.done()?;
        let desk = context.desk;
        let bands = desk.settings.roles.bands.iter().map(|band| Band { name: band.name.clone(), from: band.from });
        Answer::json(&Site {
            tenant: desk.tenant.to_owned(),
            zone: desk.settings.time_zone.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            clock: desk.greatest_clock_us().map(rfc3339),
            lag_seconds: desk.lag_seconds(),
            currencies: desk.currencies(desk.tenant)?,
            demo: context.backend.is_demo(),
            languages: ["en", "ja", "id"].map(str::to_owned).to_vec(),
            bands: bands.collect(),
        })
    };
    api.by_all(asked, ask).await
}

/// The catalog.
#[derive(Debug, Serialize, ToSchema)]
pub struct Metrics {
    /// In the order of the catalog.
    metrics: Vec<Metric>,
}

/// A metric, and its formula with today's numbers.
#[derive(Debug, Serialize, ToSchema)]
pub struct MetricNow {
    #[serde(flatten)]
    metric: Metric,
    /// The formula, and what its value is made of now.
    formula_now: FormulaNow,
}

/// A formula with numbers.
#[derive(Debug, Serialize, ToSchema)]
pub struct FormulaNow {
    /// The expression of the catalog.
    text: String,
    /// What the value is made of, and the value.
    parts: Vec<Part>,
}

/// A named number.
#[derive(Debug, Serialize, ToSchema)]
pub struct Part {
    /// `numerator`, `denominator` or `value`.
    name: String,
    /// The number.
    value: Option<f64>,
}

/// A metric as the API shows it.
fn metric(of: &MetricInfo, backend: &dyn Backend) -> Metric {
    let mut dimensions: Vec<String> = of.by.iter().flatten().cloned().collect();
    dimensions.sort();
    dimensions.dedup();
    let formula = backend.formula(&of.name).unwrap_or_default();
    Metric {
        name: of.name.clone(),
        title: of.title.clone(),
        description: of.description.clone(),
        formula: formula.text,
        group: of.group.clone(),
        unit: of.unit.clone(),
        direction: direction(of).to_owned(),
        dimensions,
        by: of.by.clone(),
        windows: of.windows.iter().map(ToString::to_string).collect(),
        per_account: of.per_account,
        definition: of.definition.clone(),
        sources: formula.sources,
    }
}

/// All metrics of the catalog.
#[utoipa::path(get, path = "/metrics", tag = "metrics", responses((status = 200, body = Metrics)))]
pub(crate) async fn metrics(State(api): State<Api>, asked: Asked) -> Response {
    let ask = |context: &Context<'_>, params: crate::params::Params| {
        params.done()?;
        let metrics = context.desk.catalog.iter().map(|of| metric(of, context.backend)).collect();
        Answer::json(&Metrics { metrics })
    };
    api.by_store(asked, ask).await
}

/// A metric, and its formula with today's numbers.
#[utoipa::path(get, path = "/metrics/{name}", tag = "metrics", params(("name" = String, Path)),
    responses((status = 200, body = MetricNow), (status = 404)))]
pub(crate) async fn one(State(api): State<Api>, Path(of): Path<String>, asked: Asked) -> Response {
    let of = match name("name", of) {
        Ok(of) => of,
        Err(fault) => return fault.into_response(),
    };
    let ask = move |context: &Context<'_>, params: crate::params::Params| {
        params.done()?;
        let info = context.desk.metric(&of)?;
        let metric = metric(info, context.backend);
        let is_whole = !info.per_account && info.by.iter().any(Vec::is_empty);
        let now = if is_whole { vital(context.desk, info, &Which::default())? } else { None };
        let mut parts = Vec::new();
        if let Some(now) = now.map(|vital| vital.now) {
            let number = |text: &Option<String>| text.as_ref().and_then(|text| text.parse::<f64>().ok());
            let named = [("numerator", number(&now.num)), ("denominator", number(&now.den))];
            let named = named.into_iter().filter(|(_, value)| value.is_some()).chain([("value", now.value)]);
            parts.extend(named.map(|(name, value)| Part { name: name.to_owned(), value }));
        }
        let text = metric.formula.clone();
        Answer::json(&MetricNow { metric, formula_now: FormulaNow { text, parts } })
    };
    api.by_store(asked, ask).await
}
