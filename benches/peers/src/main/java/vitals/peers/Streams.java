package vitals.peers;

import java.time.Duration;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.state.WindowStore;

/**
 * Count and sum of usage per account and day, kept in state, and per (type, plan, segment) and day, published: exactly
 * once, committed every 100 ms, state in RocksDB with its changelogs, as the library does it by itself.
 *
 * Arguments: brokers, input topic, output topic, state directory, number of events. Ends when it has counted that many.
 */
public final class Streams {
    private static final Duration DAY = Duration.ofDays(1);
    private static final Duration ALL = Duration.ofDays(40);

    private Streams() { }

    public static void main(String[] args) throws InterruptedException {
        long events = Long.parseLong(args[4]);
        AtomicLong byAccount = new AtomicLong();
        AtomicLong bySegment = new AtomicLong();
        StreamsBuilder builder = new StreamsBuilder();
        topology(builder, args[1], args[2], byAccount, bySegment);
        KafkaStreams streams = new KafkaStreams(builder.build(), settings(args[0], args[3]));
        streams.start();
        while (byAccount.get() < events || bySegment.get() < events) {
            if (streams.state() == KafkaStreams.State.ERROR) {
                System.exit(1);
            }
            Thread.sleep(20);
        }
        // The last of it is committed.
        Thread.sleep(500);
        streams.close(Duration.ofSeconds(30));
    }

    private static void topology(
            StreamsBuilder builder, String from, String to, AtomicLong byAccount, AtomicLong bySegment) {
        // Partitions are read at different speeds; nothing is late.
        TimeWindows days = TimeWindows.ofSizeAndGrace(DAY, ALL);
        Serde<Usage> usage = Serdes.serdeFrom((topic, value) -> null, (topic, bytes) -> Usage.decode(bytes));
        Consumed<String, Usage> read = Consumed.with(Serdes.String(), usage)
                .withTimestampExtractor((record, before) ->
                        record.value() instanceof Usage one ? one.timeUs() / 1000 : Math.max(before, 0));
        KStream<String, Usage> all = builder.stream(from, read).filter((key, value) -> value != null);

        // The key of the topic is the account: no repartitioning.
        all.mapValues(Usage::amount)
                .groupByKey(Grouped.with(Serdes.String(), Serdes.Long()))
                .windowedBy(days)
                .aggregate(() -> new Sums(0, 0), (account, amount, sums) -> {
                    byAccount.incrementAndGet();
                    return sums.add(amount);
                }, Materialized.<String, Sums, WindowStore<Bytes, byte[]>>as("accounts")
                        .withKeySerde(Serdes.String()).withValueSerde(Sums.SERDE).withRetention(ALL.plus(DAY)));

        all.map((account, one) -> org.apache.kafka.streams.KeyValue.pair(
                        one.type() + '|' + one.plan() + '|' + one.segment(), one.amount()))
                .groupByKey(Grouped.with("segments", Serdes.String(), Serdes.Long()))
                .windowedBy(days)
                .aggregate(() -> new Sums(0, 0), (segment, amount, sums) -> {
                    bySegment.incrementAndGet();
                    return sums.add(amount);
                }, Materialized.<String, Sums, WindowStore<Bytes, byte[]>>as("segments")
                        .withKeySerde(Serdes.String()).withValueSerde(Sums.SERDE).withRetention(ALL.plus(DAY)))
                .toStream((window, sums) -> window.key() + '|' + window.window().start() / DAY.toMillis())
                .to(to, Produced.with(Serdes.String(), Sums.SERDE));
    }

    private static Properties settings(String brokers, String directory) {
        Properties settings = new Properties();
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, "peers-streams");
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, brokers);
        settings.put(StreamsConfig.STATE_DIR_CONFIG, directory);
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 100);
        settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 2);
        settings.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
        // Generous: what changes again before a commit is written once.
        settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 256L << 20);
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.COMPRESSION_TYPE_CONFIG), "lz4");
        return settings;
    }
}
