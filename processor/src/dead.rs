//! Dead letters: records that cannot be applied, with their original bytes and where they came from.

use std::sync::Arc;

use eventlog::{Header, Output, Stored};
use proto::{Message, v1};

use crate::topics;

/// A record for `dead-letters.v1`.
pub(crate) fn letter(topic: &str, partition: u32, stored: &Stored, stage: &str, reason: &str) -> Output {
    let text = |name: &str, value: String| Header { name: name.to_owned(), value: value.into_bytes().into() };
    let detail = v1::DeadLetter {
        topic: topic.to_owned(),
        partition,
        offset: stored.offset,
        stage: stage.to_owned(),
        reason: reason.to_owned(),
    };
    let mut record = stored.record.clone();
    record.headers.extend([
        text("__connect.errors.topic", topic.to_owned()),
        text("__connect.errors.partition", partition.to_string()),
        text("__connect.errors.offset", stored.offset.to_string()),
        text("__connect.errors.stage", stage.to_owned()),
        text("__connect.errors.exception.message", reason.to_owned()),
        Header { name: "vitals.dead-letter".to_owned(), value: detail.encode_to_vec().into() },
    ]);
    Output { topic: Arc::from(topics::DEAD_LETTERS), partition: 0, record }
}
