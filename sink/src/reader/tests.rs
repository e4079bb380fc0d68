//! Whatever a record holds, reading it with and without what is remembered says the same.

use proptest::prelude::*;
use prost::Message as _;
use proto::v1::{self, metric_entry::Entry};

use super::*;

/// What comes of a record, to compare.
fn shown(said: Result<Said>) -> String {
    match said {
        Ok(Said::Row(row)) => format!("{row:?}"),
        Ok(Said::Outlook) => "outlook".to_owned(),
        Ok(Said::Tick(at, since)) => format!("tick {at} {since:?}"),
        Ok(Said::Alert(alert)) => format!("{alert:?}"),
        Err(error) => error.to_string(),
    }
}

fn agree(reader: &mut Reader, bytes: &[u8]) -> Result<(), TestCaseError> {
    prop_assert_eq!(shown(reader.metric_entry(bytes)), shown(convert::metric_entry(bytes)), "{:?}", bytes);
    Ok(())
}

fn dimension() -> impl Strategy<Value = v1::Dimension> {
    let name = prop_oneof![Just("channel"), Just("plan"), Just("currency")];
    (name, "[a-c]?").prop_map(|(name, value)| v1::Dimension { name: name.to_owned(), value })
}

fn window() -> impl Strategy<Value = Option<v1::Window>> {
    let kind = prop_oneof![Just("1d"), Just("trailing 30d"), Just("to-date"), Just("2d")];
    let bound = || proptest::option::of(0_i64..3);
    let window = (kind, bound(), bound());
    let window = window.prop_map(|(kind, start_us, end_us)| v1::Window { kind: kind.to_owned(), start_us, end_us });
    proptest::option::weighted(0.9, window)
}

fn key() -> impl Strategy<Value = v1::SnapshotKey> {
    let dimensions = proptest::collection::vec(dimension(), 0..3);
    (dimensions, proptest::option::of("[ab]"), window()).prop_map(|(dimensions, account, window)| v1::SnapshotKey {
        tenant: "default".to_owned(),
        definition: "orders@1+0a".to_owned(),
        dimensions,
        account,
        window,
    })
}

fn causes() -> impl Strategy<Value = Vec<v1::EventRef>> {
    let cause = ("[ab]?", "[ab]?", proptest::option::of(any::<i64>()));
    let cause = cause.prop_map(|(source, id, time_us)| v1::EventRef { source, id, time_us });
    proptest::collection::vec(cause, 0..3)
}

fn contributions() -> impl Strategy<Value = Vec<v1::Contribution>> {
    let contribution = ("[ab]?", any::<i64>()).prop_map(|(name, tenths)| v1::Contribution { name, tenths });
    proptest::collection::vec(contribution, 0..3)
}

fn projection() -> impl Strategy<Value = Vec<v1::Projection>> {
    let moved = ("[ab]?", proptest::option::of(any::<f64>())).prop_map(|(name, points)| v1::Moved { name, points });
    let change = (any::<i64>(), proptest::option::of(any::<f64>()), "[ab]?", proptest::collection::vec(moved, 0..3));
    let change = change.prop_map(|(at_us, value, reason, moved)| v1::Projection { at_us, value, reason, moved });
    proptest::collection::vec(change, 0..3)
}

fn snapshot() -> impl Strategy<Value = v1::Snapshot> {
    let number = || proptest::option::of(any::<i128>().prop_map(|number| number.to_string()));
    let texts = ("[ab]?", "(EUR|USD)?", "(no denominator)?");
    let rest = (any::<bool>(), any::<bool>(), proptest::option::of(any::<i64>()));
    let traits = proptest::collection::vec(dimension(), 0..3);
    let reasons = (causes(), contributions(), projection(), traits);
    (key(), any::<i64>(), proptest::option::of(any::<f64>()), number(), number(), texts, rest, reasons).prop_map(
        |(key, revision_us, value, num, den, (unit, currency, reason), (last, corrected, since_us), reasons)| {
            v1::Snapshot {
                key: Some(key),
                metric: "orders".to_owned(),
                revision_us,
                value,
                num,
                den,
                unit,
                currency,
                r#final: last,
                corrected,
                reason,
                since_us,
                causes: reasons.0,
                contributions: reasons.1,
                projection: reasons.2,
                traits: reasons.3,
            }
        },
    )
}

