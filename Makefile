CARGO ?= cargo
PREFIX ?= /usr/local

SECONDS ?= 60

RELEASE = $${CARGO_TARGET_DIR:-target}/release
UNITS = $(CURDIR)/target/units

# What `systemd-analyze security` may say of a unit at most, times ten
EXPOSURE = 15

# Options of the targets that run compare, as in make compare ARGS=--quick
ARGS ?=

.PHONY: all capi check sizes targets test-utc compare compare-full compare-publish compare-setup compare-smoke test test-smol-reactor fuzz fuzz-servers floods bench pauses edit net cores relay fmt lint doc install install-capi units deb test-deb clients picture valgrind

all:
	$(CARGO) build --release

check: fmt lint doc test

test: clients
	$(CARGO) test --locked --workspace --features relay,paused-clock

test-smol-reactor: clients
	$(CARGO) test --locked --no-default-features --features local-time --lib --tests

test-utc:
	$(CARGO) clippy --locked --lib --bins --tests --no-default-features --features one-thread -- -D warnings
	$(CARGO) test --locked --no-default-features --features one-thread --lib
	$(CARGO) test --locked --no-default-features --features one-thread --test it -- cli:: without_local_time

sizes:
	python3 packaging/sizes.py

targets:
	sh tests/targets.sh

fuzz:
	command -v cargo-fuzz >/dev/null || $(CARGO) install --locked cargo-fuzz
	for target in telnet editor text room resp; do $(CARGO) fuzz run --sanitizer none $$target -- -max_total_time=$(SECONDS) || exit 1; done
	PROPTEST_CASES=1000000 $(CARGO) test --release --locked --lib
	PROPTEST_CASES=1200 $(CARGO) test --release --locked --features relay --test it -- relay::cut::wherever

fuzz-servers:
	$(CARGO) run --release --locked --manifest-path compare/Cargo.toml -- account --seconds $(SECONDS) $(ARGS)

floods:
	$(CARGO) run --release --locked --manifest-path compare/Cargo.toml -- floods $(ARGS)

bench:
	$(CARGO) run --release --locked --manifest-path compare/Cargo.toml -- bench $(ARGS)

pauses:
	$(CARGO) run --release --locked --manifest-path compare/Cargo.toml -- pauses $(ARGS)

edit:
	$(CARGO) run --release --locked --manifest-path compare/Cargo.toml -- edit $(ARGS)

net:
	$(CARGO) run --release --locked --manifest-path compare/Cargo.toml -- net $(ARGS)

cores:
	$(CARGO) run --release --locked --manifest-path compare/Cargo.toml -- cores $(ARGS)

relay:
	$(CARGO) run --release --locked --manifest-path compare/Cargo.toml -- relay $(ARGS)

compare:
	$(CARGO) run --release --locked --manifest-path compare/Cargo.toml -- run $(ARGS)

compare-full:
	$(CARGO) run --release --locked --manifest-path compare/Cargo.toml -- run --full $(ARGS)

compare-publish:
	$(CARGO) run --release --locked --manifest-path compare/Cargo.toml -- publish $(ARGS)
	cp compare/report/cpu-latency.svg compare/report/memory.svg doc/

compare-smoke:
	$(CARGO) fmt --check --all --manifest-path compare/Cargo.toml
	$(CARGO) clippy --locked --workspace --all-targets --manifest-path compare/Cargo.toml -- -D warnings
	$(CARGO) test --locked --manifest-path compare/Cargo.toml -p compare
	$(CARGO) run --release --locked --manifest-path compare/Cargo.toml -- smoke $(ARGS)

compare-setup:
	sh compare/peers/setup.sh

fmt:
	$(CARGO) fmt --all --check

lint:
	$(CARGO) clippy --locked --workspace --all-targets --features relay,paused-clock -- -D warnings
	$(CARGO) clippy --locked --lib --bins --tests --no-default-features --features local-time -- -D warnings
	RUSTFLAGS="--cfg fuzzing" $(CARGO) clippy --locked --manifest-path fuzz/Cargo.toml -- -D warnings

doc:
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps --features relay,paused-clock

# Not built here: root, who installs, often has no compiler.
install:
	sh packaging/stage "$(DESTDIR)" "$(PREFIX)" $(RELEASE)

capi:
	$(CARGO) build --release --locked -p smolchat

install-capi:
	sh capi/install "$(DESTDIR)" "$(PREFIX)" $(RELEASE)

valgrind: capi
	$(CC) -Icapi capi/tests/misuse.c $(RELEASE)/libsmolchat.a -pthread -o $(RELEASE)/misuse
	for tool in "memcheck --leak-check=full" helgrind drd; do valgrind --tool=$$tool --error-exitcode=1 --suppressions=capi/valgrind.supp $(RELEASE)/misuse || exit 1; done

units: all
	sh packaging/stage "" $(UNITS) $(RELEASE)
	systemd-analyze verify --man=no $(UNITS)/lib/systemd/system/smol-*
	for unit in $(UNITS)/lib/systemd/system/*.service; do systemd-analyze security --offline=true --threshold=$(EXPOSURE) --no-pager $$unit >$(UNITS)/exposure; code=$$?; tail -n 1 $(UNITS)/exposure; [ $$code = 0 ] || exit 1; done

# With the relay, for hosts that have the flash to spare.
deb:
	$(CARGO) build --release --features relay
	sh packaging/deb $(RELEASE)

test-deb: deb
	python3 tests/package.py target/deb/*.deb

picture: all clients
	python3 tests/record.py $(RELEASE)/chat doc

clients:
	sh tests/clients.sh
