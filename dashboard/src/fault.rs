//! Why a request is not answered, as problem details that name the parameter.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};

use crate::backend::Trouble;

/// A request that is not answered.
#[derive(Debug)]
pub(crate) struct Fault {
    status: StatusCode,
    detail: String,
}

impl Fault {
    /// A parameter is wrong.
    pub(crate) fn wrong(parameter: &str, problem: impl std::fmt::Display) -> Self {
        Self { status: StatusCode::BAD_REQUEST, detail: format!("{parameter}: {problem}") }
    }

    /// A parameter is as the document says, and does not fit.
    pub(crate) fn unfit(parameter: &str, problem: impl std::fmt::Display) -> Self {
        Self { status: StatusCode::UNPROCESSABLE_ENTITY, detail: format!("{parameter}: {problem}") }
    }

    /// There is no such thing.
    pub(crate) fn missing(detail: impl Into<String>) -> Self {
        Self { status: StatusCode::NOT_FOUND, detail: detail.into() }
    }

    /// With another status.
    pub(crate) fn of(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into() }
    }

    fn defect(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "a request cannot be answered");
        Self::of(StatusCode::INTERNAL_SERVER_ERROR, "it cannot be answered now; the log of the process says why")
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        http::problem(self.status, &self.detail)
    }
}

impl From<store::Error> for Fault {
    fn from(error: store::Error) -> Self {
        use store::Error;
        let parameter = match &error {
            Error::UnknownMetric { .. } => return Self::missing(error.to_string()),
            Error::Missing { .. } | Error::Busy { .. } => {
                return Self::of(StatusCode::SERVICE_UNAVAILABLE, "nothing is stored yet; try again in a moment");
            }
            Error::UnknownWindow { .. } | Error::WindowKind { .. } => "window",
            Error::UnknownDimensions { .. } => "by",
            Error::Filter { .. } => "segment",
            Error::NotPerAccount { .. } => "account",
            Error::Time { .. } => "from, to",
            Error::Cursor => "cursor",
            _ => return Self::defect(&error),
        };
        Self::unfit(parameter, error)
    }
}

impl From<Trouble> for Fault {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::NotFound(detail) => Self::missing(detail),
            Trouble::Wrong(field, detail) => Self::unfit(field, detail),
            Trouble::Conflict(detail) => Self::of(StatusCode::CONFLICT, detail),
            Trouble::Later(detail) => Self::of(StatusCode::SERVICE_UNAVAILABLE, detail),
            Trouble::Failed(detail) => Self::defect(&detail),
        }
    }
}

impl From<serde_json::Error> for Fault {
    fn from(error: serde_json::Error) -> Self {
        Self::defect(&error)
    }
}
