//! `vitals forms link`: signed links by which respondents answer a survey.
//!
//! It does not know the pages, nor that a process serves them: it needs the key alone.

use std::{
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail, ensure};
use ingest::forms::{
    Kind,
    link::{Key, Link},
};
use jiff::Timestamp;

use crate::{
    Usage,
    config::{Config, span_us},
    help,
};

/// Survey forms.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, clap::Subcommand)]
enum Command {
    /// Prints the link by which somebody answers. Links are signed: nobody can answer for another account.
    #[command(after_help = help::FORMS_LINK)]
    Link(Asked),
}

#[derive(Debug, Clone, clap::Args)]
struct Asked {
    /// What is asked: nps (a recommendation, 0 to 10), ces (effort, 1 to 7) or csat (satisfaction, 1 to 5)
    #[arg(long, value_name = "KIND", value_parser = kind)]
    kind: Kind,
    /// The account that is asked
    #[arg(long, value_name = "ACCOUNT", required_unless_present = "csv", conflicts_with = "csv")]
    account: Option<String>,
    /// Who of the account; of one respondent, survey and ticket the latest answer counts [default: whoever has the link]
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true, conflicts_with = "csv")]
    respondent: String,
    /// The ticket that it is about
    #[arg(long, value_name = "TICKET", default_value = "", hide_default_value = true, conflicts_with = "csv")]
    ticket: String,
    /// The survey, such as 2026-q4
    #[arg(long, value_name = "SURVEY", default_value = "", hide_default_value = true)]
    survey: String,
    /// Language of the page: en, ja or id [default: that of the browser]
    #[arg(long, value_name = "CODE", value_parser = ["en", "ja", "id"])]
    lang: Option<String>,
    /// When the link ends, from now; `never` for a link without an end
    #[arg(long, value_name = "SPAN", default_value = "90d")]
    expires: String,
    /// A link for each score, for buttons in a mail
    #[arg(long)]
    scores: bool,
    /// A line for each link: the columns `account`, and if there are any `respondent`, `ticket` and `lang`. Printed with the
    /// column `link`, or `link_0`, `link_1`, ... with --scores
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
}

fn kind(text: &str) -> Result<Kind, String> {
    let found = Kind::ALL.into_iter().find(|kind| kind.name() == text);
    found.ok_or_else(|| "expected nps, ces or csat".to_owned())
}

/// Runs the command.
pub(crate) fn run(args: &Args, config: &Config, data: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
    let Command::Link(asked) = &args.command;
    let maker = Maker {
        key: config.forms(data).map_err(Usage)?.key,
        address: config.forms_address().map_err(Usage)?,
        end_s: end(&asked.expires).map_err(Usage)?,
        asked,
    };
    match &asked.csv {
        Some(file) => maker.file(file, out).map_err(|error| Usage(error).into()),
        None => {
            let account = asked.account.as_deref().unwrap_or_default();
            let link = maker.link(account, &asked.respondent, &asked.ticket, "").map_err(Usage)?;
            maker.addresses(&link).iter().try_for_each(|address| Ok(writeln!(out, "{address}")?))
        }
    }
}

/// When a link ends that is made now, seconds since the Unix epoch.
fn end(expires: &str) -> anyhow::Result<Option<i64>> {
    if expires == "never" {
        return Ok(None);
    }
    let span = span_us(expires).filter(|span| *span > 0);
    let Some(span) = span else { bail!("--expires: is {expires:?}, expected a span such as 90d or 12h, or never") };
    Ok(Some(Timestamp::now().as_second().saturating_add(span / 1_000_000)))
}

struct Maker<'a> {
    key: Key,
    address: String,
    end_s: Option<i64>,
    asked: &'a Asked,
}

impl Maker<'_> {
    /// A link; without a language of its own it has that of the flag.
    fn link(&self, account: &str, respondent: &str, ticket: &str, language: &str) -> anyhow::Result<Link> {
        ensure!(!account.trim().is_empty(), "the account is empty");
        let language = if language.is_empty() { self.asked.lang.as_deref().unwrap_or_default() } else { language };
        Ok(Link {
            kind: self.asked.kind,
            account: account.to_owned(),
            respondent: respondent.to_owned(),
            survey: self.asked.survey.clone(),
            ticket: ticket.to_owned(),
            end_s: self.end_s,
            language: language.to_owned(),
        })
    }

    /// The address of a link, or one for each score.
    fn addresses(&self, link: &Link) -> Vec<String> {
        let address = format!("{}/f/{}", self.address, link.sign(&self.key));
        if !self.asked.scores {
            return vec![address];
        }
        let (low, high) = link.kind.scale();
        (low..=high).map(|score| format!("{address}?score={score}")).collect()
    }

    /// The lines of a file with their links.
    fn file(&self, path: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
        let name = path.display().to_string();
        let mut lines = csv::Reader::from_reader(File::open(path).with_context(|| name.clone())?);
        let head = lines.headers().with_context(|| name.clone())?.clone();
        let column = |wanted: &str| head.iter().position(|name| name.trim() == wanted);
        let Some(account) = column("account") else {
            let found: Vec<&str> = head.iter().collect();
            bail!("{name}:1: there is no column account; there are {}", found.join(", "));
        };
        let optional = ["respondent", "ticket", "lang"].map(column);

        let mut written = csv::Writer::from_writer(out);
        let names = match self.asked.scores {
            false => vec!["link".to_owned()],
            true => {
                let (low, high) = self.asked.kind.scale();
                (low..=high).map(|score| format!("link_{score}")).collect()
            }
        };
        written.write_record(head.iter().chain(names.iter().map(String::as_str)))?;
        for line in lines.records() {
            let line = line.with_context(|| name.clone())?;
            let [respondent, ticket, language] =
                optional.map(|place| place.and_then(|place| line.get(place)).unwrap_or_default());
            let link = self.link(line.get(account).unwrap_or_default(), respondent, ticket, language);
            let place = line.position().map_or(0, csv::Position::line);
            let link = link.with_context(|| format!("{name}:{place}"))?;
            let addresses = self.addresses(&link);
            written.write_record(line.iter().chain(addresses.iter().map(String::as_str)))?;
        }
        written.flush().map_err(|error: io::Error| error.into())
    }
}
