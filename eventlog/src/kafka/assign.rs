//! Changes of what a consumer fetches, one at a time.
//!
//! librdkafka stops the fetcher of a partition in two steps, after the call that took the partition away has returned: a
//! request in the queue of its main thread, and a reply in the same queue. A second change in between asks for the stop
//! once more, and the second reply aborts the process: `rd_kafka_assignment_partition_stopped: Assertion
//! rktp->rktp_started failed` (librdkafka issue 5573, mended after 2.15; rdkafka-sys 4.10 has 2.12).
//!
//! ```text
//!     calls of the owner        queue of the main thread                  stops of p that wait for a reply
//!     assign(p)
//!     assign(p, q)              stop p                                    1
//!     unassign                  stop p, unassign -> reply p, stop p       2
//!                               reply p -> p is not started, reply p      abort
//! ```
//!
//! Invariant: no change returns while a stop waits for its reply. The queue is first in, first out, and questions go
//! through it: when a first one is answered, the requests to stop are handled and their replies are in the queue; when a
//! second one is answered, the replies are handled too.
//!
//! It does not know when an assignment has to change, nor to what.

// 2026-11-26: met on a busy machine, where the main thread got no time between two changes. To wait for the replies was
// preferred to a new consumer after each lost assignment: that costs a rebalance, and leaves the same gap at a seek.

use rdkafka::{
    TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::KafkaResult,
};

use super::Context;

/// Fetches these partitions from these offsets, and no others.
pub(super) fn assign(client: &BaseConsumer<Context>, partitions: &TopicPartitionList) -> KafkaResult<()> {
    client.assign(partitions)?;
    settle(client)
}

/// Fetches nothing any more.
pub(super) fn unassign(client: &BaseConsumer<Context>) -> KafkaResult<()> {
    client.unassign()?;
    settle(client)
}

/// Waits until the fetchers of what was taken away have stopped.
fn settle(client: &BaseConsumer<Context>) -> KafkaResult<()> {
    // Only that the main thread answers matters: once after the stops, once after their replies.
    for _ in 0..2 {
        client.assignment()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use rdkafka::{Offset, error::KafkaError, mocking::MockCluster};

    use super::*;
    use crate::kafka::Config;

    const T: &str = "topic";
    const PARTITIONS: i32 = 3;

    /// Only partitions that are known to be there keep their fetcher from one assignment to the next.
    fn until_known(client: &BaseConsumer<Context>, partitions: &TopicPartitionList) {
        client.assign(partitions).unwrap();
        let (mut ends, begun) = (0, Instant::now());
        while ends < PARTITIONS {
            ends += i32::from(matches!(client.poll(Duration::from_secs(1)), Some(Err(KafkaError::PartitionEOF(_)))));
            assert!(begun.elapsed() < Duration::from_secs(60), "nothing is fetched");
        }
    }

    /// With the calls of librdkafka alone it aborts within the first hundred rounds.
    #[test]
    fn a_change_right_after_another_ends_nobody() {
        let brokers = MockCluster::new(1).unwrap();
        brokers.create_topic(T, PARTITIONS, 1).unwrap();
        let config = Config { brokers: vec![brokers.bootstrap_servers()], ..Config::default() };
        let client: BaseConsumer<Context> = config.consumer("g").create_with_context(Context::new(&config)).unwrap();
        let mut partitions = TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            partitions.add_partition_offset(T, partition, Offset::Offset(0)).unwrap();
        }
        until_known(&client, &partitions);
        for _ in 0..500 {
            assign(&client, &partitions).unwrap();
            assign(&client, &partitions).unwrap();
            unassign(&client).unwrap();
        }
    }
}
