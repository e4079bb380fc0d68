//! Why a request is refused as a whole, as a response: problem details for HTTP APIs (RFC 9457).

use std::borrow::Cow;

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

/// The media type of problem details.
pub const PROBLEM: &str = "application/problem+json";

/// Problem details; the title is the status in words.
#[derive(Debug, Serialize)]
pub struct Problem<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
}

impl<'a> Problem<'a> {
    /// Those of a status.
    pub fn new(status: StatusCode, detail: &'a str) -> Self {
        let title = status.canonical_reason().unwrap_or_default();
        Self { r#type: "about:blank", title, status: status.as_u16(), detail }
    }

    /// As a line of JSON.
    pub(crate) fn text(&self) -> String {
        // Its fields are texts and a number, which cannot fail; an answer without a body would still be one.
        serde_json::to_string(self).unwrap_or_default() + "\n"
    }
}

/// A response with problem details: what is wrong and what to do about it.
pub fn problem(status: StatusCode, detail: &str) -> Response {
    let mut response = Response::new(Body::from(Problem::new(status, detail).text()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM));
    response
}

/// Status, reason, and when to try again.
#[derive(Debug)]
pub struct Refusal {
    status: StatusCode,
    reason: Cow<'static, str>,
    retry_after_s: Option<u32>,
}

impl Refusal {
    /// Refuses for this reason, which says what to do, too.
    pub fn new(status: StatusCode, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { status, reason: reason.into(), retry_after_s: None }
    }

    /// Nothing is wrong with the request: later it may be accepted.
    pub fn busy(reason: &'static str) -> Self {
        Self::later(reason, 1)
    }

    /// The same after so many seconds.
    pub fn later(reason: impl Into<Cow<'static, str>>, retry_after_s: u32) -> Self {
        Self { retry_after_s: Some(retry_after_s), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, reason) }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = problem(self.status, &self.reason);
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
