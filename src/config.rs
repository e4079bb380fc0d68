//! `vitals.toml`: what an operator may set, and the catalog to run.
//!
//! Invariants: an unknown key is an error; every default is also in `deploy/config/default.toml`, a
//! test compares them. Flags are not here: they belong to their commands.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, bail};
use ingest::{forms::link::Key, mapping::ready::Mappings, near::UnknownTypes};
use jiff::tz::TimeZone;
use processor_core::{catalog::Catalog, plan::Plan, rational::Rational, settings::Settings};
use serde::Deserialize;
use task::checkpoint::Retention;

use crate::diagnostic;

/// The file as written.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
pub(crate) struct Config {
    /// What numbers depend on.
    pub(crate) settings: Numbers,
    /// The log.
    pub(crate) log: Log,
    /// The log on Kafka.
    pub(crate) kafka: crate::kafka::Settings,
    /// The live door.
    pub(crate) ingest: Ingest,
    /// Survey forms.
    forms: Forms,
    /// Imports of files.
    import: Import,
    /// Alerts.
    pub(crate) alerts: Alerts,
    /// Processors of a fleet.
    pub(crate) processor: Processor,
    /// Checkpoints of states.
    checkpoints: Checkpoints,
    /// What processors and sinks say about themselves.
    telemetry: Telemetry,
}

/// `[forms]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Forms {
    /// Who asks; empty for nobody in particular.
    name: String,
    /// Where respondents reach the port; empty for the port itself.
    address: String,
    /// The key that signs links; empty for one in the data directory.
    key_file: PathBuf,
}

/// `[alerts]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Alerts {
    /// Rule files in YAML, or names of ready packs; none for the built-in rules.
    pub(crate) rules: Vec<PathBuf>,
    /// Who is notified, in YAML; empty for nobody.
    notify: PathBuf,
}

/// `[processor]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Processor {
    /// Workers of the account stage in a process; 0 for one per core.
    pub(crate) workers: usize,
}

/// `[checkpoints]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Checkpoints {
    store: String,
    every: String,
    keep: usize,
    grace: String,
    standby: bool,
}

impl Default for Checkpoints {
    fn default() -> Self {
        Checkpoints { store: String::new(), every: "1m".to_owned(), keep: 3, grace: "1h".to_owned(), standby: false }
    }
}

/// `[telemetry]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Telemetry {
    listen: String,
}

impl Default for Telemetry {
    fn default() -> Self {
        Telemetry { listen: "127.0.0.1:0".to_owned() }
    }
}

/// `[settings]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Numbers {
    time_zone: String,
    week_start: String,
    fiscal_year_start: i64,
    margin: String,
    /// Currency of all money metrics; empty for none.
    reporting_currency: String,
    silent_after: String,
    allowed_lateness: String,
    keep: String,
    dimension_values_max: usize,
    max_ahead: String,
    history_floor: String,
    unknown_types: String,
    /// A catalog of metrics in YAML; empty for the built-in one.
    catalog: PathBuf,
}

/// `[log]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Log {
    /// Partitions of the events; fixed when the data directory is made.
    pub(crate) partitions: u32,
}

/// `[ingest]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Ingest {
    listen: String,
    hosts: Vec<String>,
    name: String,
    source: String,
    tick: String,
    linger: String,
    batch_events: usize,
    queue: usize,
    body_bytes_max: usize,
    events_max: usize,
    memory_bytes_max: usize,
    connections_max: usize,
    header_timeout: String,
    body_timeout: String,
    mappings: String,
}

impl Default for Ingest {
    fn default() -> Self {
        Ingest {
            listen: "127.0.0.1:8080".to_owned(),
            hosts: Vec::new(),
            name: "http".to_owned(),
            source: "http".to_owned(),
            tick: "100ms".to_owned(),
            linger: "2ms".to_owned(),
            batch_events: 10_000,
            queue: 1_024,
            body_bytes_max: 8 << 20,
            events_max: 10_000,
            memory_bytes_max: 64 << 20,
            connections_max: 512,
            header_timeout: "10s".to_owned(),
            body_timeout: "30s".to_owned(),
            mappings: String::new(),
        }
    }
}

/// `[import]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Import {
    rejected_max: String,
}

