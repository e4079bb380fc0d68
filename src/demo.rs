//! `vitals demo`: a simulated company, its past year at accelerated time, then live; in one process, or by a fleet of its
//! own on Kafka.
//!
//! In one process it is `vitals up` with a company that sends events: the port is there from the start, as long as the demo is
//! to go on live.
//!
//! Invariants: its events pass a [`Door`] and every stage like anybody's, and what is shown is read from the store;
//! a day is one commit with the midnight that ends it, so a demo that was stopped goes on without a gap or a
//! repetition. In the year the door keeps at most [`AHEAD_US`] before the store, so that the screen moves. The live doors
//! open when the year is over: they tick the time of the wall, after which the year would be late.
//!
//! The data directory also holds the file `demo`: seed, accounts and first day of the company.

mod course;
mod fleet;
mod here;
mod screen;
mod signs;

use std::{
    io::Write,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use ingest::{
    door::{self, Door},
    ticks::Grid,
};
use jiff::{Timestamp, ToSpan as _, civil::Date, tz::TimeZone};
use proto::v1::Event;

use crate::{Usage, config::Config, describe, node::Node, output::number, shutdown, site::Site};
use course::Course;
use fleet::Fleet;
use here::Here;
use screen::{Passed, Place, Screen, Stage};

const SECOND_US: i64 = 1_000_000;
const DAY_US: i64 = 86_400 * SECOND_US;
/// The grid of a simulated day is its midnight.
const GRID_US: i64 = DAY_US;
/// How far the door may be before the store while the year passes.
const AHEAD_US: i64 = 5 * DAY_US;
const SEED: u64 = 7;
const ACCOUNTS: u32 = 2_000;
/// Longest sleep of the loop: how soon it looks at the screen, the store and the signals.
const NAP: Duration = Duration::from_millis(20);
/// Processors and doors of a fleet.
const PROCESSORS: usize = 3;
const DOORS: usize = 2;
/// How long what a fleet accepted may take to be stored at the end; the next start goes on from there.
const DRAIN_MAX: Duration = Duration::from_secs(30);
/// Where a folder remembers its company.
pub(crate) const FILE: &str = "demo";
/// Raised when a seed gives another company than before: a folder of an older version is then refused.
const VERSION: &str = "1";

/// Arguments of `vitals demo`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Seed of the simulation [default: 7]
    #[arg(long)]
    seed: Option<u64>,
    /// Accounts of the company [default: 2000]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    accounts: Option<u32>,
    /// End when the year is over
    #[arg(long)]
    once: bool,
    /// Events a minute once it is live
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=60_000))]
    pace: u64,
    /// Where to listen: a loopback address; port 0 takes a free one [default: of the configuration, else a free one]
    #[arg(long, value_name = "ADDRESS:PORT", conflicts_with = "once")]
    listen: Option<SocketAddr>,
}

/// What makes a company what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity {
    seed: u64,
    accounts: u32,
    /// Its first day.
    from: Date,
}

impl Identity {
    fn render(self) -> String {
        format!("company {VERSION}\nseed {}\naccounts {}\nfrom {}\n", self.seed, self.accounts, self.from)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let mut value = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(' ');
        if value("company")? != VERSION {
            return None;
        }
        Some(Self {
            seed: value("seed")?.parse().ok()?,
            accounts: value("accounts")?.parse().ok()?,
            from: value("from")?.parse().ok()?,
        })
    }
}

/// Where the command runs.
pub(crate) struct Where<'a> {
    /// Without a folder: in a new one among the temporary files.
    pub(crate) path: Option<&'a Path>,
    /// The settings, as every process of a fleet reads them.
    pub(crate) file: Option<&'a Path>,
}

