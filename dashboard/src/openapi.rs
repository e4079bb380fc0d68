//! The API as OpenAPI, from the routes themselves.

use axum::response::{IntoResponse as _, Response};
use utoipa::OpenApi;

use crate::{
    account, accounts, alerts, api::Answer, boards, deals, goals, overview, process, series, shapes::Shapes, site,
    stream, writes,
};

/// What of the API a document says.
#[derive(OpenApi)]
#[openapi(
    info(title = "Vitals", description = "Metrics, accounts and alerts of a customer base."),
    servers((url = "/api/v1")),
    modifiers(&Shapes),
    paths(
        site::site, site::metrics, site::one, series::value, series::series_of, series::breakdown, overview::get,
        accounts::accounts, account::account, account::events, account::explain, alerts::alerts, alerts::one,
        alerts::rules, goals::goals, deals::deals, writes::acknowledge, writes::silences, writes::silence, writes::end,
        process::backtests, process::backtest, process::letters, writes::replay, process::pipeline, boards::list,
        boards::get, boards::put, boards::delete, stream::get, get
    )
)]
struct Document;

/// The document as text, which `dashboard/openapi.json` has too.
pub fn text() -> String {
    let text = Document::openapi().to_pretty_json();
    text.expect("a document of texts and numbers is JSON") + "\n"
}

/// The API as OpenAPI.
#[utoipa::path(get, path = "/openapi.json", tag = "site", responses((status = 200, body = Object)))]
pub(crate) async fn get() -> Response {
    Answer::new("application/json", text()).plain().into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `UPDATE_EXPECT=1` writes it.
    #[test]
    fn the_committed_document_is_that_of_the_code() {
        expect_test::expect_file!["../openapi.json"].assert_eq(&text());
    }
}
