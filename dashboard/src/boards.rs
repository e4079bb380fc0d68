//! `/dashboards`: arrangements of cards, which are data: a file each below the data directory, and ready ones.
//!
//! Invariants: a dashboard is written whole or not at all; it is replaced only by who saw what is there (`If-Match`); a
//! ready one is never written; a name is one part of a path.

use std::{cmp::Ordering, io::Write as _, path::PathBuf};

use axum::{
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use utoipa::{
    ToSchema,
    openapi::schema::{Object, ObjectBuilder, Type},
};

use crate::{
    api::{Answer, Api, Context},
    asked::Asked,
    fault::Fault,
    params::Params,
    writes::{TEXT_MAX, object},
};

/// Below the data directory.
const FOLDER: &str = "dashboards";
/// Cards of a dashboard.
const CARDS_MAX: usize = 100;
/// Dashboards that are saved.
const SAVED_MAX: usize = 1_000;
/// Rows of a card, at most.
const ROWS_MAX: u32 = 1_000;

/// Those that come with the program.
const READY: [(&str, &str); 4] = [
    ("success", include_str!("boards/success.yaml")),
    ("support", include_str!("boards/support.yaml")),
    ("sales", include_str!("boards/sales.yaml")),
    ("revenue", include_str!("boards/revenue.yaml")),
];

/// An arrangement of cards.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Dashboard {
    /// Its name, one part of an address.
    #[serde(default)]
    name: String,
    /// Its title.
    #[schema(max_length = 4096, pattern = r"\S")]
    title: String,
    /// What all cards show.
    #[serde(default)]
    filters: Filters,
    /// The cards, in their order.
    #[schema(max_items = 100)]
    cards: Vec<Card>,
}

/// What all cards of a dashboard show.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Filters {
    /// The window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 4096)]
    window: Option<String>,
    /// `before`, `year` or `none`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    compare: Option<String>,
    /// `dimension:value`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    segment: Option<String>,
}

/// What a card is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A number.
    Value,
    /// A line through time.
    Trend,
    /// Parts as bars.
    Bar,
    /// Parts as shares.
    Pie,
    /// Stages.
    Funnel,
    /// Rows.
    Table,
    /// Accounts.
    Accounts,
    /// Alerts.
    Alerts,
    /// A goal.
    Goal,
    /// A text.
    Text,
}

/// A card.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// Names it within the dashboard.
    #[schema(max_length = 4096)]
    id: String,
    /// What it is.
    kind: Kind,
    /// Columns: 1, 2 or 4.
    #[schema(schema_with = sizes)]
    size: u8,
    /// The metric.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 4096)]
    metric: Option<String>,
    /// The dimension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 4096)]
    by: Option<String>,
    /// The window, if not that of the dashboard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 4096)]
    window: Option<String>,
    /// The text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 4096)]
    text: Option<String>,
    /// The order of rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 4096)]
    sort: Option<String>,
    /// The number of rows.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "whole")]
    #[schema(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
}

/// A whole number, also where it is written as `8.0`: JSON does not tell them apart.
fn whole<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u32>, D::Error> {
    let Some(number) = Option::<f64>::deserialize(from)? else { return Ok(None) };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "what changes by it is refused")]
    let whole = number as u32;
    match f64::from(whole).total_cmp(&number) {
        Ordering::Equal => Ok(Some(whole)),
        _ => Err(D::Error::custom(format!("{number}, expected a whole number from 1 to {ROWS_MAX}"))),
    }
}

/// All dashboards.
#[derive(Debug, Serialize, ToSchema)]
pub struct Dashboards {
    /// The ready ones, then the saved ones by name.
    dashboards: Vec<Listed>,
}

/// A dashboard in a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Listed {
    /// Its name.
    name: String,
    /// Its title.
    title: String,
    /// It comes with the program and is not written; a copy is.
    ready: bool,
    /// What `If-Match` has to say when it is replaced.
    etag: String,
}

