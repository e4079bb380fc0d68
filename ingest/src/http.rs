//! `POST /v1/events`: a live door for HTTP.
//!
//! ```text
//!   200  {"accepted":1,"rejected":1,"results":[{"id":"1","status":"accepted"},{"id":"2","status":"rejected","reason":..}]}
//!   400 not JSON · 408 too slow · 413 too big · 415 other type or coding · 421 other host · 429 too many connections
//!   503 nothing was accepted, or it is not known: send the same ids again after Retry-After seconds
//! ```
//!
//! Invariants: what is answered as accepted is durable; limits count decompressed bytes; memory is bounded whatever is
//! sent ([`budget`]); nobody but this machine is listened to until there are keys ([`bind`]). It does not know what an
//! event is ([`crate::batch`] does), nor the log.

mod body;
mod budget;
mod refusal;
mod server;

use std::{
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::post,
};
use serde::Serialize;

use self::{
    body::Coding,
    budget::{Budget, Share},
    refusal::Refusal,
};
use crate::{
    Error, Result,
    batch::{self, Batch, Form, Problem},
    clock::Clock,
    event::Context,
    live::Handle,
    telemetry,
};

pub use server::serve;

/// How long an answer of the log is waited for.
const ANSWER_WAIT: Duration = Duration::from_secs(30);

/// Settings of the HTTP door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where it listens: on loopback.
    pub listen: SocketAddr,
    /// Source of events that name none.
    pub source: String,
    /// Earlier events are rejected; microseconds since the Unix epoch.
    pub floor_us: i64,
    /// Bytes of a body, decompressed.
    pub body_bytes_max: usize,
    /// Events of a body.
    pub events_max: usize,
    /// Bytes of all bodies at work.
    pub memory_bytes_max: usize,
    /// Connections at a time.
    pub connections_max: usize,
    /// Headers have to be there within this; so long may a connection be idle.
    pub header_timeout: Duration,
    /// A body has to be there within this.
    pub body_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            source: "http".to_owned(),
            floor_us: crate::HISTORY_FLOOR_US,
            body_bytes_max: 8 << 20,
            events_max: 10_000,
            memory_bytes_max: 64 << 20,
            connections_max: 512,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
        }
    }
}

/// Takes the address, which has to be a loopback one.
///
/// # Errors
/// When it is not, or is taken.
pub fn bind(listen: SocketAddr) -> Result<TcpListener> {
    if !listen.ip().is_loopback() {
        let problem = format!(
            "is {listen}, expected a loopback address such as 127.0.0.1:8080: there are no keys yet, so anybody who \
             reaches this door may write; put a proxy that authenticates before it"
        );
        return Err(Error::Option { option: "--listen", problem });
    }
    let fail = |source| Error::File { path: listen.to_string(), source };
    let listener = TcpListener::bind(listen).map_err(fail)?;
    listener.set_nonblocking(true).map_err(fail)?;
    Ok(listener)
}

/// What a request needs.
struct Front {
    config: Config,
    door: Handle,
    clock: Arc<dyn Clock>,
    budget: Budget,
}

/// The routes of the door.
pub fn router(config: Config, door: Handle, clock: Arc<dyn Clock>) -> Router {
    let budget = Budget::new(config.memory_bytes_max);
    let front = Arc::new(Front { config, door, clock, budget });
    Router::new().route("/v1/events", post(accept)).with_state(front)
}

async fn accept(State(front): State<Arc<Front>>, request: Request) -> Response {
    let started = Instant::now();
    let response = match front.take(request).await {
        Ok(answer) => ([(header::CONTENT_TYPE, "application/json")], answer).into_response(),
        Err(refusal) => refusal.into_response(),
    };
    telemetry::request(response.status().as_u16(), started.elapsed());
    response
}

impl Front {
    async fn take(self: &Arc<Self>, request: Request) -> Result<String, Refusal> {
        if let Some(refusal) = self.door.refusal() {
            // Else who sends it after the headers finds a closed connection in the place of an answer.
            let skipped = body::skip(request.into_body(), self.config.body_bytes_max);
            let _ = tokio::time::timeout(self.config.body_timeout, skipped).await;
            return Err(refusal.into());
        }
        let form = form(request.headers())?;
        let coding = Coding::of(request.headers())?;
        let mut share = self.budget.share();
        let limit = self.config.body_bytes_max;
        let read = body::read(request.into_body(), limit, &mut share);
        let Ok(bytes) = tokio::time::timeout(self.config.body_timeout, read).await else {
            return Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, "the body did not come in time"));
        };
        let (batch, _share) = self.parse(form, coding, bytes?, share).await?;
        let answer = render(&batch)?;
        if !batch.events.is_empty() {
            let asked = self.door.submit(batch.events)?;
            Handle::answered(asked, ANSWER_WAIT).await?;
        }
        Ok(answer)
    }

    /// Away from the threads that serve connections: a body may take a while.
    async fn parse(
        self: &Arc<Self>,
        form: Form,
        coding: Coding,
        bytes: Vec<u8>,
        mut share: Share,
    ) -> Result<(Batch, Share), Refusal> {
        let front = self.clone();
        let parsed = tokio::task::spawn_blocking(move || {
            let body = coding.decode(bytes, front.config.body_bytes_max, &mut share)?;
            let context = Context {
                now_us: front.clock.now().wall_us,
                until_us: i64::MAX,
                floor_us: front.config.floor_us,
                source: front.config.source.clone(),
                tenant: String::new(),
            };
            Ok((batch::parse(form, &body, &context, front.config.events_max)?, share))
        });
        parsed
            .await
            .unwrap_or_else(|_| Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "a defect, please report it")))
    }
}

/// What the body is said to be.
fn form(headers: &HeaderMap) -> Result<Form, Refusal> {
    let wrong = |found: &str| {
        let expected = "application/json, application/cloudevents+json, application/cloudevents-batch+json or \
                        application/x-ndjson, in UTF-8";
        Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, format!("the content type {found}, expected {expected}"))
    };
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Err(wrong("is missing")) };
    let text = value.to_str().unwrap_or_default();
    let mut parts = text.split(';').map(str::trim);
    let form = Form::of(parts.next().unwrap_or_default());
    let utf8 = parts.filter_map(|part| part.split_once('=')).all(|(name, value)| {
        !name.eq_ignore_ascii_case("charset") || value.trim_matches('"').eq_ignore_ascii_case("utf-8")
    });
    form.filter(|_| utf8).ok_or_else(|| wrong(&format!("is {}", text.escape_debug())))
}

#[derive(Serialize)]
struct Answer<'a> {
    accepted: usize,
    rejected: usize,
    results: Vec<Told<'a>>,
}

#[derive(Serialize)]
struct Told<'a> {
    id: Option<&'a str>,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// What the sender is told once the accepted events are durable.
fn render(batch: &Batch) -> Result<String, Refusal> {
    let results: Vec<_> = batch
        .outcomes
        .iter()
        .map(|outcome| Told {
            id: outcome.id.as_deref(),
            status: if outcome.rejection.is_none() { "accepted" } else { "rejected" },
            reason: outcome.rejection.as_ref().map(ToString::to_string),
        })
        .collect();
    let accepted = batch.events.len();
    let rejected = results.len() - accepted;
    telemetry::rejected(u64::try_from(rejected).unwrap_or(0));
    serde_json::to_string(&Answer { accepted, rejected, results })
        .map_err(|error| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        match problem {
            Problem::Malformed(reason) => Self::new(StatusCode::BAD_REQUEST, reason),
            Problem::TooMany(max) => Self::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("the body holds more than {max} events: send them in several requests"),
            ),
        }
    }
}