impl Default for Import {
    fn default() -> Self {
        Import { rejected_max: "1%".to_owned() }
    }
}

impl Default for Numbers {
    fn default() -> Self {
        Numbers {
            time_zone: "UTC".to_owned(),
            week_start: "monday".to_owned(),
            fiscal_year_start: 1,
            margin: "1".to_owned(),
            reporting_currency: String::new(),
            silent_after: "90d".to_owned(),
            allowed_lateness: "1h".to_owned(),
            keep: "400d".to_owned(),
            dimension_values_max: 10_000,
            max_ahead: "5m".to_owned(),
            history_floor: "1990-01-01".to_owned(),
            unknown_types: "refuse-near".to_owned(),
            catalog: PathBuf::new(),
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Log { partitions: 4 }
    }
}

impl Config {
    /// Reads the file, or the defaults without one; the brokers are those of the flag where it is given.
    pub(crate) fn read(path: Option<&Path>, brokers: Option<&str>) -> anyhow::Result<Config> {
        let mut config = match path {
            None => Config::default(),
            Some(path) => {
                let text =
                    std::fs::read_to_string(path).with_context(|| format!("{}: cannot be read", path.display()))?;
                Config::parse(&text).with_context(|| format!("{}", path.display()))?
            }
        };
        if let Some(brokers) = brokers {
            config.kafka.brokers = brokers.split(',').map(|broker| broker.trim().to_owned()).collect();
        }
        Ok(config)
    }

    pub(crate) fn parse(text: &str) -> anyhow::Result<Config> {
        let source = config::File::from_str(text, config::FileFormat::Toml);
        let config: Config = config::Config::builder().add_source(source).build()?.try_deserialize()?;
        config.settings()?;
        config.port()?;
        config.http()?;
        config.live(TimeZone::UTC)?;
        config.checkpoints()?;
        config.rejected_max()?;
        config.telemetry_listen()?;
        crate::kafka::settings(&config)?;
        if !(1..=256).contains(&config.log.partitions) {
            bail!("[log] partitions: is {}, expected 1 to 256", config.log.partitions);
        }
        Ok(config)
    }

    /// The settings of the engine.
    pub(crate) fn settings(&self) -> anyhow::Result<Settings> {
        let numbers = &self.settings;
        let zone = TimeZone::get(&numbers.time_zone).map_err(|_| {
            anyhow::anyhow!(
                "[settings] time_zone: is {:?}, expected an IANA name such as Europe/Berlin",
                numbers.time_zone
            )
        })?;
        anyhow::ensure!(numbers.dimension_values_max > 0, "[settings] dimension_values_max: is 0, expected at least 1");
        let margin = Rational::parse(&numbers.margin).filter(|margin| margin.num() >= 0);
        Ok(Settings {
            time_zone: numbers.time_zone.clone(),
            zone,
            week_start: store::window::weekday(&numbers.week_start).with_context(|| {
                let is = &numbers.week_start;
                format!("[settings] week_start: is {is:?}, expected a weekday such as \"monday\" or \"sunday\"")
            })?,
            fiscal_year_start: month("fiscal_year_start", numbers.fiscal_year_start)?,
            margin: margin.with_context(|| {
                format!("[settings] margin: is {:?}, expected a decimal such as \"0.35\"", numbers.margin)
            })?,
            reporting_currency: reporting_currency(&numbers.reporting_currency)?,
            silent_after: duration("settings", "silent_after", &numbers.silent_after)?,
            allowed_lateness: duration("settings", "allowed_lateness", &numbers.allowed_lateness)?,
            keep: duration("settings", "keep", &numbers.keep)?,
            dimension_values_max: numbers.dimension_values_max,
            max_ahead: duration("settings", "max_ahead", &numbers.max_ahead)?,
        })
    }

    /// Settings of the port that the door is on.
    pub(crate) fn port(&self) -> anyhow::Result<http::Config> {
        let set = &self.ingest;
        Ok(http::Config {
            listen: address("ingest", &set.listen)?,
            hosts: set.hosts.clone(),
            connections_max: positive("connections_max", set.connections_max)?,
            header_timeout: time("ingest", "header_timeout", &set.header_timeout)?,
        })
    }

