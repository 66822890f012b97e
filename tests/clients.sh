#!/bin/sh
# Installs the telnet clients that the tests talk to, where it may (root on Debian); otherwise
# says plainly which tests are left out.

missing() {
    for client in telnet nc plink; do
        command -v "$client" >/dev/null || printf '%s ' "$client"
    done
}

if [ -n "$(missing)" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq && apt-get install -qq -y --no-install-recommends \
        inetutils-telnet netcat-openbsd putty-tools >/dev/null
fi
if [ -n "$(missing)" ]; then
    echo "not installed: $(missing)- the tests in tests/it/clients.rs that need them are left out"
fi
