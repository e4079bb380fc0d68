//! The rules of alerts: the files that the configuration names, watched while the stages run.
//!
//! Invariants: a file with a mistake leaves the rules before it in force, and every mistake is logged with line and column;
//! rules are read again on SIGHUP and when a file changes. What a change does to alerts that fire, the task knows.

pub(crate) mod command;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use alert::Rules;
use anyhow::{Context as _, anyhow};
use processor_core::plan::Plan;

use crate::{Usage, diagnostic};

/// How often files are looked at.
pub(crate) const LOOK: Duration = Duration::from_secs(1);

/// Rule files, and the rules that they held when they were last right.
#[derive(Debug, Clone)]
pub(crate) struct RuleFiles {
    paths: Arc<[PathBuf]>,
    plan: Arc<Plan>,
    state: Arc<RwLock<State>>,
}

#[derive(Debug)]
struct State {
    rules: Rules,
    /// The texts as last read, right or wrong.
    texts: Vec<String>,
}

impl RuleFiles {
    /// Reads the files; none gives the built-in rules. A name of a ready pack stands for the pack.
    pub(crate) fn open(paths: &[PathBuf], plan: Arc<Plan>) -> anyhow::Result<RuleFiles> {
        let texts = paths.iter().map(|path| read(path)).collect::<anyhow::Result<Vec<_>>>()?;
        let rules = parse(paths, &texts, &plan).map_err(Usage)?;
        let state = Arc::new(RwLock::new(State { rules, texts }));
        Ok(RuleFiles { paths: paths.into(), plan, state })
    }

    /// The rules in force.
    pub(crate) fn rules(&self) -> Rules {
        self.state.read().unwrap_or_else(PoisonError::into_inner).rules.clone()
    }

    /// The rules on a metric, as text.
    pub(crate) fn text_of(&self, metric: &str) -> String {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let of = state.rules.metrics.iter().find(|of| of.metric == metric);
        of.map(|of| of.text.clone()).unwrap_or_default()
    }

    /// Reads the files again, if they are others than before or `always`.
    pub(crate) fn look(&self, always: bool) {
        let texts = match self.paths.iter().map(|path| read(path)).collect::<anyhow::Result<Vec<_>>>() {
            Ok(texts) => texts,
            // A file that is being replaced may not be there for a moment.
            Err(error) if always => return tracing::error!("the rules stay as they are: {error:#}"),
            Err(_) => return,
        };
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if texts == state.texts && !always {
            return;
        }
        state.texts.clone_from(&texts);
        match parse(&self.paths, &texts, &self.plan) {
            Ok(rules) => {
                tracing::info!(rules = rules.names().count(), "rules are read");
                state.rules = rules;
            }
            Err(error) => tracing::error!("the rules stay as they are: {error:#}"),
        }
    }
}

fn read(path: &Path) -> anyhow::Result<String> {
    match alert::ready(&path.to_string_lossy()) {
        Some(text) => Ok(text.to_owned()),
        None => std::fs::read_to_string(path).with_context(|| format!("{}: cannot be read", path.display())),
    }
}

fn parse(paths: &[PathBuf], texts: &[String], plan: &Plan) -> anyhow::Result<Rules> {
    if paths.is_empty() {
        return Ok(Rules::built_in(plan));
    }
    let (mut rules, mut wrong) = (Rules::default(), Vec::new());
    for (path, text) in paths.iter().zip(texts) {
        match of_file(path, text, plan) {
            Ok(more) => rules = rules.join(more).map_err(|twice| anyhow!("{}: {twice}", path.display()))?,
            Err(error) => wrong.push(error.to_string()),
        }
    }
    match wrong.is_empty() {
        true => Ok(rules),
        false => Err(anyhow!("{}", wrong.join("\n"))),
    }
}

/// The rules of a file.
///
/// # Errors
/// Every mistake of it, as people see it.
pub(crate) fn of_file(path: &Path, text: &str, plan: &Plan) -> anyhow::Result<Rules> {
    Rules::parse(text, plan).map_err(|errors| {
        let told = errors.iter().map(|error| diagnostic::of_catalog(path, text, error).to_string());
        anyhow!("{}", told.collect::<Vec<_>>().join("\n"))
    })
}

/// Reads a file of rules, or a ready pack.
pub(crate) fn load(path: &Path, plan: &Plan) -> anyhow::Result<Rules> {
    of_file(path, &read(path)?, plan)
}

/// A flag that is true after each SIGHUP, until it is asked.
pub(crate) fn hangups() -> anyhow::Result<impl Fn() -> bool> {
    let seen = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let flag = seen.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name("hangups".to_owned()).spawn(move || {
        runtime.block_on(async {
            let kind = tokio::signal::unix::SignalKind::hangup();
            let Ok(mut hangup) = tokio::signal::unix::signal(kind) else { return };
            while hangup.recv().await.is_some() {
                flag.store(true, std::sync::atomic::Ordering::Relaxed);
            }
        });
    })?;
    Ok(move || seen.swap(false, std::sync::atomic::Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use processor_core::settings::Settings;

    use super::*;

    #[test]
    fn a_file_that_changes_is_read_and_a_wrong_one_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rules.yaml");
        let write = |rule: &str| std::fs::write(&path, format!("groups: [{{name: g, rules: [{rule}]}}]")).unwrap();
        write("{alert: A, silence: 60d}");
        let plan = Arc::new(Plan::built_in(&Settings::default()).unwrap());
        let files = RuleFiles::open(std::slice::from_ref(&path), plan.clone()).unwrap();
        let names = |files: &RuleFiles| files.rules().names().map(ToOwned::to_owned).collect::<Vec<_>>();
        assert_eq!(names(&files), ["A"]);

        write("{alert: B, silence: 90d}");
        files.look(false);
        assert_eq!(names(&files), ["B"]);
        write("{alert: C, silence: 91d}");
        files.look(false);
        assert_eq!(names(&files), ["B"]);
        std::fs::remove_file(&path).unwrap();
        files.look(true);
        assert_eq!(names(&files), ["B"]);
        let message = RuleFiles::open(&[path], plan).unwrap_err().to_string();
        assert!(message.ends_with("rules.yaml: cannot be read"), "{message}");
    }
}
