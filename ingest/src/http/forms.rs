//! Survey forms over HTTP: `GET /f/LINK` shows the page, `POST /f/LINK` takes the answer.
//!
//! ```text
//!   200 the page, or thanks · 404 no such link · 410 it has ended · 413 too big · 415 not a form · 422 nothing was chosen
//!   429 too often · 503 not saved
//! ```
//! `?score=9` has a number chosen beforehand, as one clicked in a mail; `?lang=ja` wins over the link's language and the
//! browser's. Every answer but that to a wrong body is a page in the language of whoever reads it.
//!
//! Invariants: what is answered with thanks is durable; a link takes [`ANSWERS`] answers a minute, and only links that were
//! signed here are counted, so that nobody fills the memory. It does not know what is on the pages
//! ([`crate::forms::page`]).

use std::{num::NonZeroU32, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::{Path, RawQuery, Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::map_response,
    response::{Html, IntoResponse as _, Response},
    routing::get,
};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use http::{Budget, Framing, Refusal, body};
use ring::rand::SecureRandom as _;

use super::{ANSWER_WAIT, Config, OPEN_WAIT};
use crate::{
    batch::{self, Form},
    clock::Clock,
    event::Context,
    forms::{
        self, Kind, Sent, Wrong,
        link::{Fault, Key, Link},
        page::{self, Language, Message, Shown},
    },
    live::Handle,
    telemetry,
};

/// Answers by a link in a minute.
const ANSWERS: NonZeroU32 = NonZeroU32::new(10).expect("ten");
/// With more links counted, those that may answer again are forgotten.
const LINKS: usize = 10_000;
/// Bytes of a body: a comment in which every character takes twelve, and the rest.
const BODY_MAX: usize = 64 << 10;
/// Bytes of all bodies at work.
const MEMORY_MAX: usize = 4 << 20;

/// Who asks, and the key of the links.
#[derive(Debug, Clone)]
pub struct Forms {
    /// The name on the pages; empty for none.
    pub name: String,
    /// The key that signed the links.
    pub key: Key,
}

struct Front {
    forms: Forms,
    config: Config,
    door: Handle,
    clock: Arc<dyn Clock>,
    budget: Budget,
    limits: DefaultKeyedRateLimiter<String>,
}

/// What an address says beside the link.
#[derive(Debug, Default)]
struct Asked {
    score: String,
    language: String,
}

impl Asked {
    fn read(query: Option<String>) -> Self {
        let mut asked = Self::default();
        for (name, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            match &*name {
                "score" => asked.score = value.into_owned(),
                "lang" => asked.language = value.into_owned(),
                _ => {}
            }
        }
        asked
    }
}

/// The routes of the forms.
pub fn router(forms: Forms, config: Config, door: Handle, clock: Arc<dyn Clock>) -> Router {
    let (budget, limits) = (Budget::new(MEMORY_MAX), RateLimiter::keyed(Quota::per_minute(ANSWERS)));
    let front = Arc::new(Front { forms, config, door, clock, budget, limits });
    Router::new()
        .route("/f/form.css", get(style))
        .route("/f/{link}", get(show).post(take))
        .with_state(front)
        .layer(map_response(async |response: Response| http::page(Framing::Anywhere, response)))
}

async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "max-age=3600")], page::STYLE)
        .into_response()
}

async fn show(
    State(front): State<Arc<Front>>,
    Path(token): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let asked = Asked::read(query);
    match front.link(&token) {
        Err(fault) => front.fault(front.language(None, &asked, &headers), fault),
        Ok(link) => {
            let language = front.language(Some(&link), &asked, &headers);
            front.question(StatusCode::OK, language, link.kind, (&asked.score, ""), None)
        }
    }
}

