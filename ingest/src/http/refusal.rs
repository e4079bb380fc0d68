//! Why a request is refused as a whole, as a response.

use std::borrow::Cow;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::live;

/// Status, reason, and when to try again.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    reason: Cow<'static, str>,
    retry_after_s: Option<u32>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { status, reason: reason.into(), retry_after_s: None }
    }

    /// Nothing is wrong with the request: later it may be accepted.
    pub(super) fn busy(reason: &'static str) -> Self {
        Self { status: StatusCode::SERVICE_UNAVAILABLE, reason: reason.into(), retry_after_s: Some(1) }
    }
}

impl From<live::Refusal> for Refusal {
    fn from(refusal: live::Refusal) -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Self { status, reason: refusal.reason.into(), retry_after_s: Some(refusal.retry_after_s) }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = serde_json::json!({ "error": self.reason }).to_string();
        let mut response = (self.status, [(header::CONTENT_TYPE, "application/json")], body).into_response();
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
