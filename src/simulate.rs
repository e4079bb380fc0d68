//! `vitals simulate`: a simulated company as NDJSON, of any size, and the totals that the simulator knows.
//!
//! Invariants: the bytes are a function of the flags; they are written day by day, so memory does not grow with the time
//! simulated. What the events mean is in the crate `simulator`.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context as _, anyhow};
use jiff::{civil::Date, tz::TimeZone};
use simulator::{Arrival, Company, SHUFFLE_DAYS_MAX, Settings, Shares};

use crate::{Usage, output::number::grouped};

const DAY_US: i64 = 86_400_000_000;
/// Greatest share that may be sent twice, or wrong at first.
const SHARE_MAX: i64 = 500_000;

/// Flags of `vitals simulate`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// Another seed is another company
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Accounts: two fifths come in the first weeks, the others evenly over two years
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    accounts: u32,
    /// Share of accounts with a second one, which later is linked to the first; a whole percentage
    #[arg(long, value_name = "PERCENT", default_value = "2%", value_parser = whole)]
    linked: i64,
    /// First day, in UTC
    #[arg(long, value_name = "DATE", value_parser = date)]
    from: Date,
    /// The day after the last one
    #[arg(long, value_name = "DATE", value_parser = date)]
    to: Date,
    /// Write the events here [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write here, as JSON, what must come out: orders, revenue, customers, deals, answers and more by month
    #[arg(long, value_name = "FILE")]
    totals: Option<PathBuf>,
    /// Let each event arrive at a random moment within so many days, instead of a few of them late
    #[arg(long, value_name = "DAYS", default_value_t = 0, value_parser = clap::value_parser!(i64).range(0..=SHUFFLE_DAYS_MAX))]
    shuffle_days: i64,
    /// Share of events that arrive twice
    #[arg(long, value_name = "PERCENT", default_value = "0.4%", value_parser = share)]
    duplicates: i64,
    /// Share of events that are wrong at first and corrected, or by mistake and retracted
    #[arg(long, value_name = "PERCENT", default_value = "0.4%", value_parser = share)]
    repairs: i64,
}

fn date(text: &str) -> Result<Date, String> {
    text.parse().map_err(|_| "expected a date like 2025-01-31".to_owned())
}

/// `0.5%` in a million.
fn share(text: &str) -> Result<i64, String> {
    let problem = || "expected a percentage from 0% to 50%, like 2% or 0.5%".to_owned();
    let digits = text.strip_suffix('%').ok_or_else(problem)?;
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() || part.len() > 4 || !whole.bytes().chain(part.bytes()).all(|byte| byte.is_ascii_digit()) {
        return Err(problem());
    }
    let millionth: i64 = format!("{whole}{part:0<4}").parse().map_err(|_| problem())?;
    if (0..=SHARE_MAX).contains(&millionth) { Ok(millionth) } else { Err(problem()) }
}

/// `2%` as 2.
fn whole(text: &str) -> Result<i64, String> {
    let percent = share(text).ok().filter(|millionth| millionth % 10_000 == 0);
    percent
        .map(|millionth| millionth / 10_000)
        .ok_or_else(|| "expected a whole percentage from 0% to 50%, like 2%".to_owned())
}

/// Runs the command.
pub(crate) fn run(args: &Args, out: &mut dyn Write) -> anyhow::Result<()> {
    check(args).map_err(Usage)?;
    let began = Instant::now();
    let shares = Shares {
        duplicates: args.duplicates,
        repairs: args.repairs,
        shuffle_days: args.shuffle_days,
        ..Shares::default()
    };
    let company = Company::new(Settings {
        seed: args.seed,
        accounts: args.accounts,
        linked: args.linked,
        from: args.from,
        shares,
    })?;
    let to_us = args.to.to_zoned(TimeZone::UTC)?.timestamp().as_microsecond();
    let events = match &args.out {
        None => stream(company, to_us, args.totals.as_deref(), out)?,
        Some(path) => {
            let mut file = BufWriter::new(create(path)?);
            let events = stream(company, to_us, args.totals.as_deref(), &mut file)?;
            file.flush().with_context(|| unwritten(path))?;
            events
        }
    };
    let seconds = began.elapsed().as_secs_f64();
    writeln!(
        io::stderr(),
        "{} events of {} accounts, {} to {}, in {seconds:.1} s",
        grouped(&events.to_string()),
        grouped(&args.accounts.to_string()),
        args.from,
        args.to,
    )?;
    Ok(())
}

fn check(args: &Args) -> anyhow::Result<()> {
    if args.to <= args.from {
        return Err(anyhow!("--to: is {}, expected a day after --from ({})", args.to, args.from));
    }
    if args.from.year() < 1990 || args.to.year() > 2200 {
        return Err(anyhow!("--from {} --to {}: expected days from 1990 to 2200", args.from, args.to));
    }
    if args.totals.is_some() && args.totals == args.out {
        return Err(anyhow!("--totals: is the file of --out, expected another one"));
    }
    Ok(())
}

fn unwritten(path: &Path) -> String {
    format!("{}: cannot be written", path.display())
}

fn create(path: &Path) -> anyhow::Result<File> {
    File::create(path).with_context(|| unwritten(path)).map_err(|problem| Usage(problem).into())
}

/// Writes the lines day by day, then the totals; returns the number of lines.
fn stream(mut company: Company, to_us: i64, totals: Option<&Path>, out: &mut dyn Write) -> anyhow::Result<u64> {
    // A path that cannot be written is found out first.
    let totals = totals.map(|path| Ok::<_, anyhow::Error>((path, create(path)?))).transpose()?;
    let (mut events, mut at_us) = (0, company.start_us());
    let mut write = |arrivals: Vec<Arrival>| -> io::Result<()> {
        for (_, line) in arrivals {
            out.write_all(line.as_bytes())?;
            out.write_all(b"\n")?;
            events += 1;
        }
        Ok(())
    };
    while at_us < to_us {
        at_us += DAY_US;
        write(company.arrivals(at_us)?)?;
    }
    let (rest, known) = company.finish(to_us)?;
    write(rest)?;
    if let Some((path, mut file)) = totals {
        writeln!(file, "{}", known.json()).with_context(|| unwritten(path))?;
    }
    Ok(events)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linked_accounts_are_a_whole_percentage() {
        assert_eq!((whole("2%"), whole("50%"), whole("0%")), (Ok(2), Ok(50), Ok(0)));
        assert!(["2.5%", "51%", "2"].iter().all(|text| whole(text).is_err()));
        assert_eq!(whole("2%"), Ok(simulator::LINKED), "the default of the flag");
    }

    #[test]
    fn shares_are_exact() {
        for (text, expected) in [("5%", 50_000), ("0%", 0), ("0.4%", 4_000), ("12.3456%", 123_456), ("50%", 500_000)] {
            assert_eq!(share(text), Ok(expected), "{text}");
        }
        for text in ["5", "50.1%", "-1%", "1.23456%", "%", "two%", "1e1%"] {
            assert!(share(text).is_err_and(|problem| problem.contains("like 2%")), "{text}");
        }
    }
}
