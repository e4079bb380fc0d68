//! Silences and acknowledgements on their way into the log: through the door of the process that has it, or directly.
//!
//! Invariant: an action that is answered as taken is durable. It does not know what an action changes.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use alert::notify::action::{Asked, output};
use anyhow::Context as _;
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::post,
};
use eventlog::{Cleanup, Commit, Log, TopicSpec, embedded::Embedded, kafka::Kafka};
use http::{Pool, problem};
use processor::topics;
use serde_json::json;

use crate::{Usage, config::Config, site};

const PRODUCER: &str = "alert-actions";
/// How long an action waits for those before it.
const WAIT: Duration = Duration::from_secs(30);

/// Where an action goes if a live process has the log.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Door {
    /// The door of the live process [default: of the configuration]
    #[arg(long, global = true, value_name = "ADDRESS:PORT")]
    door: Option<SocketAddr>,
}

/// Writes the action, and returns its id.
pub(crate) fn send(asked: &Asked, door: &Door, config: &Config, path: &Path) -> anyhow::Result<String> {
    if let Some(settings) = crate::kafka::settings(config).map_err(Usage)? {
        return append(Kafka::connect(settings)?.as_ref(), asked);
    }
    match Embedded::open(site::log_of(path)?, eventlog::embedded::Config::default()) {
        Ok(log) => {
            let name = topics::ALERT_ACTIONS.to_owned();
            log.create_topic(&TopicSpec { name, partitions: 1, cleanup: Cleanup::Keep })?;
            append(log.as_ref(), asked)
        }
        Err(eventlog::Error::InUse { .. }) => {
            let address = door.door.map_or_else(|| config.port().map(|port| port.listen), Ok).map_err(Usage)?;
            let answer =
                alert::notify::post(&format!("http://{address}/v1/alert-actions"), serde_json::to_string(asked)?);
            let answer = answer.map_err(anyhow::Error::msg).context(
                "a live process has the log, and takes actions at its door; name the door with --door ADDRESS:PORT",
            )?;
            let answer: serde_json::Value = serde_json::from_str(&answer)?;
            Ok(answer["id"].as_str().unwrap_or_default().to_owned())
        }
        Err(error) => Err(error.into()),
    }
}

/// Writes the action to a log that is open, and returns its id.
pub(crate) fn append(log: &dyn Log, asked: &Asked) -> anyhow::Result<String> {
    // Two producers at a time would fence each other.
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let now_us = jiff::Timestamp::now().as_microsecond();
    let action = asked.action(now_us).map_err(|problem| Usage(anyhow::Error::msg(problem)))?;
    let commit = Commit { outputs: vec![output(&action)], offsets: Vec::new() };
    log.producer(PRODUCER)?.commit(commit)?;
    Ok(action.id)
}

/// What takes actions.
#[derive(Clone)]
struct Front {
    log: Arc<dyn Log>,
    pool: Pool,
}

/// `POST /v1/alert-actions`: the body is what [`Asked`] is in JSON.
pub(crate) fn router(log: Arc<dyn Log>) -> Router {
    // Two requests at a time would fence each other.
    let pool = Pool::new("actions", 1, WAIT);
    Router::new().route("/v1/alert-actions", post(take)).with_state(Front { log, pool })
}

async fn take(State(front): State<Front>, headers: HeaderMap, body: Bytes) -> Response {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.split(';').next().map(str::trim) != Some("application/json") {
        return problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, "expected application/json");
    }
    let asked: Asked = match serde_json::from_slice(&body) {
        Ok(asked) => asked,
        Err(error) => return problem(StatusCode::BAD_REQUEST, &format!("the body is no action: {error}")),
    };
    match front.pool.run(move || append(front.log.as_ref(), &asked)).await {
        Ok(Ok(id)) => {
            ([(header::CONTENT_TYPE, "application/json")], format!("{}\n", json!({"id": id}))).into_response()
        }
        Ok(Err(error)) if error.is::<Usage>() => problem(StatusCode::UNPROCESSABLE_ENTITY, &error.to_string()),
        Ok(Err(error)) => problem(StatusCode::SERVICE_UNAVAILABLE, &format!("nothing was written: {error:#}")),
        Err(refusal) => refusal.into_response(),
    }
}
