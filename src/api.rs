//! What the API needs of the process: the log, the rules, and what people do about alerts, by what the commands do.
//!
//! Actions and goals are folds over topics of the log that are read on from where they were read to; what there is of an
//! account the stages of the process keep. It does not know HTTP.

mod catalog;
mod goals;
mod known;
mod letters;
mod rules;

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use alert::notify::{
    Matcher,
    action::{Actions, Asked},
};
use axum::Router;
use dashboard::backend::{
    Acknowledged, Act, Backend, Done, Events, Formula, GoalTerms, Known, Letters, Rule, Silence, Trouble,
};
use eventlog::Log;
use ingest::{event::TENANT, live::Handle, partition};
use processor::{account::Shared, topics};
use proto::{Message as _, v1::AlertAction};
use serde_json::value::RawValue;
use store::window::rfc3339;

use crate::{Usage, actions, config::Config, engine::Engine, explain, node::Node, site::Site, status};

/// The process behind the API.
pub(crate) struct Process {
    site: Arc<Site>,
    /// The stages.
    engine: Arc<Engine>,
    /// When it began.
    since: jiff::Timestamp,
    formulas: HashMap<String, Formula>,
    folder: PathBuf,
    /// The door, for records that are handed in again.
    door: Handle,
    actions: Mutex<(u64, Actions)>,
    goals: Mutex<(u64, BTreeMap<String, GoalTerms>)>,
}

/// The routes of the API over a running process.
pub(crate) fn router(engine: &Arc<Engine>, config: &Config, door: Handle) -> anyhow::Result<Router> {
    let site = &engine.site;
    let process = Process {
        engine: engine.clone(),
        since: jiff::Timestamp::now(),
        formulas: catalog::formulas(config).map_err(Usage)?,
        folder: site.path.clone(),
        site: site.clone(),
        door,
        actions: Mutex::default(),
        goals: Mutex::default(),
    };
    Ok(dashboard::router(&site.path, TENANT, Arc::new(process)))
}

fn failed(error: impl std::fmt::Display) -> Trouble {
    Trouble::Failed(error.to_string())
}

/// What is wrong with a question is the asker's; all else is ours.
fn trouble(error: &anyhow::Error) -> Trouble {
    let text = crate::message(error);
    if !error.is::<Usage>() {
        return Trouble::Failed(text);
    }
    for (flag, field) in [("--at: ", "at"), ("--since: ", "since")] {
        if let Some(problem) = text.strip_prefix(flag) {
            return Trouble::Wrong(field, problem.replace("--at", "at").replace("--since", "since"));
        }
    }
    Trouble::NotFound(text)
}

fn now_us() -> i64 {
    jiff::Timestamp::now().as_microsecond()
}

impl Process {
    fn log(&self) -> &dyn Log {
        self.site.log.as_ref()
    }

    /// What the stages keep; none while they are started again.
    fn kept(&self) -> Option<Arc<Shared>> {
        self.engine.ask(Node::kept)
    }

    fn place<'a>(&'a self, kept: &'a Option<Arc<Shared>>) -> known::Place<'a> {
        known::Place { log: self.log(), kept: kept.as_deref(), plan: &self.site.plan, partitions: self.site.partitions }
    }

    /// What was done about alerts until now.
    fn actions(&self) -> Result<MutexGuard<'_, (u64, Actions)>, Trouble> {
        let mut known = self.actions.lock().unwrap_or_else(PoisonError::into_inner);
        for stored in eventlog::past(self.log(), topics::ALERT_ACTIONS, 0, known.0).map_err(failed)? {
            let stored = stored.map_err(failed)?;
            known.0 = stored.offset + 1;
            let action = stored.record.value.and_then(|value| AlertAction::decode(value).ok());
            // The notifier warns of one that it leaves out.
            let _ = action.map(|action| known.1.apply(action));
        }
        Ok(known)
    }
}

impl Backend for Process {
    fn is_demo(&self) -> bool {
        self.folder.join(crate::demo::FILE).exists()
    }

    fn formula(&self, metric: &str) -> Option<Formula> {
        self.formulas.get(metric).cloned()
    }

