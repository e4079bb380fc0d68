//! `vitals imports`: which imports there were, and how each ended. It follows the log: another process may write.

use std::{collections::BTreeMap, io::Write, path::Path};

use ingest::{import::imports, render_rfc3339};
use proto::v1::Import;
use serde_json::json;

use crate::{
    Usage,
    config::Config,
    output::{self, table::Side},
    quarantine::local,
    site,
};

/// Flags of `vitals imports`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

const HEADER: [(&str, Side); 9] = [
    ("import", Side::Name),
    ("began", Side::Name),
    ("files", Side::Left),
    ("mapping", Side::Left),
    ("lines", Side::Right),
    ("rejected", Side::Right),
    ("left out", Side::Right),
    ("events", Side::Right),
    ("outcome", Side::Left),
];

/// How an import ended.
enum Outcome<'a> {
    Unfinished,
    Done,
    /// Taken back by the import of this id.
    Undone(&'a str),
}

/// Runs the command.
pub(crate) fn execute(args: &Args, config: &Config, path: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
    let log = site::follow(config, path)?;
    let all = imports(log.as_ref())?;
    let undone: BTreeMap<&str, &str> =
        all.iter().filter(|by| by.ended && !by.undoes.is_empty()).map(|by| (&*by.undoes, &*by.id)).collect();
    let outcome = |import: &Import| match undone.get(&*import.id) {
        Some(by) => Outcome::Undone(by),
        None if import.ended => Outcome::Done,
        None => Outcome::Unfinished,
    };
    if args.json {
        return all.iter().try_for_each(|import| json(import, &outcome(import), out));
    }
    if all.is_empty() {
        writeln!(out, "no imports")?;
        return Ok(());
    }
    let zone = config.settings().map_err(Usage)?.zone;
    let row = |import: &Import| {
        let files = match import.undoes.as_str() {
            "" => import.files.join(", "),
            other => format!("(takes back {other})"),
        };
        let how = match outcome(import) {
            Outcome::Unfinished => "unfinished: the same command goes on".to_owned(),
            Outcome::Done if import.replace => "done, replaced".to_owned(),
            Outcome::Done => "done".to_owned(),
            Outcome::Undone(by) => format!("undone by {by}"),
        };
        vec![
            import.id.clone(),
            local(import.began_us, &zone),
            files,
            import.mapping.clone(),
            import.read.to_string(),
            import.rejected.to_string(),
            import.left_out.to_string(),
            import.appended.to_string(),
            how,
        ]
    };
    output::table(&HEADER, all.iter().map(row), out)?;
    writeln!(out, "`vitals import --undo IMPORT` takes back what one brought")?;
    Ok(())
}

fn json(import: &Import, outcome: &Outcome<'_>, out: &mut dyn Write) -> anyhow::Result<()> {
    let (status, by) = match outcome {
        Outcome::Unfinished => ("unfinished", None),
        Outcome::Done => ("done", None),
        Outcome::Undone(by) => ("undone", Some(*by)),
    };
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let object = json!({
        "import": import.id,
        "began": render_rfc3339(import.began_us),
        "files": import.files,
        "mapping": some(&import.mapping),
        "replace": import.replace,
        "undoes": some(&import.undoes),
        "lines": import.read,
        "rejected": import.rejected,
        "left_out": import.left_out,
        "events": import.appended,
        "status": status,
        "undone_by": by,
    });
    writeln!(out, "{object}")?;
    Ok(())
}