impl Dashboard {
    /// What is wrong with it, and where.
    fn check(&self) -> Result<(), Fault> {
        let short = |field: &str, text: &str| match text.chars().count() > TEXT_MAX {
            true => Err(Fault::wrong(field, format!("is longer than {TEXT_MAX} characters"))),
            false => Ok(()),
        };
        short("title", &self.title)?;
        if self.title.trim().is_empty() {
            return Err(Fault::wrong("title", "is empty"));
        }
        if self.cards.len() > CARDS_MAX {
            return Err(Fault::wrong("cards", format!("are more than {CARDS_MAX}")));
        }
        for (at, card) in self.cards.iter().enumerate() {
            let field = |name: &str| format!("cards[{at}].{name}");
            if ![1, 2, 4].contains(&card.size) {
                return Err(Fault::wrong(&field("size"), format!("is {}, expected 1, 2 or 4", card.size)));
            }
            if self.cards[..at].iter().any(|other| other.id == card.id) {
                return Err(Fault::unfit(&field("id"), format!("is {:?}, which another card has", card.id)));
            }
            let needs = matches!(card.kind, Kind::Value | Kind::Trend | Kind::Bar | Kind::Pie | Kind::Table);
            if needs && card.metric.is_none() {
                return Err(Fault::unfit(&field("metric"), "is missing"));
            }
            if card.limit.is_some_and(|limit| limit == 0 || limit > ROWS_MAX) {
                return Err(Fault::wrong(&field("limit"), format!("expected 1 to {ROWS_MAX}")));
            }
            let texts = [&card.metric, &card.by, &card.window, &card.text, &card.sort];
            texts.into_iter().flatten().try_for_each(|text| short(&field("text"), text))?;
            short(&field("id"), &card.id)?;
        }
        Ok(())
    }

    fn answer(&self, yaml: bool) -> Result<Answer, Fault> {
        if !yaml {
            return Answer::json(self);
        }
        let failed =
            |error: serde_saphyr::ser_error::Error| Fault::of(StatusCode::INTERNAL_SERVER_ERROR, error.to_string());
        Ok(Answer::new("application/yaml", serde_saphyr::to_string(self).map_err(failed)?))
    }
}

/// The widths of cards.
fn sizes() -> Object {
    ObjectBuilder::new().schema_type(Type::Integer).enum_values(Some([1, 2, 4])).build()
}

fn ready(name: &str) -> Option<Dashboard> {
    let (_, text) = READY.iter().find(|(known, _)| *known == name)?;
    let read: Dashboard = serde_saphyr::from_str(text).ok()?;
    Some(Dashboard { name: name.to_owned(), ..read })
}

fn plain(name: &str) -> Result<(), Fault> {
    let is_plain = (1..=100).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_');
    if is_plain { Ok(()) } else { Err(Fault::wrong("name", "expected 1 to 100 of a-z, 0-9, - and _")) }
}

fn path(folder: &std::path::Path, name: &str) -> PathBuf {
    folder.join(FOLDER).join(format!("{name}.json"))
}

fn saved(folder: &std::path::Path, name: &str) -> Option<Dashboard> {
    let text = std::fs::read_to_string(path(folder, name)).ok()?;
    let read: Dashboard = serde_json::from_str(&text).ok()?;
    Some(Dashboard { name: name.to_owned(), ..read })
}

fn names(folder: &std::path::Path) -> Vec<String> {
    let files = std::fs::read_dir(folder.join(FOLDER)).into_iter().flatten().flatten();
    let name = |file: std::fs::DirEntry| Some(file.file_name().into_string().ok()?.strip_suffix(".json")?.to_owned());
    let mut names: Vec<String> = files.filter_map(name).filter(|name| plain(name).is_ok()).collect();
    names.sort();
    names
}

