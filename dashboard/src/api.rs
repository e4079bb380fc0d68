//! The state behind all routes, and how a request is answered: on a thread for blocking work, from one moment of the store,
//! with a strong ETag.
//!
//! Invariants: answers that rest on the store alone are calculated once for each of its states; the cache has a bounded
//! number of answers; nothing that a request says is kept but the answer.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde::Serialize;
use store::{Read as _, sqlite};
use xxhash_rust::xxh3::xxh3_128;

use crate::{asked::Asked, backend::Backend, desk::Desk, fault::Fault, params::Params, stream::Hub};

/// Threads that answer reads, and readers of the store.
const THREADS: usize = 4;
/// How long a request waits for one of them.
const WAIT: Duration = Duration::from_secs(5);
/// Answers that are kept.
const KEPT: usize = 1_024;
/// Everything that routes share.
#[derive(Clone)]
pub(crate) struct Api(Arc<Shared>);

struct Shared {
    tenant: String,
    folder: PathBuf,
    store: sqlite::Pool,
    backend: Arc<dyn Backend>,
    reads: http::Pool,
    writes: http::Pool,
    kept: Mutex<Kept>,
    hub: Hub,
}

/// Answers by what was asked.
type Kept = HashMap<String, Given>;

/// An answer of one state of the store.
struct Given {
    answer: Answer,
    changes: u64,
}

/// A body with its type.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    content: &'static str,
    bytes: Bytes,
    tag: String,
}

impl Answer {
    pub(crate) fn new(content: &'static str, bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let tag = format!("\"{:032x}\"", xxh3_128(&bytes));
        Self { content, bytes, tag }
    }

    /// As JSON.
    pub(crate) fn json(of: &impl Serialize) -> Result<Self, Fault> {
        Ok(Self::new("application/json", serde_json::to_vec(of)?))
    }

    /// Its ETag.
    pub(crate) fn tag(&self) -> &str {
        &self.tag
    }

    /// The response, whatever the request knows already.
    pub(crate) fn plain(self) -> Response {
        self.respond(&HeaderMap::new())
    }

    fn respond(self, headers: &HeaderMap) -> Response {
        let tag = HeaderValue::from_str(&self.tag).ok();
        let known = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        let known = known.flat_map(|text| text.split(',')).map(|tag| tag.trim().trim_start_matches("W/"));
        let same = known.into_iter().any(|known| known == "*" || known == self.tag);
        let mut response = Response::new(if same { Body::empty() } else { Body::from(self.bytes) });
        if same {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        } else {
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(self.content));
        }
        let headers = response.headers_mut();
        headers.extend(tag.map(|tag| (header::ETAG, tag)));
        // Always asked again: a browser keeps the body and sends the tag.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        response
    }
}

/// What an answer is made from.
pub(crate) struct Context<'a> {
    /// One moment of the store.
    pub(crate) desk: &'a Desk<'a>,
    /// The process.
    pub(crate) backend: &'a dyn Backend,
    /// The data directory.
    pub(crate) folder: &'a Path,
    /// CSV was asked for.
    pub(crate) csv: bool,
}

impl Api {
    pub(crate) fn new(folder: &Path, tenant: &str, backend: Arc<dyn Backend>) -> Self {
        Self(Arc::new(Shared {
            tenant: tenant.to_owned(),
            folder: folder.to_owned(),
            store: sqlite::Pool::new(&folder.join(sqlite::FILE), THREADS),
            backend,
            reads: http::Pool::new("queries", THREADS, WAIT),
            writes: http::Pool::new("api-writes", 2, WAIT),
            kept: Mutex::default(),
            hub: Hub::default(),
        }))
    }

    /// The data directory.
    pub(crate) fn folder(&self) -> &Path {
        &self.0.folder
    }

    /// Answers from the store alone: once for each of its states. `ask` takes all parameters that it knows.
    pub(crate) async fn by_store(
        self,
        asked: Asked,
        ask: impl FnOnce(&Context<'_>, Params) -> Result<Answer, Fault> + Send + 'static,
    ) -> Response {
        self.answer(asked, true, ask).await
    }

    /// Answers from the store and what else the process knows.
    pub(crate) async fn by_all(
        self,
        asked: Asked,
        ask: impl FnOnce(&Context<'_>, Params) -> Result<Answer, Fault> + Send + 'static,
    ) -> Response {
        self.answer(asked, false, ask).await
    }

    async fn answer(
        self,
        asked: Asked,
        keep: bool,
        ask: impl FnOnce(&Context<'_>, Params) -> Result<Answer, Fault> + Send + 'static,
    ) -> Response {
        let headers = asked.headers.clone();
        let key = format!("{} {}", asked.csv, asked.target);
        let shared = self.0.clone();
        match self.0.reads.run(move || shared.calculate(key, asked, keep, ask)).await {
            Ok(Ok(answer)) => answer.respond(&headers),
            Ok(Err(fault)) => fault.into_response(),
            Err(refusal) => refusal.into_response(),
        }
    }

    /// Calls `ask` with a moment of the store, away from the threads that serve connections.
    pub(crate) async fn look<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Context<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Response> {
        let shared = self.0.clone();
        match self.0.reads.run(move || shared.look(false, ask)).await {
            Ok(done) => done.map_err(Fault::into_response),
            Err(refusal) => Err(refusal.into_response()),
        }
    }

    /// The hub of streams.
    pub(crate) fn hub(&self) -> &Hub {
        &self.0.hub
    }

    /// Does something that writes.
    pub(crate) async fn act<T: Send + 'static>(
        &self,
        act: impl FnOnce(&dyn Backend) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Response> {
        let backend = self.0.backend.clone();
        match self.0.writes.run(move || act(&*backend)).await {
            Ok(done) => done.map_err(Fault::into_response),
            Err(refusal) => Err(refusal.into_response()),
        }
    }
}

impl Shared {
    fn look<T>(&self, csv: bool, ask: impl FnOnce(&Context<'_>) -> Result<T, Fault>) -> Result<T, Fault> {
        self.store.read(|read| {
            let desk = Desk::new(read, &self.tenant)?;
            ask(&Context { desk: &desk, backend: &*self.backend, folder: &self.folder, csv })
        })
    }

    fn calculate(
        &self,
        key: String,
        asked: Asked,
        keep: bool,
        ask: impl FnOnce(&Context<'_>, Params) -> Result<Answer, Fault>,
    ) -> Result<Answer, Fault> {
        let answered = self.store.read(|read| {
            let changes = read.changes()?;
            if keep && let Some(known) = self.confirmed(changes, &key) {
                return Ok((known, changes));
            }
            let desk = Desk::new(read, &self.tenant)?;
            let context = Context { desk: &desk, backend: &*self.backend, folder: &self.folder, csv: asked.csv };
            Ok::<_, Fault>((ask(&context, asked.params)?, changes))
        });
        if keep {
            match &answered {
                Ok((answer, changes)) => self.keep(*changes, key, answer),
                Err(_) => drop(self.kept().remove(&key)),
            }
        }
        Ok(answered?.0)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer, if it is one of this state of the store.
    fn confirmed(&self, changes: u64, key: &str) -> Option<Answer> {
        self.kept().get(key).filter(|given| given.changes == changes).map(|given| given.answer.clone())
    }

    fn keep(&self, changes: u64, key: String, answer: &Answer) {
        let mut kept = self.kept();
        if kept.len() >= KEPT {
            kept.retain(|_, given| given.changes == changes);
        }
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(key, Given { answer: answer.clone(), changes });
    }
}
