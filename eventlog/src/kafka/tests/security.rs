//! TLS and SASL against a real broker: each way in works to the end, and who is kept out is told why, soon, and without
//! a secret.

use std::{path::PathBuf, thread};

use super::{
    super::{
        Sasl, Secret, Tls, User,
        local::secured::{self, KEY_PASSWORD, PASSWORD, Secured, USER},
    },
    *,
};
use crate::TopicPartition;

const WRONG: &str = "wrong-horse";

/// A prefix of its own at this address.
fn at(address: &str, tls: Option<Tls>, sasl: Option<Sasl>) -> Config {
    Config { brokers: vec![address.to_owned()], prefix: local::prefix(), tls, sasl, ..patient() }
}

fn tls(secured: &Secured) -> Tls {
    Tls { ca_file: Some(secured.file("ca.pem")), ..Tls::default() }
}

fn with_certificate(secured: &Secured, password: &str) -> Tls {
    Tls {
        certificate_file: Some(secured.file("client.pem")),
        key_file: Some(secured.file("client.key")),
        key_password: Some(Secret::new(password)),
        ..tls(secured)
    }
}

fn user(password: &str) -> User {
    User { name: USER.to_owned(), password: Secret::new(password) }
}

fn sasl(secured: &Secured, sasl: Sasl) -> Config {
    at(&secured.sasl, Some(tls(secured)), Some(sasl))
}

fn token(secured: &Secured, token_file: PathBuf) -> Config {
    sasl(secured, Sasl::OauthBearer { token_file })
}

/// Everything that Vitals does with a log.
fn use_all(config: Config) {
    let log = Kafka::connect(config).unwrap();
    topic(&log, Cleanup::Keep);
    // Its settings are asked for.
    topic(&log, Cleanup::Keep);
    log.producer("p").unwrap().commit(outputs([record("k", "a")])).unwrap();
    let mut member = log.consumer(Assignment::group("g", &[T])).unwrap();
    let mut producer = member.producer("member").unwrap();
    assert_eq!(member.poll(1, WAIT).unwrap(), Poll::Assigned(vec![TopicPartition::new(T, 0)]));
    member.seek(&TopicPartition::new(T, 0), 0).unwrap();
    let Poll::Records { records, .. } = member.poll(1, WAIT).unwrap() else { panic!("no record") };
    assert_eq!(records[0].record.value.as_deref(), Some(&b"a"[..]));
    producer.commit(position("g", 1)).unwrap();
    assert_eq!(log.committed("g", T, 0).unwrap().map(|at| at.offset), Some(1));
}

#[test]
fn each_way_in_works() {
    let Some(broker) = secured::broker("each way in") else { return };
    let _deadline = conformance::Deadline::start("each way in");
    let ways = [
        at(&broker.tls, Some(tls(broker)), None),
        at(&broker.mutual, Some(with_certificate(broker, KEY_PASSWORD)), None),
        sasl(broker, Sasl::Plain(user(PASSWORD))),
        sasl(broker, Sasl::ScramSha256(user(PASSWORD))),
        sasl(broker, Sasl::ScramSha512(user(PASSWORD))),
        token(broker, broker.write_token("way-in.jwt", 3600).unwrap()),
    ];
    thread::scope(|scope| ways.into_iter().for_each(|way| drop(scope.spawn(|| use_all(way)))));
}

/// Asserts that it is refused for this reason, and at once: the request time-out is longer than a test may take.
fn kept_out(config: Config, kind: Kind, texts: &[&str]) {
    let shown = format!("{config:?}");
    let error = Kafka::connect(config).map(drop).unwrap_err();
    let told = format!("{error} {error:?} {shown}");
    for text in texts {
        assert!(told.contains(text), "expected {text}\n   found {error}");
    }
    assert_eq!(error.kind(), kind, "{error}");
    for secret in [PASSWORD, WRONG, KEY_PASSWORD] {
        assert!(!told.contains(secret), "it shows {secret}: {told}");
    }
}

