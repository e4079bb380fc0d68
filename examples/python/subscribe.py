"""Follows one metric of Vitals from outside: prints each newest value as a line of JSON.

    pip install -r requirements.txt
    python subscribe.py net_revenue --brokers 127.0.0.1:19092

It reads what is committed only, from the beginning of the topic (which is compacted: the newest of each key), and
keeps the highest revision of each key, because a key may be seen again. No protoc is needed: the messages come from the
descriptor of the contract.
"""

import argparse
import datetime
import json
import pathlib
import sys

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

DESCRIPTOR = pathlib.Path(__file__).resolve().parents[2] / "proto" / "tests" / "v1.descriptor.bin"


def messages(path):
    """The messages of the contract, by name."""
    files = descriptor_pb2.FileDescriptorSet.FromString(path.read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    return lambda name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"vitals.v1.{name}"))


def time(micros):
    """Microseconds since the Unix epoch as RFC 3339; they may lie before it."""
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    return (epoch + datetime.timedelta(microseconds=micros)).isoformat().replace("+00:00", "Z")


def row(snapshot):
    """What a subscriber sees of one value."""
    key, window = snapshot.key, snapshot.key.window
    return {
        "metric": snapshot.metric,
        "dimensions": {dimension.name: dimension.value for dimension in key.dimensions},
        "account": key.account if key.HasField("account") else None,
        "window": window.kind,
        "start": time(window.start_us) if window.HasField("start_us") else None,
        "end": time(window.end_us) if window.HasField("end_us") else None,
        # No value is null, and the reason says why.
        "value": snapshot.value if snapshot.HasField("value") else None,
        "reason": snapshot.reason or None,
        "unit": snapshot.unit,
        "currency": snapshot.currency or None,
        "revision": time(snapshot.revision_us),
        "final": getattr(snapshot, "final"),
        "corrected": snapshot.corrected,
    }


def subscribe(arguments):
    """Prints until it is interrupted; with --once until the end of the topic."""
    entry = messages(DESCRIPTOR)("MetricEntry")
    topic = f"{arguments.prefix}metrics.{arguments.metric}.v1"
    consumer = Consumer(
        {
            "bootstrap.servers": arguments.brokers,
            # Named because the client wants it; no offset is committed, since state starts empty at each run.
            "group.id": "vitals-example-python",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
        }
    )
    found = consumer.list_topics(topic, timeout=30).topics[topic]
    if found.error is not None:
        sys.exit(f"{topic}: {found.error}")
    partitions = list(found.partitions)
    consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in partitions])
    newest = {}
    reading = set(partitions)
    try:
        while reading or not arguments.once:
            message = consumer.poll(1.0)
            if message is None:
                continue
            if message.error() is not None:
                if message.error().code() != KafkaError._PARTITION_EOF:
                    raise KafkaException(message.error())
                reading.discard(message.partition())
                continue
            if message.value() is None:
                # A tombstone: the key is forgotten.
                newest.pop(message.key(), None)
                continue
            decoded = entry.FromString(message.value())
            if decoded.WhichOneof("entry") != "snapshot":
                # A tick: everything up to now is as of its time.
                continue
            snapshot = decoded.snapshot
            if snapshot.revision_us < newest.get(message.key(), snapshot.revision_us):
                continue
            newest[message.key()] = snapshot.revision_us
            print(json.dumps(row(snapshot)), flush=True)
    except KeyboardInterrupt:
        pass
    finally:
        consumer.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("metric", help="its name, such as net_revenue")
    parser.add_argument("--brokers", default="127.0.0.1:19092")
    parser.add_argument("--prefix", default="vitals.", help="of all topics")
    parser.add_argument("--once", action="store_true", help="end at the end of the topic")
    subscribe(parser.parse_args())


if __name__ == "__main__":
    main()
