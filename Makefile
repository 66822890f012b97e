CARGO ?= cargo
PREFIX ?= /usr/local

.PHONY: all check test bench fmt lint doc install clients

all:
	$(CARGO) build --release

check: fmt lint doc test

test: clients
	$(CARGO) test --locked

bench:
	$(CARGO) bench --locked --bench bench

fmt:
	$(CARGO) fmt --check

lint:
	$(CARGO) clippy --locked --all-targets -- -D warnings

doc:
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps

install: all
	install -d $(DESTDIR)$(PREFIX)/bin
	for name in echo time chat; do install -m 755 target/release/$$name $(DESTDIR)$(PREFIX)/bin/smol-$$name || exit 1; done

clients:
	sh tests/clients.sh
