#!/bin/sh
# Installs the clients, the browser, the terminal emulator and the engine that the tests use, where it
# may (root on Debian); otherwise says plainly which tests are left out.

missing() {
    for client in telnet nc plink ncat busybox tmux redis-server curl w3m; do
        command -v "$client" >/dev/null || printf '%s ' "$client"
    done
}

if [ -n "$(missing)" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq && apt-get install -qq -y --no-install-recommends \
        inetutils-telnet netcat-openbsd putty-tools ncat busybox tmux redis-server curl w3m >/dev/null
fi
if [ -n "$(missing)" ]; then
    echo "not installed: $(missing)- the tests in clients.rs, terminal.rs, relay.rs and asyncio/http.rs of tests/it that need them are left out"
fi