/// Runs the command.
pub(crate) fn run(args: &Args, config: &Config, place: &Where<'_>, out: &mut dyn Write) -> anyhow::Result<()> {
    let started = Instant::now();
    let path = place.path.map_or_else(|| fresh(now_us()), Path::to_owned);
    let plan = config.plan().map_err(Usage)?;
    let zone = plan.settings.zone.clone();
    let kafka = crate::kafka::settings(config).map_err(Usage)?;
    let brokers = kafka.map(|kafka| kafka.brokers.join(","));
    let stop = shutdown::flag()?;
    let (site, here) = match &brokers {
        Some(_) => (Arc::new(Site::open("demo", &path, plan, config)?), None),
        None => {
            let here = Here::start(args, config, &path, &stop)?;
            (here.engine.site.clone(), Some(here))
        }
    };
    let grid = Grid::new(zone.clone(), GRID_US)?;
    let door = Door::open(
        site.log.as_ref(),
        door::Config { producer: site.producer("demo"), ..door::Config::default() },
        grid,
    )?;
    let identity = identity(args, &path, door.schedule().clock().at.is_some(), &zone)?;
    let engine = match (here, &brokers) {
        (Some(here), _) => Engine::Here(Box::new(here)),
        (None, brokers) => Engine::Fleet(fleet(&path, brokers.as_deref().unwrap_or_default(), place.file, out)?),
    };
    let title = format!(
        "Vitals demo: a company of {} accounts, seed {}, data in {}{}",
        number::grouped(&identity.accounts.to_string()),
        identity.seed,
        path.display(),
        engine.open()
    );
    let screen = Screen::open(out, title, &path, &describe::settings(&site.plan), started)?;
    let course = Course::new(identity.seed, identity.accounts, identity.from, zone)?;
    let mut demo = Demo { engine, door, course, screen, stop, sent: 0, reached_us: i64::MIN };
    let year = demo.year();
    let lived = year.and_then(|()| if args.once { Ok(()) } else { demo.live(args.pace) });
    let closed = lived.and_then(|()| demo.close());
    // A stage that failed is why the rest did.
    demo.engine.stop()?;
    let first = closed?;
    farewell(out, &path, brokers.is_some(), first, started.elapsed())
}

/// Processors and a sink on the folder.
fn fleet(path: &Path, brokers: &str, file: Option<&Path>, out: &mut dyn Write) -> anyhow::Result<Fleet> {
    let mut fleet = Fleet::new(path, brokers, file)?;
    fleet.start("processor", PROCESSORS)?;
    fleet.start("sink", 1)?;
    write!(out, " the log is on Kafka, at {brokers}\n{}", fleet.settle()?)?;
    out.flush()?;
    Ok(fleet)
}

/// A folder that is not there yet.
fn fresh(now_us: i64) -> PathBuf {
    std::env::temp_dir().join(format!("vitals-demo-{}", now_us / 1_000))
}

fn now_us() -> i64 {
    Timestamp::now().as_microsecond()
}

/// The company of the folder; a new folder remembers the one that was asked for.
fn identity(args: &Args, path: &Path, has_events: bool, zone: &TimeZone) -> anyhow::Result<Identity> {
    let file = path.join(FILE);
    let Ok(text) = std::fs::read_to_string(&file) else {
        if has_events {
            return Err(Usage(anyhow::anyhow!(
                "{}: holds data that no demo made, expected another --data",
                path.display()
            ))
            .into());
        }
        let from = Timestamp::now().to_zoned(zone.clone()).date().checked_sub(1.year())?;
        let identity = Identity { seed: args.seed.unwrap_or(SEED), accounts: args.accounts.unwrap_or(ACCOUNTS), from };
        std::fs::write(&file, identity.render()).with_context(|| format!("{}: cannot be written", file.display()))?;
        return Ok(identity);
    };
    let Some(known) = Identity::parse(&text) else {
        bail!("{}: was made by another version of the demo or is damaged, expected another --data", file.display())
    };
    if args.seed.is_some_and(|seed| seed != known.seed) || args.accounts.is_some_and(|count| count != known.accounts) {
        let (seed, accounts) = (known.seed, known.accounts);
        let problem = anyhow::anyhow!(
            "{}: holds the demo of --seed {seed} --accounts {accounts}, expected another --data",
            path.display()
        );
        return Err(Usage(problem).into());
    }
    Ok(known)
}

