//! The API: metrics, accounts, alerts and everything that a screen shows, over HTTP under [`ROOT`].
//!
//! ```text
//!   route -> parameters -> a thread of the pool -> one moment of the store (desk) -> forms -> answer with its ETag
//!                                               -> the process (backend): log, rules, what people do
//! ```
//! Invariants: the tenant is the server's, never the request's; a wrong parameter is a 400 that names it; nothing blocks
//! a thread that serves connections; what a screen says is calculated here, browsers format it. It does not know the log,
//! the engine, nor how metrics come about.

pub mod account;
pub mod accounts;
pub mod alerts;
mod api;
mod asked;
pub mod assets;
pub mod backend;
pub mod boards;
pub mod deals;
mod desk;
mod fault;
pub mod form;
pub mod goals;
pub mod openapi;
pub mod overview;
mod params;
pub mod process;
pub mod series;
mod shapes;
mod sheet;
pub mod site;
mod stream;
mod vital;
pub mod writes;

use std::{path::Path, sync::Arc};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    routing::{delete, get, post},
};

use api::Api;
use backend::Backend;

/// Where the API is.
pub const ROOT: &str = "/api/v1";

/// The longest body.
const BODY_MAX: usize = 1 << 20;

/// The routes of the API over a data directory.
pub fn router(folder: &Path, tenant: &str, backend: Arc<dyn Backend>) -> Router {
    let api = Api::new(folder, tenant, backend);
    let routes = Router::new()
        .route("/site", get(site::site))
        .route("/metrics", get(site::metrics))
        .route("/metrics/{name}", get(site::one))
        .route("/metrics/{name}/value", get(series::value))
        .route("/metrics/{name}/series", get(series::series_of))
        .route("/metrics/{name}/breakdown", get(series::breakdown))
        .route("/overview", get(overview::get))
        .route("/accounts", get(accounts::accounts))
        .route("/accounts/{id}", get(account::account))
        .route("/accounts/{id}/events", get(account::events))
        .route("/accounts/{id}/explain", get(account::explain))
        .route("/alerts", get(alerts::alerts))
        .route("/alerts/{id}", get(alerts::one))
        .route("/rules", get(alerts::rules))
        .route("/goals", get(goals::goals))
        .route("/deals", get(deals::deals))
        .route("/alerts/{id}/acknowledge", post(writes::acknowledge))
        .route("/silences", get(writes::silences).post(writes::silence))
        .route("/silences/{id}", delete(writes::end))
        .route("/backtests", get(process::backtests))
        .route("/backtests/{name}", get(process::backtest))
        .route("/dead-letters", get(process::letters))
        .route("/dead-letters/{id}/replay", post(writes::replay))
        .route("/pipeline", get(process::pipeline))
        .route("/dashboards", get(boards::list))
        .route("/dashboards/{name}", get(boards::get).put(boards::put).delete(boards::delete))
        .route("/stream", get(stream::get))
        .route("/openapi.json", get(openapi::get))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state(api);
    Router::new().nest(ROOT, routes)
}
