//! A simulated company through a real Kafka, with merged accounts and money in one currency: what a fleet publishes while a
//! processor is killed is what one embedded process publishes, and that is the oracle's.

use std::{thread::sleep, time::Duration};

use crate::{
    fleet::{Fleet, Role, Settings},
    oracle,
};

const PARTITIONS: u32 = 4;

/// A year of accounts of which many turn out to be the same, with two currencies; repaired and out of order.
const COMPANY: [&str; 15] = [
    "simulate",
    "--accounts",
    "24",
    "--linked",
    "50%",
    "--from",
    "2024-01-01",
    "--to",
    "2025-01-01",
    "--shuffle-days",
    "30",
    "--duplicates",
    "5%",
    "--repairs",
    "2%",
];

#[test]
fn every_value_of_a_company_through_kafka_is_the_oracles() {
    let settings = Settings { whole_catalog: true, lines: "reporting_currency = \"EUR\"\n", ..Settings::default() };
    let Some(mut fleet) = Fleet::with_settings("a company through Kafka", PARTITIONS, settings) else { return };
    let events = fleet.data.run(COMPANY).done().out;
    let links = events.matches("\"identity.linked\"").count();
    assert!(links >= 5 && events.contains("\"fx.rate_set\""), "{links} links: the test shows too little");

    let lines: Vec<&str> = events.split_inclusive('\n').collect();
    [Role::Processor, Role::Processor, Role::Sink].into_iter().for_each(|role| fleet.start(role));
    for (number, part) in lines.chunks(lines.len().div_ceil(3)).enumerate() {
        let file = fleet.data.file("events.ndjson", part.concat());
        fleet.data.import(&file, &["--order", "file", "--brokers", &fleet.broker.address]).done();
        if number == 1 {
            // It is at work on what came, and another one takes over.
            sleep(Duration::from_secs(1));
            fleet.kill(Role::Processor, 0);
            fleet.start(Role::Processor);
        }
    }
    let undisturbed = fleet.undisturbed();
    let truth = ::oracle::Settings { reporting_currency: Some("EUR".to_owned()), ..::oracle::Settings::default() };
    let context = format!("{} events, {links} links, {PARTITIONS} partitions of Kafka", lines.len());
    let equal = oracle::assert_true_with(&undisturbed, &truth, &context);
    assert!(equal > 100_000, "only {equal} rows were compared");
    fleet.is(&undisturbed, &context);
    assert!(fleet.times("replaying with outputs suppressed") > 0, "nobody took over\n{}", fleet.said());
    fleet.stop(Role::Processor);
    println!("{context}: {equal} values equal");
}
