package vitals.peers;

import java.nio.ByteBuffer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;

/** Count and sum, 16 bytes. */
record Sums(long count, long amount) {
    static final Serde<Sums> SERDE = Serdes.serdeFrom(
            (topic, sums) -> sums == null ? null
                    : ByteBuffer.allocate(16).putLong(sums.count).putLong(sums.amount).array(),
            (topic, bytes) -> bytes == null ? null
                    : new Sums(ByteBuffer.wrap(bytes).getLong(0), ByteBuffer.wrap(bytes).getLong(8)));

    Sums add(long amount) {
        return new Sums(count + 1, this.amount + amount);
    }
}
