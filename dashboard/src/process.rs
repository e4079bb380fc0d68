//! What is read of the process itself: backtests, dead letters, the pipeline.

use axum::{
    extract::{Path, State},
    response::Response,
};
use serde::Serialize;
use serde_json::value::RawValue;
use store::window::rfc3339;
use utoipa::ToSchema;

use crate::{
    api::{Answer, Api, Context},
    asked::{Asked, name},
    backend::Letters,
    fault::Fault,
    params::Params,
};

/// Where `vitals backtest --json` output is looked for, below the data directory.
const FOLDER: &str = "backtests";
/// No longer file is read.
const FILE_MAX: u64 = 64 << 20;

/// Results of backtests.
#[derive(Debug, Serialize, ToSchema)]
pub struct Backtests {
    /// The newest first.
    backtests: Vec<Backtest>,
}

/// A result of a backtest.
#[derive(Debug, Serialize, ToSchema)]
pub struct Backtest {
    /// Its name.
    name: String,
    /// When its file was written.
    made_at: String,
    /// Its file, below the data directory.
    file: String,
}

/// A name that is one part of a path.
fn is_plain(name: &str) -> bool {
    !name.starts_with('.') && name.chars().all(|c| c.is_ascii_alphanumeric() || ['-', '_', '.'].contains(&c))
}

fn found(context: &Context<'_>) -> Vec<Backtest> {
    let files = std::fs::read_dir(context.folder.join(FOLDER)).into_iter().flatten().flatten();
    let of = |file: std::fs::DirEntry| {
        let path = file.file_name().into_string().ok()?;
        let name = path.strip_suffix(".json").filter(|name| is_plain(name))?.to_owned();
        let made = file.metadata().ok()?.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
        let made_at = rfc3339(i64::try_from(made.as_micros()).ok()?);
        Some(Backtest { name, made_at, file: format!("{FOLDER}/{path}") })
    };
    let mut backtests: Vec<Backtest> = files.filter_map(of).collect();
    backtests.sort_by(|a, b| b.made_at.cmp(&a.made_at).then_with(|| a.name.cmp(&b.name)));
    backtests
}

/// Results of backtests that lie in `DIR/backtests/`.
#[utoipa::path(get, path = "/backtests", tag = "backtests", responses((status = 200, body = Backtests)))]
pub(crate) async fn backtests(State(api): State<Api>, asked: Asked) -> Response {
    let ask = |context: &Context<'_>, params: Params| {
        params.done()?;
        Answer::json(&Backtests { backtests: found(context) })
    };
    api.by_all(asked, ask).await
}

/// A result of a backtest, as `vitals backtest --json` wrote it.
#[utoipa::path(get, path = "/backtests/{name}", tag = "backtests", params(("name" = String, Path)),
    responses((status = 200, body = Object), (status = 404)))]
pub(crate) async fn backtest(State(api): State<Api>, Path(of): Path<String>, asked: Asked) -> Response {
    let ask = move |context: &Context<'_>, params: Params| {
        params.done()?;
        let none = || Fault::missing("there is no backtest of this name");
        let of = Some(name("name", of)?).filter(|of| is_plain(of)).ok_or_else(none)?;
        let path = context.folder.join(FOLDER).join(format!("{of}.json"));
        let size = std::fs::metadata(&path).map_err(|_| none())?.len();
        let text = if size <= FILE_MAX { std::fs::read_to_string(&path).map_err(|_| none())? } else { String::new() };
        let whole: Result<Box<RawValue>, _> = serde_json::from_str(&text);
        let damaged = |_| Fault::missing("the file of this backtest is no JSON; write it with `--json`");
        Answer::json(&whole.map_err(damaged)?)
    };
    api.by_all(asked, ask).await
}

/// Records that could not be used.
#[utoipa::path(get, path = "/dead-letters", tag = "process", params(("cursor" = Option<String>, Query),
    ("limit" = Option<u64>, Query, minimum = 1, maximum = 1000)),
    responses((status = 200, body = Letters), (status = 400)))]
pub(crate) async fn letters(State(api): State<Api>, asked: Asked) -> Response {
    let ask = |context: &Context<'_>, mut params: Params| {
        let cursor = params.take("cursor");
        let limit = params.number("limit", 1, 1_000, 50)?;
        params.done()?;
        Answer::json(&context.backend.letters(cursor.as_deref(), limit)?)
    };
    api.by_all(asked, ask).await
}

/// How far each stage is, disk, retention, and how events ended.
#[utoipa::path(get, path = "/pipeline", tag = "process", responses((status = 200, body = Object)))]
pub(crate) async fn pipeline(State(api): State<Api>, asked: Asked) -> Response {
    let ask = |context: &Context<'_>, params: Params| {
        params.done()?;
        Answer::json(&context.backend.pipeline()?)
    };
    api.by_all(asked, ask).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_stay_in_their_folder() {
        for name in ["churn-risk", "2026-11-28_a.b"] {
            assert!(is_plain(name), "{name}");
        }
        for name in ["../store", "a/b", "..", ".hidden", "a\0", "ü"] {
            assert!(!is_plain(name), "{name}");
        }
    }
}
