//! Examples below the help of each command: two that work, on the data of `vitals demo` or of CDNOW (see the tutorial).
//!
//! A test parses each of them with the command line's own parser.

pub(crate) const IMPORT: &str = "Examples:
  vitals import --mapping deploy/mappings/cdnow-master.yaml --data cdnow lifetimes/datasets/CDNOW_master.txt
  vitals import events.ndjson --until now --rejects rejected.ndjson --data company
  vitals import orders.csv --mapping orders.yaml --replace --data company
  vitals import --undo 20260131-120000-1a2b3c --yes --data company

With --replace the content of a file holds: where the log has an id with other content, a correction is sent. It reads the log
twice, and sorts on disk what the file names; imported again it sends nothing. With --undo, each id that the import touched is
as it would be without that import.";

pub(crate) const MAP_NEW: &str = "Examples:
  vitals map new orders.csv
  vitals map new export.xlsx";

pub(crate) const MAP_TRY: &str = "Examples:
  vitals map try orders.csv --mapping orders.yaml
  vitals map try export.csv --mapping shopify-orders --events 10 --data company";

pub(crate) const UP: &str = "Examples:
  vitals up --data company
  vitals up --config vitals.toml --listen 127.0.0.1:8090 --data company
  vitals up --brokers localhost:9092 --data fleet

SIGTERM or SIGINT ends it: requests that were begun are answered, and what was accepted is processed. The next start goes on
from there, also after a kill.";

pub(crate) const INIT: &str = "Examples:
  vitals init company
  vitals init /srv/vitals";

pub(crate) const STATUS: &str = "Examples:
  vitals status --data company
  vitals status --json --data company
  vitals status --brokers localhost:9092 --data fleet

It reads beside a process that runs. A stage waits for as many records as the last column says; events that no tick follows yet
are waited for, too. Topics that are cleaned keep at least what their readers have still to read.";

pub(crate) const INGEST: &str = "Examples:
  vitals ingest --data company
  vitals ingest --listen 127.0.0.1:8090 --config vitals.toml --data company";

pub(crate) const PROCESSOR: &str = "Examples:
  vitals processor --brokers localhost:9092 --data fleet
  vitals processor --config vitals.toml --listen 127.0.0.1:9101 --data fleet";

pub(crate) const SINK: &str = "Examples:
  vitals sink --brokers localhost:9092 --data fleet
  vitals sink --config vitals.toml --listen 127.0.0.1:9102 --data fleet";

pub(crate) const ACK: &str = "Examples:
  vitals ack 5f0c6ad1b2c3d4e5 --by anna --comment \"I call them today\" --data company
  vitals ack 5f0c6ad1b2c3d4e5 --door 127.0.0.1:8090 --data company";

pub(crate) const FORMS_LINK: &str = "Examples:
  vitals forms link --kind nps --account acme --respondent kim@acme.example --data company
  vitals forms link --kind csat --account acme --ticket T-7 --scores --data company
  vitals forms link --kind nps --survey 2026-q4 --csv customers.csv --data company";

pub(crate) const SILENCE_ADD: &str = "Examples:
  vitals silence add --matcher \"rule=~churn.*\" --for 2h --by anna --comment \"known outage\" --data company
  vitals silence add --matcher account=acme --matcher severity!=critical --for 7d --data company";

pub(crate) const SILENCE_LIST: &str = "Examples:
  vitals silence list --data company
  vitals silence list --all --data company";

pub(crate) const SILENCE_END: &str = "Examples:
  vitals silence end 5f0c6ad1b2c3d4e5 --data company
  vitals silence end 5f0c6ad1b2c3d4e5 --by anna --data company";

pub(crate) const NOTIFY_RUN: &str = "Examples:
  vitals notify run --config vitals.toml --brokers localhost:9092 --data fleet
  vitals notify run --config vitals.toml --listen 127.0.0.1:9103 --data fleet";

