//! What the sender of events is answered: what happened to each, with the reason, and counts that add up.
//!
//! ```text
//!   200 all are in the log   207 some are refused   422 all are refused: problem details, with the same lists
//! ```

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use http::{PROBLEM, Problem, Refusal};
use serde::Serialize;

use crate::{
    batch::{End, Item},
    outcome::{Counts, Kept, Outcome},
    telemetry,
};

#[derive(Serialize)]
struct Answer<'a> {
    #[serde(flatten)]
    problem: Option<Problem<'a>>,
    #[serde(flatten)]
    counts: Counts,
    results: Vec<Said<'a>>,
}

#[derive(Serialize)]
struct Said<'a> {
    /// Place in the body, from 0.
    index: usize,
    id: Option<&'a str>,
    status: Outcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// The answer about the events of a body; `kept` are those in the log, recorded at `stamps_us`.
pub(super) fn answer(items: &[Item], kept: &[Kept], stamps_us: &[i64], max_ahead_us: i64) -> Result<Response, Refusal> {
    let mut counts = Counts::default();
    let mut appended = kept.iter().zip(stamps_us);
    let mut results = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let (status, reason) = match &item.end {
            End::Refused(rejection) => (Outcome::Rejected, Some(rejection.to_string())),
            End::LeftOut(name) => (Outcome::LeftOut, Some(name.clone())),
            // Stamps come for every event that was handed in, in order.
            End::Taken => {
                appended.next().map_or((Outcome::Accepted, None), |(kept, at)| kept.outcome(*at, max_ahead_us))
            }
        };
        counts.add(status);
        results.push(Said { index, id: item.id.as_deref(), status, reason });
    }
    telemetry::answered(&counts);

    let (status, detail) = match (counts.rejected, items.len()) {
        (0, _) => (StatusCode::OK, None),
        (rejected, all) if rejected < all => (StatusCode::MULTI_STATUS, None),
        (1, _) => (StatusCode::UNPROCESSABLE_ENTITY, Some("the event is rejected: results says why".to_owned())),
        (all, _) => {
            (StatusCode::UNPROCESSABLE_ENTITY, Some(format!("all {all} events are rejected: results says why of each")))
        }
    };
    let problem = detail.as_deref().map(|detail| Problem::new(status, detail));
    let kind = if problem.is_some() { PROBLEM } else { "application/json" };
    let mut body = serde_json::to_string(&Answer { problem, counts, results })
        .map_err(|error| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    body.push('\n');
    Ok((status, [(header::CONTENT_TYPE, kind)], body).into_response())
}
