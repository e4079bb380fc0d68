# `make demo` and `make test` are all that one needs.
#
# One profile (--release) and always the whole workspace, so that everything is compiled once. RocksDB comes prebuilt;
# `make ROCKSDB=source` compiles it, as releases and images do.

CARGO ?= cargo
WHOLE := --release --workspace --locked
TARGET := $(or $(CARGO_TARGET_DIR),target)
export ROCKSDB

.PHONY: demo demo-kafka test cases fuzz build lint bench check chaos mutants prepare test-loaded company pictures

# `vitals up` with a simulated company: its past year, then live; prints the address to open. `make demo ARGS="--once --data company"`
demo: build
	$(TARGET)/release/vitals demo $(ARGS)

# The same by a fleet on a real Kafka (Java 17 and Maven): three processors, a sink, two doors.
demo-kafka: build
	deploy/kafka/demo.sh $(TARGET)/release/vitals $(ARGS)

# More tests at a time than there are cores: those on a broker wait most of the time.
test test-loaded: export RUST_TEST_THREADS := $(or $(RUST_TEST_THREADS),$(shell echo $$(($$(getconf _NPROCESSORS_ONLN) + 3))))

# Every test of every crate, and the oracle's.
test:
	@sh deploy/prepare.sh test
	$(CARGO) test $(WHOLE)

# The small cases of tests/cases: inputs that gave people wrong numbers elsewhere, with the right ones.
cases:
	@sh deploy/prepare.sh test
	$(CARGO) test $(WHOLE) --test it -- cases::

# The mapping parser and the readers on hostile input, each target for so long: `make fuzz SECONDS=60`. Needs cargo-fuzz.
fuzz: prepare
	fuzz/run.sh $(or $(SECONDS),60)

build: prepare
	$(CARGO) build $(WHOLE)

# How fast it is, see benches/.
bench: prepare
	$(CARGO) bench --workspace --locked --profile release

# Needs the components rustfmt and clippy.
lint: prepare
	$(CARGO) fmt --all --check
	$(CARGO) clippy $(WHOLE) --all-targets -- -D warnings
	$(CARGO) clippy $(WHOLE) --all-targets --features s3 -- -D warnings

# Faults on a real fleet: each once, an abort at every failpoint, then on a backlog so many kill -9, and anything at random
# for as long as you like: `make chaos SEED=7 EVENTS=2000000 KILLS=100 MINUTES=10`
chaos: prepare
	VITALS_CHAOS_SEED=$(or $(SEED),1) VITALS_CHAOS_MINUTES=$(or $(MINUTES),5) VITALS_CHAOS_EVENTS=$(or $(EVENTS),200000) VITALS_CHAOS_KILLS=$(or $(KILLS),10) \
		$(CARGO) test $(WHOLE) --test it -- --include-ignored --nocapture --test-threads=1 chaos::

# The tests beside busy processes: no test may depend on the speed of the machine. `make test-loaded ROUNDS=1 BUSY=40`
test-loaded:
	@sh deploy/prepare.sh test
	$(CARGO) test $(WHOLE) --no-run
	ROUNDS=$(or $(ROUNDS),5) BUSY=$(or $(BUSY),20) tests/loaded.sh $(CARGO) test $(WHOLE) --no-fail-fast

# Twelve defects, each put in alone: whether a test catches it. Twenty minutes. `make mutants NAMES="record-dropped"`
mutants: prepare
	CARGO_TARGET_DIR=$(abspath $(TARGET)) tests/mutants/run.sh $(NAMES)

# Compilers, headers and the prebuilt RocksDB: installs them on Debian and Ubuntu, else says how.
prepare:
	@sh deploy/prepare.sh build

# Every value of a large simulated company against the oracle's, in three zones: `make company ACCOUNTS=20000`. The oracle
# holds the whole log: half a gigabyte for each 1,000 accounts.
company: prepare
	VITALS_COMPANY_ACCOUNTS=$(or $(ACCOUNTS),2000) $(CARGO) test $(WHOLE) --test it -- --include-ignored --nocapture --test-threads=1 every_value_of_a

# The pictures of the docs, from the real product: needs node, npm and Chromium, as the browser tests do.
pictures: build
	cd dashboard/web && npm ci --no-audit --no-fund && node pictures.mjs $(abspath $(TARGET))/release/vitals

# Every row of a data directory against the oracle's: `make check DATA=cdnow`
check: build
	CARGO_TARGET_DIR=$(TARGET) tests/oracle/check.sh $(DATA)