pub(crate) const NOTIFY_CHECK: &str = "Examples:
  vitals notify check notify.yaml
  vitals notify check deploy/notify/example.yaml";

pub(crate) const NOTIFY_TEST: &str = "Examples:
  vitals notify test oncall --config vitals.toml
  vitals notify test team --file notify.yaml";

pub(crate) const NOTIFY_LIST: &str = "Examples:
  vitals notify list --data company
  vitals notify list --brokers localhost:9092";

pub(crate) const QUERY: &str = "Examples:
  vitals query net_revenue --by channel --window 1q --data company
  vitals query orders --window 1w --usual --data company
  vitals query customers --window \"trailing 30d\" --from 1998-06-01 --chart --data cdnow
  vitals query account_value --sort value --limit 10 --format csv --data cdnow

In a table, * marks windows that are still open, and ~ values that changed after they had been final. The column of the
whole is the metric's own series. Only sums and counts have a total of all windows. With --usual each value stands
beside its usual range: the mean of up to 24 final windows before, give or take 2.66 times their mean change.
CSV has money in major units in `value`, rounded to the decimals of the currency, and the currency as its unit; `num`
and `den` are as stored: integers, money in minor units. JSON is exact: minor units throughout, times in UTC.";

pub(crate) const ALERTS: &str = "Examples:
  vitals alerts --state firing --data company
  vitals alerts --account 00004 --history --format csv --data cdnow

JSON and CSV have values as stored, money in minor units, and times in UTC.";

pub(crate) const BACKTEST: &str = "Examples:
  vitals backtest --rules rules.yaml --data company
  vitals backtest --rules old.yaml --rules new.yaml --outcome \"health_score < 40\" --horizon 30d --html backtest.html --data company

The rules run over the log's own history, as it was known at each instant; outcomes are as known at its end. It reads the log
beside a process that writes it, and writes nothing there. An alert is right if an outcome of its account falls within the
horizon after it; an outcome is caught if an alert lies within the horizon before it.";

pub(crate) const METRICS: &str = "Examples:
  vitals metrics --data company
  vitals metrics customer_churn_rate --data company";

pub(crate) const METRICS_CHECK: &str = "Examples:
  vitals metrics check catalog.yaml
  vitals metrics check deploy/catalogs/crm.yaml --config vitals.toml";

pub(crate) const RULES_CHECK: &str = "Examples:
  vitals rules check churn-risk
  vitals rules check rules.yaml --config vitals.toml";

