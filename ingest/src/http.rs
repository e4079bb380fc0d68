//! A live door for HTTP: `POST /v1/events` takes events, `POST /v1/in/NAME` what a mapping makes events of (`mapped`).
//!
//! ```text
//!   200  {"accepted":1,"quarantined":0,"not_measured":0,"rejected":0,"results":[{"index":0,"id":"1","status":"accepted"}]}
//!   207 some are rejected · 422 all are: the same lists, with the reason of each (`answer`)
//!   400 not JSON · 404 no such mapping · 405 not POST · 408 too slow · 413 too big · 415 other type or coding · 421 other host
//!   429 too many connections
//!   503 nothing was accepted, or it is not known: send the same ids again after Retry-After seconds
//! ```
//! A body is CloudEvents in JSON: one, a list, or one a line; in binary mode its headers are the attributes (`binary`).
//!
//! Invariants: what is answered as accepted is durable; every refusal has a body that says what to do; limits
//! count decompressed bytes; memory is bounded whatever is sent, and threads are its own, however busy other routes are. It
//! does not know what an event is ([`crate::batch`] does), nor the log, nor the port that it is a part of (crate `http`).

mod answer;
mod binary;
pub mod forms;
mod mapped;

use std::{
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
use http::{
    Budget, Pool, Refusal, Share,
    body::{self, Coding},
};

use self::binary::Attributes;
use crate::{
    Result,
    batch::{self, Batch, Form, Problem},
    clock::Clock,
    event::Context,
    live::{self, Handle},
    mapping::ready::Mappings,
    near::UnknownTypes,
    outcome::{Kept, Measured},
    telemetry,
};

/// How long an answer of the log is waited for.
const ANSWER_WAIT: Duration = Duration::from_secs(30);
/// How long the first requests wait for the log to be opened.
const OPEN_WAIT: Duration = Duration::from_secs(20);
/// Threads that parse bodies, and how long one is waited for.
const THREADS: usize = 2;
const THREAD_WAIT: Duration = Duration::from_secs(30);

/// Settings of the HTTP door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Source of events that name none.
    pub source: String,
    /// Earlier events are rejected; microseconds since the Unix epoch.
    pub floor_us: i64,
    /// Events dated later than this after they were recorded are quarantined; microseconds.
    pub max_ahead_us: i64,
    /// What to do with types that are not in the vocabulary.
    pub unknown_types: UnknownTypes,
    /// Bytes of a body, decompressed.
    pub body_bytes_max: usize,
    /// Events of a body.
    pub events_max: usize,
    /// Bytes of all bodies at work.
    pub memory_bytes_max: usize,
    /// A body has to be there within this.
    pub body_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            source: "http".to_owned(),
            floor_us: crate::HISTORY_FLOOR_US,
            max_ahead_us: 300_000_000,
            unknown_types: UnknownTypes::default(),
            body_bytes_max: 8 << 20,
            events_max: 10_000,
            memory_bytes_max: 64 << 20,
            body_timeout: Duration::from_secs(30),
        }
    }
}

/// What a request needs.
struct Front {
    config: Config,
    door: Handle,
    clock: Arc<dyn Clock>,
    measured: Measured,
    mappings: Mappings,
    budget: Budget,
    pool: Pool,
}

/// What a request holds.
#[derive(Debug, Clone)]
enum Source {
    /// CloudEvents.
    Events,
    /// JSON that a mapping makes events of.
    Mapped { mapping: String, call: Option<&'static str> },
}

/// The routes of the door. Answers name the events of types that are not `measured`.
pub fn router(config: Config, mappings: Mappings, door: Handle, clock: Arc<dyn Clock>, measured: Measured) -> Router {
    let budget = Budget::new(config.memory_bytes_max);
    let pool = Pool::new("door", THREADS, THREAD_WAIT);
    let front = Arc::new(Front { config, door, clock, measured, mappings, budget, pool });
    Router::new().route("/v1/events", post(accept)).merge(mapped::routes()).with_state(front)
}

async fn accept(State(front): State<Arc<Front>>, request: Request) -> Response {
    front.answer(Source::Events, request).await
}

impl Front {
    async fn answer(self: &Arc<Self>, source: Source, request: Request) -> Response {
        let started = Instant::now();
        let response = self.take(source, request).await.unwrap_or_else(|refusal| refusal.into_response());
        telemetry::request(response.status().as_u16(), started.elapsed());
        response
    }

