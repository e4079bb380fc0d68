//! `vitals init`: a folder to begin with. It holds what may be changed, each file with comments, and nothing that was there is
//! overwritten.

use std::{
    fs::{self, OpenOptions},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, anyhow};

use crate::Usage;

/// Flags of `vitals init`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder, which is made where it is missing
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

const DEFAULTS: &str = include_str!("../deploy/config/default.toml");
const RULES: &str = include_str!("../deploy/rules/churn-risk.yaml");
/// What the configuration says of the files beside it, in the place of the defaults.
const CHANGES: [(&str, &str); 3] = [
    (
        "# Every setting with its default. Copy what you change into vitals.toml and pass it with --config.",
        "# Every setting with its default; catalog and rules name the files in this folder. A line that is removed has its default.",
    ),
    ("catalog = \"\"", "catalog = \"catalog.yaml\""),
    ("rules = []", "rules = [\"rules.yaml\"]"),
];

/// Runs the command.
pub(crate) fn run(args: &Args, out: &mut dyn Write) -> anyhow::Result<()> {
    let files = [
        ("vitals.toml", configuration()),
        ("catalog.yaml", processor_core::catalog::BUILT_IN.to_owned()),
        ("rules.yaml", RULES.to_owned()),
    ];
    let folder = &args.folder;
    if let Some((name, _)) = files.iter().find(|(name, _)| folder.join(name).exists()) {
        let problem =
            anyhow!("{}: is there already, and is not overwritten; name another folder", folder.join(name).display());
        return Err(Usage(problem).into());
    }
    fs::create_dir_all(folder).with_context(|| format!("{}: cannot be made", folder.display()))?;
    files.iter().try_for_each(|(name, text)| write(&folder.join(name), text))?;
    writeln!(
        out,
        "{folder} has vitals.toml (every setting, explained), catalog.yaml (what is measured) and rules.yaml (alerts on risk of \
         churn). Next:\n  cd {folder}\n  vitals up --config vitals.toml --data data",
        folder = folder.display()
    )?;
    writeln!(
        out,
        "then send events to http://127.0.0.1:8080/v1/events, and ask:\n  vitals query events --data data\n  vitals status --config \
         vitals.toml --data data"
    )?;
    Ok(())
}

/// The defaults with the files of the folder.
fn configuration() -> String {
    CHANGES.iter().fold(DEFAULTS.to_owned(), |text, (default, change)| text.replacen(default, change, 1))
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    // Not one that another process made since.
    let file = OpenOptions::new().write(true).create_new(true).open(path);
    let mut file = file.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => anyhow!("{}: is there already, and is not overwritten", path.display()),
        _ => anyhow!("{}: cannot be written: {error}", path.display()),
    })?;
    file.write_all(text.as_bytes()).with_context(|| format!("{}: cannot be written", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn the_configuration_is_the_defaults_with_the_files() {
        for (default, _) in CHANGES {
            assert!(DEFAULTS.contains(default), "{default}");
        }
        let config = Config::parse(&configuration()).unwrap();
        assert_eq!(config.catalog(), Some(Path::new("catalog.yaml")));
        assert_eq!(config.alerts.rules, [PathBuf::from("rules.yaml")]);
    }
}