fn encode(snapshot: v1::Snapshot) -> Vec<u8> {
    v1::MetricEntry { entry: Some(Entry::Snapshot(snapshot)) }.encode_to_vec()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rows_are_read_as_converted(snapshots in proptest::collection::vec(snapshot(), 1..60)) {
        let mut reader = Reader::default();
        for snapshot in snapshots {
            agree(&mut reader, &encode(snapshot))?;
        }
    }

    #[test]
    fn damaged_rows_are_refused_alike(snapshot in snapshot(), at: prop::sample::Index, byte: u8, cut: prop::sample::Index) {
        let mut reader = Reader::default();
        let whole = encode(snapshot);
        agree(&mut reader, &whole)?;
        let mut changed = whole.clone();
        changed[at.index(whole.len())] = byte;
        agree(&mut reader, &changed)?;
        agree(&mut reader, &whole[..cut.index(whole.len())])?;
        // What was damaged is not remembered as something else.
        agree(&mut reader, &whole)?;
    }
}

fn plain() -> v1::Snapshot {
    let dimension = |name: &str, value: &str| v1::Dimension { name: name.to_owned(), value: value.to_owned() };
    v1::Snapshot {
        key: Some(v1::SnapshotKey {
            tenant: "default".to_owned(),
            definition: "net_revenue@1+0a".to_owned(),
            dimensions: vec![dimension("channel", "web"), dimension("currency", "EUR")],
            account: None,
            window: Some(v1::Window { kind: "1d".to_owned(), start_us: Some(0), end_us: Some(5) }),
        }),
        metric: "net_revenue".to_owned(),
        revision_us: 7,
        value: Some(2.5),
        unit: "money".to_owned(),
        currency: "EUR".to_owned(),
        ..v1::Snapshot::default()
    }
}

#[test]
fn rows_of_a_series_share_it() {
    let mut reader = Reader::default();
    let moved = vec![v1::Moved { name: "recency".to_owned(), points: Some(80.0) }];
    let projection = vec![v1::Projection { at_us: 9, value: Some(2.0), reason: String::new(), moved }; 2];
    let causes = vec![v1::EventRef { source: "shop".to_owned(), id: "1".to_owned(), time_us: Some(-5) }];
    let traits = vec![v1::Dimension { name: "owner".to_owned(), value: "kim".to_owned() }; 3];
    let with_reasons = v1::Snapshot { causes, projection, traits, ..plain() };
    assert!(Parts::read(&encode(with_reasons.clone())).is_some(), "it is read on the fast path");
    let mut next = |snapshot: &v1::Snapshot| match reader.metric_entry(&encode(snapshot.clone())) {
        Ok(Said::Row(row)) => row.series,
        said => panic!("no row: {}", shown(said)),
    };
    let (first, second, third) = (next(&plain()), next(&plain()), next(&with_reasons));
    assert!(Arc::ptr_eq(&first, &second) && Arc::ptr_eq(&second, &third));

    // A series is more than its key.
    let counted = next(&v1::Snapshot { unit: "count".to_owned(), ..plain() });
    assert_eq!((&*counted.unit, &*first.unit), ("count", "money"));
    assert!(Arc::ptr_eq(&first, &next(&plain())));
}

#[test]
fn causes_and_fields_of_a_newer_version_change_nothing() {
    let mut reader = Reader::default();
    let causes = vec![v1::EventRef { source: "shop".to_owned(), id: "1".to_owned(), time_us: None }];
    let with_causes = encode(v1::Snapshot { causes, ..plain() });
    let mut newer = encode(plain());
    // Field 99 of the entry, of one byte.
    newer.extend([0x9a, 0x06, 0x01, 0x00]);
    for bytes in [encode(plain()), with_causes, newer] {
        assert_eq!(shown(reader.metric_entry(&bytes)), shown(convert::metric_entry(&bytes)));
    }
}