#[test]
fn who_is_kept_out_is_told_what_to_look_at() {
    let Some(broker) = secured::broker("who is kept out") else { return };
    let _deadline = conformance::Deadline::start("who is kept out");
    let by = |file: &str| Some(Tls { ca_file: Some(broker.file(file)), ..Tls::default() });
    let file = |name: &str, text: &str| {
        std::fs::write(broker.file(name), text).unwrap();
        broker.file(name)
    };
    let signed = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ2IiwiZXhwIjo5OTk5OTk5OTk5fQ.c2ln";
    let not_a_key = file("not-a-key.pem", "nothing");
    let short = |config: Config| Config { request_timeout: Duration::from_secs(15), ..config };
    let long = |config: Config| match config.request_timeout == patient().request_timeout {
        true => Config { request_timeout: 2 * conformance::LIMIT, ..config },
        false => config,
    };
    let [ca, host] = ["check tls.ca_file", "names its host"];
    let (certificate, password) =
        ("check tls.certificate_file and tls.key_file", "check sasl.mechanism, and sasl.user");
    let refusals: Vec<(Config, Kind, Vec<&str>)> = vec![
        (at(&broker.tls, by("other-ca.pem"), None), Kind::Fatal, vec![&broker.tls, "certificate verify failed", ca]),
        (at(&broker.misnamed, by("ca.pem"), None), Kind::Fatal, vec![&broker.misnamed, ca, host]),
        (at(&broker.tls, by("none.pem"), None), Kind::Fatal, vec!["tls.ca_file", "none.pem", "No such file"]),
        (at(&broker.tls, by("not-a-key.pem"), None), Kind::Fatal, vec!["tls.ca_file", "not-a-key.pem cannot be used"]),
        (at(&broker.mutual, by("ca.pem"), None), Kind::Fatal, vec![&broker.mutual, certificate]),
        (
            at(&broker.mutual, Some(with_certificate(broker, WRONG)), None),
            Kind::Fatal,
            vec!["tls.key_file", "client.key cannot be used", "check tls.key_password_file"],
        ),
        (
            at(&broker.mutual, Some(Tls { key_file: Some(not_a_key), ..with_certificate(broker, "") }), None),
            Kind::Fatal,
            vec!["tls.key_file", "not-a-key.pem cannot be used"],
        ),
        (sasl(broker, Sasl::Plain(user(WRONG))), Kind::Fatal, vec![&broker.sasl, password]),
        (sasl(broker, Sasl::ScramSha256(user(WRONG))), Kind::Fatal, vec![&broker.sasl, password]),
        (sasl(broker, Sasl::ScramSha512(user(WRONG))), Kind::Fatal, vec![&broker.sasl, password]),
        (at(&broker.tls, by("ca.pem"), Some(Sasl::Plain(user(PASSWORD)))), Kind::Fatal, vec!["this port has SASL"]),
        (token(broker, broker.file("none.jwt")), Kind::Retry, vec!["sasl.token_file", "none.jwt", "No such file"]),
        (token(broker, file("not-a.jwt", WRONG)), Kind::Retry, vec!["not-a.jwt", "is not a JSON web token"]),
        (token(broker, broker.write_token("old.jwt", -60).unwrap()), Kind::Retry, vec!["old.jwt", "expired 6"]),
        // They want none with a signature; it may have become another one at the next start.
        (
            token(broker, file("signed.jwt", signed)),
            Kind::Retry,
            vec![&broker.sasl, "invalid_token", "sasl.token_file"],
        ),
        // The wrong kind of listener looks like a broker that is going away.
        (short(at(&broker.plaintext, by("ca.pem"), None)), Kind::Retry, vec!["may speak no TLS", "tls.enabled"]),
        (short(at(&broker.tls, None, None)), Kind::Retry, vec!["may want TLS", "tls.enabled"]),
        (short(at(&broker.sasl, by("ca.pem"), None)), Kind::Retry, vec!["may want SASL", "sasl.mechanism"]),
    ];
    thread::scope(|scope| {
        for (config, kind, texts) in refusals {
            scope.spawn(move || kept_out(long(config), kind, &texts));
        }
    });
}