fn farewell(
    out: &mut dyn Write,
    path: &Path,
    fleet: bool,
    first: Option<Duration>,
    all: Duration,
) -> anyhow::Result<()> {
    if let Some(first) = first {
        writeln!(
            out,
            "The first metric was there after {:.1} s; the demo ran {:.1} s.",
            first.as_secs_f64(),
            all.as_secs_f64()
        )?;
    }
    let path = path.display();
    writeln!(out, "Everything is stored. Ask for more, or go on with the same company:")?;
    for command in ["query customers", "query net_revenue --by plan", "alerts --state firing", "metrics"] {
        writeln!(out, "  vitals {command} --data {path}")?;
    }
    if fleet {
        writeln!(out, "  make demo-kafka ARGS=\"--data {path}\"")?;
    } else {
        writeln!(out, "  vitals demo --data {path}")?;
    }
    Ok(())
}

/// Who computes.
enum Engine {
    /// This process.
    Here(Box<Here>),
    /// Others.
    Fleet(Fleet),
}

impl Engine {
    fn failed(&mut self) -> bool {
        match self {
            Engine::Here(here) => here.engine.failed(),
            Engine::Fleet(fleet) => fleet.check().is_err(),
        }
    }

    /// Where to open it in a browser.
    fn open(&self) -> String {
        match self {
            Engine::Here(here) => here.address.map(|address| format!("\n open http://{address}")).unwrap_or_default(),
            Engine::Fleet(_) => String::new(),
        }
    }

    /// Hands in events; whether they are in the log.
    fn post(&mut self, events: &[Event]) -> bool {
        match self {
            Engine::Here(here) => here.post(events),
            Engine::Fleet(fleet) => fleet.post(events),
        }
    }

    fn stop(self) -> anyhow::Result<()> {
        match self {
            Engine::Here(here) => here.engine.stop(),
            Engine::Fleet(mut fleet) => {
                let whole = fleet.check();
                fleet.stop()?;
                whole
            }
        }
    }
}

/// A demo that runs.
struct Demo<'a> {
    engine: Engine,
    door: Door,
    course: Course,
    screen: Screen<'a>,
    stop: Arc<AtomicBool>,
    /// Events that were handed in.
    sent: u64,
    /// The last of them at this time.
    reached_us: i64,
}

