//! What other systems post: `POST /v1/in/NAME`, and the paths that the libraries of Segment know.
//!
//! A body is JSON of any shape; the mapping `NAME` makes events of it. One that is sent again is a duplicate, as its events
//! have the ids of the first time. It does not know the systems: their mappings do.

use std::{borrow::Cow, sync::Arc};

use axum::{
    Router,
    extract::{Path, Request, State},
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::post,
};
use http::Refusal;

use super::{Front, Source};
use crate::json;

/// The mapping of what the libraries of Segment send.
const SEGMENT: &str = "segment";
/// The calls of Segment; a body of `/v1/NAME` has this type where it says none.
const CALLS: [&str; 6] = ["track", "identify", "group", "page", "screen", "alias"];

/// The routes.
pub(super) fn routes() -> Router<Arc<Front>> {
    let mut router = Router::new().route("/v1/in/{name}", post(named)).route("/v1/batch", post(batch));
    for call in CALLS {
        let one = async move |State(front): State<Arc<Front>>, request| {
            front.answer(Source::Mapped { mapping: SEGMENT.to_owned(), call: Some(call) }, request).await
        };
        router = router.route(&format!("/v1/{call}"), post(one));
    }
    router
}

async fn named(State(front): State<Arc<Front>>, Path(name): Path<String>, request: Request) -> Response {
    if front.mappings.get(&name).is_none() {
        let names = front.mappings.names();
        let name = name.escape_debug();
        let reason =
            format!("there is no mapping {name} for JSON, there are {names}; [ingest] mappings names a folder of more");
        return Refusal::new(StatusCode::NOT_FOUND, reason).into_response();
    }
    front.answer(Source::Mapped { mapping: name, call: None }, request).await
}

async fn batch(State(front): State<Arc<Front>>, request: Request) -> Response {
    let source = Source::Mapped { mapping: SEGMENT.to_owned(), call: None };
    let mut response = front.answer(source, request).await;
    // Segment's own answer to a batch of which a part is wrong; another one is sent again until it is dropped.
    if response.status() == StatusCode::MULTI_STATUS {
        *response.status_mut() = StatusCode::OK;
    }
    response
}

/// A body with the type of its call, where it says none.
pub(super) fn with_type<'b>(body: &'b [u8], call: Option<&str>) -> Cow<'b, [u8]> {
    let text = call.and_then(|_| std::str::from_utf8(body).ok());
    let fields = text.and_then(|text| json::object(text, "").ok());
    let (Some(call), Some(fields)) = (call, fields) else { return Cow::Borrowed(body) };
    if fields.iter().any(|(key, _)| key == "type") {
        return Cow::Borrowed(body);
    }
    let comma = if fields.is_empty() { "" } else { "," };
    let rest = body.trim_ascii_start().strip_prefix(b"{").unwrap_or_default();
    Cow::Owned([format!("{{\"type\":\"{call}\"{comma}").as_bytes(), rest].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_has_its_type() {
        let of = |body: &str, call| String::from_utf8(with_type(body.as_bytes(), call).into_owned()).unwrap();
        assert_eq!(of(" {\"a\":1}", Some("track")), "{\"type\":\"track\",\"a\":1}");
        assert_eq!(of("{}", Some("page")), "{\"type\":\"page\"}");
        assert_eq!(of("{\"type\":\"x\"}", Some("track")), "{\"type\":\"x\"}");
        assert_eq!(of("[]", Some("track")), "[]");
        assert_eq!(of("{}", None), "{}");
    }
}