/// A token that ends while a test waits: long enough for a busy machine to connect with it.
const VALID: Duration = Duration::from_secs(30);

/// A log whose token is valid for some seconds, with a producer and a member of a group that has its partition.
struct Idle {
    log: Arc<Kafka>,
    producer: Box<dyn crate::Producer>,
    member: Box<dyn crate::Consumer>,
}

impl Idle {
    fn new(broker: &Secured, name: &str, seconds: i64) -> Self {
        // The broker makes topics of its own for the first producer and the first group: that takes a while.
        use_all(sasl(broker, Sasl::Plain(user(PASSWORD))));
        // The group does not give its partition away while it has no token.
        let config = token(broker, broker.write_token(name, seconds).unwrap());
        let log = Kafka::connect(config).unwrap();
        topic(&log, Cleanup::Keep);
        let mut member = log.consumer(Assignment::group("g", &[T])).unwrap();
        let producer = log.producer("p").unwrap();
        assert_eq!(member.poll(1, WAIT).unwrap(), Poll::Assigned(vec![TopicPartition::new(T, 0)]));
        member.seek(&TopicPartition::new(T, 0), 0).unwrap();
        // Makes the client that asks for it.
        assert_eq!(log.committed("g", T, 0).unwrap(), None);
        Self { log, producer, member }
    }

    /// Does nothing but what every owner does meanwhile.
    fn idle(&mut self, span: Duration) {
        let begun = Instant::now();
        while begun.elapsed() < span {
            self.producer.tend();
            assert_eq!(self.member.poll(1, Duration::from_millis(50)).unwrap(), Poll::Idle);
        }
    }

    /// Writes a record, reads it and asks for positions.
    fn works(&mut self) {
        self.producer.commit(outputs([record("k", "a")])).unwrap();
        assert!(matches!(self.member.poll(1, WAIT).unwrap(), Poll::Records { .. }));
        self.log.committed("g", T, 0).unwrap();
    }
}

#[test]
fn a_token_is_renewed_while_nothing_happens() {
    let Some(broker) = secured::broker("a token is renewed") else { return };
    let _deadline = conformance::Deadline::start("a token is renewed");
    let name = "renewed.jwt";
    let mut idle = Idle::new(broker, name, VALID.as_secs().try_into().unwrap());
    let file = broker.write_token(name, 3600).unwrap();
    // It asks for the next one when four fifths of the first are over.
    idle.idle(VALID + Duration::from_secs(1));
    std::fs::remove_file(file).unwrap();
    idle.works();
}

#[test]
fn a_token_that_comes_late_is_waited_for() {
    let Some(broker) = secured::broker("a token that is late") else { return };
    let _deadline = conformance::Deadline::start("a token that is late");
    let name = "late.jwt";
    let mut idle = Idle::new(broker, name, VALID.as_secs().try_into().unwrap());
    idle.idle(VALID + Duration::from_secs(1));
    broker.write_token(name, 3600).unwrap();
    // It looks every ten seconds.
    let begun = Instant::now();
    while let Err(error) = idle.producer.commit(outputs([record("k", "early")])) {
        assert!(error.kind() != Kind::Fatal, "{error}");
        assert!(begun.elapsed() < 2 * WAIT, "{error}");
        idle.producer = idle.log.producer("p").unwrap();
    }
    while !matches!(idle.member.poll(1, WAIT).unwrap(), Poll::Records { .. }) {
        assert!(begun.elapsed() < 2 * WAIT, "nothing is read");
    }
}