    /// Settings of the HTTP door.
    pub(crate) fn http(&self) -> anyhow::Result<ingest::http::Config> {
        let set = &self.ingest;
        Ok(ingest::http::Config {
            source: set.source.clone(),
            floor_us: self.history_floor()?,
            max_ahead_us: duration("settings", "max_ahead", &self.settings.max_ahead)?,
            unknown_types: self.unknown_types()?,
            body_bytes_max: positive("body_bytes_max", set.body_bytes_max)?,
            events_max: positive("events_max", set.events_max)?,
            memory_bytes_max: positive("memory_bytes_max", set.memory_bytes_max)?,
            body_timeout: time("ingest", "body_timeout", &set.body_timeout)?,
        })
    }

    /// The mappings of what other systems post, in the tenant's zone.
    pub(crate) fn mappings(&self, zone: &TimeZone) -> anyhow::Result<Mappings> {
        let folder = Some(Path::new(&self.ingest.mappings)).filter(|folder| !folder.as_os_str().is_empty());
        Ok(Mappings::load(folder, zone, self.unknown_types()?)?)
    }

    /// Who asks in survey forms, and the key of their links, which is made where there is none.
    pub(crate) fn forms(&self, data: &Path) -> anyhow::Result<ingest::http::forms::Forms> {
        let set = &self.forms;
        let file = if set.key_file.as_os_str().is_empty() { &data.join("forms.key") } else { &set.key_file };
        if set.key_file.as_os_str().is_empty() {
            std::fs::create_dir_all(data).with_context(|| data.display().to_string())?;
        }
        let key = Key::of_file(file).with_context(|| format!("the key of survey forms, {}", file.display()))?;
        Ok(ingest::http::forms::Forms { name: set.name.clone(), key })
    }

    /// Where respondents reach survey forms, without a slash at its end.
    pub(crate) fn forms_address(&self) -> anyhow::Result<String> {
        let set = self.forms.address.trim_end_matches('/');
        if set.is_empty() {
            return Ok(format!("http://{}", self.port()?.listen));
        }
        anyhow::ensure!(
            set.starts_with("https://") || set.starts_with("http://"),
            "[forms] address: is {set:?}, expected https://HOST, with a path if the pages are under one"
        );
        Ok(set.to_owned())
    }

    /// Who is notified of alerts; none where nobody is.
    pub(crate) fn notify(&self) -> anyhow::Result<Option<alert::notify::Config>> {
        let file = &self.alerts.notify;
        if file.as_os_str().is_empty() {
            return Ok(None);
        }
        crate::notify::read(file).map(Some)
    }

    /// Settings of the live door, in the tenant's zone.
    pub(crate) fn live(&self, zone: TimeZone) -> anyhow::Result<ingest::live::Config> {
        let set = &self.ingest;
        Ok(ingest::live::Config {
            name: set.name.clone(),
            tick: time("ingest", "tick", &set.tick)?,
            linger: time("ingest", "linger", &set.linger)?,
            batch_events: positive("batch_events", set.batch_events)?,
            queue: positive("queue", set.queue)?,
            ..ingest::live::Config::new(zone)
        })
    }

    /// The share of lines that an import may reject and succeed.
    pub(crate) fn rejected_max(&self) -> anyhow::Result<Share> {
        self.import.rejected_max.parse().map_err(|problem| anyhow::anyhow!("[import] rejected_max: {problem}"))
    }

    /// Where checkpoints go (nowhere by default), how often, and which are kept.
    pub(crate) fn checkpoints(&self) -> anyhow::Result<Option<(String, Duration, Retention)>> {
        let set = &self.checkpoints;
        let (every, grace) = (time("checkpoints", "every", &set.every)?, time("checkpoints", "grace", &set.grace)?);
        anyhow::ensure!(set.keep > 0, "[checkpoints] keep: is 0, expected at least 1");
        let store = (!set.store.is_empty()).then(|| set.store.clone());
        anyhow::ensure!(
            store.is_some() || !set.standby,
            "[checkpoints] standby: is true, but store is empty, expected the place of the checkpoints to follow"
        );
        Ok(store.map(|store| (store, every, Retention { keep: set.keep, grace })))
    }