    async fn take(self: &Arc<Self>, source: Source, request: Request) -> Result<Response, Refusal> {
        self.door.opened(OPEN_WAIT).await;
        if let Some(refusal) = self.door.refusal() {
            // Else who sends it after the headers finds a closed connection in the place of an answer.
            let skipped = body::skip(request.into_body(), self.config.body_bytes_max);
            let _ = tokio::time::timeout(self.config.body_timeout, skipped).await;
            return Err(later(refusal));
        }

        let mode = Mode::of(source, request.headers())?;
        let coding = Coding::of(request.headers())?;
        let mut share = self.budget.share();
        let limit = self.config.body_bytes_max;
        let read = body::read(request.into_body(), limit, &mut share);
        let Ok(bytes) = tokio::time::timeout(self.config.body_timeout, read).await else {
            return Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, "the body did not come in time"));
        };
        let (Batch { events, items }, _share) = self.parse(mode, coding, bytes?, share).await?;

        let kept: Vec<Kept> = events.iter().map(|event| Kept::new(event, &self.measured)).collect();
        let mut stamps = Vec::new();
        if !events.is_empty() {
            let asked = self.door.submit(events).map_err(later)?;
            stamps = Handle::answered(asked, ANSWER_WAIT).await.map_err(later)?;
        }
        answer::answer(&items, &kept, &stamps, self.config.max_ahead_us)
    }

    /// Away from the threads that serve connections: a body may take a while.
    async fn parse(
        self: &Arc<Self>,
        mode: Mode,
        coding: Coding,
        bytes: Vec<u8>,
        mut share: Share,
    ) -> Result<(Batch, Share), Refusal> {
        let front = self.clone();
        let parsed = self.pool.run(move || {
            let config = &front.config;
            let body = coding.decode(bytes, config.body_bytes_max, &mut share)?;
            let context = Context {
                now_us: front.clock.now().wall_us,
                until_us: i64::MAX,
                floor_us: config.floor_us,
                source: config.source.clone(),
                tenant: String::new(),
                unknown_types: config.unknown_types,
            };
            let batch = match mode {
                Mode::Structured(form) => batch::parse(form, &body, &context, config.events_max),
                Mode::Binary(attributes) => {
                    batch::parse(Form::Single, &attributes.with(&body)?, &context, config.events_max)
                }
                Mode::Mapped { mapping, call } => {
                    let mapping = front
                        .mappings
                        .get(&mapping)
                        .ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, format!("there is no mapping {mapping}")))?;
                    batch::map(mapping, &mapped::with_type(&body, call), &context, config.events_max)
                }
            };
            Ok((batch.map_err(refusal)?, share))
        });
        parsed.await?
    }
}

/// How a request holds events.
enum Mode {
    /// In its body.
    Structured(Form),
    /// One, in its headers and its body.
    Binary(Attributes),
    /// In JSON of another system.
    Mapped { mapping: String, call: Option<&'static str> },
}

impl Mode {
    /// What the path and the headers say.
    fn of(source: Source, headers: &HeaderMap) -> Result<Self, Refusal> {
        if let Source::Mapped { mapping, call } = source {
            return match form(headers)? {
                Form::Either => Ok(Self::Mapped { mapping, call }),
                _ => Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "expected application/json here")),
            };
        }
        match Attributes::of(headers)? {
            Some(attributes) => Ok(Self::Binary(attributes)),
            None => form(headers).map(Self::Structured),
        }
    }
}

/// What the body is said to be.
fn form(headers: &HeaderMap) -> Result<Form, Refusal> {
    let wrong = |found: &str| {
        let expected = "application/json, application/cloudevents+json, application/cloudevents-batch+json or \
                        application/x-ndjson, in UTF-8; or the headers of a CloudEvent in binary mode (ce-id, ...)";
        Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, format!("the content type {found}, expected {expected}"))
    };
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Err(wrong("is missing")) };
    let text = value.to_str().unwrap_or_default();
    let mut parts = text.split(';').map(str::trim);
    let form = Form::of(parts.next().unwrap_or_default());
    form.filter(|_| is_utf8(parts)).ok_or_else(|| wrong(&format!("is {}", text.escape_debug())))
}

/// Whether the parameters of a content type name no other charset.
fn is_utf8<'a>(parameters: impl Iterator<Item = &'a str>) -> bool {
    parameters.filter_map(|part| part.split_once('=')).all(|(name, value)| {
        !name.eq_ignore_ascii_case("charset") || value.trim_matches('"').eq_ignore_ascii_case("utf-8")
    })
}

/// Nothing is wrong with the request: the log does not take it now.
fn later(refusal: live::Refusal) -> Refusal {
    Refusal::later(refusal.reason, refusal.retry_after_s)
}

fn refusal(problem: Problem) -> Refusal {
    match problem {
        Problem::Malformed(reason) => Refusal::new(StatusCode::BAD_REQUEST, reason),
        Problem::TooMany(max) => Refusal::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body holds more than {max} events: send them in several requests"),
        ),
    }
}
