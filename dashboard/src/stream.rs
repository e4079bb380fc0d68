//! `/stream`: what is shown, kept up to date: a snapshot of each topic, then what changed in it.
//!
//! ```text
//!   store -> hub (one look for all, when something was written) -> a channel a topic -> streams, at most 4 writes a second
//! ```
//! Invariants: a topic is calculated once for all streams that show it; ids of frames grow over all topics of a process; a
//! stream that was away and whose frames are still there gets those, any other one a snapshot, and so does one that is too
//! slow to take what comes. Channels that nobody shows for a while are forgotten; the
//! hub ends with the last of them.

mod channel;
mod hub;

use std::{convert::Infallible, time::Duration};

use axum::{
    extract::State,
    http::HeaderMap,
    response::{
        IntoResponse as _, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::{StreamExt as _, stream};

pub(crate) use channel::Topic;
pub(crate) use hub::Hub;

use crate::{api::Api, asked::Asked, fault::Fault, overview::Wanted, params::Params};
use channel::{Frame, Listener};

/// Between two writes of a stream.
const PACE: Duration = Duration::from_millis(250);
/// So often a stream says that it is there.
const ALIVE: Duration = Duration::from_secs(15);
/// Topics of a stream.
const TOPICS_MAX: usize = 16;

/// The topics that parameters name.
fn topics(mut params: Params) -> Result<Vec<Topic>, Fault> {
    let wanted = Wanted::take(&mut params)?;
    let named = params.take("topics").unwrap_or_else(|| "overview".to_owned());
    params.done()?;
    let names: Vec<&str> = named.split(',').collect();
    if names.len() > TOPICS_MAX {
        return Err(Fault::wrong("topics", format!("are more than {TOPICS_MAX}")));
    }
    names.into_iter().map(|name| Topic::of(name, &wanted)).collect()
}

/// The frames of a stream that came since the last look.
async fn next(mut listeners: Vec<Listener>) -> (Vec<Frame>, Vec<Listener>) {
    loop {
        tokio::time::sleep(PACE).await;
        let frames: Vec<Frame> = listeners.iter_mut().flat_map(Listener::take).collect();
        if !frames.is_empty() {
            return (frames, listeners);
        }
    }
}

fn event(frame: &Frame) -> Result<Event, Infallible> {
    let event = Event::default().event(frame.event).data(&*frame.data);
    Ok(if frame.id.is_empty() { event } else { event.id(&*frame.id) })
}

/// What is shown, kept up to date (server-sent events).
#[utoipa::path(get, path = "/stream", tag = "stream", params(
    ("topics" = Option<String>, Query, description = "overview, alerts, metric:NAME, account:ID, separated by commas"),
    ("window" = Option<String>, Query), ("compare" = Option<String>, Query), ("segment" = Option<String>, Query),
    ("Last-Event-ID" = Option<String>, Header, description = "id of the last frame that came")),
    responses((status = 200, body = String, content_type = "text/event-stream"), (status = 400), (status = 404)))]
pub(crate) async fn get(State(api): State<Api>, asked: Asked, headers: HeaderMap) -> Response {
    let topics = match topics(asked.params) {
        Ok(topics) => topics,
        Err(fault) => return fault.into_response(),
    };
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
    let mut listeners = Vec::new();
    let mut first = Vec::new();
    for topic in topics {
        match api.hub().listen(&api, topic, last.as_deref()).await {
            Ok((frames, listener)) => {
                first.extend(frames);
                listeners.push(listener);
            }
            Err(response) => return response,
        }
    }
    listeners.push(api.hub().clock());
    let rest = stream::unfold(listeners, |listeners| async { Some(next(listeners).await) });
    let frames = stream::iter([first]).chain(rest).flat_map(stream::iter);
    Sse::new(frames.map(|frame| event(&frame))).keep_alive(KeepAlive::new().interval(ALIVE)).into_response()
}