    /// Whether a processor of a fleet follows the checkpoints of the others.
    pub(crate) fn standby(&self) -> bool {
        self.checkpoints.standby
    }

    /// Where processors and sinks answer.
    pub(crate) fn telemetry_listen(&self) -> anyhow::Result<SocketAddr> {
        address("telemetry", &self.telemetry.listen)
    }

    /// Events dated before this are rejected; microseconds since the Unix epoch.
    pub(crate) fn history_floor(&self) -> anyhow::Result<i64> {
        let text = &self.settings.history_floor;
        let date: jiff::civil::Date =
            text.parse().with_context(|| format!("[settings] history_floor: is {text:?}, expected a date"))?;
        Ok(date.to_zoned(TimeZone::UTC)?.timestamp().as_microsecond())
    }

    /// What doors do with types that are not in the vocabulary.
    pub(crate) fn unknown_types(&self) -> anyhow::Result<UnknownTypes> {
        let parsed = self.settings.unknown_types.parse();
        parsed.map_err(|problem: String| anyhow::anyhow!("[settings] unknown_types: {problem}"))
    }

    /// The catalog, lowered with the settings.
    pub(crate) fn plan(&self) -> anyhow::Result<Plan> {
        let path = &self.settings.catalog;
        if path.as_os_str().is_empty() {
            return Ok(Plan::built_in(&self.settings()?)?);
        }
        self.plan_of(path)
    }

    /// The file of the catalog; none for the built-in one.
    pub(crate) fn catalog(&self) -> Option<&Path> {
        Some(self.settings.catalog.as_path()).filter(|path| !path.as_os_str().is_empty())
    }

    /// Another catalog, lowered with the same settings.
    pub(crate) fn plan_of(&self, path: &Path) -> anyhow::Result<Plan> {
        let settings = self.settings()?;
        let text = std::fs::read_to_string(path).with_context(|| format!("{}: cannot be read", path.display()))?;
        let plan = Catalog::parse(&text).and_then(|catalog| Plan::lower(&catalog, &settings));
        plan.map_err(|error| diagnostic::of_catalog(path, &text, &error))
    }
}

/// A share of a whole, written like `1%`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Share {
    text: String,
    percent: Rational,
}

impl Share {
    /// Whether a part of a whole is more than this share of it.
    pub(crate) fn is_exceeded(&self, part: u64, whole: u64) -> bool {
        i128::from(part) * 100 * self.percent.den() > self.percent.num() * i128::from(whole)
    }
}

impl std::str::FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.strip_suffix('%').map(str::trim_end).and_then(Rational::parse);
        let percent = number.filter(|percent| (0..=100 * percent.den()).contains(&percent.num()));
        let share = percent.map(|percent| Self { text: text.to_owned(), percent });
        share.ok_or_else(|| format!("is {text:?}, expected a share such as \"1%\", from 0% to 100%"))
    }
}

impl std::fmt::Display for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

fn positive(name: &str, value: usize) -> anyhow::Result<usize> {
    anyhow::ensure!(value > 0, "[ingest] {name}: is 0, expected at least 1");
    Ok(value)
}

/// The number of a month that a setting names.
fn month(name: &str, number: i64) -> anyhow::Result<i8> {
    let month = i8::try_from(number).ok().filter(|month| (1..=12).contains(month));
    month.with_context(|| format!("[settings] {name}: is {number}, expected the number of a month, 1 to 12"))
}

/// The currency of all money metrics; none for an empty one.
fn reporting_currency(code: &str) -> anyhow::Result<Option<String>> {
    let known = code.is_empty() || ingest::currency::is_code(code);
    anyhow::ensure!(
        known,
        "[settings] reporting_currency: is {code:?}, expected three capital letters (ISO 4217) such as \"EUR\", or \"\""
    );
    Ok(Some(code.to_owned()).filter(|code| !code.is_empty()))
}

/// A span of time that a setting names.
pub(crate) fn time(section: &str, name: &str, text: &str) -> anyhow::Result<Duration> {
    Ok(Duration::from_micros(duration(section, name, text)?.unsigned_abs()))
}