/// All dashboards.
#[utoipa::path(get, path = "/dashboards", tag = "dashboards", responses((status = 200, body = Dashboards)))]
pub(crate) async fn list(State(api): State<Api>, asked: Asked) -> Response {
    let ask = |context: &Context<'_>, params: Params| {
        params.done()?;
        let of = |dashboard: Dashboard, ready: bool| {
            let etag = dashboard.answer(false)?.tag().to_owned();
            Ok(Listed { name: dashboard.name, title: dashboard.title, ready, etag })
        };
        let comes = READY.iter().filter_map(|(name, _)| ready(name)).map(|dashboard| of(dashboard, true));
        let kept = names(context.folder).into_iter().filter_map(|name| saved(context.folder, &name));
        let dashboards = comes.chain(kept.map(|dashboard| of(dashboard, false))).collect::<Result<_, Fault>>()?;
        Answer::json(&Dashboards { dashboards })
    };
    api.by_all(asked, ask).await
}

/// A dashboard, as JSON or YAML.
#[utoipa::path(get, path = "/dashboards/{name}", tag = "dashboards",
    params(("name" = String, Path, pattern = "^[a-z0-9_-]{1,100}$"),
    ("format" = Option<String>, Query, description = "json or yaml")),
    responses((status = 200, body = Dashboard), (status = 404)))]
pub(crate) async fn get(State(api): State<Api>, Path(name): Path<String>, asked: Asked) -> Response {
    let yaml = asked.yaml;
    let ask = move |context: &Context<'_>, params: Params| {
        params.done()?;
        plain(&name)?;
        let found = ready(&name).or_else(|| saved(context.folder, &name));
        found.ok_or_else(|| Fault::missing("there is no dashboard of this name"))?.answer(yaml)
    };
    api.by_all(asked, ask).await
}

/// Reads a body of JSON or YAML.
fn read(headers: &HeaderMap, body: &Bytes) -> Result<Dashboard, Fault> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    match kind.split(';').next().map(str::trim) {
        Some("application/json") => object(body),
        Some("application/yaml") => {
            let text = std::str::from_utf8(body).map_err(|error| Fault::wrong("body", error))?;
            serde_saphyr::from_str(text).map_err(|error| Fault::wrong("body", error))
        }
        _ => Err(Fault::of(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "content-type: expected application/json or application/yaml",
        )),
    }
}

/// Whether who asks saw what is there.
fn may_replace(headers: &HeaderMap, known: Option<&Dashboard>) -> Result<(), Fault> {
    let given = headers.get(header::IF_MATCH).and_then(|tag| tag.to_str().ok());
    let tag = known.map(|known| known.answer(false).map(|answer| answer.tag().to_owned())).transpose()?;
    match (given, tag) {
        (None, None) => Ok(()),
        (Some("*"), Some(_)) => Ok(()),
        (Some(given), Some(tag)) if given == tag => Ok(()),
        (None, Some(_)) => Err(Fault::of(
            StatusCode::PRECONDITION_REQUIRED,
            "if-match: is missing: there is a dashboard of this name; give its ETag to replace it",
        )),
        (Some(_), _) => Err(Fault::of(
            StatusCode::PRECONDITION_FAILED,
            "if-match: somebody else saved the dashboard meanwhile; read it again",
        )),
    }
}

/// Two writers at a time would both see what was there before.
static WRITING: std::sync::Mutex<()> = std::sync::Mutex::new(());

fn write(folder: &std::path::Path, dashboard: &Dashboard, headers: &HeaderMap) -> Result<Answer, Fault> {
    let failed =
        |error: std::io::Error| Fault::of(StatusCode::SERVICE_UNAVAILABLE, format!("it cannot be written: {error}"));
    let _one = WRITING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let known = saved(folder, &dashboard.name);
    may_replace(headers, known.as_ref())?;
    if known.is_none() && names(folder).len() >= SAVED_MAX {
        return Err(Fault::of(StatusCode::CONFLICT, format!("there are {SAVED_MAX} dashboards; delete one first")));
    }
    let path = path(folder, &dashboard.name);
    std::fs::create_dir_all(folder.join(FOLDER)).map_err(failed)?;
    let draft = path.with_extension("draft");
    let mut file = std::fs::File::create(&draft).map_err(failed)?;
    file.write_all(&serde_json::to_vec_pretty(dashboard)?).and_then(|()| file.sync_all()).map_err(failed)?;
    std::fs::rename(&draft, &path).map_err(failed)?;
    dashboard.answer(false)
}

