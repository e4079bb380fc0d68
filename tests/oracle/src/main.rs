//! The command `oracle`.
//!
//!     oracle LOG [settings]                  the rows, one JSON object a line
//!     oracle LOG [settings] --diff ROWS      compare with the rows of `vitals query --format json`; exit status 1
//!     oracle gen --seed N --events N --accounts N [--start T] [--days N] [--late-days N] [--all] [--log]
//!
//! `--meaningful` lists what counts as a sign of life; by default orders, usage, answers and tickets.
//!
//! LOG is what `vitals events --ticks` prints; `-` is the standard input. Exit status 2 is wrong usage or input.

use oracle::settings::{self, Counted};
use oracle::{Error, Options, Settings, diff, generate, read, truth};
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::process::ExitCode;

const USAGE: &str = "usage:
  oracle LOG|- [--time-zone UTC] [--week-start monday] [--fiscal-year-start 1] [--silent-after 90d]
         [--allowed-lateness 1h] [--max-ahead 5m] [--margin 1] [--keep 400d]
         [--reporting-currency EUR] [--lag-days 30] [--meaningful order,usage.recorded,survey,ticket]
         [--dimension-values-max 10000] [--clock T] [--events accepted|effective] [--hours] [--diff ROWS|- [--limit 3] [--only-present]]
  oracle gen [--seed 1] [--events 10000] [--accounts 500] [--start 2024-01-01T00:00:00Z] [--days 400]
         [--late-days 30] [--all] [--log]
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(std::io::stderr().lock(), "oracle: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &[String]) -> Result<ExitCode, Error> {
    match arguments.split_first() {
        Some((first, rest)) if first == "gen" => generate_events(rest),
        Some((first, rest)) if first == "-" || !first.starts_with('-') => answer(first, rest),
        _ => Err(Error(USAGE.to_owned())),
    }
}

/// What is asked about a log.
#[derive(Default)]
struct Asked {
    settings: Settings,
    engine: Option<String>,
    options: Options,
}

fn asked(arguments: &[String]) -> Result<Asked, Error> {
    let mut asked = Asked::default();
    let mut words = arguments.iter();
    while let Some(name) = words.next() {
        if name == "--only-present" {
            asked.options.only_present = true;
            continue;
        }
        if name == "--hours" {
            asked.settings.hours = true;
            continue;
        }
        let value = words.next().ok_or_else(|| Error(format!("{name} needs a value\n{USAGE}")))?;
        set(&mut asked, name, value)?;
    }
    Ok(asked)
}

fn set(asked: &mut Asked, name: &str, value: &str) -> Result<(), Error> {
    let settings = &mut asked.settings;
    match name {
        "--time-zone" => settings.zone = settings::zone(value)?,
        "--week-start" => settings.week_start = settings::weekday(value)?,
        "--fiscal-year-start" => settings.fiscal_year_start = integer(value)?,
        "--keep" => settings.keep = settings::duration(value)?,
        "--dimension-values-max" => settings.values_max = integer(value)?,
        "--silent-after" => settings.silent_after = settings::duration(value)?,
        "--allowed-lateness" => settings.allowed_lateness = settings::duration(value)?,
        "--max-ahead" => settings.max_ahead = settings::duration(value)?,
        "--reporting-currency" => settings.reporting_currency = Some(value.to_owned()),
        "--lag-days" => settings.lag_days = integer(value)?,
        "--meaningful" => settings.meaningful = settings::Signs::named(value),
        "--margin" => settings.margin = settings::fraction(value)?,
        "--clock" => settings.clock = Some(settings::instant(value)?),
        "--events" => settings.events = counted(value)?,
        "--diff" => asked.engine = Some(value.to_owned()),
        "--limit" => asked.options.limit = integer(value)?,
        _ => return Err(Error(format!("unknown option {name}\n{USAGE}"))),
    }
    Ok(())
}

fn counted(text: &str) -> Result<Counted, Error> {
    match text {
        "accepted" => Ok(Counted::Accepted),
        "effective" => Ok(Counted::Effective),
        _ => Err(Error(format!("accepted or effective, not {text}"))),
    }
}

fn integer<T: std::str::FromStr>(text: &str) -> Result<T, Error> {
    text.parse().map_err(|_| Error(format!("not a number: {text}")))
}

fn open(path: &str) -> Result<Box<dyn BufRead>, Error> {
    if path == "-" {
        return Ok(Box::new(BufReader::new(std::io::stdin())));
    }
    let file = File::open(path).map_err(|e| Error(format!("{path}: {e}")))?;
    Ok(Box::new(BufReader::new(file)))
}

fn answer(path: &str, arguments: &[String]) -> Result<ExitCode, Error> {
    let asked = asked(arguments)?;
    let truth = truth(&read::log(open(path)?)?, &asked.settings)?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    let Some(engine) = asked.engine else {
        for row in &truth.rows {
            writeln!(out, "{}", row.json()?)?;
        }
        out.flush()?;
        return Ok(ExitCode::SUCCESS);
    };
    let report = diff(&truth, open(&engine)?, asked.options)?;
    report.print(&mut out)?;
    out.flush()?;
    Ok(if report.wrong() == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn generate_events(arguments: &[String]) -> Result<ExitCode, Error> {
    let mut config = generate::Config::default();
    let mut words = arguments.iter();
    while let Some(name) = words.next() {
        if name == "--log" {
            config.log = true;
            continue;
        }
        if name == "--all" {
            config.all = true;
            continue;
        }
        let value = words.next().ok_or_else(|| Error(format!("{name} needs a value\n{USAGE}")))?;
        match name.as_str() {
            "--seed" => config.seed = integer(value)?,
            "--events" => config.events = integer(value)?,
            "--accounts" => config.accounts = integer::<u64>(value)?.max(1),
            "--start" => config.start = settings::instant(value)?,
            "--days" => config.days = integer::<i64>(value)?.max(1),
            "--late-days" => config.late_days = integer::<i64>(value)?.max(1),
            _ => return Err(Error(format!("unknown option {name}\n{USAGE}"))),
        }
    }
    let mut out = BufWriter::new(std::io::stdout().lock());
    generate::write(&config, &mut out)?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
