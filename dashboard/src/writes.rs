//! What people do: acknowledge, silence, hand in again. Bodies are JSON; who may ask is the port's matter ([`http::Guard`]).

use axum::{
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use store::{AlertSelect, Read as _, window::Calendar};
use utoipa::ToSchema;

use crate::{
    api::{Answer, Api, Context},
    asked::{Asked, name},
    backend::{Act, Silence},
    fault::Fault,
    params::Params,
};

/// Texts of people have no more characters than this.
pub(crate) const TEXT_MAX: usize = 4_096;

/// An acknowledgement of an alert.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Acknowledge {
    /// Who.
    #[schema(max_length = 4096)]
    by: String,
    /// What is done about it.
    #[serde(default)]
    #[schema(max_length = 4096)]
    note: String,
}

/// Which alerts are not sent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Silencing {
    /// All of them have to match: `rule=~"churn.*"`.
    #[schema(min_items = 1)]
    matchers: Vec<String>,
    /// Until then: a date or RFC 3339.
    until: String,
    /// Who.
    #[schema(max_length = 4096)]
    by: String,
    /// Why.
    #[serde(default)]
    #[schema(max_length = 4096)]
    comment: String,
}

/// Nothing is said: an empty object, whose type no form of another site can have.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Replay {}

/// What was done.
#[derive(Debug, Serialize, ToSchema)]
pub struct Acted {
    /// Names what was done; of a silence it names the silence.
    id: String,
}

/// The silences that last.
#[derive(Debug, Serialize, ToSchema)]
pub struct Silences {
    /// By id.
    silences: Vec<Silence>,
}

/// A body of JSON.
fn json<T: DeserializeOwned>(headers: &HeaderMap, body: &Bytes) -> Result<T, Fault> {
    expect_type(headers, "application/json")?;
    object(body)
}

/// An object: of a list nobody knows what is what.
pub(crate) fn object<T: DeserializeOwned>(body: &[u8]) -> Result<T, Fault> {
    let wrong = |error| Fault::wrong("body", error);
    let whole: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(body).map_err(wrong)?;
    T::deserialize(serde_json::Value::Object(whole)).map_err(wrong)
}

/// A body of this type, and no other: a form of another site cannot have it.
fn expect_type(headers: &HeaderMap, expected: &str) -> Result<(), Fault> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    match kind.split(';').next().map(str::trim) == Some(expected) {
        true => Ok(()),
        false => Err(Fault::of(StatusCode::UNSUPPORTED_MEDIA_TYPE, format!("content-type: expected {expected}"))),
    }
}

fn text(field: &str, text: &str) -> Result<(), Fault> {
    if text.chars().count() > TEXT_MAX {
        return Err(Fault::wrong(field, format!("is longer than {TEXT_MAX} characters")));
    }
    Ok(())
}

fn done(result: Result<String, Response>) -> Response {
    let id = match result {
        Ok(id) => id,
        Err(response) => return response,
    };
    Answer::json(&Acted { id }).map_or_else(Fault::into_response, Answer::plain)
}

/// Takes care of an alert: it is not sent again, and not escalated.
#[utoipa::path(post, path = "/alerts/{id}/acknowledge", tag = "alerts", params(("id" = String, Path)),
    request_body = Acknowledge, responses((status = 200, body = Acted), (status = 400), (status = 404), (status = 415)))]
pub(crate) async fn acknowledge(
    State(api): State<Api>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let asked = name("id", id).and_then(|id| Ok((id, json::<Acknowledge>(&headers, &body)?)));
    let asked =
        asked.and_then(|(id, asked)| text("by", &asked.by).and(text("note", &asked.note)).map(|()| (id, asked)));
    let (id, asked) = match asked {
        Ok(asked) => asked,
        Err(fault) => return fault.into_response(),
    };
    let known = id.clone();
    let is_known = move |context: &Context<'_>| {
        let found = context.desk.alerts(&AlertSelect { id: Some(known), ..AlertSelect::default() })?;
        if found.is_empty() { Err(Fault::missing("there is no alert of this id")) } else { Ok(()) }
    };
    if let Err(response) = api.look(is_known).await {
        return response;
    }
    let act = Act::Acknowledge { alert: id };
    done(api.act(move |backend| Ok(backend.act(&act, &asked.by, &asked.note)?)).await)
}

/// The silences that last.
#[utoipa::path(get, path = "/silences", tag = "alerts", responses((status = 200, body = Silences)))]
pub(crate) async fn silences(State(api): State<Api>, asked: Asked) -> Response {
    let ask = |context: &Context<'_>, params: Params| {
        params.done()?;
        Answer::json(&Silences { silences: context.backend.silences()? })
    };
    api.by_all(asked, ask).await
}

/// Silences alerts until a time.
#[utoipa::path(post, path = "/silences", tag = "alerts", request_body = Silencing,
    responses((status = 200, body = Acted), (status = 400), (status = 415)))]
pub(crate) async fn silence(State(api): State<Api>, headers: HeaderMap, body: Bytes) -> Response {
    let asked = json::<Silencing>(&headers, &body);
    let asked = asked.and_then(|asked| text("by", &asked.by).and(text("comment", &asked.comment)).map(|()| asked));
    let asked = match asked {
        Ok(asked) if asked.matchers.is_empty() => {
            return Fault::wrong("matchers", "is empty, expected one at least: else everything is silenced")
                .into_response();
        }
        Ok(asked) => asked,
        Err(fault) => return fault.into_response(),
    };
    let until = asked.until.clone();
    let parse = move |context: &Context<'_>| {
        let calendar = Calendar::of(&context.desk.settings)?;
        calendar.parse_us(&until).map_err(|error| Fault::unfit("until", error))
    };
    let until_us = match api.look(parse).await {
        Ok(until_us) => until_us,
        Err(response) => return response,
    };
    let act = Act::Silence { matchers: asked.matchers, until_us };
    done(api.act(move |backend| Ok(backend.act(&act, &asked.by, &asked.comment)?)).await)
}

/// Ends a silence.
#[utoipa::path(delete, path = "/silences/{id}", tag = "alerts", params(("id" = String, Path)),
    responses((status = 200, body = Acted), (status = 404)))]
pub(crate) async fn end(State(api): State<Api>, Path(id): Path<String>) -> Response {
    let act = match name("id", id) {
        Ok(silence) => Act::End { silence },
        Err(fault) => return fault.into_response(),
    };
    done(api.act(move |backend| Ok(backend.act(&act, "", "")?)).await)
}

/// Hands the event of a dead letter in again, under its own id.
#[utoipa::path(post, path = "/dead-letters/{id}/replay", tag = "process", params(("id" = String, Path)),
    request_body = Replay, responses((status = 200, body = Acted), (status = 400), (status = 404), (status = 415)))]
pub(crate) async fn replay(
    State(api): State<Api>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let id = match json::<Replay>(&headers, &body).and_then(|Replay {}| name("id", id)) {
        Ok(id) => id,
        Err(fault) => return fault.into_response(),
    };
    done(api.act(move |backend| Ok(backend.replay(&id)?)).await)
}