    fn rules(&self) -> Vec<Rule> {
        rules::all(&self.site.rules.rules())
    }

    fn goals(&self) -> Result<Vec<GoalTerms>, Trouble> {
        let mut known = self.goals.lock().unwrap_or_else(PoisonError::into_inner);
        let at = partition::of(TENANT.as_bytes(), self.site.partitions);
        let (next, goals) = &mut *known;
        *next = goals::read(self.log(), at, *next, goals).map_err(failed)?;
        Ok(goals.values().cloned().collect())
    }

    fn events(&self, account: &str, cursor: Option<&str>, limit: usize) -> Result<Events, Trouble> {
        self.place(&self.kept()).events(account, cursor, limit)
    }

    fn known(&self, account: &str, before_us: i64) -> Result<Option<Known>, Trouble> {
        self.place(&self.kept()).known(account, before_us)
    }

    fn explain(&self, account: &str, at: Option<&str>, since: Option<&str>) -> Result<Box<RawValue>, Trouble> {
        let args = explain::Args::json(account, TENANT, at, since);
        let mut out = Vec::new();
        let kept = self.kept();
        let place = (self.log(), kept.as_deref());
        explain::of_log(&args, &self.site.plan, None, place, &mut out).map_err(|error| trouble(&error))?;
        serde_json::from_slice(&out).map_err(failed)
    }

    fn letters(&self, cursor: Option<&str>, limit: usize) -> Result<Letters, Trouble> {
        letters::page(self.log(), cursor, limit)
    }

    fn replay(&self, letter: &str) -> Result<String, Trouble> {
        letters::replay(self.log(), &self.door, letter)
    }

    fn pipeline(&self) -> Result<serde_json::Value, Trouble> {
        let status = status::of_process(&self.engine, self.since).map_err(failed)?;
        serde_json::to_value(status).map_err(failed)
    }

    fn done(&self, alerts: &[(String, BTreeMap<String, String>)]) -> Result<Vec<Done>, Trouble> {
        let known = self.actions()?;
        let done = |(id, labels): &(String, BTreeMap<String, String>)| Done {
            acknowledged: known
                .1
                .acknowledged(id)
                .map(|action| Acknowledged { by: action.by.clone(), at: rfc3339(action.at_us) }),
            silenced_until: known.1.silenced_until(labels, now_us()).map(rfc3339),
        };
        Ok(alerts.iter().map(done).collect())
    }

    fn silences(&self) -> Result<Vec<Silence>, Trouble> {
        let known = self.actions()?;
        let lasting = known.1.silences().filter(|silence| silence.ends_us > now_us());
        let form = |silence: &alert::notify::action::Silenced| Silence {
            id: silence.id.clone(),
            matchers: silence.matchers.iter().map(Matcher::written).map(str::to_owned).collect(),
            since: rfc3339(silence.starts_us),
            until: rfc3339(silence.ends_us),
            by: silence.by.clone(),
            comment: silence.comment.clone(),
        };
        Ok(lasting.map(form).collect())
    }

    fn act(&self, act: &Act, by: &str, comment: &str) -> Result<String, Trouble> {
        let mut asked = Asked { by: by.to_owned(), comment: comment.to_owned(), ..Asked::default() };
        match act {
            Act::Acknowledge { alert } => asked.ack = Some(alert.clone()),
            Act::Silence { matchers, until_us } => {
                let seconds = until_us.saturating_sub(now_us()) / 1_000_000;
                if seconds <= 0 {
                    return Err(Trouble::Wrong("until", "is not after now".to_owned()));
                }
                asked.silence.clone_from(matchers);
                asked.lasts = Some(format!("{seconds}s"));
            }
            Act::End { silence } => {
                if !self.actions()?.1.silences().any(|known| known.id == *silence) {
                    return Err(Trouble::NotFound("there is no silence of this id".to_owned()));
                }
                asked.end = Some(silence.clone());
            }
        }
        let done = actions::append(self.log(), &asked);
        done.map_err(|error| match error.is::<Usage>() {
            true => Trouble::Wrong("matchers", crate::message(&error)),
            false => Trouble::Later(format!("nothing was written: {}", crate::message(&error))),
        })
    }
}
