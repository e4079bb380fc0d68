//! `vitals topics` on a real broker: makes what is missing, names what differs, repairs what can be.

use std::fs;

use eventlog::{
    Cleanup, Log as _, TopicSpec,
    kafka::{
        Config, Kafka,
        local::{
            self,
            secured::{self, PASSWORD, USER},
        },
    },
};

use crate::data::Data;

#[test]
fn topics_are_made_compared_and_repaired() {
    let Some(broker) = local::broker("vitals topics") else { return };
    let prefix = local::prefix();
    let data = Data::new().config(&format!("[kafka]\nprefix = \"{prefix}\"\nreplication = 1\n"));
    let run = |arguments: &[&str]| data.run(["topics"].iter().chain(arguments).chain(&["--brokers", &broker]));
    let missing = run(&["check"]);
    missing.says(&["events.v1", "metrics.net_revenue.v1", "missing"]);
    missing.fails(1, &["topics are not as they should be"]);
    let made = run(&["create", "--partitions", "3"]).done();
    made.says(&["made events.v1\n", "made metrics.net_revenue.v1\n", "topics are as they should be"]);
    let kept = run(&["create"]).done();
    assert!(!kept.out.contains("made") && !kept.out.contains("repaired"), "{}", kept.out);
    run(&["check"]).done();

    let log = Kafka::connect(Config { brokers: vec![broker.clone()], prefix, ..Config::default() }).unwrap();
    let events = log.topics().unwrap().into_iter().find(|topic| topic.name == "events.v1").unwrap();
    assert_eq!((events.partitions, events.cleanup), (3, Cleanup::Keep));
    let day = std::time::Duration::from_secs(86_400);
    log.create_topic(&TopicSpec { cleanup: Cleanup::Delete { retention: day }, ..events.clone() }).unwrap();
    log.delete_topic("alerts.v1").unwrap();
    log.create_topic(&TopicSpec { name: "alerts.v1".to_owned(), partitions: 2, cleanup: Cleanup::Keep }).unwrap();
    let different = run(&["check", "--format", "json"]);
    let rows: Vec<&str> = different.out.lines().collect();
    assert_eq!(
        rows,
        [
            r#"{"is":"LogAppendTime","setting":"message.timestamp.type","should_be":"CreateTime","topic":"events.v1"}"#,
            r#"{"is":"86400000","setting":"retention.ms","should_be":"-1","topic":"events.v1"}"#,
            r#"{"is":"2","setting":"partitions","should_be":"1","topic":"alerts.v1"}"#,
        ],
        "{}",
        different.err
    );
    different.fails(1, &["2 of "]);
    let repaired = run(&["create"]);
    repaired.says(&["repaired events.v1\n", "alerts.v1"]);
    repaired.fails(1, &["1 of "]);
    assert_eq!(log.topics().unwrap().into_iter().find(|topic| topic.name == "events.v1"), Some(events));
}

#[test]
fn brokers_that_want_tls_and_a_password_have_both_from_the_configuration() {
    let Some(broker) = secured::broker("vitals topics over SASL_SSL") else { return };
    let configured = |sasl: &str| {
        let (address, prefix, ca) = (&broker.sasl, local::prefix(), broker.file("ca.pem"));
        Data::new().config(&format!(
            "[kafka]\nbrokers = [\"{address}\"]\nprefix = \"{prefix}\"\nreplication = 1\n\
             [kafka.tls]\nenabled = true\nca_file = {ca:?}\n[kafka.sasl]\n{sasl}\n"
        ))
    };
    let password = |text: &str| {
        let file = broker.file(&format!("{text}.password"));
        fs::write(&file, format!("{text}\n")).unwrap();
        format!("user = \"{USER}\"\npassword_file = {file:?}")
    };
    let token = broker.write_token("topics.jwt", 3600).unwrap();
    let data = configured(&format!("mechanism = \"SCRAM-SHA-512\"\n{}", password(PASSWORD)));
    data.run(["topics", "create"]).done();
    data.run(["topics", "check"]).done().says(&["topics are as they should be"]);
    for sasl in [
        format!("mechanism = \"PLAIN\"\n{}", password(PASSWORD)),
        format!("mechanism = \"SCRAM-SHA-256\"\n{}", password(PASSWORD)),
        format!("mechanism = \"OAUTHBEARER\"\ntoken_file = {token:?}"),
    ] {
        configured(&sasl).run(["topics", "check"]).fails(1, &["topics are not as they should be"]);
    }
    let wrong = configured(&format!("mechanism = \"SCRAM-SHA-512\"\n{}", password("wrong-horse")));
    let refused = wrong.run(["topics", "check"]);
    refused.fails(1, &[&broker.sasl, "invalid credentials", "check sasl.mechanism, and sasl.user and its password"]);
    let by_name = configured(&format!("mechanism = \"SCRAM-SHA-512\"\nuser = \"{USER}\""));
    let named = by_name.command(["topics", "check"]).env("VITALS_KAFKA_PASSWORD", "wrong-horse").output().unwrap();
    let said = String::from_utf8_lossy(&named.stderr) + refused.err.as_str();
    assert!(said.contains("invalid credentials") && !said.contains("wrong-horse"), "{said}");
}

#[test]
fn without_a_broker_that_is_said() {
    Data::new().run(["topics", "check"]).fails(2, &["--brokers HOST:PORT"]);
    let settings = "[kafka]\nbrokers = [\"kafka.example:9092\"]\n";
    Data::new().config(settings).run(["topics", "check"]).fails(1, &["kafka.example:9092", "TLS"]);
}