impl Demo<'_> {
    fn stopped(&mut self) -> bool {
        self.stop.load(Ordering::Relaxed) || self.engine.failed()
    }

    /// From the first day, or where the log ends, until now.
    fn year(&mut self) -> anyhow::Result<()> {
        let now_us = now_us();
        while self.course.at_us() < now_us && !self.stopped() {
            // What the log's clock has passed is there already, or never will be: a live day is lived once.
            let from_us = self.door.schedule().clock().at.unwrap_or(i64::MIN);
            let until_us = self.pass(from_us, now_us)?;
            self.tick_to(until_us);
            self.commit()?;
            self.follow(until_us)?;
        }
        self.follow(i64::MAX)
    }

    /// Appends what arrives from `from_us` on, until `now_us` or the end of the day; says until when.
    fn pass(&mut self, from_us: i64, now_us: i64) -> anyhow::Result<i64> {
        let (until_us, arrivals) = self.course.towards(now_us)?;
        for (_, event) in arrivals.into_iter().filter(|(at_us, _)| *at_us >= from_us) {
            self.door.append(event);
            self.sent += 1;
        }
        Ok(until_us)
    }

    fn tick_to(&mut self, at_us: i64) {
        if self.door.schedule().clock().at.is_none() {
            self.door.tick(at_us);
        }
        while let Some(next_us) = self.door.schedule().towards(at_us) {
            self.door.tick(next_us);
        }
    }

    fn commit(&mut self) -> anyhow::Result<()> {
        if !self.door.is_empty() {
            self.door.commit(Vec::new())?;
        }
        Ok(())
    }

    /// Waits until the store is near the door, whose day ended at `end_us`; `i64::MAX`: where it is.
    fn follow(&mut self, end_us: i64) -> anyhow::Result<()> {
        let target_us = match end_us {
            i64::MAX => self.door.schedule().clock().at.unwrap_or(i64::MIN),
            _ => end_us - AHEAD_US,
        };
        loop {
            self.show(self.in_year()?)?;
            let near = self.screen.clock_us()?.is_some_and(|at_us| at_us >= target_us);
            if near || self.stopped() || target_us <= self.course.midnight(0)? {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Real time, until somebody stops it: through live doors, which stamp and tick by themselves.
    fn live(&mut self, a_minute: u64) -> anyhow::Result<()> {
        let gap_us = 60 * SECOND_US / i64::try_from(a_minute)?;
        self.open_doors()?;
        let (mut waiting, mut next_us): (Vec<Event>, _) = (Vec::new(), now_us());
        while !self.stopped() {
            let now_us = now_us();
            while self.course.at_us() < now_us {
                let (_, arrivals) = self.course.towards(now_us)?;
                waiting.extend(arrivals.into_iter().map(|(_, event)| event));
            }
            if now_us >= next_us {
                waiting.extend(self.course.now(now_us)?);
                next_us = now_us + gap_us;
            }
            if !waiting.is_empty() && self.engine.post(&waiting) {
                self.sent += waiting.len() as u64;
                self.reached_us = now_us;
                waiting.clear();
            }
            self.show(Place::Live)?;
            std::thread::sleep(NAP);
        }
        Ok(())
    }

    fn open_doors(&mut self) -> anyhow::Result<()> {
        let (lines, door) = match &mut self.engine {
            Engine::Here(here) => (String::new(), here.open()?),
            Engine::Fleet(fleet) => {
                fleet.start("ingest", DOORS)?;
                (fleet.settle()?, fleet.door())
            }
        };
        let curl = door.map(by_hand).unwrap_or_default();
        self.screen.say(&format!("{lines}{curl}"))
    }

    fn show(&mut self, place: Place) -> anyhow::Result<()> {
        let stage = self.stage(place);
        self.screen.show(stage)
    }

    fn stage(&mut self, place: Place) -> Stage {
        let passed = match &mut self.engine {
            Engine::Here(here) => Passed::Counted(here.engine.ask(Node::counters).unwrap_or_default()),
            Engine::Fleet(fleet) => Passed::Sent { events: self.sent, alive: fleet.alive() },
        };
        Stage { place, passed }
    }

    fn in_year(&self) -> anyhow::Result<Place> {
        Ok(Place::Year { from_us: self.course.midnight(0)?, to_us: now_us() })
    }

    /// Lets the stages finish what is in the log, and shows the end.
    fn close(&mut self) -> anyhow::Result<Option<Duration>> {
        match &mut self.engine {
            Engine::Here(here) => here.close()?,
            Engine::Fleet(fleet) => {
                fleet.end("ingest")?;
                self.drain()?;
            }
        }
        let stage = self.stage(Place::Done);
        self.screen.close(stage)
    }

    /// Waits until the fleet has stored what was handed in.
    fn drain(&mut self) -> anyhow::Result<()> {
        let began = Instant::now();
        let target_us = self.door.schedule().clock().at.unwrap_or(i64::MIN).max(self.reached_us);
        while self.screen.clock_us()?.is_some_and(|at_us| at_us < target_us) {
            if self.engine.failed() || began.elapsed() > DRAIN_MAX {
                return Ok(());
            }
            std::thread::sleep(NAP);
        }
        Ok(())
    }
}

/// How to hand in an order at this door.
fn by_hand(door: SocketAddr) -> String {
    let id = format!("hand-{}", now_us());
    format!(
        " an order by hand:\n  curl http://{door}/v1/events -H 'content-type: \
         application/json' -d '{{\"id\":\"{id}\",\"type\":\"order.completed\",\"account\":\"me\",\"data\":\
         {{\"order\":\"{id}\",\"gross\":1000000,\"currency\":\"EUR\"}}}}'\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_remembers_its_company() {
        let identity = Identity { seed: 7, accounts: 2_000, from: jiff::civil::date(2025, 2, 28) };
        assert_eq!(Identity::parse(&identity.render()), Some(identity));
        assert_eq!(Identity::parse("seed 7\naccounts 2000\nfrom 2025-02-28\n"), None);
        assert_eq!(Identity::parse(&identity.render().replace("company 1", "company 0")), None);
    }
}