fn address(section: &str, text: &str) -> anyhow::Result<SocketAddr> {
    let wrong = || format!("[{section}] listen: is {text:?}, expected an address such as 127.0.0.1:8080");
    text.parse().ok().with_context(wrong)
}

/// `90d`, `1h`, `5m`, `30s`, `500ms` in microseconds.
fn duration(section: &str, name: &str, text: &str) -> anyhow::Result<i64> {
    match span_us(text) {
        Some(span) => Ok(span),
        None => bail!("[{section}] {name}: is {text:?}, expected a duration such as \"90d\", \"1h\" or \"500ms\""),
    }
}

/// A span of time as people write it, in microseconds; none if it is none, or negative.
pub(crate) fn span_us(text: &str) -> Option<i64> {
    let units = [("ms", 1_000), ("s", 1_000_000), ("m", 60_000_000), ("h", 3_600_000_000), ("d", 86_400_000_000_i64)];
    let found = units.iter().find_map(|(unit, size)| Some((text.strip_suffix(unit)?.parse::<i64>().ok()?, *size)));
    found.and_then(|(count, size)| count.checked_mul(size)).filter(|span| *span >= 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_defaults_is_the_defaults() {
        let text = include_str!("../deploy/config/default.toml");
        assert_eq!(Config::parse(text).unwrap(), Config::default());
    }

    #[test]
    fn the_doors_have_the_same_defaults() {
        let config = Config::default();
        assert_eq!(config.port().unwrap(), http::Config::default());
        assert_eq!(config.http().unwrap(), ingest::http::Config::default());
        assert_eq!(config.live(TimeZone::UTC).unwrap(), ingest::live::Config::new(TimeZone::UTC));
    }

    #[test]
    fn doors_and_engine_know_the_same_minor_units() {
        let letters = || 'A'..='Z';
        for code in
            letters().flat_map(|a| letters().flat_map(move |b| letters().map(move |c| String::from_iter([a, b, c]))))
        {
            assert_eq!(ingest::currency::places(&code), processor_core::currency::places(&code), "{code}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (text, expected) in [
            (
                "[settings]\ntime_zone = \"Mars\"",
                "[settings] time_zone: is \"Mars\", expected an IANA name such as Europe/Berlin",
            ),
            (
                "[settings]\nweek_start = \"funday\"",
                "[settings] week_start: is \"funday\", expected a weekday such as \"monday\" or \"sunday\"",
            ),
            (
                "[settings]\nfiscal_year_start = 13",
                "[settings] fiscal_year_start: is 13, expected the number of a month, 1 to 12",
            ),
            ("[settings]\nkeep = \"ever\"", "[settings] keep: is \"ever\", expected a duration such as \"90d\""),
            ("[settings]\ndimension_values_max = 0", "[settings] dimension_values_max: is 0, expected at least 1"),
            ("[settings]\nsilent_after = \"soon\"", "[settings] silent_after: is \"soon\", expected a duration"),
            (
                "[settings]\nreporting_currency = \"euro\"",
                "[settings] reporting_currency: is \"euro\", expected three capital letters",
            ),
            ("[log]\npartitions = 0", "[log] partitions: is 0, expected 1 to 256"),
            ("[ingest]\nlisten = \"8080\"", "[ingest] listen: is \"8080\", expected an address such as 127.0.0.1:8080"),
            ("[ingest]\ntick = \"fast\"", "[ingest] tick: is \"fast\", expected a duration"),
            (
                "[settings]\nunknown_types = \"deny\"",
                "[settings] unknown_types: is \"deny\", expected refuse-near, allow or refuse",
            ),
            ("[import]\nrejected_max = \"1\"", "[import] rejected_max: is \"1\", expected a share such as \"1%\""),
            ("[import]\nrejected_max = \"101%\"", "[import] rejected_max: is \"101%\", expected a share"),
            ("[ingest]\nqueue = 0", "[ingest] queue: is 0, expected at least 1"),
            ("[checkpoints]\nstandby = true", "[checkpoints] standby: is true, but store is empty"),
            ("[settings]\ntimezone = \"UTC\"", "unknown field `timezone`"),
        ] {
            let found = Config::parse(text).unwrap_err().to_string();
            assert!(found.contains(expected), "expected {expected}\n   found {found}");
        }
    }
}
