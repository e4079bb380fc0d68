//! `vitals rules`: what rule files say, and tests of rules.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use alert::{Rules, Trials};
use anyhow::{Context as _, Result, anyhow};
use processor_core::plan::Plan;

use super::load;
use crate::{Usage, config::Config, diagnostic, help, output::number::plain_count_of};

/// Arguments of `vitals rules`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Report every mistake in a rule file, with its place and the cure; print the rules in words
    #[command(after_help = help::RULES_CHECK)]
    Check {
        /// The rule file, or the name of a ready pack
        file: PathBuf,
    },
    /// Run tests of rules: values in, alerts out
    #[command(after_help = help::RULES_TEST)]
    Test {
        /// The files of tests
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
}

/// Runs the command.
pub(crate) fn run(args: &Args, config: &Config, out: &mut dyn Write) -> Result<()> {
    let plan = config.plan().map_err(Usage)?;
    match &args.command {
        Command::Check { file } => check(file, &plan, out),
        Command::Test { files } => test(files, &plan, out),
    }
}

fn check(file: &Path, plan: &Plan, out: &mut dyn Write) -> Result<()> {
    let rules = load(file, plan).map_err(Usage)?;
    let words = rules.words();
    let width = words.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, words) in &words {
        writeln!(out, "{name:width$}  {words}")?;
    }
    Ok(writeln!(out, "{}: {}, nothing is wrong", file.display(), plain_count_of(words.len() as u64, "rule"))?)
}

/// It is an error where a test fails.
fn test(files: &[PathBuf], plan: &Plan, out: &mut dyn Write) -> Result<()> {
    let (mut passed, mut failed) = (0_u64, 0_u64);
    for file in files {
        let text = std::fs::read_to_string(file).with_context(|| format!("{}: cannot be read", file.display()))?;
        let wrong = |error: &_| Usage(diagnostic::of_catalog(file, &text, error));
        let trials = Trials::parse(&text).map_err(|error| wrong(&error))?;
        let rules = rules_of(&trials, file, plan)?;
        let outcomes = trials.run(&rules, plan).map_err(|errors| {
            let told: Vec<String> = errors.iter().map(|error| wrong(error).to_string()).collect();
            Usage(anyhow!("{}", told.join("\n")))
        })?;
        for outcome in outcomes {
            let is_right = outcome.differences.is_empty();
            *(if is_right { &mut passed } else { &mut failed }) += 1;
            writeln!(out, "{} {}", if is_right { "passed" } else { "FAILED" }, outcome.name)?;
            for difference in &outcome.differences {
                writeln!(out, "  {}:{}: {difference}", file.display(), outcome.line)?;
            }
        }
    }
    writeln!(out, "{} passed, {failed} failed", plain_count_of(passed, "test"))?;
    if failed > 0 { Err(anyhow!("{} of rules failed", plain_count_of(failed, "test"))) } else { Ok(()) }
}

/// The rules that a file of tests names, relative to it.
fn rules_of(trials: &Trials, file: &Path, plan: &Plan) -> Result<Rules> {
    let folder = file.parent().unwrap_or(Path::new(""));
    let mut rules = Rules::default();
    for name in &trials.rules {
        let path = if alert::ready(name).is_some() { PathBuf::from(name) } else { folder.join(name) };
        let more = load(&path, plan).map_err(Usage)?;
        rules = rules.join(more).map_err(|twice| Usage(anyhow!("{}: {twice}", path.display())))?;
    }
    Ok(rules)
}