/// Saves a dashboard; with `If-Match` it replaces the one that has this ETag.
#[utoipa::path(put, path = "/dashboards/{name}", tag = "dashboards",
    params(("name" = String, Path, pattern = "^[a-z0-9_-]{1,100}$"),
    ("If-Match" = Option<String>, Header, description = "ETag of the dashboard that is replaced")),
    request_body = Dashboard, responses((status = 200, body = Dashboard), (status = 400), (status = 403),
    (status = 412), (status = 415), (status = 428)))]
pub(crate) async fn put(State(api): State<Api>, Path(name): Path<String>, headers: HeaderMap, body: Bytes) -> Response {
    let folder = api.folder().to_owned();
    let save = move || {
        plain(&name)?;
        if ready(&name).is_some() {
            return Err(Fault::of(StatusCode::FORBIDDEN, "it comes with the program; save a copy under another name"));
        }
        let dashboard = Dashboard { name, ..read(&headers, &body)? };
        dashboard.check()?;
        write(&folder, &dashboard, &headers)
    };
    api.act(move |_| save()).await.map_or_else(|response| response, Answer::plain)
}

/// Deletes a dashboard.
#[utoipa::path(delete, path = "/dashboards/{name}", tag = "dashboards",
    params(("name" = String, Path, pattern = "^[a-z0-9_-]{1,100}$")),
    responses((status = 204), (status = 403), (status = 404)))]
pub(crate) async fn delete(State(api): State<Api>, Path(name): Path<String>) -> Response {
    let folder = api.folder().to_owned();
    let remove = move || {
        plain(&name)?;
        if ready(&name).is_some() {
            return Err(Fault::of(StatusCode::FORBIDDEN, "it comes with the program"));
        }
        std::fs::remove_file(path(&folder, &name)).map_err(|_| Fault::missing("there is no dashboard of this name"))
    };
    match api.act(move |_| remove()).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(response) => response,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_dashboards_are_right_and_survive_json_and_yaml() {
        for (name, _) in READY {
            let dashboard = ready(name).unwrap_or_else(|| panic!("{name} cannot be read"));
            dashboard.check().unwrap_or_else(|fault| panic!("{name}: {fault:?}"));
            let yaml = serde_saphyr::to_string(&dashboard).unwrap();
            assert_eq!(serde_saphyr::from_str::<Dashboard>(&yaml).unwrap(), dashboard, "{name}");
            let json = serde_json::to_string(&dashboard).unwrap();
            assert_eq!(serde_json::from_str::<Dashboard>(&json).unwrap(), dashboard, "{name}");
        }
    }

    #[test]
    fn only_who_saw_a_dashboard_replaces_it() {
        let folder = tempfile::tempdir().unwrap();
        let dashboard = Dashboard { name: "mine".to_owned(), ..ready("sales").unwrap() };
        let with = |tag: &str| HeaderMap::from_iter([(header::IF_MATCH, tag.parse().unwrap())]);
        assert!(write(folder.path(), &dashboard, &with("\"x\"")).is_err(), "there is none yet");
        let tag = write(folder.path(), &dashboard, &HeaderMap::new()).unwrap().tag().to_owned();
        assert!(write(folder.path(), &dashboard, &HeaderMap::new()).is_err());
        assert!(write(folder.path(), &dashboard, &with("\"x\"")).is_err());
        let changed = Dashboard { title: "Mine".to_owned(), ..dashboard };
        let next = write(folder.path(), &changed, &with(&tag)).unwrap().tag().to_owned();
        assert_ne!(next, tag);
        assert_eq!(saved(folder.path(), "mine"), Some(changed));
        assert_eq!(names(folder.path()), ["mine"]);
    }

    #[test]
    fn names_are_one_part_of_a_path() {
        for name in ["", "..", "a/b", "A", "a.b", &"a".repeat(101)] {
            assert!(plain(name).is_err(), "{name}");
        }
        assert!(plain("team-7_a").is_ok());
    }
}
