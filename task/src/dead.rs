//! Dead letters: records that cannot be applied or stored, with their original bytes and where they came from.
//!
//! Headers are those of Kafka Connect, so that its tools read them, and one with a [`v1::DeadLetter`]. It does not know
//! what the records mean.

use std::sync::Arc;

use eventlog::{Header, Output, Record, Stored};
use proto::{Message as _, v1};

/// The topic of dead letters, without the configurable prefix; it has one partition.
pub const TOPIC: &str = "dead-letters.v1";

/// The header that holds a [`v1::DeadLetter`].
const DETAIL: &str = "vitals.dead-letter";

/// A record for [`TOPIC`].
pub fn letter(topic: &str, partition: u32, stored: &Stored, stage: &str, reason: &str) -> Output {
    let detail = v1::DeadLetter {
        topic: topic.to_owned(),
        partition,
        offset: stored.offset,
        stage: stage.to_owned(),
        reason: reason.to_owned(),
    };
    let text = |name: &str, value: &str| Header {
        name: format!("__connect.errors.{name}"),
        value: value.to_owned().into_bytes().into(),
    };
    let mut record = stored.record.clone();
    record.headers.extend([
        text("topic", topic),
        text("partition", &partition.to_string()),
        text("offset", &stored.offset.to_string()),
        text("stage", stage),
        text("exception.message", reason),
        Header { name: DETAIL.to_owned(), value: detail.encode_to_vec().into() },
    ]);
    Output { topic: Arc::from(TOPIC), partition: 0, record }
}

/// Where a letter came from, and why; none if the record is no letter of ours.
pub fn detail(record: &Record) -> Option<v1::DeadLetter> {
    let header = record.headers.iter().rev().find(|header| header.name == DETAIL)?;
    v1::DeadLetter::decode(header.value.clone()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_says_where_it_came_from_and_keeps_the_bytes() {
        let record = Record { key: "a".into(), value: Some("bytes".into()), ..Record::default() };
        let stored = Stored { offset: 7, record: record.clone() };
        let letter = letter("events.v1", 3, &stored, "account", "dated ahead");
        assert_eq!((&*letter.topic, letter.partition), (TOPIC, 0));
        assert_eq!(
            (letter.record.key.clone(), letter.record.value.clone()),
            (record.key.clone(), record.value.clone())
        );
        let said = detail(&letter.record).expect("a letter");
        assert_eq!((said.topic.as_str(), said.partition, said.offset), ("events.v1", 3, 7));
        assert_eq!((said.stage.as_str(), said.reason.as_str()), ("account", "dated ahead"));
        assert_eq!(detail(&record), None);
    }
}