async fn take(
    State(front): State<Arc<Front>>,
    Path(token): Path<String>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Response {
    let asked = Asked::read(query);
    let (parts, body) = request.into_parts();
    let link = match front.link(&token) {
        Ok(link) => link,
        Err(fault) => return front.fault(front.language(None, &asked, &parts.headers), fault),
    };
    let language = front.language(Some(&link), &asked, &parts.headers);
    let sent = match front.read(&parts.headers, body).await {
        Ok(sent) => sent,
        Err(refusal) => return refusal.into_response(),
    };
    if front.limits.check_key(&link.respondent(&token)).is_err() {
        return front.message(StatusCode::TOO_MANY_REQUESTS, language, Message::Often);
    }
    if front.limits.len() > LINKS {
        front.limits.retain_recent();
    }

    let answer = front.save(&link, &token, &sent).await;
    telemetry::form(link.kind.name(), matches!(answer, Ok(true)));
    match answer {
        Ok(true) => front.message(StatusCode::OK, language, Message::Thanks),
        Ok(false) => front.message(StatusCode::SERVICE_UNAVAILABLE, language, Message::Later),
        Err(wrong) => {
            let shown = (sent.score.as_str(), sent.comment.as_str());
            front.question(StatusCode::UNPROCESSABLE_ENTITY, language, link.kind, shown, Some(wrong))
        }
    }
}

impl Front {
    fn link(&self, token: &str) -> Result<Link, Fault> {
        Link::read(token, &self.forms.key, self.now().as_second())
    }

    fn now(&self) -> jiff::Timestamp {
        // A clock beyond the year 9999 would be a link that has ended.
        jiff::Timestamp::from_microsecond(self.clock.now().wall_us).unwrap_or(jiff::Timestamp::MAX)
    }

    fn language(&self, link: Option<&Link>, asked: &Asked, headers: &HeaderMap) -> Language {
        let browser = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        let of_link = link.map_or("", |link| link.language.as_str());
        Language::of([asked.language.as_str(), of_link, browser.unwrap_or_default()])
    }

    async fn read(&self, headers: &HeaderMap, body: Body) -> Result<Sent, Refusal> {
        let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            let reason = "expected application/x-www-form-urlencoded, as a form sends it";
            return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, reason));
        }
        let mut share = self.budget.share();
        let read = body::read(body, BODY_MAX, &mut share);
        let late = |_| Refusal::new(StatusCode::REQUEST_TIMEOUT, "the body did not come in time");
        Ok(Sent::read(&tokio::time::timeout(self.config.body_timeout, read).await.map_err(late)??))
    }

    /// Whether the answer is durable.
    async fn save(&self, link: &Link, token: &str, sent: &Sent) -> Result<bool, Wrong> {
        let now = self.now();
        let bytes = forms::event(link, token, sent, now)?;
        let context = Context {
            now_us: now.as_microsecond(),
            until_us: i64::MAX,
            floor_us: self.config.floor_us,
            source: forms::SOURCE.to_owned(),
            tenant: String::new(),
            unknown_types: self.config.unknown_types,
        };
        let events = match batch::parse(Form::Single, &bytes, &context, 1) {
            Ok(batch) if batch.events.len() == 1 => batch.events,
            // What a link says was not checked when it was signed: an account may be too long.
            other => {
                tracing::warn!(
                    ?other,
                    "the answer of a form is no event; its link was made with what an event cannot have"
                );
                return Ok(false);
            }
        };
        self.door.opened(OPEN_WAIT).await;
        let Ok(asked) = self.door.submit(events) else { return Ok(false) };
        Ok(Handle::answered(asked, ANSWER_WAIT).await.is_ok())
    }

    fn question(
        &self,
        status: StatusCode,
        language: Language,
        kind: Kind,
        (score, comment): (&str, &str),
        wrong: Option<Wrong>,
    ) -> Response {
        let mut view = [0_u8; 12];
        // Without random numbers two showings have one name: then the same answer twice is one event.
        let _ = ring::rand::SystemRandom::new().fill(&mut view);
        let view: String = view.iter().map(|byte| format!("{byte:02x}")).collect();
        let shown = Shown { kind, score, comment, view: &view, wrong };
        html(status, page::question(language, &self.forms.name, shown))
    }

    fn message(&self, status: StatusCode, language: Language, message: Message) -> Response {
        let mut response = html(status, page::message(language, &self.forms.name, message));
        if matches!(message, Message::Later | Message::Often) {
            response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("60"));
        }
        response
    }

    fn fault(&self, language: Language, fault: Fault) -> Response {
        match fault {
            Fault::Invalid => self.message(StatusCode::NOT_FOUND, language, Message::Invalid),
            Fault::Ended => self.message(StatusCode::GONE, language, Message::Ended),
        }
    }
}

/// A page that is made for one showing.
fn html(status: StatusCode, page: String) -> Response {
    (status, [(header::CACHE_CONTROL, "no-store")], Html(page)).into_response()
}