pub(crate) const RULES_TEST: &str = "Examples:
  vitals rules test rules-test.yaml
  vitals rules test deploy/rules/tests/*.yaml --config vitals.toml";

pub(crate) const EXPLAIN: &str = "Examples:
  vitals explain 00004 --data cdnow
  vitals explain 00004 --since 1998-01-01 --at 1998-06-01 --data cdnow

It reads the events of the account from the log, so it knows what was known then: a part of a change is time, an event, a
correction (an event that came later and changes what the score was), or another definition. The parts add up to the
change, exactly. With --before, the earlier score is that of an earlier catalog. An account that was merged into another is
explained as that one.";

pub(crate) const REBUILD: &str = "Examples:
  vitals rebuild --data company
  vitals rebuild --config vitals.toml --data cdnow";

pub(crate) const CHECKPOINTS_LIST: &str = "Examples:
  vitals checkpoints list --store checkpoints
  vitals checkpoints list --config vitals.toml --task account --format csv";

pub(crate) const CHECKPOINTS_VERIFY: &str = "Examples:
  vitals checkpoints verify --store checkpoints
  vitals checkpoints verify --store checkpoints --task rollup --partition 0 --quick";

pub(crate) const CHECKPOINTS_RESTORE: &str = "Examples:
  vitals checkpoints restore --store checkpoints --data restored
  vitals checkpoints restore --store checkpoints --task account --state states";

pub(crate) const EVENTS: &str = "Examples:
  vitals events --data company
  vitals events --order recorded --ticks --data cdnow";

pub(crate) const IMPORTS: &str = "Examples:
  vitals imports --data company
  vitals imports --json --brokers localhost:9092 --data fleet";

pub(crate) const OUTCOMES: &str = "Examples:
  vitals outcomes --data company
  vitals outcomes --json --brokers localhost:9092 --data fleet

It reads the whole log, sorted by account on disk: about 6 seconds of one core a million events. It may run beside another process.";

pub(crate) const CONFLICTS: &str = "Examples:
  vitals conflicts --data company
  vitals conflicts --json --brokers localhost:9092 --data fleet

It reads the whole log, as `vitals outcomes` does.";

pub(crate) const WAITING: &str = "Examples:
  vitals waiting --data company
  vitals waiting --json --brokers localhost:9092 --data fleet

It reads the whole log, as `vitals outcomes` does.";

pub(crate) const QUARANTINE: &str = "Examples:
  vitals quarantine --data company
  vitals quarantine --json --brokers localhost:9092 --data fleet

Whoever sends one of them again with the right time may use the same id: it is free.";

pub(crate) const TAIL: &str = "Examples:
  vitals tail metrics.net_revenue --data company
  vitals tail alerts --once --data cdnow";

pub(crate) const TOPICS_CREATE: &str = "Examples:
  vitals topics create --brokers localhost:9092
  vitals topics create --partitions 24 --config vitals.toml";

pub(crate) const TOPICS_CHECK: &str = "Examples:
  vitals topics check --brokers localhost:9092
  vitals topics check --config vitals.toml --format json";

pub(crate) const DEMO: &str = "Examples:
  vitals demo --once --data company
  vitals demo --seed 11 --accounts 500 --pace 600";

pub(crate) const SIMULATE: &str = "Examples:
  vitals simulate --accounts 500 --from 2024-01-01 --to 2025-01-01 --out events.ndjson --totals totals.json
  vitals simulate --from 2024-01-01 --to 2024-07-01 --shuffle-days 30 --duplicates 5% --repairs 2%

The same flags give the same bytes. A run to a later day begins with the same events.
Totals are of what happened, whatever arrives late, twice or wrong at first: by month in UTC, money in minor units.";

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory as _, Parser as _};

    use crate::Cli;

    /// Words as a shell reads them: separated by spaces, except within double quotes.
    fn words(line: &str) -> Vec<String> {
        let mut words = Vec::new();
        for (at, part) in line.split('"').enumerate() {
            if at % 2 == 1 {
                words.push(part.to_owned());
            } else {
                words.extend(part.split_whitespace().map(str::to_owned));
            }
        }
        words
    }

    fn examples(command: &Command) -> Vec<String> {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        help.lines().filter_map(|line| line.strip_prefix("  ")).map(str::to_owned).collect()
    }

    fn check(command: &Command, path: &str, checked: &mut usize) {
        let mut nested = command.get_subcommands().filter(|nested| nested.get_name() != "help").peekable();
        if nested.peek().is_some() {
            return nested.for_each(|nested| check(nested, &format!("{path} {}", nested.get_name()), checked));
        }
        let examples = examples(command);
        assert!(examples.len() >= 2, "{path} --help has {} examples", examples.len());
        for example in examples {
            assert!(example.starts_with(path), "an example of {path}: {example}");
            let parsed = Cli::try_parse_from(words(&example));
            assert!(parsed.is_ok(), "{example}\n{}", parsed.err().map(|error| error.to_string()).unwrap_or_default());
            *checked += 1;
        }
    }

    #[test]
    fn the_help_of_each_command_has_two_examples_that_parse() {
        let mut checked = 0;
        check(&Cli::command(), "vitals", &mut checked);
        assert!(checked >= 30, "{checked} examples");
    }

    #[test]
    fn quotes_keep_words_together() {
        assert_eq!(words("a \"b c\" d"), ["a", "b c", "d"]);
    }
}
